//! A recording proxy between plexctl and a control plane. Each exchange that passes is kept, and
//! can be judged by the contract afterwards.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::Address;
use super::call::{Endpoint, Exchange};
use super::contract;
use super::evidence::{Evidence, Glimpse};
use super::http::Wire;
use super::server::Server;
use crate::verdict::{Outcome, broken, expect_eq};

pub struct Tap {
    address: SocketAddr,
    prefix: String,
    shared: Arc<Shared>,
    relay: Option<Relay>,
}

/// The listening side, until it is torn down.
struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: Endpoint,
    evidence: Evidence,
    exchanges: Mutex<Vec<Exchange>>,
    faults: Mutex<Vec<String>>,
    closed: AtomicBool,
}

impl Tap {
    pub(crate) fn start(server: &Server, evidence: Evidence) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let upstream = server.endpoint().clone();
        let prefix = upstream.prefix.clone();
        let shared = Arc::new(Shared {
            upstream,
            evidence,
            exchanges: Mutex::default(),
            faults: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let held = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if held.closed.load(Ordering::Acquire) {
                    return;
                }
                let held = Arc::clone(&held);
                thread::spawn(move || relay(socket, &held));
            }
        });
        let relay = Relay { address, shared: Arc::clone(&shared), thread: Some(thread) };
        Ok(Self { address, prefix, shared, relay: Some(relay) })
    }

    /// Every exchange that passed, in the order of the answers.
    pub fn exchanges(&self) -> Outcome<Vec<Exchange>> {
        let faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = faults.first() {
            return broken(fault.clone());
        }
        Ok(self.shared.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Exactly `count` exchanges passed, each as the contract says. Returns them.
    pub fn expect_conforming(&self, count: usize) -> Outcome<Vec<Exchange>> {
        let exchanges = self.exchanges()?;
        expect_eq("the number of exchanges between client and server", &count, &exchanges.len())?;
        for exchange in &exchanges {
            contract::check(exchange)?;
            contract::check_request(exchange)?;
        }
        Ok(exchanges)
    }
}

impl Address for Tap {
    fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.address.port(), self.prefix)
    }

    fn ca_file(&self) -> Option<std::path::PathBuf> {
        None
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(relay) = self.relay.take() {
            self.shared.evidence.outlive(Box::new(relay));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One client connection: request by request, each over a connection of its own upstream. The
/// exchange is recorded before the client can have the answer, so that nothing need be awaited.
fn relay(socket: TcpStream, shared: &Shared) {
    let _ = socket.set_nodelay(true);
    let mut client = Wire::new(socket);
    while let Ok(Some(mut request)) = client.read_request_head() {
        if client.read_request_body(&mut request).is_err() {
            return;
        }
        let mut upstream = match shared.upstream.connect() {
            Ok(connection) => Wire::new(connection),
            Err(reason) => return shared.fault(format!("{reason:?}")),
        };
        let mut forwarded = request.clone();
        forwarded.headers.remove("connection");
        forwarded.headers.push("connection", "close");
        let answer = forwarded
            .write_to(&mut upstream.stream)
            .and_then(|()| upstream.read_response(&request.method));
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => return shared.fault(format!("behind the tap: {error}")),
        };
        response.headers.remove("connection");
        let (prefix, generation) = (shared.upstream.prefix.clone(), shared.upstream.generation);
        let exchange = Exchange::new(prefix, generation, request, response.clone());
        shared.evidence.hide_tokens_of(&exchange);
        let line = format!("{} {}", exchange.request.method, exchange.request.path);
        let (asked, status, answered) =
            (Glimpse::of(&exchange.request.body), response.status, Glimpse::of(&response.body));
        shared.evidence.note_later(move || {
            let (asked, answered) = (asked.shown(), answered.shown());
            format!("the tap saw: {line} {asked}\n  answered: {status} {answered}")
        });
        shared.exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        if response.write_to(&mut client.stream).is_err() {
            return;
        }
    }
}

impl Shared {
    fn fault(&self, why: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(why);
    }
}
