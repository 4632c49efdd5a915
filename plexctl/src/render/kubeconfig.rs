//! A session as a kubeconfig: one cluster, one user, one context, all named `plexsphere`
//! (docs/decisions/0010-*.md).

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::Secret;
use crate::yaml;

const NAME: &str = "plexsphere";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    clusters: [NamedCluster<'a>; 1],
    contexts: [NamedContext; 1],
    current_context: &'static str,
    users: [NamedUser<'a>; 1],
}

#[derive(Serialize)]
struct NamedCluster<'a> {
    name: &'static str,
    cluster: Cluster<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<String>,
}

#[derive(Serialize)]
struct NamedContext {
    name: &'static str,
    context: Context,
}

#[derive(Serialize)]
struct Context {
    cluster: &'static str,
    user: &'static str,
}

#[derive(Serialize)]
struct NamedUser<'a> {
    name: &'static str,
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    token: &'a str,
}

/// The document for a listener endpoint and a token, with a PEM authority embedded if there is one.
pub(crate) fn render(
    listener_endpoint: &str,
    token: &Secret,
    authority_pem: Option<&[u8]>,
) -> Result<Zeroizing<String>, Error> {
    let server = format!("https://{listener_endpoint}");
    document(&server, token.expose(), authority_pem)
}

fn document(
    server: &str,
    token: &str,
    authority_pem: Option<&[u8]>,
) -> Result<Zeroizing<String>, Error> {
    let kubeconfig = Kubeconfig {
        api_version: "v1",
        kind: "Config",
        clusters: [NamedCluster {
            name: NAME,
            cluster: Cluster { server, certificate_authority_data: authority_pem.map(base64) },
        }],
        contexts: [NamedContext { name: NAME, context: Context { cluster: NAME, user: NAME } }],
        current_context: NAME,
        users: [NamedUser { name: NAME, user: User { token } }],
    };
    // Room for all of it, so that no half-grown copy of the token is left behind in the heap.
    let mut text = Zeroizing::new(String::with_capacity(
        1024 + server.len() + 2 * token.len() + 2 * authority_pem.map_or(0, <[u8]>::len),
    ));
    yaml::write(&mut text, &kubeconfig).map_err(|error| Error::Render(error.to_string()))?;
    Ok(text)
}

/// Standard base64 with padding, as kubectl reads it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = 0_u32;
        for index in 0..3 {
            group = group << 8 | u32::from(chunk.get(index).copied().unwrap_or_default());
        }
        for index in 0..4_usize {
            let digit = (group >> (18 - 6 * index)) & 63;
            let filled = index <= chunk.len();
            let letter = DIGITS.get(digit as usize).copied().filter(|_| filled).unwrap_or(b'=');
            out.push(char::from(letter));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use serde_json::Value;

    use super::*;

    /// Texts that YAML 1.1 or 1.2 could take for something else than the text they are.
    const AWKWARD: [&str; 84] = [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        "Y",
        "N",
        "Yes",
        "NO",
        "ON",
        "Off",
        "true",
        "false",
        "True",
        "FALSE",
        "null",
        "Null",
        "NULL",
        "~",
        "1",
        "0",
        "-1",
        "+1",
        "1_000",
        "0x1F",
        "0o17",
        "017",
        "08",
        "0b101",
        "1e3",
        "1E5",
        "1.5",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".nan",
        ".NaN",
        "190:20:30",
        "12:30",
        "2026-11-22",
        "2026-11-22T10:00:00Z",
        "=",
        "<<",
        "!",
        "!!str x",
        "&a",
        "*a",
        "@x",
        "`x`",
        "%x",
        "|",
        ">",
        "|-",
        "-",
        "- a",
        "?",
        "? a",
        ":",
        ": a",
        "a: b",
        "a:",
        "#x",
        "a #b",
        "a#b",
        "[a]",
        "{a: b}",
        "[",
        "}",
        ",",
        "'",
        "\"",
        "it's",
        "say \"x\"",
        "\\n",
        "a\\b",
        "---",
        "...",
        "--- x",
        " lead",
        "trail ",
        "\u{85}x\u{feff}\u{2028}",
        "exec: {command: id}",
    ];

    fn parsed(server: &str, token: &str, pem: Option<&[u8]>) -> Value {
        let text = document(server, token, pem).expect("a document");
        serde_saphyr::from_str(&text).expect("yaml")
    }

    #[test]
    fn one_cluster_one_user_one_context() {
        let value = parsed("https://127.0.0.1:6443", "eyJ.a.b", None);
        assert_eq!(
            value,
            serde_json::json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "plexsphere", "cluster": {"server": "https://127.0.0.1:6443"}}],
                "contexts": [{
                    "name": "plexsphere",
                    "context": {"cluster": "plexsphere", "user": "plexsphere"},
                }],
                "current-context": "plexsphere",
                "users": [{"name": "plexsphere", "user": {"token": "eyJ.a.b"}}],
            })
        );
    }

    #[test]
    fn a_given_authority_is_embedded() {
        let value = parsed("https://h:1", "t", Some(b"-----BEGIN CERTIFICATE-----\n"));
        let cluster = &value["clusters"][0]["cluster"];
        assert_eq!(
            cluster["certificate-authority-data"],
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
        );
    }

    #[test]
    fn base64_is_the_standard_one() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn awkward_texts_survive_our_own_reading() {
        for text in AWKWARD {
            let value = parsed(text, text, None);
            assert_eq!(value["users"][0]["user"]["token"], text);
            assert_eq!(value["clusters"][0]["cluster"]["server"], text);
            assert_eq!(value["users"][0]["user"].as_object().expect("a user").len(), 1);
        }
    }

    #[test]
    fn awkward_texts_survive_kubectl() {
        if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
            assert!(std::env::var_os("CI_REQUIRE_TOOLS").is_none(), "kubectl not found");
            eprintln!("SKIP: kubectl not found");
            return;
        }
        // kubectl takes most of a tenth of a second to start, so it is started side by side.
        std::thread::scope(|scope| {
            for part in AWKWARD.chunks(AWKWARD.len().div_ceil(4)) {
                scope.spawn(|| part.iter().for_each(|text| through_kubectl(text)));
            }
        });
    }

    fn through_kubectl(text: &str) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let rendered = document(text, text, None).expect("a document");
        file.write_all(rendered.as_bytes()).expect("written");
        let output = Command::new("kubectl")
            .args(["config", "view", "--raw", "-o", "json", "--kubeconfig"])
            .arg(file.path())
            .env_remove("KUBECONFIG")
            .output()
            .expect("kubectl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text:?}: {said}\n{}", rendered.as_str());
        let value: Value = serde_json::from_slice(&output.stdout).expect("json");
        assert_eq!(value["users"][0]["user"]["token"], text, "{}", rendered.as_str());
        assert_eq!(value["clusters"][0]["cluster"]["server"], text, "{}", rendered.as_str());
        for list in ["clusters", "users", "contexts"] {
            assert_eq!(value[list].as_array().map(Vec::len), Some(1), "{text:?}");
        }
        assert_eq!(value["current-context"], "plexsphere");
    }
}
