//! A node that a test plays: what it is asked, and what becomes of its answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::{PATIENCE, Tunnel};
use crate::stage::{Play, SESSION, Server, TOKEN, line};

/// A node on a port of its own, and a tunnel to it.
fn tunnel_to_a_node(more: &[&str]) -> (TcpListener, Tunnel) {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = node.local_addr().unwrap().to_string();
    let read = format!(r#"{{"id":"{SESSION}","status":"active"}}"#);
    let server = Server::start(vec![
        Play::issued("tcp", &endpoint),
        Play::json("200 OK", "application/json", &read),
    ]);
    let mut words = line("tcp-forward");
    words.extend(["--listen", "--output", "json"].iter().chain(more).map(|w| (*w).to_owned()));
    let environment =
        [("PLEXSPHERE_URL", server.url.as_str()), ("PLEXSPHERE_TOKEN", "psk_x"), ("HOME", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (node, Tunnel::start(&words, &environment))
}

fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

const ASKS: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\n{}";

#[test]
fn the_token_is_shown_to_a_listener_that_asks_for_it() {
    let (node, tunnel) = tunnel_to_a_node(&[]);
    let mut client = tunnel.connect();
    let (mut far, _) = node.accept().unwrap();
    let first = head(&mut far);
    assert!(first.starts_with("CONNECT 10.0.0.5:5432 HTTP/1.1\r\n"), "{first}");
    assert!(first.contains("\r\nHost: 10.0.0.5:5432\r\n"), "{first}");
    assert!(!first.to_lowercase().contains("authorization") && !first.contains(TOKEN), "{first}");
    far.write_all(ASKS).unwrap();
    let second = head(&mut far);
    assert!(second.contains(&format!("Proxy-Authorization: Bearer {TOKEN}\r\n")), "{second}");
    // What comes with the consent belongs to the client.
    far.write_all(b"HTTP/1.1 200 OK\r\n\r\nearly").unwrap();
    let mut early = [0; 5];
    client.read_exact(&mut early).unwrap();
    assert_eq!(&early, b"early");
    // Asked once, it is shown at once.
    drop((client, far));
    let _client = tunnel.connect();
    let (mut far, _) = node.accept().unwrap();
    assert!(head(&mut far).contains(TOKEN));
}

#[test]
fn a_listener_that_closes_after_asking_is_dialled_again() {
    let (node, tunnel) = tunnel_to_a_node(&[]);
    let mut client = tunnel.connect();
    let (mut far, _) = node.accept().unwrap();
    head(&mut far);
    far.write_all(b"HTTP/1.1 407 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    drop(far);
    let (mut far, _) = node.accept().unwrap();
    assert!(head(&mut far).contains(TOKEN));
    far.write_all(b"HTTP/1.1 200 OK\r\n\r\nx").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

#[test]
fn refusals_are_told_without_the_token_and_do_not_end_it() {
    let (node, mut tunnel) = tunnel_to_a_node(&[]);
    let long = "x".repeat(40_000);
    let echo = format!(r#"{{"detail":"you said {TOKEN}","code":"target_mismatch"}}"#);
    let refused = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\n\r\n{echo}",
        echo.len()
    );
    for (answer, said) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "--plain-pipe"),
        (long.as_str(), "--plain-pipe"),
        ("", "it hung up"),
        (refused.as_str(), "you said [redacted] (http 403, code target_mismatch)"),
        ("HTTP/1.1 502 Bad\u{1b}[2J\r\ncontent-length: 0\r\n\r\n", "\u{1b}"),
    ] {
        let mut client = tunnel.connect();
        let (mut far, _) = node.accept().unwrap();
        head(&mut far);
        far.write_all(answer.as_bytes()).ok();
        drop(far);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        let remark = tunnel.next_remark();
        assert!(remark.starts_with("note: connection from 127.0.0.1:"), "{remark}");
        let harmless = !remark.contains(TOKEN) && !remark.contains('\u{1b}');
        assert!(harmless && (said == "\u{1b}" || remark.contains(said)), "{remark}");
    }
}

#[test]
fn a_listener_that_has_answered_and_hangs_up_is_taken_for_full() {
    let (node, tunnel) = tunnel_to_a_node(&[]);
    let mut holder = tunnel.connect();
    let (mut held, _) = node.accept().unwrap();
    head(&mut held);
    held.write_all(b"HTTP/1.1 200 OK\r\n\r\n!").unwrap();
    holder.read_exact(&mut [0]).unwrap();
    let mut waiting = tunnel.connect();
    // More often than a client is sent away where nothing is carried.
    for _ in 0..12 {
        let (mut far, _) = node.accept().unwrap();
        head(&mut far);
        drop(far);
    }
    let (mut far, _) = node.accept().unwrap();
    head(&mut far);
    far.write_all(b"HTTP/1.1 200 OK\r\n\r\n?").unwrap();
    let mut byte = [0];
    waiting.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"?");
}

#[test]
fn a_plain_pipe_gets_the_bytes_and_nothing_else_one_client_after_the_other() {
    let (node, tunnel) = tunnel_to_a_node(&["--plain-pipe"]);
    let (mut one, mut two) = (tunnel.connect(), tunnel.connect());
    one.write_all(b"1").unwrap();
    two.write_all(b"2").unwrap();
    for _ in 0..2 {
        let (mut far, _) = node.accept().unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        assert!(byte == *b"1" || byte == *b"2", "{byte:?}");
        // The second comes when the first is gone, and not before.
        node.set_nonblocking(true).unwrap();
        assert!(node.accept().is_err());
        node.set_nonblocking(false).unwrap();
        far.write_all(&byte).unwrap();
        let mine = if byte == *b"1" { &mut one } else { &mut two };
        mine.read_exact(&mut byte).unwrap();
        mine.shutdown(Shutdown::Write).unwrap();
    }
}
