//! Stock OpenSSH: logins, commands, streams and refusals.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mock_server::listeners::Event;

use crate::door::{TOKEN, USER, finish, have, open, open_for, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_and_its_status_comes_back() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    for (command, status, out, err) in [
        ("echo hello; exit 7", 7, "hello\n", ""),
        ("whoami && hostname", 0, "ops\nweb-01.acme-corp.example\n", ""),
        ("nothere", 127, "", "sh: 1: nothere: not found\n"),
        ("/etc/hostname", 126, "", "sh: 1: /etc/hostname: Permission denied\n"),
        ("echo out; echo err >&2", 0, "out\n", "err\n"),
        ("date -Iseconds", 0, "2026-01-05T09:00:00+00:00\n", ""),
        ("kill -9 $$", 255, "", ""),
        ("yes | head -n 3 | wc -l", 0, "3\n", ""),
    ] {
        let output = session.run(&[command], b"").await;
        let stderr = text(&output.stderr);
        let noise = |line: &&str| line.starts_with("Warning: Permanently added");
        let said: String = stderr.split_inclusive('\n').filter(|line| !noise(line)).collect();
        assert_eq!(output.status.code(), Some(status), "{command}: {stderr}");
        assert_eq!(text(&output.stdout), out, "{command}");
        assert_eq!(said.replace('\r', ""), err, "{command}");
    }
    let ran = Event::CommandExited {
        connection: 1,
        command: "echo hello; exit 7".into(),
        exit_status: Some(7),
    };
    assert!(session.events().contains(&ran), "{:?}", session.events());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_alone_opens_a_shell_that_reads_commands() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let output = session.run(&[], b"cd /etc\npwd\nread x\nswallowed\necho got $x\nexit 21\n").await;
    assert_eq!(text(&output.stdout), "/etc\ngot swallowed\n");
    assert_eq!(output.status.code(), Some(21));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_go_through_both_ways() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let sent: Vec<u8> =
        (0..10_000_000_u32).flat_map(|i| (i % 251).to_le_bytes().into_iter().take(1)).collect();
    let output = session.run(&["cat"], &sent).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout == sent, "{} of {} bytes", output.stdout.len(), sent.len());
    session
        .until(|event| {
            matches!(
                event,
                Event::ConnectionClosed { bytes_in: 10_000_000, bytes_out: 10_000_000, .. }
            )
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_four_logins_at_once() {
    if !have("ssh") {
        return;
    }
    // Four connections are a session's limit, so these are six sessions.
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(open().await);
    }
    let mut all = tokio::task::JoinSet::new();
    for (index, session) in sessions.iter().enumerate() {
        for client in 0..4 {
            let endpoint = session.endpoint.clone();
            let command = format!("seq 1 20000; exit {}", index * 4 + client);
            let ssh = session.ssh(TOKEN, &["-o", "StrictHostKeyChecking=no", &endpoint, &command]);
            all.spawn(async move { (index * 4 + client, finish(ssh, Vec::new()).await) });
        }
    }
    let expected: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    while let Some(done) = all.join_next().await {
        let (number, output) = done.unwrap();
        let status = i32::try_from(number).unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        assert!(text(&output.stdout) == expected, "client {number} got a short output");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_tokens_and_no_more() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let begun = Instant::now();
    let endpoint = session.endpoint.clone();
    let output = finish(session.ssh("wrong-canary", &[&endpoint, "true"]), Vec::new()).await;
    assert_eq!(output.status.code(), Some(255));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let stderr = text(&output.stderr);
    assert!(stderr.contains("Too many authentication attempts"), "{stderr}");
    assert_eq!(session.gate.asked.load(Ordering::SeqCst), 3);
    assert!(!stderr.contains("canary"), "{stderr}");
    assert!(session.events().is_empty(), "{:?}", session.events());
    // A failed login costs the session nothing.
    assert_eq!(session.run(&["true"], b"").await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_refused_even_with_the_token() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let endpoint = session.endpoint.replace(&format!("//{USER};"), "//root;");
    let output = finish(session.ssh(TOKEN, &[&endpoint, "true"]), Vec::new()).await;
    assert_eq!(output.status.code(), Some(255), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_ends_before_the_token_is_sent() {
    if !have("ssh") {
        return;
    }
    let mut session = open().await;
    session.pin = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    // The helper goes on giving the wrong pin, so ssh is stopped from outside.
    let endpoint = session.endpoint.clone();
    let output = finish(
        session.ssh(TOKEN, &["-o", "StrictHostKeyChecking=yes", &endpoint, "true"]),
        Vec::new(),
    )
    .await;
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Host key verification failed"));
    assert!(session.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_commands_run_to_the_letter() {
    if !have("ssh") {
        return;
    }
    let session = open_for(&["echo one", "uptime"]).await;
    let output = session.run(&["echo one"], b"").await;
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "one\n"));
    for refused in [&["echo one "][..], &["echo two"], &["sh"], &[]] {
        let output = session.run(refused, b"echo leaked\n").await;
        assert_eq!(output.status.code(), Some(255), "{refused:?}");
        assert_eq!(text(&output.stdout), "", "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_does_not_give_is_refused_in_words() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let output = session.run(&["-s", "sftp"], b"").await;
    assert_eq!(output.status.code(), Some(255), "{}", text(&output.stderr));
    let output = session.run(&["-W127.0.0.1:1"], b"").await;
    assert_eq!(output.status.code(), Some(255));
    assert!(
        text(&output.stderr).contains("administratively prohibited"),
        "{}",
        text(&output.stderr)
    );
    let output = session.run(&["-R0:127.0.0.1:1", "-oExitOnForwardFailure=yes", "true"], b"").await;
    assert_eq!(output.status.code(), Some(255));
    // What can be done without is, with a warning at most.
    let output =
        session.run(&["-A", "-X", "-oSetEnv=LC_X=1", "echo still ${LC_X:-fine}"], b"").await;
    assert_eq!(text(&output.stdout), "still fine\n", "{}", text(&output.stderr));
    for request in ["subsystem", "direct-tcpip", "tcpip-forward", "env"] {
        let refused = |event: &Event| matches!(event, Event::RequestRefused { request: r, .. } if *r == request);
        assert!(session.events().iter().any(refused), "{request}: {:?}", session.events());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stalled_channel_does_not_stop_another() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let endpoint = session.endpoint.clone();
    let socket = tempfile::tempdir().unwrap();
    let socket = socket.path().join("mux");
    let control = format!("-oControlPath={}", socket.display());
    // Nobody reads what this one writes, so its window closes.
    let mut stalled = session
        .ssh(TOKEN, &["-oControlMaster=yes", &control, &endpoint, "yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    session.until(|event| matches!(event, Event::CommandExecuted { .. })).await;
    for _ in 0..3 {
        // A token of no use shows that the same connection answers.
        let second = session.ssh("none", &[&control, &endpoint, "echo alive"]);
        let output = finish(second, Vec::new()).await;
        assert_eq!(text(&output.stdout), "alive\n", "{}", text(&output.stderr));
    }
    stalled.kill().unwrap();
    stalled.wait().unwrap();
}
