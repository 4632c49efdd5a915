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

use super::door::{Door, Doors};
use super::stand::Marker;
use super::subject::{Act, Places, Traffic};
use super::token;
use super::traffic::{filled, mentions_token, operation};
use super::wire::{self, Inbound};
use crate::bench::{Request, Response, Wire};

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
    tokens: Mutex<Vec<String>>,
    remembered: Mutex<HashMap<Vec<u8>, Response>>,
    counted: AtomicUsize,
    open: AtomicUsize,
}

/// Texts of the honest server and what stands in their place in front of it.
pub(super) type Renaming = Vec<(String, String)>;

impl Relay {
    /// A relay on a port of its own, for a client.
    pub(super) fn start(
        upstream: Upstream,
        traffic: Option<Traffic>,
        marker: Marker,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Self::serve(listener, Shared::to(upstream, traffic, marker))
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
            let open = self.open.load(Ordering::SeqCst);
            if places.at_once.is_some_and(|most| open >= most) {
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

    fn acts(&self, wanted: impl Fn(&Act) -> bool) -> bool {
        self.traffic.as_ref().is_some_and(|traffic| wanted(&traffic.act))
    }

    fn connection(&self, client: TcpStream) {
        let _ = client.set_nodelay(true);
        if let Some(door) = &self.door {
            return door.pass(self, client);
        }
        if self.acts(|act| matches!(act, Act::Anything)) && wire::is_odd(&client) {
            self.marker.act();
            let _ = (&client).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        if self.upstream.tls {
            return wire::in_turn(self, client);
        }
        let mut first = [0_u8];
        let hello =
            self.own.is_some() && matches!(client.peek(&mut first), Ok(1)) && first[0] == 0x16;
        if hello {
            return match &self.tls {
                Some(config) => wire::in_turn_over_tls(self, client, config),
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

    /// Whether requests must be whole before they are passed on.
    fn holds_requests(&self) -> bool {
        let act = self.traffic.as_ref().map(|traffic| &traffic.act);
        matches!(
            act,
            Some(
                Act::Request(_)
                    | Act::Twice
                    | Act::Swallowed(_)
                    | Act::Before(_)
                    | Act::Silent
                    | Act::Closed
            )
        )
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
                request.write_to(&mut &*upstream)
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

    /// What becomes of a whole request before the server sees it.
    pub(super) fn before(&self, request: &mut Request) -> Before {
        let Some(traffic) = &self.traffic else { return Before::Unchanged };
        if traffic.when.minds_the_answer() || !traffic.when.asks(request) {
            return Before::Unchanged;
        }
        if !self.holds_requests() || !self.in_turn() {
            return Before::Unchanged;
        }
        match &traffic.act {
            Act::Request(edit) if filled(edit, &self.own_token(), "").change(request) => {
                self.marker.act();
                return Before::Changed;
            }
            Act::Twice => {
                self.marker.act();
                let _ = self.ask(request);
            }
            Act::Before(edit) => {
                let mut first = request.clone();
                edit.change(&mut first);
                self.marker.act();
                let _ = self.ask(&first);
            }
            Act::Swallowed(edit) => {
                self.marker.act();
                return Before::Answered(edit.alone());
            }
            Act::Closed => {
                self.marker.act();
                return Before::Over;
            }
            Act::Silent => {
                self.marker.act();
                return Before::Never;
            }
            _ => {}
        }
        Before::Unchanged
    }

    /// The token of the session whose listener this is, or of the last one that was issued.
    fn own_token(&self) -> String {
        match &self.door {
            Some(door) => door.token.clone(),
            None => locked(&self.tokens).last().cloned().unwrap_or_default(),
        }
    }

    /// Counts an exchange of the kind, and says whether it is the turn of this one.
    fn in_turn(&self) -> bool {
        let after = self.traffic.as_ref().map_or(0, |traffic| traffic.when.after);
        self.counted.fetch_add(1, Ordering::SeqCst) >= after
    }

    /// Whether the answer with this head is to be read whole.
    fn wants(&self, request: &Request, response: &Response) -> bool {
        let operation = operation(&request.method, &request.path);
        if self.own.is_some()
            && (operation == "control" && request.path.contains("/ready") || self.signs_anew())
        {
            return true;
        }
        if self.doors.is_some() && matches!(operation, "IssueSession" | "GetSession") {
            return true;
        }
        if response.status == 201
            && self.acts(|act| matches!(act, Act::Answer(edit) if mentions_token(edit)))
        {
            return true;
        }
        // The token is wanted from every session, whatever the defect.
        if self.traffic.is_none() {
            return response.status == 201;
        }
        let Some(traffic) = &self.traffic else { return false };
        !matches!(traffic.act, Act::Request(_) | Act::Twice | Act::Swallowed(_) | Act::Before(_))
            && traffic.when.asks(request)
            && traffic.when.heard(response)
    }

    fn signs_anew(&self) -> bool {
        matches!(&self.traffic, Some(Traffic { act: Act::Answer(edit), .. })
            if edit.token.as_ref().is_some_and(|token| !token.spoiled))
    }

    /// A whole answer on its way to the client.
    pub(super) fn answered(&self, request: &Request, response: &mut Response) -> After {
        let operation = operation(&request.method, &request.path);
        if let Some(token) = response.json()["token"].as_str() {
            locked(&self.tokens).push(token.to_owned());
        }
        let mut after = After::Unchanged;
        if let Some(renaming) = self.own.as_ref().filter(|_| operation == "control") {
            let mut text = String::from_utf8_lossy(&response.body).into_owned();
            if request.path.contains("/ready") {
                for (from, to) in renaming {
                    text = text.replace(from, to);
                }
                response.body = text.into_bytes();
                after = After::Changed;
            }
        }
        if operation == "GetJwks" && self.signs_anew() {
            let mut set = response.json();
            if token::replace_keys(&mut set) {
                response.body = set.to_string().into_bytes();
                after = After::Changed;
            }
        }
        if let Some(doors) = &self.doors
            && matches!(operation, "IssueSession" | "GetSession")
            && doors.put_in_place(response)
        {
            after = After::Changed;
        }
        let Some(traffic) = &self.traffic else { return after };
        let fits = traffic.when.asks(request)
            && traffic.when.heard(response)
            && traffic.when.read(response);
        if !fits || !self.in_turn() {
            return after;
        }
        match &traffic.act {
            Act::Answer(edit) => {
                let shown = ["authorization", "proxy-authorization"];
                let shown = shown.iter().find_map(|name| request.headers.get(name));
                let edit = filled(edit, &self.own_token(), shown.unwrap_or_default());
                if edit.change(response) {
                    after = self.changed();
                }
            }
            Act::AskedAgain(edit) => {
                let mut again = request.clone();
                edit.change(&mut again);
                if let Ok(other) = self.ask(&again) {
                    *response = other;
                    after = self.changed();
                }
            }
            Act::Followed => {
                if let Some(other) = self.followed(request, response) {
                    *response = other;
                    after = self.changed();
                }
            }
            Act::Remembered => {
                let key =
                    [request.method.as_bytes(), request.path.as_bytes(), &request.body].concat();
                let mut remembered = locked(&self.remembered);
                if let Some(held) = remembered.get(&key) {
                    *response = held.clone();
                    after = self.changed();
                } else {
                    remembered.insert(key, response.clone());
                }
            }
            Act::Late(millis) => {
                self.marker.act();
                thread::sleep(Duration::from_millis(*millis));
            }
            Act::Closed if traffic.when.minds_the_answer() => {
                self.marker.act();
                after = After::Over;
            }
            Act::ClosedAfterwards => {
                self.marker.act();
                after = After::Last;
            }
            Act::Unverified => self.marker.act(),
            _ => {}
        }
        after
    }

    fn changed(&self) -> After {
        self.marker.act();
        After::Changed
    }

    /// Asks the server on a connection of its own.
    pub(super) fn ask(&self, request: &Request) -> io::Result<Response> {
        let mut alone = request.clone();
        alone.headers.remove("connection");
        alone.headers.push("connection", "close");
        wire::exchange(self.dial()?, &self.upstream, &alone)
    }

    /// Whether the answer goes on for as long as anybody listens.
    pub(super) fn lasts(&self, request: &Request) -> bool {
        self.door.is_some() && request.path.contains("watch=")
    }

    /// Asks, and hands the answer on as it comes.
    pub(super) fn ask_on(&self, request: &Request, client: &mut impl Write) -> io::Result<()> {
        let mut upstream = wire::asked_over_tls(self.dial()?, &self.upstream, request)?;
        io::copy(&mut upstream, client).map(drop)
    }

    /// The answer from where a redirect leads, on this machine.
    fn followed(&self, request: &Request, response: &Response) -> Option<Response> {
        let to = response.headers.get("location")?;
        let base =
            url::Url::parse(&format!("http://{}{}", self.upstream.authority, request.path)).ok()?;
        let to = base.join(to).ok()?;
        let socket = TcpStream::connect((to.host_str()?, to.port_or_known_default()?)).ok()?;
        let mut again = request.clone();
        again.path = to.path().to_owned();
        again.headers.remove("connection");
        again.headers.push("connection", "close");
        let mut wire = Wire::new(socket);
        again.write_to(&mut wire.stream).ok()?;
        wire.stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        wire.read_response(&again.method).ok()
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

/// What becomes of a request.
pub(super) enum Before {
    Unchanged,
    Changed,
    Answered(Response),
    Over,
    Never,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Unchanged,
    Changed,
    /// The connection ends in its place.
    Over,
    /// The connection ends with it.
    Last,
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
