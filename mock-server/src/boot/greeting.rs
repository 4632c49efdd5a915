//! What a person sees at a terminal: where the server is, who there is, and lines to paste.

use std::fmt::Write as _;
use std::path::Path;

use super::Ready;
use crate::world::directory::Directory;
use crate::world::file::Token;

/// One line of the table of tokens.
#[derive(Debug, Clone)]
pub struct Row {
    token: String,
    identity: String,
    note: String,
}

pub fn rows(directory: &Directory) -> Vec<Row> {
    let row = |identity: &str, token: &Token| Row {
        token: token.token.clone(),
        identity: identity.to_owned(),
        note: token.note.clone().unwrap_or_default(),
    };
    directory
        .file
        .identities
        .iter()
        .flat_map(|one| one.tokens.iter().map(move |token| row(&one.name, token)))
        .collect()
}

/// The examples of the three command pages, with their own ids.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("a kubeconfig", &["kubeconfig", "--impersonate-user platform-admin"]),
    (
        "a kubeconfig in a private file, with groups",
        &[
            "kubeconfig",
            "--impersonate-user platform-admin",
            "--impersonate-group system:masters",
            "--impersonate-group ops",
            "--output-file ./plexsphere.kubeconfig",
        ],
    ),
    ("an ssh session", &["ssh", "--login-user ops"]),
    (
        "an ssh session of fifteen minutes, showing its token",
        &["ssh", "--login-user ops", "--ttl-seconds 900", "--reveal-secrets"],
    ),
    ("a forwarded port", &["tcp-forward", "--host 10.0.0.5", "--port 5432"]),
    (
        "a forwarded port with a local address, showing its token",
        &[
            "tcp-forward",
            "--host 10.0.0.5",
            "--port 5432",
            "--local-addr 127.0.0.1:15432",
            "--reveal-secrets",
        ],
    ),
];

const PROJECT: &str = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
const RESOURCE: &str = "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3";

/// Everything that the greeting depends on.
pub struct Greeting<'s> {
    pub ready: &'s Ready,
    pub rows: &'s [Row],
    /// Whether endpoints are told later than sessions.
    pub waits: bool,
    /// Whether sessions lead anywhere.
    pub lands: bool,
}

impl Greeting<'_> {
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Greeting { ready, rows, waits, lands } = *self;
        let plexctl = plexctl();
        writeln!(out, "mock-server is ready\n")?;
        writeln!(out, "  {:<10}{}", "https", ready.https)?;
        writeln!(out, "  {:<10}{}", "http", ready.http)?;
        writeln!(out, "  {:<10}{}\n", "CA file", ready.ca_file.display())?;
        let width = rows.iter().map(|row| row.token.len()).max().unwrap_or(0) + 2;
        let names = rows.iter().map(|row| row.identity.len()).max().unwrap_or(0) + 2;
        writeln!(out, "Tokens, all of them public:\n")?;
        for row in rows {
            writeln!(out, "  {:<width$}{:<names$}{}", row.token, row.identity, row.note)?;
        }
        writeln!(out, "\nPaste this into another terminal:\n")?;
        let token = rows.first().map_or("psk_dev_operator", |row| row.token.as_str());
        writeln!(out, "  {}\n", exports(ready, token))?;
        for (what, parts) in EXAMPLES {
            let (command, flags) = parts.split_first().unwrap_or((&"", &[]));
            writeln!(out, "  # {what}")?;
            write!(out, "  {plexctl} {command} --project-id {PROJECT} --resource-id {RESOURCE}")?;
            for flag in flags {
                write!(out, " {flag}")?;
            }
            writeln!(out, "{}\n", if waits { " --wait 10" } else { "" })?;
        }
        if lands {
            writeln!(out, "For kubectl, add this to the line of a kubeconfig:\n")?;
            writeln!(out, "  --certificate-authority \"$PLEXSPHERE_CA_FILE\"\n")?;
        } else {
            writeln!(
                out,
                "Sessions are issued and lead nowhere: nothing listens at their endpoints.\n"
            )?;
        }
        writeln!(out, "Stop with Ctrl-C.")
    }
}

fn exports(ready: &Ready, token: &str) -> String {
    let [url, ca, token] = variables(ready, token);
    format!("export {url} {ca} {token}")
}

/// The three assignments, quoted for a shell.
pub fn variables(ready: &Ready, token: &str) -> [String; 3] {
    [
        format!("PLEXSPHERE_URL={}", quoted(&ready.https)),
        format!("PLEXSPHERE_CA_FILE={}", quoted(&ready.ca_file.to_string_lossy())),
        format!("PLEXSPHERE_TOKEN={}", quoted(token)),
    ]
}

fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,[]".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// How plexctl can be called from here: by name, by the path beside this binary, or by cargo.
fn plexctl() -> String {
    let on_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| is_there(&dir.join("plexctl"))));
    if on_path {
        return "plexctl".to_owned();
    }
    let sibling = std::env::current_exe().ok().map(|own| own.with_file_name("plexctl"));
    match sibling.filter(|path| is_there(path)) {
        Some(path) => quoted(&path.to_string_lossy()),
        None => "cargo run --quiet --release --bin plexctl --".to_owned(),
    }
}

fn is_there(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_shell() {
        assert_eq!(quoted("https://localhost:8080"), "https://localhost:8080");
        assert_eq!(quoted("/tmp/a b/it's"), r"'/tmp/a b/it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
