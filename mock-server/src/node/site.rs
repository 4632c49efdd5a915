//! What the nodes of all installations share: where they listen, the certificate they present,
//! the seed of the host keys where one is kept, and whether shells are real.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::OnceLock;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::net::Tls;

const HOST_SEED_FILE: &str = "ssh_host.seed";

pub struct Site {
    bind: IpAddr,
    tls: OnceLock<Tls>,
    host_seed: Option<[u8; 32]>,
    /// Whether ssh sessions get a shell on this very machine.
    pub host_shell: bool,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Site")
    }
}

impl Site {
    /// A site that listens where the server does.
    pub fn at(bind: IpAddr) -> Self {
        Self { bind, tls: OnceLock::new(), host_seed: None, host_shell: false }
    }

    /// Where listeners are bound. The host that endpoints name chooses among the loopback
    /// addresses, and never leads beyond what the server itself was told to listen on.
    pub fn interface(&self, host: &str) -> IpAddr {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) if self.bind.is_loopback() && address.is_loopback() => address,
            _ => self.bind,
        }
    }

    /// The same with hosts that have the same keys tomorrow: ssh clients remember them.
    pub fn kept_in(self, directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let file = directory.join(HOST_SEED_FILE);
        let kept = std::fs::read(&file).ok().and_then(|bytes| bytes.try_into().ok());
        let seed = match kept {
            Some(seed) => seed,
            None => {
                let mut seed = [0; 32];
                SystemRandom::new().fill(&mut seed).map_err(|_| io::ErrorKind::Other)?;
                // Temporary files are made readable by their owner only.
                let mut fresh = tempfile::NamedTempFile::new_in(directory)?;
                io::Write::write_all(&mut fresh, &seed)?;
                fresh.persist(&file).map_err(|error| error.error)?;
                seed
            }
        };
        Ok(Self { host_seed: Some(seed), ..self })
    }

    /// The certificate's authority is made while the world is read, and comes later.
    pub fn present(&self, tls: Tls) {
        // A second one would be the same.
        let _ = self.tls.set(tls);
    }

    pub fn tls(&self) -> Option<Tls> {
        self.tls.get().cloned()
    }

    pub fn host_seed(&self) -> Option<&[u8; 32]> {
        self.host_seed.as_ref()
    }
}

/// The host that endpoints name where the world names none: the address that is listened on.
pub fn host_of(bind: IpAddr) -> String {
    match bind {
        IpAddr::V6(address) if !address.is_unspecified() => format!("[{address}]"),
        IpAddr::V4(address) if !address.is_unspecified() => address.to_string(),
        _ => Ipv4Addr::LOCALHOST.to_string(),
    }
}

/// Where this machine reaches a listener of its own that was bound there.
pub(super) fn reachable(interface: IpAddr) -> IpAddr {
    match interface {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_never_leads_off_the_loopback_interface_by_itself() {
        let site = Site::at(ip("127.0.0.1"));
        for (host, interface) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.9", "127.0.0.9"),
            ("[::1]", "::1"),
            ("192.0.2.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("node.example", "127.0.0.1"),
        ] {
            assert_eq!(site.interface(host), ip(interface), "{host}");
        }
        assert_eq!(Site::at(ip("192.0.2.7")).interface("127.0.0.1"), ip("192.0.2.7"));
    }

    #[test]
    fn the_address_listened_on_is_told_as_clients_can_dial_it() {
        for (bind, host) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("192.0.2.7", "192.0.2.7"),
            ("::1", "[::1]"),
            ("::", "127.0.0.1"),
            ("2001:db8::7", "[2001:db8::7]"),
        ] {
            assert_eq!(host_of(ip(bind)), host, "{bind}");
        }
    }
}
