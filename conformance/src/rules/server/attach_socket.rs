//! The WebSocket of AttachSession once it is there: what is in it, and what closes it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::attach::KEY;
use super::installation::{issued, revoke, session_path};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Connection, Family, Identity, Request, Server};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

const PATIENCE: Duration = Duration::from_secs(10);
/// More than this in one frame is none of an ssh server.
const LONGEST: u64 = 1024 * 1024;
const LONGEST_HEAD: usize = 64 * 1024;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

pub(super) fn all() -> Vec<Rule> {
    vec![
        socket(must("server.attach_session.closed_with_the_session"))
            .source(DOCUMENT, "AttachSession: when the session ends the WebSocket is closed with 1008")
            .title("The WebSocket carries ssh's greeting in binary, and is closed with 1008 when the session is revoked")
            .fix("Send a close frame of 1008 (policy violation) when the session ends.")
            .check(|bench| {
                let (server, issued, mut socket) = attached(bench)?;
                let (opcode, greeting) = socket.frame()?;
                expect_eq("the opcode of the first message", &BINARY, &opcode)?;
                let told = String::from_utf8_lossy(&greeting).into_owned();
                expect(told.starts_with("SSH-2.0-"), "the first message", "ssh's greeting", told)?;
                revoke(&server, &issued)?.send()?.expect(204)?;
                socket.expect_closed(1008)
            }),
        socket(should("server.attach_session.closed_for_text"))
            .source(PAGE, "Attaching: text closes the socket with 1003")
            .title("Text is no ssh: the WebSocket is closed with 1003")
            .fix("Close with 1003 (unsupported data) at the first text message.")
            .check(|bench| {
                let (_server, _, mut socket) = attached(bench)?;
                socket.send(TEXT, b"hello");
                socket.expect_closed(1003)
            }),
        socket(should("server.attach_session.closed_for_size"))
            .source(PAGE, "Attaching: a message over 64 KiB closes the socket with 1009")
            .title("A message over 64 KiB closes the WebSocket with 1009")
            .fix("Bound messages to 64 KiB, and close with 1009 (message too big) beyond.")
            .check(|bench| {
                let (_server, _, mut socket) = attached(bench)?;
                socket.send(BINARY, &vec![0; 100 * 1024]);
                socket.expect_closed(1009)
            }),
    ]
}

fn socket(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::operation("AttachSession", 101)])
}

/// A WebSocket from its client's side.
struct Socket(Box<dyn Connection>);

fn attached(bench: &Bench) -> Outcome<(Server, Value, Socket)> {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let mut stream = server.connection(false, PATIENCE)?;
    let path = format!("{}{}/attach", server.endpoint().prefix, session_path(&issued));
    let mut request = Request { method: "GET".into(), path, ..Request::default() };
    let bearer = format!("Bearer {}", server.token(Identity::Operator)?);
    for (name, value) in [
        ("host", "localhost"),
        ("authorization", &bearer),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ] {
        request.headers.push(name, value);
    }
    request.write_to(&mut stream)?;
    let mut head = Vec::new();
    // Byte by byte: what follows belongs to the socket.
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if let Err(error) = stream.read_exact(&mut byte) {
            return fail("the answer to AttachSession", "a header", error);
        }
        head.extend(byte);
        expect(head.len() <= LONGEST_HEAD, "the answer to AttachSession", "a header", "no end")?;
    }
    let told = String::from_utf8_lossy(&head).into_owned();
    expect(told.starts_with("HTTP/1.1 101 "), "the answer to AttachSession", 101, told)?;
    Ok((server, issued, Socket(stream)))
}

impl Socket {
    /// The next frame: its opcode, and what is in it.
    fn frame(&mut self) -> Outcome<(u8, Vec<u8>)> {
        let [opcode, length] = self.bytes::<2>()?;
        let length = match length {
            126 => u16::from_be_bytes(self.bytes()?).into(),
            127 => u64::from_be_bytes(self.bytes()?),
            short => short.into(),
        };
        // Also when it is masked, which a server's frame must not be.
        expect(length <= LONGEST, "the length of a frame", format!("at most {LONGEST}"), length)?;
        let mut content = vec![0; usize::try_from(length).unwrap_or_default()];
        self.read(&mut content)?;
        Ok((opcode & 0x0f, content))
    }

    fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, due: &mut [u8]) -> Outcome {
        self.0.read_exact(due).or_else(|error| fail("the WebSocket", "a frame", error))
    }

    /// One message. Its mask is zero, so that it is sent as it is.
    fn send(&mut self, opcode: u8, content: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match content.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap_or_default()),
            long => {
                frame.push(0x80 | 127);
                frame.extend(u64::try_from(long).unwrap_or_default().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(content);
        // A server that closes early need not have read it all.
        let _ = self.0.write_all(&frame).and_then(|()| self.0.flush());
    }

    /// Whatever else comes first, it is closed with that code.
    fn expect_closed(&mut self, code: u16) -> Outcome {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let (opcode, content) = self.frame()?;
            if opcode == CLOSE {
                let seen = content.first_chunk().map(|code| u16::from_be_bytes(*code));
                return expect_eq("the code that it is closed with", &Some(code), &seen);
            }
            // It may go on for ever with frames of another kind.
            expect(Instant::now() < deadline, "the WebSocket", "a close frame in time", "none")?;
        }
    }
}
