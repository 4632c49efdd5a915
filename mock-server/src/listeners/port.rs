//! Taking the port a session is told of.

use std::io;
use std::net::{IpAddr, TcpListener};

use uuid::Uuid;

/// The ports a node hands out to mediated sessions.
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 60_999;

/// How many neighbours are tried before the system may choose.
const NEIGHBOURS: u16 = 64;

/// The port a session asks for first. The last bytes of a UUIDv7 are random, or follow from
/// the seed, so that two runs with one seed name the same places.
pub fn wished(session: Uuid) -> u16 {
    let span = u64::from(LAST_PORT - FIRST_PORT) + 1;
    let offset = u16::try_from(session.as_u64_pair().1 % span).unwrap_or_default();
    FIRST_PORT + offset
}

/// Takes the wished port of a session, or else one near it.
pub(crate) fn take(session: Uuid, interface: IpAddr) -> io::Result<TcpListener> {
    let first = wished(session);
    let near = (first..=LAST_PORT).chain(FIRST_PORT..first).take(usize::from(NEIGHBOURS));
    for port in near.chain([0]) {
        match TcpListener::bind((interface, port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
