//! A bare client of a tcp session's listener: one CONNECT, and what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::text_of;
use crate::verdict::{Outcome, expect, expect_eq, fail};

/// The target of an honest tcp session of the examples.
pub(super) const TARGET: &str = "10.0.0.5:5432";
const PATIENCE: Duration = Duration::from_secs(10);

/// How the token is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'t> {
    Bearer(&'t str),
    Basic(&'t str),
    Nothing,
}

/// A connection on which a CONNECT was answered.
pub(super) struct Connected {
    pub(super) stream: TcpStream,
    pub(super) status: u16,
    /// Status line, header and, for a refusal, the problem.
    pub(super) answer: Vec<u8>,
}

/// A connection to a listener; nobody there is the subject's failure.
pub(super) fn reach(address: &str) -> Outcome<TcpStream> {
    TcpStream::connect(address)
        .or_else(|error| fail("the listener", "an open port", format!("{address}: {error}")))
}

pub(super) fn dial(issued: &Value) -> Outcome<TcpStream> {
    let stream = reach(text_of(issued, "listener_endpoint"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// `CONNECT <authority>` on a fresh connection.
pub(super) fn connect(issued: &Value, authority: &str, shown: Shown<'_>) -> Outcome<Connected> {
    let header = match shown {
        Shown::Bearer(token) => format!("Proxy-Authorization: Bearer {token}\r\n"),
        Shown::Basic(token) => {
            format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(format!("token:{token}")))
        }
        Shown::Nothing => String::new(),
    };
    ask(issued, &format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{header}\r\n"))
}

/// The connection of an honest client, ready to carry.
pub(super) fn carried(issued: &Value) -> Outcome<TcpStream> {
    let connected = connect(issued, TARGET, Shown::Bearer(text_of(issued, "token")))?;
    connected.expect(200)?;
    Ok(connected.stream)
}

/// Any request at all.
pub(super) fn ask(issued: &Value, request: &str) -> Outcome<Connected> {
    let mut stream = dial(issued)?;
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut byte) = (Vec::new(), [0_u8; 1]);
    // Byte by byte: what follows a 200 belongs to the target.
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            Ok(_) => break,
            Err(error) => {
                let seen = String::from_utf8_lossy(&answer).into_owned();
                return fail(
                    "the answer to CONNECT",
                    "a status and a header",
                    format!("{error} after {seen:?}"),
                );
            }
        }
    }
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    heard(&mut stream, "the body of the answer", &mut body)?;
    answer.extend(body);
    Ok(Connected { stream, status, answer })
}

impl Connected {
    pub(super) fn expect(&self, status: u16) -> Outcome {
        let said = String::from_utf8_lossy(&self.answer);
        expect(self.status == status, "the answer to CONNECT", status, said)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }
}

/// As many bytes as are due; a stream that ends before is the subject's failure.
pub(super) fn heard(stream: &mut TcpStream, what: &str, due: &mut [u8]) -> Outcome {
    let length = due.len();
    stream
        .read_exact(due)
        .or_else(|error| fail(what, format!("{length} bytes"), format!("fewer: {error}")))
}

/// Sends, and reads back as much.
pub(super) fn echoed(stream: &mut TcpStream, bytes: &[u8]) -> Outcome {
    stream.write_all(bytes)?;
    let mut back = vec![0; bytes.len()];
    let read = stream.read_exact(&mut back);
    let same = read.is_ok() && back == bytes;
    expect(same, "what the echo says", "what was sent", format!("{read:?}"))
}

/// Megabytes to an echo and back at the same time, and then the end of both directions.
pub(super) fn both_ways(mut stream: TcpStream, pieces: usize) -> Outcome {
    let piece: Vec<u8> = (0..1024 * 1024_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .collect();
    let (mut sender, sent) = (stream.try_clone()?, piece.clone());
    let sending = thread::spawn(move || {
        for _ in 0..pieces {
            sender.write_all(&sent)?;
        }
        sender.shutdown(Shutdown::Write)
    });
    let mut back = vec![0; piece.len()];
    for number in 0..pieces {
        heard(&mut stream, &format!("megabyte {number}"), &mut back)?;
        expect(back == piece, format!("megabyte {number}"), "as it was sent", "changed")?;
    }
    let more = stream.read(&mut back)?;
    expect_eq("the bytes behind the end", &0, &more)?;
    let sent = sending.join().map_err(|_| std::io::Error::other("the sender panicked"))?;
    expect(sent.is_ok(), "the sending side", "everything sent", format!("{sent:?}"))
}

/// The far end hangs up before the limit. A reset is an end as well.
pub(super) fn expect_end(stream: &mut TcpStream, limit: Duration) -> Outcome {
    let begun = Instant::now();
    stream.set_read_timeout(Some(limit))?;
    let mut rest = [0_u8; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) if begun.elapsed() < limit => {}
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            _ => {
                return fail(
                    "the stream",
                    format!("an end within {} ms", limit.as_millis()),
                    "still open",
                );
            }
        }
    }
}
