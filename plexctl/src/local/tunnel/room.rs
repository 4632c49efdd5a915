//! Who is being carried: the connections of a tunnel, whose turn it is, and how all of them end.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Event;
use super::carry::Traffic;
use super::node::{Failure, Node, Opened};
use super::turns::{Ticket, Turns};

/// Each takes two threads; more than this and clients wait in the queue of the port.
const MOST: usize = 128;
/// How often somebody who waits looks whether the client is still there.
const LOOK: Duration = Duration::from_millis(200);
/// After how long it is told that somebody waits: what waits cannot say so itself.
const STARVING: Duration = Duration::from_secs(1);
/// How often a listener may hang up instead of saying that it is full, while it carries nothing of
/// ours.
const MOST_HANG_UPS: u32 = 10;

pub(super) struct Room {
    node: Node,
    traffic: Traffic,
    events: Sender<Event>,
    guests: Mutex<Guests>,
    changed: Condvar,
}

struct Guests {
    /// Both ends of each connection that is being carried.
    seated: HashMap<u64, [TcpStream; 2]>,
    /// Threads, carrying or waiting.
    inside: usize,
    served: u64,
    next: u64,
    turns: Turns,
    /// It has been told that somebody waits.
    told: bool,
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
struct Guest<'r> {
    room: &'r Room,
    client: &'r TcpStream,
    ticket: Ticket,
    since: Instant,
}

impl Room {
    pub(super) fn new(node: Node, events: Sender<Event>) -> Self {
        let guests = Mutex::new(Guests {
            seated: HashMap::new(),
            inside: 0,
            served: 0,
            next: 0,
            turns: Turns::new(node.is_plain()),
            told: false,
            closed: false,
        });
        Self { node, traffic: Traffic::default(), events, guests, changed: Condvar::new() }
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
    pub(super) fn open<'r>(&'r self, client: &'r TcpStream) -> Result<Option<Seat<'r>>, Failure> {
        let guest = self.enter(client);
        let mut hung_up = 0;
        while guest.waits_for_turn() {
            match self.node.open() {
                Ok(opened) => return Ok(self.seat(client, opened)),
                Err(Failure::Busy) => guest.turned_away(),
                Err(Failure::HungUp) if hung_up < MOST_HANG_UPS => {
                    hung_up += u32::from(!self.lock().turns.has_seats());
                    guest.turned_away();
                }
                Err(failure) => {
                    let mut guests = self.lock();
                    guests.turns.failed();
                    self.changed.notify_all();
                    return if guests.closed { Ok(None) } else { Err(failure) };
                }
            }
        }
        Ok(None)
    }

    fn seat(&self, client: &TcpStream, opened: Opened) -> Option<Seat<'_>> {
        let ends = client.try_clone().and_then(|one| Ok([one, opened.link.try_clone()?]));
        let mut guests = self.lock();
        let number = guests.next;
        guests.next += 1;
        // Counted by the seat from now on, and not by the guest.
        guests.inside += 1;
        guests.turns.seated(Instant::now());
        self.changed.notify_all();
        let closed = guests.closed;
        if let Ok(ends) = ends {
            guests.seated.insert(number, ends);
        }
        drop(guests);
        let seat = Seat { room: self, number, opened };
        (!closed).then_some(seat)
    }

    fn enter<'r>(&'r self, client: &'r TcpStream) -> Guest<'r> {
        let mut guests = self.lock();
        guests.inside += 1;
        Guest { room: self, client, ticket: guests.turns.arrive(), since: Instant::now() }
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
        guests.turns.left();
        guests.served += 1;
        guests.inside -= 1;
        self.room.changed.notify_all();
    }
}

impl Guest<'_> {
    /// False when there is nothing to wait for any more.
    fn waits_for_turn(&self) -> bool {
        let mut guests = self.room.lock();
        loop {
            if guests.closed {
                return false;
            }
            if guests.turns.take(self.ticket, Instant::now()) {
                self.room.changed.notify_all();
                return true;
            }
            let pause = guests.turns.look_again(self.ticket, Instant::now(), LOOK);
            drop(self.room.changed.wait_timeout(guests, pause));
            if is_gone(self.client) {
                return false;
            }
            guests = self.room.lock();
            self.tell(&mut guests);
        }
    }

    fn turned_away(&self) {
        self.room.lock().turns.turned_away(self.ticket, Instant::now());
        self.room.changed.notify_all();
    }

    /// Once for a tunnel: a client that keeps an idle connection open is a common cause, and
    /// nothing else would show it.
    fn tell(&self, guests: &mut Guests) {
        let waits = guests.turns.is_full() && self.since.elapsed() >= STARVING;
        if guests.told || guests.closed || !waits {
            return;
        }
        guests.told = true;
        let name = |end: &TcpStream| end.peer_addr().map_or("?".to_owned(), |at| at.to_string());
        let held = match guests.seated.values().next() {
            Some([client, _]) => format!("the one from {} is carried", name(client)),
            None => "somebody else's is carried".to_owned(),
        };
        let text = format!(
            "connection from {} waits for its turn: {held}, and the session takes no more at once",
            name(self.client)
        );
        self.room.events.send(Event::Remark(text)).ok();
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut guests = self.room.lock();
        guests.turns.leave(self.ticket);
        guests.inside -= 1;
        self.room.changed.notify_all();
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
