//! Between client and server: passes bytes on as they come, and changes the exchanges that a
//! defect is about. What it need not touch keeps its timing, its framing and its way of ending.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::alone;
use super::door::{Door, Doors};
use super::exchange::Before;
use super::message::in_the_version_of;
use super::odd::is_odd;
use super::scout::Scout;
use super::stand::Marker;
use super::subject::{Act, Places, Traffic};
use super::wire::{self, Inbound};
use crate::bench::{Request, Response};

/// The server behind the relay.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) host: String,
    pub(super) port: u16,
    /// What the Host header says.
    pub(super) authority: String,
    pub(super) tls: bool,
}

pub(super) struct Relay {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) upstream: Upstream,
    pub(super) traffic: Option<Traffic>,
    pub(super) marker: Marker,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Rewrites what names our own address; only a server's relay does.
    pub(super) own: Option<Renaming>,
    /// Puts doors in front of the listeners that answers name.
    pub(super) doors: Option<Arc<Doors>>,
    /// Set where this stands in front of a listener.
    pub(super) door: Option<Door>,
    /// Set where nothing is changed and somebody looks on.
    pub(super) scout: Option<Arc<Scout>>,
    pub(super) tokens: Mutex<Vec<String>>,
    pub(super) remembered: Mutex<HashMap<Vec<u8>, Response>>,
    pub(super) counted: AtomicUsize,
    open: AtomicUsize,
}

/// How long a connection that is over may take to be gone.
const LEAVING: Duration = Duration::from_millis(300);

/// Texts of the honest server and what stands in their place in front of it.
pub(super) type Renaming = Vec<(String, String)>;

