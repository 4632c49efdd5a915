//! `--wait`: an endpoint that appears on the session later.

use std::time::{Duration, Instant};

use crate::mock::Mock;
use crate::stage::{Play, SESSION, Sandbox, Server, TOKEN};

fn bare() -> Play {
    let body = format!(
        r#"{{"session_id":"{SESSION}","token":"{TOKEN}","expires_at":"2030-01-01T00:30:00Z"}}"#
    );
    Play::json("201 Created", "application/json", &body)
}

fn read(members: &str) -> Play {
    let body = format!(r#"{{"id":"{SESSION}"{members}}}"#);
    Play::json("200 OK", "application/json", &body)
}

const ENDPOINT: &str = r#","status":"active","listener_endpoint":"127.0.0.1:2400""#;
const NONE_YET: &str = r#","status":"active""#;

#[test]
fn an_endpoint_that_comes_later_is_waited_for() {
    for command in ["kubeconfig", "tcp-forward", "ssh"] {
        let sandbox = Sandbox::new();
        sandbox.fake_ssh("#!/bin/sh\necho \"$@\"\n");
        let away = Play::problem("503 Service Unavailable", "{}");
        let server =
            Server::start(vec![bare(), read(NONE_YET), away, Play::HangUp, read(ENDPOINT)]);
        let output = sandbox.run(&server, command).args(["--wait", "20"]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{command}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("127.0.0.1:2400"), "{command}");
        assert_eq!((server.issues(), server.revokes()), (5, 0), "{command}");
        let requests = server.requests();
        assert!(requests[1].head.starts_with("GET ") && requests[1].path.ends_with(SESSION));
    }
}

#[test]
fn without_it_nothing_is_read_and_the_hint_names_it() {
    for wait in [&[][..], &["--wait", "0"]] {
        let (sandbox, server) = (Sandbox::new(), Server::start(vec![bare(), read(ENDPOINT)]));
        let output = sandbox.run(&server, "kubeconfig").args(wait).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty() && stderr.contains("--wait SECONDS"), "{stderr}");
        assert_eq!((server.issues(), server.revokes()), (1, 1));
    }
}

#[test]
fn what_waiting_can_come_to() {
    let gone = Play::problem("404 Not Found", r#"{"code":"session_not_found"}"#);
    let refused = Play::problem("401 Unauthorized", r#"{"code":"unauthenticated"}"#);
    let denied = Play::problem("403 Forbidden", r#"{"code":"rebac_denied"}"#);
    let other = Play::json("200 OK", "application/json", r#"{"id":"x","status":"active"}"#);
    let bad = read(r#","status":"active","listener_endpoint":"-oX:22""#);
    for (play, code, said) in [
        (read(NONE_YET), 1, "reported no listener endpoint within 0.3 s"),
        (read(r#","status":"revoked""#), 1, "ended before its node reported"),
        (read(r#","status":"expired""#), 1, "ended before its node reported"),
        (gone, 1, "read session: "),
        (refused, 3, "read session: the credential was refused"),
        (denied, 77, "read session: denied"),
        (other, 1, "read session: "),
        (bad, 1, "bad listener endpoint"),
    ] {
        let (sandbox, server) = (Sandbox::new(), Server::start(vec![bare(), play]));
        let output = sandbox.run(&server, "kubeconfig").args(["--wait", "0.3"]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(output.stdout.is_empty() && stderr.contains(said), "{said} in {stderr}");
        assert_eq!(server.revokes(), 1, "{said}");
    }
}

#[test]
fn the_newest_contract_works_with_a_node_that_takes_its_time() {
    let (mock, sandbox) = (Mock::start(&["--contract", "2026-08"]), Sandbox::new());
    mock.change_world(|world| world["listeners"]["report_delay_seconds"] = 2.into());
    let run = |wait: &str| {
        let began = Instant::now();
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_plexctl"))
            .args(crate::stage::line("tcp-forward"))
            .args(["--wait", wait])
            .env_clear()
            .envs(mock.environment(&sandbox))
            .output()
            .unwrap()
            .status;
        (status.code(), began.elapsed())
    };
    let (code, took) = run("20");
    assert_eq!(code, Some(0));
    assert!(took >= Duration::from_millis(900), "it did not wait: {took:?}");
    assert_eq!(run("0.2").0, Some(1));
}
