//! `--server`: the rules against a control plane that already runs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{OTHER_SERVER_RULE, SERVER_RULE, binaries, code, conformance, stdout};

/// Our own server, started as anybody would, and stopped at the end of the test.
struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    fn start() -> Self {
        let mut child = Command::new(&binaries().mock_server)
            .args(["--port", "0", "--output", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, ready }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_that_already_runs() {
    let server = Running::start();
    let dir = tempfile::tempdir().unwrap();
    let token: PathBuf = dir.path().join("token");
    fs::write(&token, "psk_dev_operator\n").unwrap();
    let token = token.to_str().unwrap();
    let ca = server.ready["ca_file"].as_str().unwrap();
    for url in [&server.ready["http"], &server.ready["https"]] {
        let url = url.as_str().unwrap();
        let output = conformance(&[
            "run",
            "--server",
            url,
            "--token-file",
            token,
            "--ca-file",
            ca,
            "--rule",
            SERVER_RULE,
            "--rule",
            OTHER_SERVER_RULE,
            "--rule",
            "server.issue_session.*",
        ]);
        assert_eq!(code(&output), 0, "{}", stdout(&output));
        assert!(stdout(&output).contains(" passed, 0 failed, "), "{output:?}");
    }
    // What only a server of our own making can show is skipped, with its need.
    let http = server.ready["http"].as_str().unwrap();
    let output = conformance(&[
        "run",
        "--server",
        http,
        "--token-file",
        token,
        "--rule",
        "server.determinism.*",
    ]);
    assert_eq!(code(&output), 5, "{output:?}");
    assert!(stdout(&output).contains("a server the harness starts itself"), "{output:?}");
}

/// What is wrong with the files given for a server is said of them, and no rule blames the server.
#[test]
fn a_mistake_of_ours_is_not_the_servers() {
    let server = Running::start();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good", "psk_dev_operator\n");
    let ca = server.ready["ca_file"].as_str().unwrap();
    let (http, https) = (&server.ready["http"], &server.ready["https"]);
    let asked = |url: &Value, token: &str, more: &[&str]| {
        let named = ["run", "--server", url.as_str().unwrap(), "--token-file", token, "--foreign"];
        conformance(&[&named[..], more, &["--rule", "server.issue_session.distinct"]].concat())
    };
    let output = asked(https, &good, &["--ca-file", ca]);
    assert_eq!(code(&output), 0, "{output:?}");
    for (token, more, said) in [
        (file("empty", ""), &[][..], "empty: not a credential"),
        (file("two_lines", "psk_dev_operator\nx\n"), &[], "two_lines: not a credential"),
        (file("wrong", "psk_dev_stranger\n"), &[], "401 to the credential in"),
        (good.clone(), &["--ca-file", &good], "none in it"),
        (good.clone(), &["--ca-file", "/no/such/ca"], "no file at /no/such/ca"),
        (good.clone(), &["--without", "Nope"], "--without Nope"),
    ] {
        let output = asked(http, &token, more);
        assert_eq!(code(&output), 3, "{said}: {output:?}");
        assert!(super::stderr(&output).contains(said), "{said}: {output:?}");
        assert!(output.stdout.is_empty(), "{said}: {output:?}");
    }
}
