//! Exit codes, and their causes: what the server saw, and which stream says what.

use serde_json::Value;

use crate::stage::{
    self, OPERATOR, PROJECT, Play, RESOURCE, SESSION, Sandbox, Server, TOKEN, line,
};

const COMMANDS: [(&str, &str); 3] = [("kubeconfig", "k8s"), ("ssh", "ssh"), ("tcp-forward", "tcp")];
const PROBLEM: &str = "application/problem+json";

/// Runs a command against one answer, with a fake ssh that succeeds.
fn outcome(command: &str, play: Play, args: &[&str]) -> (i32, String, String, Server) {
    let sandbox = Sandbox::new();
    sandbox.fake_ssh("#!/bin/sh\nexit 0\n");
    let server = Server::start(vec![play]);
    let output = sandbox.run(&server, command).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr), server)
}

#[test]
fn every_status_has_its_number() {
    let step_up = r#"{"code":"step_up_required","detail":"stronger, please"}"#;
    let rebac = r#"{"code":"rebac_denied","reason":"insufficient_relation","correlation_id":"01JC",
        "relation_path":["identity:a","group:b"]}"#;
    let table: Vec<(&str, &str, &str, i32)> = vec![
        ("400 Bad Request", PROBLEM, r#"{"code":"invalid_body"}"#, 1),
        ("401 Unauthorized", PROBLEM, r#"{"code":"unauthenticated"}"#, 3),
        ("401 Unauthorized", PROBLEM, step_up, 3),
        ("401 Unauthorized", "text/html", "<html>", 3),
        ("403 Forbidden", PROBLEM, rebac, 77),
        ("403 Forbidden", PROBLEM, r#"{"code":"permission_denied","reason":"out_of_scope"}"#, 4),
        ("403 Forbidden", PROBLEM, r#"{"reason":"insufficient_relation"}"#, 4),
        ("403 Forbidden", "text/html", "<h1>rebac_denied</h1>", 4),
        ("403 Forbidden", PROBLEM, "", 4),
        ("404 Not Found", PROBLEM, r#"{"code":"project_not_found"}"#, 1),
        ("409 Conflict", PROBLEM, r#"{"code":"idempotent_replay"}"#, 1),
        ("429 Too Many Requests", PROBLEM, r#"{"code":"session_limit_exceeded"}"#, 1),
        ("500 Internal Server Error", PROBLEM, "{}", 1),
        ("501 Not Implemented", PROBLEM, "{}", 1),
        ("503 Service Unavailable", PROBLEM, r#"{"code":"signing_unavailable"}"#, 1),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", PROBLEM, "", 1),
        ("307 Temporary Redirect\r\nlocation: /elsewhere", PROBLEM, "", 1),
        ("200 OK", "application/json", "{}", 1),
        ("202 Accepted", "application/json", "{}", 1),
        ("201 Created", "text/html", "{}", 1),
        ("201 Created", "application/json", "{", 1),
        ("201 Created", "application/json", "[]", 1),
        ("201 Created\r\ncontent-encoding: gzip", "application/json", "{}", 1),
    ];
    for (status, content_type, body, expected) in table {
        for (command, _) in COMMANDS {
            let play = Play::json(status, content_type, body);
            let (code, stdout, stderr, server) = outcome(command, play, &[]);
            assert_eq!(code, expected, "{command} {status} {body}: {stderr}");
            assert_eq!(stdout, "", "{command} {status}");
            assert!(stderr.starts_with("plexctl: issue session: "), "{stderr}");
            assert_eq!((server.issues(), server.revokes()), (1, 0), "{command} {status}");
        }
    }
}

#[test]
fn a_denial_says_everything_it_knows() {
    let body = r#"{"code":"rebac_denied","reason":"insufficient_relation","correlation_id":"01JC",
        "detail":"no\u001b[2J","relation_path":["identity:a","group:b"]}"#;
    let (code, _, stderr, _) = outcome("ssh", Play::problem("403 Forbidden", body), &[]);
    assert_eq!(code, 77);
    for part in ["insufficient_relation", "01JC", "identity:a -> group:b", r"no\u{1b}[2J", "hint: "]
    {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    let (_, _, json, _) =
        outcome("ssh", Play::problem("403 Forbidden", body), &["--output", "json"]);
    assert!(json.is_ascii() && json.lines().count() == 1, "{json}");
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["error"]["exit_code"], 77);
    assert_eq!(value["error"]["http_status"], 403);
    assert_eq!(value["error"]["problem"]["detail"], "no\u{1b}[2J");
}

#[test]
fn an_unusable_session_is_revoked() {
    let good = |kind: &str| stage::issued_body(kind, "127.0.0.1:2200");
    for (command, kind) in COMMANDS {
        let bodies = [
            good(kind).replace("\"listener_endpoint\":\"127.0.0.1:2200\",", ""),
            good(kind).replace("\"127.0.0.1:2200\"", "null"),
            good(kind).replace("\"127.0.0.1:2200\"", "7"),
            good(kind).replace("127.0.0.1:2200", ""),
            good(kind).replace("127.0.0.1:2200", "127.0.0.1:0"),
            good(kind).replace("127.0.0.1:2200", "-oProxyCommand=touch x:22"),
            good(kind).replace(TOKEN, ""),
            good(kind).replace(TOKEN, "a b"),
            good(kind).replace(TOKEN, &"x".repeat(8193)),
            good(kind).replace("2030-01-01T00:30:00Z", "tomorrow"),
            good("other"),
        ];
        for body in bodies {
            let play = Play::json("201 Created", "application/json", &body);
            let (code, stdout, stderr, server) = outcome(command, play, &["--output", "json"]);
            assert_eq!((code, stdout.as_str()), (1, ""), "{command}: {body}");
            let value: Value = serde_json::from_str(&stderr).unwrap();
            assert_eq!(value["error"]["exit_code"], 1);
            assert_eq!((server.issues(), server.revokes()), (1, 1), "{command}: {stderr}");
            let revoke = server.requests().pop().unwrap();
            assert_eq!(revoke.path, format!("/v1/projects/{PROJECT}/sessions/{SESSION}/revoke"));
            assert_eq!(revoke.body, r#"{"revoke_reason":"operator_request"}"#);
            assert!(!stderr.contains(TOKEN) && !stderr.contains(OPERATOR), "{stderr}");
        }
    }
}

#[test]
fn usage_errors_send_nothing() {
    let id = ["--project-id", PROJECT, "--resource-id", RESOURCE];
    let cases: [(&str, &[&str]); 22] = [
        ("kubeconfig", &[]),
        ("kubeconfig", &["--impersonate-user", ""]),
        ("kubeconfig", &["--impersonate-user", "u", "--impersonate-group", ""]),
        ("kubeconfig", &["--impersonate-user", "u\n"]),
        ("kubeconfig", &["--impersonate-user", "u", "--ttl-seconds", "-1"]),
        ("kubeconfig", &["--impersonate-user", "u", "--ttl-seconds", "x"]),
        ("kubeconfig", &["--impersonate-user", "u", "--output-file", "-"]),
        ("kubeconfig", &["--impersonate-user", "u", "--output-file", ""]),
        ("kubeconfig", &["--impersonate-user", "u", "--project-id", "nope"]),
        ("kubeconfig", &["--impersonate-user", "u", "--certificate-authority", "absent.pem"]),
        ("kubeconfig", &["--impersonate-user", "u", "--timeout", "0"]),
        ("kubeconfig", &["--impersonate-user", "u", "--output", "xml"]),
        ("kubeconfig", &["--impersonate-user", "u", "--nonsense"]),
        ("kubeconfig", &["--impersonate-user", "u", "--server", "http://203.0.113.1"]),
        ("ssh", &[]),
        ("ssh", &["--login-user", ""]),
        ("ssh", &["--login-user", "$(id)"]),
        ("ssh", &["--login-user=-oX"]),
        ("tcp-forward", &["--host", "h"]),
        ("tcp-forward", &["--host", "", "--port", "1"]),
        ("tcp-forward", &["--host", "h", "--port", "65536"]),
        ("tcp-forward", &["--host", "h", "--port", "1", "--local-addr", "x"]),
    ];
    let sandbox = Sandbox::new();
    sandbox.fake_ssh("#!/bin/sh\nexit 0\n");
    let server = Server::start(vec![Play::HangUp]);
    for (command, args) in cases {
        // Without a credential too: a wrong command line is judged first.
        for token in [Some(OPERATOR), None] {
            let mut plexctl = sandbox.plexctl();
            plexctl.env("PLEXSPHERE_URL", &server.url).arg(command).args(id).args(args);
            if token.is_none() {
                plexctl.env_remove("PLEXSPHERE_TOKEN");
            }
            assert_usage(&plexctl.output().unwrap());
        }
    }
    assert_eq!(server.requests().len(), 0);
}

fn assert_usage(output: &std::process::Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(stderr.starts_with("plexctl: usage: "), "{stderr}");
}

#[test]
fn a_variable_that_cannot_be_read_leaves_the_choice_to_nothing_else() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::issued("k8s", "127.0.0.1:6443")]);
    let directory = sandbox.home().join(".config/plexctl");
    std::fs::create_dir_all(&directory).unwrap();
    let config = format!(
        r#"{{"default_profile":"p","profiles":{{"p":{{"server":"{}","token":"{OPERATOR}"}}}}}}"#,
        server.url
    );
    let file = directory.join("config.json");
    std::fs::write(&file, config).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["PLEXSPHERE_URL", "PLEXSPHERE_PROFILE"] {
        let mut plexctl = sandbox.plexctl();
        plexctl.args(line("kubeconfig")).env(name, std::ffi::OsStr::from_bytes(b"\xff"));
        assert_usage(&plexctl.output().unwrap());
    }
    assert_eq!(server.requests().len(), 0);
    let mut plexctl = sandbox.plexctl();
    assert_eq!(plexctl.args(line("kubeconfig")).output().unwrap().status.code(), Some(0));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn order_usage_then_credentials_then_ssh() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::HangUp]);
    let kind = |args: &[&str], token: bool| {
        let mut command = sandbox.run(&server, "ssh");
        command.args(["--output", "json"]).args(args);
        if !token {
            command.env_remove("PLEXSPHERE_TOKEN");
        }
        let output = command.output().unwrap();
        let value: Value = serde_json::from_slice(&output.stderr).unwrap();
        (output.status.code().unwrap(), value["error"]["kind"].as_str().unwrap().to_owned())
    };
    assert_eq!(kind(&["--login-user", ""], false), (2, "usage".into()));
    assert_eq!(kind(&[], false), (3, "missing_credentials".into()));
    assert_eq!(kind(&[], true), (2, "ssh_not_found".into()));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn insecure_credentials_are_not_sent() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::issued("k8s", "127.0.0.1:6443")]);
    let file = sandbox.work().join("token");
    std::fs::write(&file, format!("{OPERATOR}\n")).unwrap();
    for (mode, code) in [(0o644, 3), (0o640, 3), (0o600, 0), (0o400, 0)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let before = server.issues();
        let output =
            sandbox.run(&server, "kubeconfig").args(["--token-file", "token"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{mode:o}");
        assert_eq!(server.issues() - before, usize::from(code == 0));
        if code == 3 {
            assert!(String::from_utf8_lossy(&output.stderr).contains("hint: chmod 600 token"));
        }
    }
    let sent = server.requests().pop().unwrap();
    assert!(sent.head.contains(&format!("authorization: Bearer {OPERATOR}")), "{}", sent.head);
}

#[test]
fn a_saved_token_stays_with_its_server() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let home = Server::start(vec![Play::issued("tcp", "127.0.0.1:1")]);
    let other = Server::start(vec![Play::issued("tcp", "127.0.0.1:1")]);
    let directory = sandbox.home().join(".config/plexctl");
    std::fs::create_dir_all(&directory).unwrap();
    let config = directory.join("config.json");
    let text = format!(
        r#"{{"default_profile":"a","future":1,"profiles":{{"a":{{"server":"{}/","token":"{OPERATOR}"}},
        "b":{{}}}}}}"#,
        home.url
    );
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let run = |args: &[&str]| {
        let mut command = sandbox.plexctl();
        command.env_remove("PLEXSPHERE_TOKEN").args(line("tcp-forward")).args(args);
        command.output().unwrap().status.code().unwrap()
    };
    assert_eq!(run(&[]), 0);
    assert_eq!(run(&["--server", &home.url]), 0);
    assert_eq!(run(&["--server", &other.url]), 3);
    assert_eq!(run(&["--profile", "b"]), 2);
    assert_eq!(run(&["--profile", "b", "--server", &home.url]), 3);
    assert_eq!(run(&["--profile", "absent"]), 2);
    assert_eq!((home.issues(), other.issues()), (2, 0));
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run(&[]), 3);
    assert_eq!(home.issues(), 2);
}

