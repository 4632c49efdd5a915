//! The HTTP client: one method an operation, bounded in time and size (docs/decisions/0020-*.md).

pub(crate) mod problem;
pub(crate) mod tls;
pub(crate) mod wire;
mod wiring;

use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustls::CertificateError;
use ureq::http::{Response, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::problem::{Refusal, asks_step_up, is_json};
use self::tls::TlsConnector;
use self::wire::{IssueSession, Issued, Kind, RevokeSession};
use self::wiring::{DirectResolver, Witness};
use crate::context::Context;
use crate::error::Error;
use crate::secret::Secret;

pub(crate) use self::wiring::is_loopback;

/// What messages call the IssueSession operation.
pub(crate) const ISSUE: &str = "issue session";
const REVOKE: &str = "revoke session";

const BODY_CAP: usize = 1024 * 1024;
const HEADER_CAP: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A revocation is a courtesy: it may not keep the caller waiting as long as the request did.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for one server and one credential.
pub(crate) struct Client<'a> {
    agent: Agent,
    witness: Witness,
    base: String,
    token: &'a Secret,
    timeout: Duration,
}

/// An answer with its body read.
struct Answer {
    response: Response<()>,
    body: Zeroizing<Vec<u8>>,
}

impl<'a> Client<'a> {
    /// Prepares a client; nothing is looked up, loaded or connected yet.
    pub(crate) fn new(context: &'a Context) -> Result<Self, Error> {
        let witness = Witness::default();
        let connector = ConnectProxyConnector::default()
            .chain(TcpConnector::default())
            .chain(TlsConnector::new(context.authorities.clone()))
            .chain(witness.clone());
        let config = Agent::config_builder()
            .user_agent(concat!("plexctl/", env!("CARGO_PKG_VERSION")))
            .accept("application/json, application/problem+json")
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADER_CAP)
            .input_buffer_size(HEADER_CAP + 1024)
            .output_buffer_size(16 * 1024)
            .max_idle_connections(0)
            .proxy(wiring::proxy(&context.server)?)
            .build();
        Ok(Self {
            agent: Agent::with_parts(config, connector, DirectResolver::default()),
            witness,
            base: base(&context.server),
            token: &context.token,
            timeout: context.timeout,
        })
    }

    /// POST /v1/projects/{project_id}/sessions. A connection that breaks before an answer is tried
    /// once more with the same idempotency key, which makes the second request the same one.
    pub(crate) fn issue_session(
        &self,
        project_id: Uuid,
        request: &IssueSession<'_>,
        kind: Kind,
    ) -> Result<Issued, Error> {
        let url = format!("{}/v1/projects/{project_id}/sessions", self.base);
        let body = serde_json::to_vec(request).map_err(|_| Error::Internal)?;
        let answer = self.post(ISSUE, &url, &body, self.timeout)?;
        let status = answer.response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(Error::Redirect { operation: ISSUE, status });
        }
        if status != 201 {
            return Err(self.refusal(&answer));
        }
        let content_type = answer.header(header::CONTENT_TYPE.as_str());
        if !is_json(content_type) {
            let why = "the content type is not JSON".to_owned();
            return Err(Error::Answer { operation: ISSUE, why });
        }
        Issued::read(&answer.body, kind)
    }

    /// POST .../sessions/{session_id}/revoke; the older `:revoke` spelling when a server does not
    /// know the newer one.
    pub(crate) fn revoke_session(&self, project_id: Uuid, session_id: Uuid) -> Result<(), Error> {
        let session = format!("{}/v1/projects/{project_id}/sessions/{session_id}", self.base);
        let body = serde_json::to_vec(&RevokeSession { revoke_reason: "operator_request" })
            .map_err(|_| Error::Internal)?;
        let timeout = self.timeout.min(REVOKE_TIMEOUT);
        let mut answer = self.post(REVOKE, &format!("{session}/revoke"), &body, timeout)?;
        if answer.is_unknown_route() {
            answer = self.post(REVOKE, &format!("{session}:revoke"), &body, timeout)?;
        }
        if answer.response.status().is_success() { Ok(()) } else { Err(self.refusal(&answer)) }
    }

    fn post(
        &self,
        operation: &'static str,
        url: &str,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Answer, Error> {
        let deadline = Instant::now() + timeout;
        match self.attempt(url, body, timeout) {
            Err(error) if !self.witness.answered() && is_broken(&error) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(timed_out(operation, timeout));
                }
                self.attempt(url, body, left)
            }
            outcome => outcome,
        }
        .map_err(|error| describe(operation, error, timeout))
    }

    fn attempt(&self, url: &str, body: &[u8], timeout: Duration) -> Result<Answer, ureq::Error> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut authorization = header::HeaderValue::from_str(&bearer)
            .map_err(|error| ureq::Error::Http(error.into()))?;
        authorization.set_sensitive(true);
        let response = self
            .agent
            .post(url)
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .config()
            .timeout_connect(Some(timeout.min(CONNECT_TIMEOUT)))
            .timeout_resolve(Some(timeout.min(CONNECT_TIMEOUT)))
            .timeout_global(Some(timeout))
            .build()
            .send(body)?;
        read(response)
    }

    /// A refusal with the caller's own credential blotted out, should the server echo it.
    fn refusal(&self, answer: &Answer) -> Error {
        let body = self.token.redact(String::from_utf8_lossy(&answer.body).into_owned());
        let challenge = self.token.redact(answer.header("www-authenticate").to_owned());
        let correlation = self.token.redact(answer.header("x-correlation-id").to_owned());
        let status = answer.response.status().as_u16();
        let content_type = answer.header(header::CONTENT_TYPE.as_str());
        Refusal::read(
            status,
            content_type,
            &body,
            Some(challenge.as_str()).filter(|text| !text.is_empty()),
            Some(correlation.as_str()).filter(|text| !text.is_empty()),
        )
        .into_error(asks_step_up(&challenge))
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// 404 or 405 that does not say the session itself is unknown.
    fn is_unknown_route(&self) -> bool {
        let refusal = Refusal::read(
            self.response.status().as_u16(),
            self.header(header::CONTENT_TYPE.as_str()),
            &String::from_utf8_lossy(&self.body),
            None,
            None,
        );
        matches!(refusal.status, 404 | 405) && refusal.code() != Some("session_not_found")
    }
}

