//! How sessions end while somebody is connected, and how clients go.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mock_server::listeners::{EndReason, Event};

use crate::door::{Second, TOKEN, finish, have, open, text};
use crate::library::{Person, login};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_terminal_is_told_why() {
    for reason in [EndReason::Revoked, EndReason::Expired, EndReason::Idle, EndReason::Shutdown] {
        let mut session = open().await;
        let handle = login(&session).await;
        let mut person = Person::at(&handle, 80, 24).await;
        person.expect("$ ").await;
        let second = Second::begin();
        session.gate.end.send_replace(Some(reason));
        person.expect(reason.words()).await;
        let served = session.served.take().unwrap().await.unwrap();
        assert_eq!(served, reason);
        second.holds();
        assert!(handle.is_closed());
        assert!(std::net::TcpStream::connect(("127.0.0.1", session.port)).is_err());
        let last = session.events().pop();
        assert!(
            matches!(last, Some(Event::SessionEnded { reason: told, .. }) if told == reason),
            "{last:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_is_dropped_from_a_sleeping_command() {
    if !have("ssh") {
        return;
    }
    let mut session = open().await;
    let endpoint = session.endpoint.clone();
    let running = tokio::spawn(finish(session.ssh(TOKEN, &[&endpoint, "sleep 1000"]), Vec::new()));
    session.until(|event| matches!(event, Event::CommandExecuted { .. })).await;
    let second = Second::begin();
    session.gate.end.send_replace(Some(EndReason::Revoked));
    session.served.take().unwrap().await.unwrap();
    let output = running.await.unwrap();
    second.holds();
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("revoked"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_cut_all_the_same() {
    if !have("ssh") {
        return;
    }
    let mut session = open().await;
    let endpoint = session.endpoint.clone();
    // The pipe is full after 64 KiB, the window after two megabytes.
    let mut stuck = session
        .ssh(TOKEN, &[&endpoint, "yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    session.until(|event| matches!(event, Event::CommandExecuted { .. })).await;
    let second = Second::begin();
    session.gate.end.send_replace(Some(EndReason::Expired));
    let served = session.served.take().unwrap();
    assert_eq!(served.await.unwrap(), EndReason::Expired);
    second.holds();
    stuck.kill().unwrap();
    stuck.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vanished_client_leaves_nothing_running() {
    let session = open().await;
    let handle = login(&session).await;
    let channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "sleep 1000 | cat").await.unwrap();
    session.until(|event| matches!(event, Event::CommandExecuted { .. })).await;
    drop(channel);
    drop(handle);
    session.until(|event| matches!(event, Event::CommandExited { exit_status: None, .. })).await;
    session.until(|event| matches!(event, Event::ConnectionClosed { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_nobody_reads_is_held_up_and_ends_with_the_session() {
    if !have("ssh") {
        return;
    }
    let mut session = open().await;
    let endpoint = session.endpoint.clone();
    let mut flooding = session
        .ssh(TOKEN, &[&endpoint, "sleep 1000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = flooding.stdin.take().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    // Far more than is held for a program that does not read.
    let feeder = std::thread::spawn(move || {
        while pipe.write_all(&[0; 64 * 1024]).is_ok() {
            count.fetch_add(64 * 1024, Ordering::SeqCst);
        }
    });
    let stuck = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = written.load(Ordering::SeqCst);
            if now > 0 && now == before {
                return now;
            }
            before = now;
        }
    };
    let held =
        tokio::time::timeout(Duration::from_secs(20), stuck).await.expect("was never made to wait");
    assert!(held < 40 * 1024 * 1024, "{held} bytes were taken in");
    let second = Second::begin();
    session.gate.end.send_replace(Some(EndReason::Idle));
    assert_eq!(session.served.take().unwrap().await.unwrap(), EndReason::Idle);
    second.holds();
    flooding.wait().unwrap();
    feeder.join().unwrap();
}