impl Relay {
    /// A relay on a port of its own, for a client.
    pub(super) fn start(shared: Shared) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Self::serve(listener, shared)
    }

    /// A relay on a port that is there already.
    pub(super) fn serve(listener: TcpListener, shared: Shared) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        let shared = Arc::new(shared);
        let held = Arc::clone(&shared);
        thread::spawn(move || held.accept(&listener));
        Ok(Self { port, shared })
    }

    /// The last session token that passed.
    pub(super) fn token(&self) -> Option<String> {
        locked(&self.shared.tokens).last().cloned()
    }

    /// Waits until what is under way has passed, within reason.
    pub(super) fn drained(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.shared.open.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn to(upstream: Upstream, traffic: Option<Traffic>, marker: Marker) -> Self {
        Self {
            upstream,
            traffic,
            marker,
            tls: None,
            own: None,
            doors: None,
            door: None,
            scout: None,
            tokens: Mutex::default(),
            remembered: Mutex::default(),
            counted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        let one_at_a_time = self.acts(|act| matches!(act, Act::OneAtATime));
        let queue = Arc::new(Mutex::new(()));
        let places = match self.traffic.as_ref().map(|traffic| &traffic.act) {
            Some(Act::Places(places)) => *places,
            _ => Places::default(),
        };
        let mut come = 0;
        for client in listener.incoming().flatten() {
            if self.door.as_ref().is_some_and(Door::is_closed) {
                return;
            }
            if places.at_once.is_some_and(|most| !self.has_room(most)) {
                self.marker.act();
                continue;
            }
            come += 1;
            let (held, queue) = (Arc::clone(&self), Arc::clone(&queue));
            held.open.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                // Whoever comes second waits until the first has gone.
                let turn = one_at_a_time.then(|| locked(&queue));
                if turn.is_some() {
                    held.marker.act();
                }
                held.connection(client);
                drop(turn);
                held.open.fetch_sub(1, Ordering::SeqCst);
            });
            if places.in_all == Some(come) {
                self.marker.act();
                return;
            }
        }
    }

    /// Whether fewer than so many are connected. One that has hung up may still be leaving.
    fn has_room(&self, most: usize) -> bool {
        let deadline = Instant::now() + LEAVING;
        while self.open.load(Ordering::SeqCst) >= most {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    pub(super) fn acts(&self, wanted: impl Fn(&Act) -> bool) -> bool {
        self.traffic.as_ref().is_some_and(|traffic| wanted(&traffic.act))
    }

    fn connection(&self, client: TcpStream) {
        let _ = client.set_nodelay(true);
        if let Some(door) = &self.door {
            return door.pass(self, client);
        }
        if let Some(Act::OddAnswered(edit)) = self.traffic.as_ref().map(|traffic| &traffic.act)
            && is_odd(&client)
        {
            self.marker.act();
            let _ = edit.alone().write_to(&mut &client);
            return;
        }
        if self.upstream.tls {
            let _ = alone::in_turn(self, client);
            return;
        }
        let mut first = [0_u8];
        let hello =
            self.own.is_some() && matches!(client.peek(&mut first), Ok(1)) && first[0] == 0x16;
        if hello {
            if let Some(scout) = &self.scout {
                scout.hello();
            }
            return match &self.tls {
                Some(config) => alone::in_turn_over_tls(self, client, config),
                None => self.spliced(&client),
            };
        }
        self.read_along(&client);
    }

    pub(super) fn dial(&self) -> io::Result<TcpStream> {
        let upstream = match self.upstream.host.parse::<IpAddr>() {
            Ok(address) => TcpStream::connect(SocketAddr::new(address, self.upstream.port)),
            Err(_) => TcpStream::connect((self.upstream.host.as_str(), self.upstream.port)),
        }?;
        let _ = upstream.set_nodelay(true);
        Ok(upstream)
    }

    /// Bytes in both directions, unread.
    pub(super) fn spliced(&self, client: &TcpStream) {
        if let Ok(upstream) = self.dial() {
            splice(client, &upstream, wire::copy);
        }
    }

    /// Both directions at once: requests are read as they pass, answers are changed where the
    /// defect wants it.
    pub(super) fn read_along(&self, client: &TcpStream) {
        let Ok(upstream) = self.dial() else {
            let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
            return;
        };
        let asked = Mutex::new(VecDeque::new());
        let latest = Mutex::new(Inbound::default());
        let opened = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let held = self.holds_requests();
                let ours = client.local_addr().map(|own| own.to_string()).unwrap_or_default();
                let naming = (self.own.is_none()).then_some((&*ours, &*self.upstream.authority));
                let state = (&latest, &opened);
                wire::requests(client, &upstream, held, naming, state, |request, bytes| {
                    self.forward(client, &upstream, &asked, request, bytes)
                });
                let _ = upstream.shutdown(Shutdown::Write);
            });
            let next = || locked(&asked).pop_front().or_else(|| locked(&latest).begun());
            let ended = wire::answers(
                &upstream,
                client,
                &opened,
                next,
                |request, response| self.wants(request, response),
                |request, response| self.answered(request, response),
            );
            close(client, &upstream, ended.is_err());
        });
    }

    /// A whole request on its way to the server. `bytes` is empty where it has passed already.
    fn forward(
        &self,
        client: &TcpStream,
        upstream: &TcpStream,
        asked: &Mutex<VecDeque<Request>>,
        mut request: Request,
        bytes: &[u8],
    ) -> io::Result<()> {
        if bytes.is_empty() {
            if let Some(scout) = &self.scout {
                scout.asked(&request, &self.own_token());
            }
            locked(asked).push_back(request);
            return Ok(());
        }
        match self.before(&mut request) {
            Before::Unchanged => {
                locked(asked).push_back(request);
                (&*upstream).write_all(bytes)
            }
            Before::Changed => {
                locked(asked).push_back(request.clone());
                let mut changed = Vec::new();
                request.write_to(&mut changed)?;
                (&*upstream).write_all(&in_the_version_of(bytes, changed))
            }
            Before::Answered(response) => {
                response.write_to(&mut &*client)?;
                match response.headers.get("connection") {
                    Some("close") => client.shutdown(Shutdown::Both),
                    _ => Ok(()),
                }
            }
            Before::Over => {
                let _ = client.shutdown(Shutdown::Both);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Before::Never => loop {
                // The client leaves in the end, and the process with it.
                thread::park();
            },
        }
    }
}

/// Bytes in both directions; those for the client are carried by `back`.
pub(super) fn splice(
    client: &TcpStream,
    upstream: &TcpStream,
    back: impl FnOnce(&TcpStream, &TcpStream) -> io::Result<()>,
) {
    thread::scope(|scope| {
        scope.spawn(|| wire::copy(client, upstream));
        let ended = back(upstream, client);
        close(client, upstream, ended.is_err());
    });
}

/// Ends both connections. One that broke off breaks off here, too: nothing is said, and dropping
/// the socket resets it. Shutting its reading half wakes the other thread without a word.
fn close(client: &TcpStream, upstream: &TcpStream, broke: bool) {
    if broke {
        let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
    }
    let _ = client.shutdown(if broke { Shutdown::Read } else { Shutdown::Both });
    let _ = upstream.shutdown(Shutdown::Both);
}

/// Reads what a stream has, for as long as it has something.
pub(super) fn some(mut from: impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0_u8; 16 * 1024];
    loop {
        match from.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(read) => {
                into.extend_from_slice(&chunk[..read]);
                return Ok(read);
            }
            Err(error) => return Err(error),
        }
    }
}
