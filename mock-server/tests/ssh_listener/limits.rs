//! Limits, and clients that are none.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use mock_server::listeners::Event;

use crate::door::{open, open_for};
use crate::library::{connect, exec, login};

#[tokio::test(flavor = "multi_thread")]
async fn a_fifth_connection_is_closed_and_a_freed_place_is_given_again() {
    let session = open().await;
    let mut four = Vec::new();
    for _ in 0..4 {
        four.push(login(&session).await);
    }
    let port = session.port;
    let read = tokio::task::spawn_blocking(move || {
        let mut fifth = TcpStream::connect(("127.0.0.1", port)).unwrap();
        fifth.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // A connection closed unread may come back as a reset.
        fifth.read(&mut [0; 64]).unwrap_or(0)
    });
    assert_eq!(read.await.unwrap(), 0);
    let refused = Event::RequestRefused { connection: 5, request: "connection_limit" };
    session.until(|event| *event == refused).await;
    drop(four.pop());
    session.until(|event| matches!(event, Event::ConnectionClosed { .. })).await;
    retry(&session).await;
}

/// The place of a closed connection is free a moment after it is closed.
async fn retry(session: &crate::door::Session) {
    let trying = async {
        loop {
            if let Ok(mut handle) = connect(session).await
                && let Ok(result) =
                    handle.authenticate_password(crate::door::USER, crate::door::TOKEN).await
                && result.success()
            {
                assert_eq!(exec(&handle, "echo in").await.0, "in\n");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), trying).await.expect("no place was freed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eleventh_channel_is_refused() {
    let session = open().await;
    let handle = login(&session).await;
    let mut channels = Vec::new();
    for _ in 0..10 {
        channels.push(handle.channel_open_session().await.unwrap());
    }
    assert!(handle.channel_open_session().await.is_err());
    channels.pop().unwrap().close().await.unwrap();
    let trying = async {
        while handle.channel_open_session().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), trying)
        .await
        .expect("a closed channel leaves its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_more_than_1024_bytes_is_refused() {
    let session = open().await;
    let handle = login(&session).await;
    let longest = format!("echo {}", "x".repeat(1019));
    assert_eq!(exec(&handle, &longest).await.1, Some(0));
    assert_eq!(exec(&handle, &format!("{longest}x")).await.2, "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_shell_is_refused_where_commands_are_listed() {
    let session = open_for(&["id"]).await;
    let handle = login(&session).await;
    assert_eq!(exec(&handle, "id -u").await.2, "refused");
    assert_eq!(exec(&handle, "id").await.1, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_garbage_handshakes_leave_it_standing() {
    let session = open().await;
    let port = session.port;
    let throwing = tokio::task::spawn_blocking(move || {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..1000_usize {
            let mut garbage = Vec::new();
            if round % 2 == 0 {
                garbage.extend(b"SSH-2.0-garbage\r\n");
            }
            for _ in 0..round % 300 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                garbage.extend(state.to_be_bytes());
            }
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let _ = stream.write_all(&garbage);
            let _ = stream.shutdown(Shutdown::Write);
        }
    });
    throwing.await.unwrap();
    // Who came while four others were in is noted, and nothing else is.
    let too_many =
        |event: &Event| matches!(event, Event::RequestRefused { request: "connection_limit", .. });
    assert!(session.events().iter().all(too_many), "{:?}", session.events());
    retry(&session).await;
}