#[test]
fn one_retry_with_the_same_key_when_the_connection_breaks() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::HangUp, Play::issued("tcp", "127.0.0.1:1")]);
    sandbox.run(&server, "tcp-forward").assert().success();
    let bodies: Vec<String> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    assert!(bodies[0].contains("idempotency_key"));

    let server = Server::start(vec![Play::HangUp]);
    sandbox.run(&server, "tcp-forward").assert().code(1);
    assert_eq!(server.issues(), 2);

    let broken = Play::Answer(b"HTTP/1.1 201 Created\r\ncontent-le".to_vec());
    let server = Server::start(vec![broken]);
    sandbox.run(&server, "tcp-forward").assert().code(1);
    assert_eq!(server.issues(), 1);
}

#[test]
fn silence_ends_with_the_timeout_and_is_not_retried() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::Silence]);
    let output = sandbox.run(&server, "tcp-forward").args(["--timeout", "0.3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("within 0.3 s"));
    assert_eq!(server.issues(), 1);
}

#[test]
fn bodies_are_bounded() {
    let endless = [
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\r\n".to_vec(),
        vec![b' '; 3 << 20],
    ];
    for play in [
        Play::Answer(endless.concat()),
        Play::Answer(
            b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 99999999\
            \r\n\r\n{"
                .to_vec(),
        ),
        Play::Answer([b"HTTP/1.1 201 Created\r\nx: ".to_vec(), vec![b'x'; 1 << 20]].concat()),
        Play::Answer(b"garbage\r\n\r\n".to_vec()),
    ] {
        let (code, stdout, stderr, server) = outcome("kubeconfig", play, &[]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(server.issues(), 1);
    }
}

#[test]
fn nothing_listening_is_a_transport_failure() {
    let sandbox = Sandbox::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = sandbox
        .plexctl()
        .args(line("tcp-forward"))
        .args(["--server", &format!("http://localhost:{port}")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("connection refused"));
}

#[test]
fn persistent_flags_stand_on_either_side() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::issued("tcp", "127.0.0.1:2400")]);
    let flags = ["--server", &server.url, "--output", "json"];
    for before in [true, false] {
        let mut command = sandbox.plexctl();
        if before {
            command.args(flags).args(line("tcp-forward"));
        } else {
            command.args(line("tcp-forward")).args(flags);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["listener_endpoint"], "127.0.0.1:2400");
        assert_eq!(value["session_id"], SESSION);
        assert_eq!(value["expires_at"], "2030-01-01T00:30:00Z");
        assert!(value["local_addr"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
}

#[test]
fn a_server_that_echoes_the_credential_does_not_get_it_shown() {
    let body = format!(r#"{{"detail":"bad token {OPERATOR}","code":"unauthenticated"}}"#);
    for format in ["text", "json", "yaml"] {
        let play = Play::problem("401 Unauthorized", &body);
        let (code, _, stderr, _) = outcome("tcp-forward", play, &["--output", format]);
        assert_eq!(code, 3);
        assert!(!stderr.contains(OPERATOR) && stderr.contains("[redacted]"), "{stderr}");
    }
}

#[test]
fn version_and_help_need_nothing() {
    let sandbox = Sandbox::new();
    let output = sandbox.plexctl().arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = version.split_whitespace().collect();
    assert_eq!(words.len(), 3, "{version}");
    for (word, key) in words.iter().zip(["version=", "commit=", "date="]) {
        assert!(word.starts_with(key) && word.len() > key.len(), "{version}");
    }
    for args in [&["--help"][..], &["-h"], &["help", "ssh"], &["kubeconfig", "--help"]] {
        sandbox.plexctl().args(args).assert().success().stderr("");
    }
    let output = sandbox.plexctl().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_proxy_is_never_asked_about_this_machine() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::issued("k8s", "127.0.0.1:6443")]);
    let proxy = Server::start(vec![Play::HangUp]);
    for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        sandbox.run(&server, "kubeconfig").env(name, &proxy.url).assert().success();
    }
    assert_eq!((server.issues(), proxy.requests().len()), (3, 0));
}
