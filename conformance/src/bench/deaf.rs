//! Addresses where nobody answers: one that refuses connections, one that says nothing at all, and
//! one that is free for the subject to take.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

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

/// A port whose queue is full: who comes now hears neither yes nor no, as behind a firewall that
/// drops what it does not like.
pub struct FullPort {
    _held: TcpListener,
    _queue: Vec<TcpStream>,
    address: SocketAddr,
}

impl FullPort {
    /// None where the kernel keeps no bound on a queue.
    pub fn new() -> Outcome<Option<Self>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        socket.listen(0)?;
        let held = TcpListener::from(socket);
        let address = held.local_addr()?;
        let mut queue = Vec::new();
        while queue.len() < 16 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(waiting) => queue.push(waiting),
                Err(_) => return Ok(Some(Self { _held: held, _queue: queue, address })),
            }
        }
        Ok(None)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Judges with a port that the subject may take. Others on this machine take ports as well; when
/// this one is found to be gone, what failed is tried with another.
pub fn with_a_free_port(check: impl Fn(SocketAddr) -> Outcome) -> Outcome {
    let mut tries = 1..=3;
    loop {
        tries.next();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let judged = check(free);
        if judged.is_ok() || tries.is_empty() || TcpListener::bind(free).is_ok() {
            return judged;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::ErrorKind;

    use super::*;
    use crate::verdict::fail;

    #[test]
    fn a_port_that_was_taken_meanwhile_is_replaced_and_a_failure_on_a_free_one_stands() {
        let taken = RefCell::new(Vec::new());
        let first_is_taken = |free: SocketAddr| {
            let mut taken = taken.borrow_mut();
            if taken.is_empty() {
                taken.push(TcpListener::bind(free)?);
                return fail("the port", "free", "taken");
            }
            Ok(())
        };
        with_a_free_port(first_is_taken).unwrap();
        let tries = RefCell::new(0);
        let fails = |_| {
            *tries.borrow_mut() += 1;
            fail("the subject", "right", "wrong")
        };
        with_a_free_port(fails).unwrap_err();
        assert_eq!(*tries.borrow(), 1);
    }

    #[test]
    fn a_full_port_answers_nobody() {
        let Some(full) = FullPort::new().unwrap() else { return };
        let soon = Duration::from_millis(50);
        let error = TcpStream::connect_timeout(&full.address, soon).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
