//! `tcp-forward --listen`: a local port whose connections go through the session's listener, until
//! somebody ends it or the session does (docs/decisions/0049-*.md).
//!
//! Threads, not tasks: a run that forwards a handful of connections does not need a runtime, and
//! one that forwards nothing should not load one.

mod carry;
mod node;
mod progress;
mod room;
mod signals;
mod turns;
mod watch;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::api::Client;
use crate::error::Error;
use crate::output::Output;
use crate::untrusted::shown_whole;

pub(crate) use self::node::Node;
use self::progress::Progress;
use self::room::Room;
pub(crate) use self::watch::End;

/// How long connections get to notice that it is over.
const FAREWELL: Duration = Duration::from_millis(300);
/// Waiting after an accept that failed, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the threads tell the one that prints.
enum Event {
    Ended(End),
    Remark(String),
}

/// What a tunnel is made of.
pub(crate) struct Tunnel {
    pub(crate) listener: TcpListener,
    pub(crate) local: SocketAddr,
    pub(crate) node: Node,
    /// Who to ask whether the session still lives.
    pub(crate) client: Arc<Client>,
    pub(crate) project_id: Uuid,
    pub(crate) session_id: Uuid,
    /// The moment by which the session has expired.
    pub(crate) expires: Instant,
}

impl Tunnel {
    /// Forwards until there is a reason to stop, and says which.
    pub(crate) fn run(self, output: &Output) -> Result<End, Error> {
        let Self { listener, local, .. } = self;
        let (events, inbox) = mpsc::channel();
        let (nudge, nudges) = mpsc::channel();
        let caught = signals::catch(events.clone()).map_err(|error| Error::Forwarder {
            address: local.to_string(),
            why: error.to_string().to_lowercase(),
        })?;
        let mut progress = Progress::new(local, self.node.target(), self.expires, output);
        let room = Arc::new(Room::new(self.node, events.clone()));
        watch::begin(self.client, self.project_id, self.session_id, events.clone(), nudges);
        let desk = Desk { room: Arc::clone(&room), events, nudge };
        std::thread::spawn(move || desk.accept(&listener));

        let end = wait(&inbox, self.expires, &mut progress, &room, output);
        progress.clear(output);
        // Whoever does not want to wait for the rest may say so again.
        caught.let_through();
        room.close(FAREWELL);
        Ok(end)
    }
}

fn wait(
    inbox: &Receiver<Event>,
    expires: Instant,
    progress: &mut Progress,
    room: &Room,
    output: &Output,
) -> End {
    loop {
        let left = expires.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return End::Expired;
        }
        progress.show(&room.tally(), output);
        match inbox.recv_timeout(left.min(progress.beat())) {
            Ok(Event::Ended(end)) => return end,
            Ok(Event::Remark(text)) => {
                progress.clear(output);
                output.remark(&text);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Every thread that could say something is gone; time still ends it.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(left.min(ACCEPT_PAUSE)),
        }
    }
}

/// Where clients arrive.
struct Desk {
    room: Arc<Room>,
    events: Sender<Event>,
    nudge: Sender<()>,
}

impl Desk {
    fn accept(self, listener: &TcpListener) {
        let mut complained = false;
        while self.room.has_space() {
            match listener.accept() {
                Ok((client, peer)) => {
                    complained = false;
                    let (room, events, nudge) =
                        (Arc::clone(&self.room), self.events.clone(), self.nudge.clone());
                    let visit = Visit { room, events, nudge, peer };
                    let name = std::thread::Builder::new().name("connection".into());
                    if let Err(error) = name.spawn(move || visit.serve(&client)) {
                        self.remark(&mut complained, &error);
                    }
                }
                Err(error) => self.remark(&mut complained, &error),
            }
        }
    }

    /// Once, not for every client: what is lacking will be lacking for a while.
    fn remark(&self, complained: &mut bool, error: &std::io::Error) {
        if !std::mem::replace(complained, true) {
            let text = format!("connections cannot be taken for now: {error}");
            self.events.send(Event::Remark(text)).ok();
        }
        std::thread::sleep(ACCEPT_PAUSE);
    }
}

/// One client.
struct Visit {
    room: Arc<Room>,
    events: Sender<Event>,
    nudge: Sender<()>,
    peer: SocketAddr,
}

impl Visit {
    fn serve(&self, client: &TcpStream) {
        client.set_nodelay(true).ok();
        match self.room.open(client) {
            Ok(Some(seat)) => {
                // A node that hangs up first may have been told that the session is over.
                let node_left = || {
                    self.nudge.send(()).ok();
                };
                carry::both(client, seat.link(), seat.early(), self.room.traffic(), node_left);
            }
            // Gone before it was its turn.
            Ok(None) => {}
            Err(failure) => {
                self.nudge.send(()).ok();
                let text = format!("connection from {}: {failure}", self.peer);
                self.events.send(Event::Remark(shown_whole(&text))).ok();
            }
        }
    }
}
