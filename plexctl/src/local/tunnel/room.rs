//! Who is being carried: the connections of a tunnel, whose turn it is, and how all of them end.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::carry::Traffic;
use super::node::{Failure, Node, Opened};

/// Each takes two threads; more than this and clients wait in the queue of the port.
const MOST: usize = 128;
/// How often somebody who waits for a turn asks again; another client of the session may have had it.
const ASK_AGAIN: Duration = Duration::from_millis(200);

pub(super) struct Room {
    node: Node,
    traffic: Traffic,
    guests: Mutex<Guests>,
    changed: Condvar,
}

#[derive(Default)]
struct Guests {
    /// Both ends of each connection that is being carried.
    seated: HashMap<u64, [TcpStream; 2]>,
    /// Threads, carrying or waiting.
    inside: usize,
    served: u64,
    next: u64,
    /// The one place of a plain pipe is somebody's.
    taken: bool,
    closed: bool,
}

/// What the progress line tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) open: usize,
    pub(super) waiting: usize,
    pub(super) served: u64,
    pub(super) up: u64,
    pub(super) down: u64,
}

/// A connection being carried; dropping it makes place for the next.
pub(super) struct Seat<'r> {
    room: &'r Room,
    number: u64,
    opened: Opened,
}

/// Somebody inside, counted until dropped.
struct Guest<'r>(&'r Room);

impl Room {
    pub(super) fn new(node: Node) -> Self {
        let (traffic, guests) = (Traffic::default(), Mutex::default());
        Self { node, traffic, guests, changed: Condvar::new() }
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(super) fn tally(&self) -> Tally {
        use std::sync::atomic::Ordering::Relaxed;
        let guests = self.lock();
        Tally {
            open: guests.seated.len(),
            waiting: guests.inside.saturating_sub(guests.seated.len()),
            served: guests.served,
            up: self.traffic.up.load(Relaxed),
            down: self.traffic.down.load(Relaxed),
        }
    }

    /// Waits until one more client can be taken; false when none will be any more.
    pub(super) fn has_space(&self) -> bool {
        let mut guests = self.lock();
        while guests.inside >= MOST && !guests.closed {
            guests = self.changed.wait(guests).unwrap_or_else(PoisonError::into_inner);
        }
        !guests.closed
    }

    /// A way through the node for this client, when it is its turn; `None` when the client is gone
    /// by then, or everything is over.
    pub(super) fn open(&self, client: &TcpStream) -> Result<Option<Seat<'_>>, Failure> {
        let _guest = self.enter();
        loop {
            if self.take_turn() {
                match self.node.open() {
                    Ok(opened) => return Ok(self.seat(client, opened)),
                    Err(Failure::Busy) => self.lock().taken = false,
                    Err(failure) => {
                        let mut guests = self.lock();
                        guests.taken = false;
                        return if guests.closed { Ok(None) } else { Err(failure) };
                    }
                }
            }
            let guests = self.lock();
            if guests.closed {
                return Ok(None);
            }
            drop(self.changed.wait_timeout(guests, ASK_AGAIN));
            if is_gone(client) {
                return Ok(None);
            }
        }
    }

    /// A plain pipe carries one connection and cannot say so; any other listener is asked.
    fn take_turn(&self) -> bool {
        let mut guests = self.lock();
        !(guests.closed || self.node.is_plain() && std::mem::replace(&mut guests.taken, true))
    }

    fn seat(&self, client: &TcpStream, opened: Opened) -> Option<Seat<'_>> {
        let ends = client.try_clone().and_then(|one| Ok([one, opened.link.try_clone()?]));
        let mut guests = self.lock();
        let number = guests.next;
        guests.next += 1;
        // Counted by the seat from now on, and not by the guest.
        guests.inside += 1;
        let closed = guests.closed;
        if let Ok(ends) = ends {
            guests.seated.insert(number, ends);
        }
        drop(guests);
        let seat = Seat { room: self, number, opened };
        (!closed).then_some(seat)
    }

    fn enter(&self) -> Guest<'_> {
        self.lock().inside += 1;
        Guest(self)
    }

    /// Ends every connection and takes no more; returns when all are gone or the time is over.
    pub(super) fn close(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut guests = self.lock();
        guests.closed = true;
        for end in guests.seated.values().flatten() {
            end.shutdown(Shutdown::Both).ok();
        }
        self.changed.notify_all();
        while !guests.seated.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            guests =
                self.changed.wait_timeout(guests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    pub(super) fn link(&self) -> &TcpStream {
        &self.opened.link
    }

    pub(super) fn early(&self) -> &[u8] {
        &self.opened.early
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut guests = self.room.lock();
        guests.seated.remove(&self.number);
        guests.taken = false;
        guests.served += 1;
        guests.inside -= 1;
        self.room.changed.notify_all();
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

/// Whether a client that waits has hung up. One that has sent something still wants an answer.
fn is_gone(client: &TcpStream) -> bool {
    if client.set_nonblocking(true).is_err() {
        return true;
    }
    let gone = match client.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    gone || client.set_nonblocking(false).is_err()
}
