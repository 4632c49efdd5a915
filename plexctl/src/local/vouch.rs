//! Whether ssh has compared the host's key with the pin before it asks for the token
//! (docs/decisions/0005-*.md).
//!
//! ssh asks about a key that it does not know, and compares our answer itself. It asks nothing
//! where its configuration waves keys through, and nothing about a key that it knows already. Then
//! what it keeps on record has to be the pinned key and no other.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

use crate::env;
use crate::local::ssh_client;

const COMPARED: &str = "compared";

/// What the helper leaves for itself while one ssh runs: it is started anew for every prompt. It
/// holds no secret, and goes with the plexctl that made it.
pub(crate) struct Note(NamedTempFile);

impl Note {
    /// Without a note the helper asks ssh instead, which takes longer.
    pub(crate) fn about(destination: &str) -> Option<Self> {
        let mut file = NamedTempFile::with_prefix("plexctl-").ok()?;
        writeln!(file, "{destination}").ok()?;
        Some(Self(file))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// ssh was told the pin. It comes back with another question unless the key is the right one.
pub(crate) fn answered() {
    let Some(path) = env::raw(env::ASKPASS_NOTE) else { return };
    let note = OpenOptions::new().append(true).open(path);
    // A note that cannot be written makes the helper ask.
    note.and_then(|mut note: File| writeln!(note, "{COMPARED}")).ok();
}

/// Why the token may not be given, if it may not. The destination is what to ask ssh about when
/// there is no note.
pub(crate) fn objection(pin: &str, destination: &str) -> Option<String> {
    let note = env::raw(env::ASKPASS_NOTE).and_then(|path| std::fs::read_to_string(path).ok());
    let mut lines = note.as_deref().unwrap_or_default().lines();
    let noted = lines.next();
    if lines.any(|line| line == COMPARED) {
        return None;
    }
    let settings = Settings::ask(noted.unwrap_or(destination)).unwrap_or_default();
    let mut known = false;
    for file in &settings.files {
        for key in on_record(&settings.name, Some(file)) {
            if key != pin {
                return Some(format!(
                    "another key than the pinned one is on record for {name}; if it is out of \
                     date: ssh-keygen -R '{name}' -f '{file}'",
                    name = settings.name,
                    file = file.display()
                ));
            }
            known = true;
        }
    }
    // Nobody noted what was asked, and nothing is on record: then ssh did ask, unless told not to.
    let asked = noted.is_none() && settings.asks;
    let compared = (known || asked) && !settings.blind;
    (!compared).then(|| {
        format!(
            "ssh has not compared the host's key with the pin; its configuration \
             (StrictHostKeyChecking {}) takes any key, so let it ask for this host, or let it \
             keep the keys that it accepts",
            settings.checking
        )
    })
}

/// The hint after a failure of ssh's own: what it has on record may be an earlier listener's key.
pub(crate) fn hint_of_another_key(pin: &str, host: &str, port: u16) -> Option<String> {
    let name = name_of(host, port);
    let keys = on_record(&name, None);
    keys.iter().any(|key| key != pin).then(|| {
        format!(
            "another host key is on record for {name}; if it is an earlier server's: ssh-keygen \
             -R '{name}'"
        )
    })
}

/// What ssh itself says about a destination.
#[derive(Default)]
struct Settings {
    /// As the host is called on record.
    name: String,
    files: Vec<PathBuf>,
    checking: String,
    asks: bool,
    /// Keys of this machine are not looked at.
    blind: bool,
}

impl Settings {
    fn ask(destination: &str) -> io::Result<Self> {
        let program = ssh_client::find().map_err(io::Error::other)?;
        let text = said(Command::new(program).args(["-G", destination]))?;
        Ok(Self::read(&text))
    }

    fn read(text: &str) -> Self {
        let all = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(name, _)| *name == key).map(|(_, value)| value.trim())
        };
        let (host, port) = (all("hostname").unwrap_or_default(), all("port"));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(22);
        let alias = all("hostkeyalias").filter(|alias| *alias != "none");
        let checking = all("stricthostkeychecking").unwrap_or("ask").to_owned();
        let files =
            ["userknownhostsfile", "globalknownhostsfile"].map(|key| all(key).unwrap_or(""));
        let here = host == "localhost" || host == "::1" || host.starts_with("127.");
        Self {
            name: alias.map_or_else(|| name_of(host, port), str::to_owned),
            files: files.iter().flat_map(|list| list.split(' ')).map(PathBuf::from).collect(),
            asks: matches!(checking.as_str(), "ask" | "yes" | "true"),
            checking,
            blind: here && all("nohostauthenticationforlocalhost") == Some("yes"),
        }
    }
}

fn name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The fingerprints that are kept for a host; without a file, in the usual one.
fn on_record(name: &str, file: Option<&Path>) -> Vec<String> {
    if name.is_empty() || file.is_some_and(|file| !file.is_file()) {
        return Vec::new();
    }
    let Some(program) = ssh_client::on_path("ssh-keygen") else { return Vec::new() };
    let mut command = Command::new(program);
    command.args(["-l", "-F", name]);
    if let Some(file) = file {
        command.arg("-f").arg(file);
    }
    let text = said(&mut command).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fingerprint = |word: &&str| word.starts_with("SHA256:");
    lines.filter_map(|line| line.split(' ').find(fingerprint)).map(str::to_owned).collect()
}

/// What a program of OpenSSH prints. It gets neither the token nor a helper to ask for it.
fn said(command: &mut Command) -> io::Result<String> {
    for name in [env::SESSION_TOKEN, env::ASKPASS, env::SSH_ASKPASS, env::SSH_ASKPASS_REQUIRE] {
        command.env_remove(name);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_of_a_destination_is_read() {
        let settings = Settings::read(
            "host h\nhostname 127.0.0.1\nport 2301\nnohostauthenticationforlocalhost no\n\
             stricthostkeychecking accept-new\nglobalknownhostsfile /etc/a /etc/b\n\
             userknownhostsfile /home/x/known\n",
        );
        assert_eq!(settings.name, "[127.0.0.1]:2301");
        assert_eq!(settings.files, ["/home/x/known", "/etc/a", "/etc/b"].map(PathBuf::from));
        assert!(!settings.asks && !settings.blind && settings.checking == "accept-new");
    }

    #[test]
    fn an_alias_is_the_name_on_record_and_some_keys_are_not_looked_at() {
        let settings = Settings::read(
            "hostname localhost\nport 22\nhostkeyalias node\nstricthostkeychecking ask\n\
             nohostauthenticationforlocalhost yes\n",
        );
        assert_eq!(settings.name, "node");
        assert!(settings.asks && settings.blind);
    }
}
