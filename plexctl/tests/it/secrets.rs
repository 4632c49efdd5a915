//! Where tokens may be seen, and where they may not.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::stage::{OPERATOR, PROJECT, Play, RESOURCE, SESSION, Sandbox, Server, TOKEN, mode};

fn server() -> Server {
    Server::start(vec![Play::issued("tcp", "127.0.0.1:2400")])
}

#[test]
fn a_token_is_shown_only_on_request() {
    let sandbox = Sandbox::new();
    for format in ["text", "json", "yaml"] {
        let output =
            sandbox.run(&server(), "tcp-forward").args(["--output", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(stream);
            assert!(!text.contains(TOKEN) && !text.contains(OPERATOR), "{text}");
        }
        assert!(names_under_state(&sandbox).is_empty());
    }
}

fn names_under_state(sandbox: &Sandbox) -> Vec<String> {
    let state = sandbox.home().join(".local/state/plexctl");
    if state.exists() { crate::stage::names(&state) } else { Vec::new() }
}

#[test]
fn revealing_is_recorded_first_and_goes_to_stderr() {
    let sandbox = Sandbox::new();
    for (round, args) in [["--reveal-secrets"], ["--reveal-secrets=true"]].iter().enumerate() {
        let output = sandbox
            .run(&server(), "tcp-forward")
            .args(args)
            .env("LOGNAME", "ann")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(!stdout.contains(TOKEN));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{stderr}");
        assert!(lines[0].starts_with("warning: "));
        assert_eq!(lines[1], TOKEN);
        let directory = sandbox.home().join(".local/state/plexctl");
        let file = directory.join("audit.jsonl");
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), round + 1);
        assert!(!text.contains(TOKEN) && !text.contains(OPERATOR));
        let entry: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        for (key, value) in [
            ("command", "tcp-forward"),
            ("project_id", PROJECT),
            ("resource_id", RESOURCE),
            ("session_id", SESSION),
            ("user", "ann"),
        ] {
            assert_eq!(entry[key], value, "{key}");
        }
        assert!(entry["time"].as_str().unwrap().ends_with('Z'));
    }
}

#[test]
fn the_local_flag_goes_before_the_root_flag() {
    let sandbox = Sandbox::new();
    let shown = |before: &[&str], after: &[&str]| {
        let server = server();
        let output = sandbox
            .plexctl()
            .args(before)
            .args(crate::stage::line("tcp-forward"))
            .args(after)
            .args(["--server", &server.url])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap().contains(TOKEN)
    };
    assert!(shown(&["--reveal-secrets"], &[]));
    assert!(shown(&[], &["--reveal-secrets"]));
    assert!(!shown(&["--reveal-secrets"], &["--reveal-secrets=false"]));
    assert!(shown(&["--reveal-secrets=false"], &["--reveal-secrets"]));
}

#[test]
fn what_cannot_be_recorded_is_not_revealed() {
    let sandbox = Sandbox::new();
    let server = server();
    let state = sandbox.path("state");
    fs::create_dir_all(state.join("plexctl")).unwrap();
    fs::write(sandbox.path("victim"), "precious").unwrap();
    symlink(sandbox.path("victim"), state.join("plexctl/audit.jsonl")).unwrap();
    let output = sandbox
        .run(&server, "tcp-forward")
        .arg("--reveal-secrets")
        .env("XDG_STATE_HOME", &state)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("plexctl: audit: ") && !stderr.contains(TOKEN), "{stderr}");
    assert_eq!(fs::read_to_string(sandbox.path("victim")).unwrap(), "precious");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_pasted_token_is_not_repeated() {
    let sandbox = Sandbox::new();
    for args in [
        vec![OPERATOR],
        vec!["kubeconfig", OPERATOR],
        vec!["kubeconfig", "--token", OPERATOR],
        vec!["kubeconfig", "--output", OPERATOR],
        vec!["kubeconfig", "--project-id", OPERATOR],
        vec!["ssh", "--port", TOKEN],
        vec!["tcp-forward", "--port", TOKEN],
    ] {
        for format in ["text", "json"] {
            let mut command = sandbox.plexctl();
            command.args(["--output", format]).args(&args);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(!stderr.contains("canary") && !stderr.contains(TOKEN), "{stderr}");
        }
    }
}

#[test]
fn a_shortened_lifetime_is_mentioned() {
    let sandbox = Sandbox::new();
    let run = |ttl: &str| {
        let server = server();
        let output =
            sandbox.run(&server, "tcp-forward").args(["--ttl-seconds", ttl]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let sent = server.requests().pop().unwrap().body;
        (String::from_utf8(output.stderr).unwrap(), sent)
    };
    let (stderr, sent) = run("7200");
    assert!(stderr.contains("2030-01-01T00:30:00Z") && stderr.contains("1800 s"), "{stderr}");
    assert!(sent.contains("\"requested_ttl_seconds\":7200"), "{sent}");
    let (stderr, _) = run("1800");
    assert_eq!(stderr, "");
    let (_, sent) = run("0");
    assert!(!sent.contains("ttl"), "{sent}");
}
