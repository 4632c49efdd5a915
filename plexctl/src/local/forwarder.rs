//! The local address of a tunnel. The default forwarder binds nothing for long: it finds out which
//! address is meant and prints it (docs/decisions/0019-*.md).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::error::Error;
use crate::names::quoted;

/// Where the tunnel should listen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    text: String,
    address: SocketAddr,
}

impl LocalAddress {
    /// Reads `--local-addr`: an IP address or `localhost`, and a port.
    pub(crate) fn parse(flag: Option<&str>) -> Result<Self, String> {
        let text = flag.unwrap_or("127.0.0.1:0");
        let address = match text.strip_prefix("localhost:") {
            Some(port) => port
                .parse::<u16>()
                .ok()
                .filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))
                .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
            None => text.parse().ok(),
        };
        match address {
            Some(address) => Ok(Self { text: text.to_owned(), address }),
            None => Err(format!("--local-addr: not an address and a port: {}", quoted(text))),
        }
    }
}

impl LocalAddress {
    /// Binds the address, for a tunnel of our own.
    pub(crate) fn listen(&self) -> Result<(TcpListener, SocketAddr), Error> {
        TcpListener::bind(self.address)
            .and_then(|listener| Ok((listener.local_addr()?, listener)))
            .map(|(address, listener)| (listener, address))
            .map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &std::io::Error) -> Error {
        Error::Forwarder { address: self.text.clone(), why: error.to_string().to_lowercase() }
    }
}

/// A local address that will be free when it is printed.
pub(crate) struct Reservation {
    text: String,
    /// Held until the last moment, so that two runs at once do not print the same port.
    held: Option<TcpListener>,
}

impl Reservation {
    /// Turns port 0 into a free port by binding it; any other port is taken at its word.
    pub(crate) fn make(local: &LocalAddress) -> Result<Self, Error> {
        if local.address.port() != 0 {
            return Ok(Self { text: local.text.clone(), held: None });
        }
        let (listener, address) = local.listen()?;
        Ok(Self { text: address.to_string(), held: Some(listener) })
    }

    /// Frees the port and says which it is.
    pub(crate) fn release(self) -> String {
        drop(self.held);
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:0", "127.0.0.1:15432", "localhost:0", "[::1]:8", "0.0.0.0:9"] {
            assert!(LocalAddress::parse(Some(good)).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            ":0",
            "x:1",
            "localhost",
            "localhost:",
            "localhost:+1",
            "::1:8",
            "127.0.0.1:65536",
            "127.0.0.1:-1",
            "127.0.0.1:1 ",
        ] {
            assert!(LocalAddress::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn port_zero_becomes_a_port_that_can_be_bound() {
        let local = LocalAddress::parse(None).expect("the default");
        let text = Reservation::make(&local).expect("a port").release();
        assert!(text.starts_with("127.0.0.1:") && !text.ends_with(":0"), "{text}");
        TcpListener::bind(text).expect("it is free again");
    }

    #[test]
    fn an_address_of_another_machine_is_a_forwarder_error() {
        let local = LocalAddress::parse(Some("203.0.113.1:0")).expect("an address");
        assert_eq!(Reservation::make(&local).err().expect("an error").kind(), "forwarder");
    }
}
