//! A server that knows no newer TLS than 1.1, as far as a client that wants a newer one gets to
//! see it. Written by hand, because no library of today speaks that version any more.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::play::{LIFETIME, until_left};

/// How such a server meets a client that offers more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outdated {
    /// It goes on with the best it has.
    Answers,
    /// It knows of newer versions, and that it has none.
    Refuses,
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const TLS_1_1: [u8; 2] = [3, 2];

impl Outdated {
    /// Hears the client's first words, answers, and waits for it to leave. A client that does not
    /// mind the version waits as well: there is no certificate behind the greeting.
    pub(super) fn greet(self, mut socket: TcpStream) -> io::Result<()> {
        let mut head = [0_u8; 5];
        socket.read_exact(&mut head)?;
        let length = u16::from_be_bytes([head[3], head[4]]);
        io::copy(&mut (&mut socket).take(length.into()), &mut io::sink())?;
        match self {
            Self::Answers => socket.write_all(&record(HANDSHAKE, &server_hello()))?,
            Self::Refuses => {
                let (fatal, protocol_version) = (2, 70);
                socket.write_all(&record(ALERT, &[fatal, protocol_version]))?;
                socket.shutdown(Shutdown::Write)?;
            }
        }
        until_left(&mut socket, LIFETIME);
        Ok(())
    }
}

/// Whether a connection begins with TLS, or with its end.
pub(super) fn is_tls(socket: &TcpStream) -> bool {
    let mut first = [0_u8];
    !matches!(socket.peek(&mut first), Ok(1)) || first[0] == HANDSHAKE
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[kind], &TLS_1_1[..], &length, content].concat()
}

/// RFC 4346, 7.4.1.3: the version, a random, no session id, `TLS_RSA_WITH_3DES_EDE_CBC_SHA`
/// (which every server of that version has to have), no compression.
fn server_hello() -> Vec<u8> {
    let random = [0x5a; 32];
    let content = [&TLS_1_1[..], &random, &[0], &[0, 0x0a], &[0]].concat();
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[2, 0, 0, length], &content[..]].concat()
}
