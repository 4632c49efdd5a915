//! Accepting connections, hearing requests, answering by the script, and knowing when all that
//! was on its way has arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Seen;
use super::answer::Answer;
use super::outdated::{self, Outdated};
use super::play::After;
use super::prepare::prepare;
use super::stream::Stream;
use crate::bench::canary::Canary;
use crate::bench::evidence::{Evidence, Glimpse};
use crate::bench::http::{Request, Wire};
use crate::bench::issued::Issued;
use crate::bench::workers;
use crate::verdict::{Outcome, Reason, broken};

/// What is spoken on a connection.
pub(super) enum Speech {
    Plain,
    Tls(Arc<ServerConfig>),
    Outdated(Outdated),
}

/// The state that the accept loop, the connections and the rule share.
pub(super) struct Court {
    answers: Vec<Arc<Answer>>,
    revoke: Arc<Answer>,
    scenario: Option<String>,
    speech: Speech,
    evidence: Evidence,
    ledger: Mutex<Ledger>,
    changed: Condvar,
}

#[derive(Default)]
struct Ledger {
    closed: bool,
    issue_count: usize,
    seen: Vec<Seen>,
    issued: Vec<Issued>,
    /// Ports of our own connections that are on their way to the accept loop.
    sentinels: BTreeSet<u16>,
    accepted_count: usize,
    /// Connections not yet heard out, by peer port.
    open: BTreeMap<u16, TcpStream>,
    /// A fault of our own that the next question must report.
    fault: Option<String>,
}

/// How long `settle` waits for a connection that a finished client left behind.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

