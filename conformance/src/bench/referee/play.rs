//! Playing one answer onto one connection, byte by byte as it is written down.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Drip, Phase};
use super::prepare::{Prepared, in_one_chunk};
use super::stream::Stream;

/// A silent or endless answer ends here at the latest.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);

const ONE_PIECE: usize = 64 * 1024;

/// Whether the connection lives on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    KeepAlive,
    Close,
}

impl Prepared {
    /// Sends it. An `Err` means the client went away first, which is the client's right.
    pub(crate) fn play(&self, stream: &mut Stream) -> io::Result<After> {
        let wire = self.answer.wire.clone().unwrap_or_default();
        if let Some(delay) = wire.delay_before_ms {
            thread::sleep(Duration::from_millis(delay));
        }
        if let Some(raw) = &wire.raw {
            stream.write_all(raw.as_bytes())?;
            stream.flush()?;
            return end(stream, Phase::MidBody, false);
        }
        let stop = wire.stall.or(wire.reset).or(wire.close);
        let (head, body) = match stop {
            None => (&self.head[..], &self.body[..]),
            Some(Phase::BeforeHeaders) => (&[][..], &[][..]),
            Some(Phase::MidHeaders) => (&self.head[..self.head.len() / 2], &[][..]),
            Some(Phase::MidBody) => (&self.head[..], &self.body[..self.body.len() / 2]),
        };
        match wire.drip {
            Some(drip) => {
                stream.write_all(head)?;
                stream.flush()?;
                drip_out(stream, body, drip)?;
            }
            // In one piece, as servers do; what is as large as this is in many anyhow.
            None if body.len() < ONE_PIECE => {
                stream.write_all(&[head, body].concat())?;
                stream.flush()?;
            }
            None => {
                stream.write_all(head)?;
                stream.write_all(body)?;
                stream.flush()?;
            }
        }
        if wire.stall.is_some() {
            wait_for_the_client_to_leave(stream);
            return Ok(After::Close);
        }
        if let Some(phase) = wire.reset {
            return end(stream, phase, true);
        }
        if let Some(phase) = wire.close {
            return end(stream, phase, false);
        }
        if let Some(block) = &self.endless {
            let started = Instant::now();
            let block = if self.chunked { in_one_chunk(block) } else { block.clone() };
            while started.elapsed() < LIFETIME {
                stream.write_all(&block)?;
                if let Some(drip) = wire.drip {
                    thread::sleep(Duration::from_millis(drip.every_ms));
                }
            }
        }
        if self.close { end(stream, Phase::MidBody, false) } else { Ok(After::KeepAlive) }
    }
}

fn drip_out(stream: &mut Stream, body: &[u8], drip: Drip) -> io::Result<()> {
    let started = Instant::now();
    for piece in body.chunks(drip.bytes.max(1)) {
        if started.elapsed() > LIFETIME {
            break;
        }
        stream.write_all(piece)?;
        stream.flush()?;
        thread::sleep(Duration::from_millis(drip.every_ms));
    }
    Ok(())
}

/// Ends the connection: with a reset, which throws away what is unsent, or in good order.
fn end(stream: &mut Stream, phase: Phase, reset: bool) -> io::Result<After> {
    if reset {
        if phase != Phase::BeforeHeaders {
            // What was written must be on its way before the reset overtakes it.
            wait_until_sent(stream.socket());
        }
        socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO))?;
        return Ok(After::Close);
    }
    if let Stream::Tls(tls) = stream {
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
    stream.socket().shutdown(Shutdown::Write)?;
    Ok(After::Close)
}

/// Loopback delivers at once; one turn of the scheduler lets the peer's kernel queue it.
fn wait_until_sent(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    thread::yield_now();
}

fn wait_for_the_client_to_leave(stream: &mut Stream) {
    let mut socket = stream.socket();
    let _ = socket.set_read_timeout(Some(LIFETIME));
    until_left(&mut socket, LIFETIME);
}

/// Reads until the peer has gone. A read with a time limit is also interrupted by what happens to
/// other threads and children, and then nobody has gone.
pub(super) fn until_left(peer: &mut impl Read, longest: Duration) {
    let deadline = Instant::now() + longest;
    let mut sink = [0_u8; 4096];
    loop {
        match peer.read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
                    && Instant::now() < deadline => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a socket said, in that order.
    struct Socket(Vec<io::Result<usize>>);

    impl Read for Socket {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.remove(0)
        }
    }

    #[test]
    fn an_interruption_is_nobody_leaving() {
        let said = |kind: ErrorKind| Err(io::Error::from(kind));
        let mut socket = Socket(vec![
            said(ErrorKind::Interrupted),
            Ok(7),
            said(ErrorKind::WouldBlock),
            Ok(0),
            Ok(1),
        ]);
        until_left(&mut socket, LIFETIME);
        assert_eq!(socket.0.len(), 1, "it ends when the peer has gone, and not before");
        let mut socket = Socket(vec![said(ErrorKind::ConnectionReset), Ok(1)]);
        until_left(&mut socket, LIFETIME);
        assert_eq!(socket.0.len(), 1);
    }
}
