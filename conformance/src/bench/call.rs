//! One request to the control plane, sent on a connection of its own, and what came of it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use url::Url;

use super::contract::{self, Generation, System};
use super::evidence::{Evidence, Glimpse, shown};
use super::guest::Guest;
use super::http::{Headers, Request, Response, Wire};
use crate::verdict::{Outcome, Reason, expect_eq, fail, skip};

/// Where to connect, and what stands in front of every path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoint {
    https: bool,
    host: String,
    port: u16,
    pub(crate) prefix: String,
    ca_file: Option<PathBuf>,
    pub(crate) generation: Generation,
    /// The server is somebody else's.
    pub(crate) guest: Option<Arc<Guest>>,
}

/// Long enough for any honest answer; a server that needs longer has hung.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const SILENCE_LIMIT: Duration = Duration::from_secs(2);

impl Endpoint {
    pub(crate) fn parse(url: &str, ca_file: Option<&Path>) -> Outcome<Self> {
        let parsed = Url::parse(url).or_else(|error| {
            fail("an address of the server", "a URL", format!("{url:?}: {error}"))
        })?;
        Ok(Self {
            https: parsed.scheme() == "https",
            host: parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: parsed.port_or_known_default().unwrap_or_default(),
            prefix: parsed.path().trim_end_matches('/').to_owned(),
            ca_file: ca_file.map(Path::to_path_buf),
            generation: Generation::default(),
            guest: None,
        })
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}{}", self.port, self.prefix)
    }

    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn takes_connections(&self) -> bool {
        TcpStream::connect((self.host.as_str(), self.port)).is_ok()
    }

    pub(crate) fn connect(&self) -> Outcome<Box<dyn Connection>> {
        self.connect_with_patience(ANSWER_LIMIT)
    }

    /// A connection on which a read gives up after `patience`.
    pub(crate) fn connect_with_patience(&self, patience: Duration) -> Outcome<Box<dyn Connection>> {
        let socket = TcpStream::connect((self.host.as_str(), self.port)).or_else(|error| {
            fail("the server", "an open port", format!("{}: {error}", self.authority()))
        })?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(patience))?;
        if !self.https {
            return Ok(Box::new(socket));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(tls_fault)?;
        let session = ClientConnection::new(Arc::new(self.tls()?), name).map_err(tls_fault)?;
        Ok(Box::new(StreamOwned::new(session, socket)))
    }

    fn tls(&self) -> Outcome<ClientConfig> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).or_else(|error| unusable(path, error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls_fault)?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    pub(crate) fn raw(&self, bytes: &[u8]) -> Outcome<Vec<u8>> {
        if self.guest.is_some() {
            return skip("the default world and its seeded tokens");
        }
        let mut socket = TcpStream::connect((self.host.as_str(), self.port))?;
        socket.set_read_timeout(Some(SILENCE_LIMIT))?;
        // A server may refuse and close before it has read everything; its answer still counts.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let mut chunk = [0_u8; 4096];
        loop {
            match socket.read(&mut chunk) {
                Ok(0) => return Ok(answer),
                Ok(read) => answer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Ok(answer),
            }
        }
    }
}

pub(crate) trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// What a CA file holds, which is one certificate at least.
pub(crate) fn certificates(ca_file: &Path) -> Outcome<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(ca_file).and_then(Iterator::collect::<Result<_, _>>);
    let certificates: Vec<_> = read.or_else(|error| unusable(ca_file, error))?;
    if certificates.is_empty() { unusable(ca_file, "none in it") } else { Ok(certificates) }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to or_else")]