impl Court {
    pub(super) fn new(
        answers: Vec<Arc<Answer>>,
        revoke: Arc<Answer>,
        scenario: Option<String>,
        speech: Speech,
        evidence: Evidence,
    ) -> Self {
        Self {
            answers,
            revoke,
            scenario,
            speech,
            evidence,
            ledger: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    pub(super) fn issued(&self) -> Vec<Issued> {
        self.lock().issued.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.lock().accepted_count
    }

    pub(super) fn close(&self) {
        let mut ledger = self.lock();
        ledger.closed = true;
        for socket in ledger.open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Connections are accepted in the order they were made: once one of our own has been
    /// accepted, so have all before it. Then each must be heard out.
    pub(super) fn settle(&self, address: SocketAddr) -> Outcome {
        let sentinel = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        sentinel.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        let port = sentinel.local_addr()?.as_socket().map_or(0, |own| own.port());
        // Known before it arrives, so that nobody listens for a request on it.
        self.lock().sentinels.insert(port);
        // Nothing is ever sent on it, so nothing has to linger.
        sentinel.set_linger(Some(Duration::ZERO))?;
        sentinel.connect(&SockAddr::from(address))?;
        let deadline = Instant::now() + SETTLE_LIMIT;
        let mut ledger = self.lock();
        while ledger.sentinels.contains(&port) || !ledger.open.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ledger =
                self.changed.wait_timeout(ledger, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        match ledger.fault.take() {
            Some(fault) => broken(fault),
            None => Ok(()),
        }
    }

    /// Waits until a request has been heard, but no longer than that.
    pub(super) fn hears_within(&self, longest: Duration) -> bool {
        let unheard = |ledger: &mut Ledger| ledger.seen.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), longest, unheard);
        !waited.unwrap_or_else(PoisonError::into_inner).0.seen.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters the request and picks its answer.
    fn enter(&self, request: &Request) -> (Option<&Arc<Answer>>, Option<&str>) {
        let operation = operation_of(request);
        let mut ledger = self.lock();
        ledger.seen.push(Seen { operation, request: request.clone() });
        self.changed.notify_all();
        let (line, body) =
            (format!("{} {}", request.method, request.path), Glimpse::of(&request.body));
        self.evidence
            .note_later(move || format!("the referee saw {operation}: {line} {}", body.shown()));
        match operation {
            "IssueSession" => {
                let nth = ledger.issue_count.min(self.answers.len().saturating_sub(1));
                ledger.issue_count += 1;
                (self.answers.get(nth), self.scenario.as_deref())
            }
            "RevokeSession" => (Some(&self.revoke), None),
            _ => (None, None),
        }
    }
}

/// The accept loop; it ends when the court has closed.
pub(super) fn accept(listener: &TcpListener, court: &Arc<Court>) {
    loop {
        let (socket, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) if court.lock().closed => return,
            Err(error) => {
                court.lock().fault = Some(format!("the referee cannot accept: {error}"));
                return;
            }
        };
        let mut ledger = court.lock();
        if ledger.closed {
            return;
        }
        if ledger.sentinels.remove(&peer.port()) {
            court.changed.notify_all();
            continue;
        }
        ledger.accepted_count += 1;
        match socket.try_clone() {
            Ok(clone) => drop(ledger.open.insert(peer.port(), clone)),
            Err(error) => ledger.fault = Some(format!("the referee ran out of files: {error}")),
        }
        drop(ledger);
        let court = Arc::clone(court);
        let _ = workers::spawn(move || {
            let outcome = converse(socket, &court);
            let mut ledger = court.lock();
            ledger.open.remove(&peer.port());
            if let Err(Reason::Broken(why)) = outcome {
                ledger.fault = Some(why);
            }
            drop(ledger);
            court.changed.notify_all();
        });
    }
}

/// One connection from its first byte to its last. Whatever the client does wrong on the wire is
/// noted; only a fault of our own is an error.
fn converse(socket: TcpStream, court: &Court) -> Outcome {
    socket.set_nodelay(true)?;
    let stream = match &court.speech {
        Speech::Plain => Stream::Plain(socket),
        Speech::Outdated(how) if outdated::is_tls(&socket) => {
            let _ = how.greet(socket);
            return Ok(());
        }
        Speech::Outdated(_) => Stream::Plain(socket),
        Speech::Tls(config) => {
            let session = ServerConnection::new(Arc::clone(config))
                .map_err(|error| Reason::Broken(format!("TLS set-up: {error}")))?;
            Stream::Tls(Box::new(StreamOwned::new(session, socket)))
        }
    };
    let mut wire = Wire::new(stream);
    loop {
        let mut request = match wire.read_request_head() {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) => {
                court.evidence.note(format!("the referee heard no whole request: {error}"));
                return Ok(());
            }
        };
        let expects = request.headers.get("expect").unwrap_or_default();
        if expects.eq_ignore_ascii_case("100-continue") {
            let go_on = wire.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            if go_on.and_then(|()| wire.stream.flush()).is_err() {
                return Ok(());
            }
        }
        if let Err(error) = wire.read_request_body(&mut request) {
            court.evidence.note(format!("the referee heard no whole body: {error}"));
            return Ok(());
        }
        let not_found = Arc::new(Answer::problem(404, "not_found"));
        let (answer, scenario) = court.enter(&request);
        let prepared = prepare(answer.unwrap_or(&not_found), &request, scenario)?;
        if let Some(issued) = &prepared.issued {
            if !issued.token.is_empty() {
                court.evidence.hide(Canary::new("session token", &issued.token));
            }
            court.lock().issued.push(issued.clone());
        }
        court.evidence.note_later(prepared.told());
        match prepared.play(&mut wire.stream) {
            Ok(After::KeepAlive) => {}
            Ok(After::Close) | Err(_) => return Ok(()),
        }
    }
}

fn operation_of(request: &Request) -> &'static str {
    let path = request.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["v1", "projects", _, "sessions"]) => "IssueSession",
        ("POST", ["v1", "projects", _, "sessions", _, "revoke"]) => "RevokeSession",
        ("POST", ["v1", "projects", _, "sessions", id]) if id.ends_with(":revoke") => {
            "RevokeSession"
        }
        _ => "unknown",
    }
}
