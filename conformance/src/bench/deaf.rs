//! An address that refuses connections, and that nobody else can get meanwhile.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::verdict::{Outcome, broken};

/// A port that is bound and does not listen: connections to it are refused for as long as it
/// lives. A port that was merely free a moment ago may be another rule's by now.
pub struct DeafPort {
    _held: Socket,
    address: SocketAddr,
}

impl DeafPort {
    pub fn new() -> Outcome<Self> {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        held.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        match held.local_addr()?.as_socket() {
            Some(address) => Ok(Self { _held: held, address }),
            None => broken("a socket of our own has no address"),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