fn unusable<T>(ca_file: &Path, error: impl ToString) -> Outcome<T> {
    let observed = format!("{}: {}", ca_file.display(), error.to_string());
    fail("the CA file", "certificates", observed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn tls_fault(error: impl ToString) -> Reason {
    Reason::Broken(format!("TLS towards the server: {}", error.to_string()))
}

/// One request being put together.
#[derive(Clone)]
pub struct Call {
    endpoint: Endpoint,
    request: Request,
    evidence: Evidence,
    quiet: bool,
}

impl Call {
    pub(crate) fn new(endpoint: Endpoint, method: &str, path: &str, evidence: Evidence) -> Self {
        let mut headers = Headers::default();
        headers.push("host", endpoint.authority());
        headers.push("accept", "application/json");
        headers.push("connection", "close");
        let path = format!("{}{path}", endpoint.prefix);
        let request = Request { method: method.to_owned(), path, headers, body: Vec::new() };
        Self { endpoint, request, evidence, quiet: false }
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets a header field, replacing one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.remove(name);
        self.request.headers.push(name, value);
        self
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string()).header("content-type", "application/json")
    }

    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.request.body = bytes.into();
        self
    }

    /// Changes the JSON body in place: `call.edit(|body| body["kind"] = json!("tcp"))`.
    #[must_use]
    pub fn edit(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut body = self.request.json();
        change(&mut body);
        self.json(&body)
    }

    /// Sends what was put together elsewhere, whatever comes of it.
    pub(crate) fn settle(endpoint: &Endpoint, request: &Request) {
        if let Ok(connection) = endpoint.connect() {
            let mut wire = Wire::new(connection);
            let sent = request.write_to(&mut wire.stream);
            let _ = sent.and_then(|()| wire.read_response(&request.method));
        }
    }

    /// Leaves no note in the evidence.
    #[must_use]
    pub(crate) fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    fn ask(&self, line: &str) -> Outcome<Response> {
        let mut wire = Wire::new(self.endpoint.connect()?);
        let answer = self
            .request
            .write_to(&mut wire.stream)
            .and_then(|()| wire.read_response(&self.request.method));
        answer
            .or_else(|error| fail(format!("the answer to {line}"), "a whole HTTP response", error))
    }

    /// Sends it. A connection that breaks before a whole answer is the server's failure.
    pub fn send(mut self) -> Outcome<Exchange> {
        if let Some(guest) = &self.endpoint.guest {
            guest.dress(&mut self.request, &self.endpoint.prefix)?;
        }
        let line = format!("{} {}", self.request.method, self.request.path);
        let mut waited = Duration::ZERO;
        let response = loop {
            let response = self.ask(&line)?;
            let guest = self.endpoint.guest.as_ref();
            match guest.and_then(|guest| guest.pause(&response, waited)) {
                None => break response,
                Some(pause) => {
                    thread::sleep(pause);
                    waited += pause;
                }
            }
        };
        let Endpoint { prefix, generation, guest, .. } = self.endpoint;
        let exchange = Exchange::new(prefix, generation, self.request, response);
        self.evidence.hide_tokens_of(&exchange);
        let Exchange { request, response, .. } = &exchange;
        if !self.quiet {
            let (asked, status, answered) =
                (Glimpse::of(&request.body), response.status, Glimpse::of(&response.body));
            self.evidence.note_later(move || {
                let (asked, answered) = (asked.shown(), answered.shown());
                format!("asked: {line} {asked}\n  answered: {status} {answered}")
            });
        }
        if let Some(guest) = guest {
            guest.note(request, response)?;
        }
        Ok(exchange)
    }
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What stands before `/v1` in the request path.
    pub prefix: String,
    /// The contract it is judged by.
    pub generation: Generation,
    pub request: Request,
    pub response: Response,
    /// The answer's document, read once however often it is judged.
    document: OnceLock<Option<Value>>,
}

impl Exchange {
    pub fn new(
        prefix: String,
        generation: Generation,
        request: Request,
        response: Response,
    ) -> Self {
        Self { prefix, generation, request, response, document: OnceLock::new() }
    }

    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The answer's body as JSON, or null when it is none.
    pub fn json(&self) -> Value {
        self.document().cloned().unwrap_or_default()
    }

    /// The answer's body where it is JSON.
    pub fn document(&self) -> Option<&Value> {
        let read = || serde_json::from_slice(&self.response.body).ok();
        self.document.get_or_init(read).as_ref()
    }

    /// The path below the base URL, with its query.
    pub fn path(&self) -> &str {
        self.request.path.strip_prefix(&self.prefix).unwrap_or_default()
    }

    /// What a refusal says to programs, in the words of the system that was asked.
    pub fn code(&self) -> Value {
        System::of_path(self.path()).code(self.document().unwrap_or(&Value::Null)).clone()
    }

    /// The status is this one, and the whole exchange is as the contract document says.
    pub fn expect(&self, status: u16) -> Outcome<Value> {
        if self.response.status != status {
            let line = format!("the status of {} {}", self.request.method, self.request.path);
            let body = shown(&self.response.body);
            return fail(line, status, format!("{} {body}", self.response.status));
        }
        contract::check(self)?;
        Ok(self.json())
    }

    /// A refusal: that status, a document with that code, and the contract kept.
    pub fn expect_problem(&self, status: u16, code: &str) -> Outcome<Value> {
        let problem = self.expect(status)?;
        let line = format!("the problem code of {} {}", self.request.method, self.request.path);
        expect_eq(line, &Value::from(code), &self.code())?;
        Ok(problem)
    }
}