/// The server's URL as the prefix of an operation's path.
fn base(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

/// Reads a body, up to the cap. No encoding was offered, so none is accepted: a body that unpacks
/// into gigabytes cannot be sent here.
fn read(response: Response<Body>) -> Result<Answer, ureq::Error> {
    let (parts, body) = response.into_parts();
    let encodings = parts.headers.get_all(header::CONTENT_ENCODING);
    if encodings.iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(refused("the body is compressed, which was not asked for"));
    }
    let declared = body.content_length().unwrap_or_default();
    if declared > BODY_CAP as u64 {
        return Err(refused("the body is larger than 1 MiB"));
    }
    let expected = usize::try_from(declared).unwrap_or_default().max(2048);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
    body.into_reader()
        .take(BODY_CAP as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(ureq::Error::from)?;
    if bytes.len() > BODY_CAP {
        return Err(refused("the body is larger than 1 MiB"));
    }
    Ok(Answer { response: Response::from_parts(parts, ()), body: bytes })
}

/// An answer that plexctl itself turns down, carried as the one kind of error ureq has for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

fn refused(why: &'static str) -> ureq::Error {
    ureq::Error::Other(Box::new(Refused(why)))
}

fn timed_out(operation: &'static str, timeout: Duration) -> Error {
    Error::Timeout { operation, seconds: timeout.as_secs_f64() }
}

/// Whether the peer hung up, as opposed to never having been there or not answering in time.
fn is_broken(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(io) if matches!(
        io.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    ))
}

/// ureq's error in plexctl's words. Its own text is left out where it could quote the answer.
fn describe(operation: &'static str, error: ureq::Error, timeout: Duration) -> Error {
    let transport = |why: &str, hint: Option<&str>| Error::Transport {
        operation,
        why: why.to_owned(),
        hint: hint.map(str::to_owned),
    };
    let answer = |why: &str| Error::Answer { operation, why: why.to_owned() };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            transport("the name of the server was not resolved in time", None)
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            transport("no connection within the time for connecting", Some("check --server"))
        }
        ureq::Error::Timeout(_) => timed_out(operation, timeout),
        ureq::Error::HostNotFound => {
            transport("the server's name is unknown", Some("check --server"))
        }
        ureq::Error::Rustls(error) => tls(operation, &error),
        ureq::Error::Tls(why) => Error::Tls { operation, why: why.to_owned(), hint: None },
        ureq::Error::LargeResponseHeader(..) => answer("the header is larger than 64 KiB"),
        ureq::Error::Other(why) if why.is::<Refused>() => answer(&why.to_string()),
        ureq::Error::ConnectProxyFailed(_) => transport("the proxy refused the connection", None),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
            answer("not HTTP as it should be")
        }
        ureq::Error::Io(error) => io_error(operation, &error),
        _ => transport("the request failed", None),
    }
}

fn io_error(operation: &'static str, error: &io::Error) -> Error {
    if let Some(tls_error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return tls(operation, tls_error);
    }
    let (why, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), Some("is the server running, and is --server right?"))
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => {
            ("the connection broke before the answer was complete".to_owned(), None)
        }
        _ => (format!("the connection failed: {}", error.to_string().to_lowercase()), None),
    };
    Error::Transport { operation, why, hint: hint.map(str::to_owned) }
}

fn tls(operation: &'static str, error: &rustls::Error) -> Error {
    let (why, hint) = match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                "the server's certificate is signed by an unknown authority",
                Some("trust its authority with --ca-file PEM or PLEXSPHERE_CA_FILE"),
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    "the server's certificate is for another name",
                    Some("use the host name the certificate was made for in --server"),
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("the server's certificate has expired", Some("check the clock of both sides"))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("the server's certificate is not valid yet", Some("check the clock of both sides"))
            }
            _ => (
                "the server's certificate is not acceptable",
                Some("--ca-file must hold the authority, not the server's own certificate"),
            ),
        },
        rustls::Error::InvalidMessage(_) => (
            "the server does not speak tls there",
            Some("is the URL of the server http:// rather than https://?"),
        ),
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => {
            ("the server refused the handshake", Some("it may offer only versions before tls 1.2"))
        }
        _ => ("the handshake failed", None),
    };
    Error::Tls { operation, why: why.to_owned(), hint: hint.map(str::to_owned) }
}
