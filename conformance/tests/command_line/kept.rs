//! `--keep`: what a failed rule leaves behind, and that it can be used.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{CLIENT_RULE, binaries, subject};

/// Runs with `--keep`, lets `look` see the output while everything stands, and then lets go.
/// Returns how it ended, and what is left in the temporary directory.
fn kept(args: &[&str], look: impl FnOnce(&str)) -> (i32, usize) {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["run", "--keep"])
        .args(args)
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    let mut chunk = [0_u8; 4096];
    while !text.contains("until standard input ends") {
        let read = out.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    look(&text);
    drop(child.stdin.take());
    let ended = child.wait().unwrap().code().unwrap();
    (ended, std::fs::read_dir(temporary.path()).unwrap().count())
}

fn after<'t>(text: &'t str, marker: &str) -> &'t str {
    match text.lines().find_map(|line| line.split_once(marker)) {
        Some((_, rest)) => rest.trim(),
        None => panic!("no {marker} in {text}"),
    }
}

/// The port of a base URL, where somebody has to listen.
fn connect(url: &str) {
    let port: String =
        url.rsplit("127.0.0.1:").next().unwrap().chars().take_while(char::is_ascii_digit).collect();
    TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
}

#[test]
fn a_failed_client_rule_can_be_run_again_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = subject(&dir, "echo \"asked $*\" >&2; exit 4");
    let (ended, left) = kept(&["--plexctl", &wrong, "--rule", CLIENT_RULE], |text| {
        let script = after(text, "to run it again while all stands: sh ");
        let again = Command::new("sh").arg(script).output().unwrap();
        assert_eq!(again.status.code(), Some(4), "{again:?}");
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(said.starts_with("asked kubeconfig "), "{said}");
        connect(said.split(" --").find(|flag| flag.starts_with("server ")).unwrap());
        let token = Path::new(script).parent().unwrap().with_file_name("box").join("home/token");
        assert!(token.is_file(), "{}", token.display());
        let repeat = after(text, "repeat: ");
        assert!(repeat.ends_with(&format!("--rule {CLIENT_RULE}")), "{repeat}");
    });
    assert_eq!((ended, left), (1, 1), "the sandbox stays");
}

/// A server of another generation than it is asked for.
fn older(dir: &TempDir) -> String {
    let server = binaries().mock_server.display();
    let script = format!(
        "for word; do shift; [ \"$word\" = 2026-07 ] && word=2026-06; set -- \"$@\" \"$word\"; done\n\
         exec {server} \"$@\""
    );
    subject(dir, &script)
}

#[test]
fn a_failed_server_rule_leaves_its_server_running() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "server.issue_session.body.blank";
    let (ended, _) = kept(&["--mock-server", &older(&dir), "--rule", rule], |text| {
        connect(after(text, "it answers at "));
    });
    assert_eq!(ended, 1);
}

#[test]
fn what_passes_leaves_nothing() {
    let own = binaries().plexctl.to_str().unwrap();
    let (ended, left) = kept(&["--plexctl", own, "--rule", CLIENT_RULE], |text| {
        assert!(text.ends_with("\n1 passed, 0 failed, 0 skipped\n"), "{text}");
    });
    assert_eq!((ended, left), (0, 0));
}
