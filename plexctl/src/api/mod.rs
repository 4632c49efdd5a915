//! The HTTP client: one method an operation, bounded in time and size (docs/decisions/0020-*.md).

mod failure;
pub(crate) mod problem;
pub(crate) mod tls;
pub(crate) mod wire;
mod wiring;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::{Response, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::failure::{describe, is_broken, refused, timed_out};
use self::problem::{Refusal, asks_step_up, is_json};
use self::tls::TlsConnector;
use self::wire::{IssueSession, Issued, Kind, RevokeSession, SessionRead};
use self::wiring::{DirectResolver, Witness};
use crate::context::Context;
use crate::error::Error;
use crate::secret::Secret;

pub(crate) use self::wiring::is_loopback;

/// What messages call the IssueSession operation.
pub(crate) const ISSUE: &str = "issue session";
pub(crate) const READ: &str = "read session";
const REVOKE: &str = "revoke session";

const BODY_CAP: usize = 1024 * 1024;
const HEADER_CAP: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A revocation is a courtesy: it may not keep the caller waiting as long as the request did.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for one server and one credential.
pub(crate) struct Client {
    agent: Agent,
    witness: Witness,
    base: String,
    token: Arc<Secret>,
    timeout: Duration,
}

/// An answer with its body read.
struct Answer {
    response: Response<()>,
    body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Prepares a client; nothing is looked up, loaded or connected yet.
    pub(crate) fn new(context: &Context) -> Result<Self, Error> {
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
            token: Arc::clone(&context.token),
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
        let answer = self.send(ISSUE, &url, Some(&body), self.timeout)?;
        let status = answer.response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(Error::Redirect { operation: ISSUE, status });
        }
        if status != 201 {
            return Err(self.refusal(ISSUE, &answer));
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
        let mut answer = self.send(REVOKE, &format!("{session}/revoke"), Some(&body), timeout)?;
        if answer.is_unknown_route() {
            answer = self.send(REVOKE, &format!("{session}:revoke"), Some(&body), timeout)?;
        }
        if answer.response.status().is_success() {
            Ok(())
        } else {
            Err(self.refusal(REVOKE, &answer))
        }
    }

    /// GET .../sessions/{session_id}: what has become of a session, within `limit` at most.
    pub(crate) fn read_session(
        &self,
        project_id: Uuid,
        session_id: Uuid,
        limit: Option<Duration>,
    ) -> Result<SessionRead, Error> {
        let url = format!("{}/v1/projects/{project_id}/sessions/{session_id}", self.base);
        let timeout = limit.map_or(self.timeout, |limit| self.timeout.min(limit));
        let answer = self.send(READ, &url, None, timeout)?;
        let status = answer.response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(Error::Redirect { operation: READ, status });
        }
        if status != 200 {
            return Err(self.refusal(READ, &answer));
        }
        if !is_json(answer.header(header::CONTENT_TYPE.as_str())) {
            let why = "the content type is not JSON".to_owned();
            return Err(Error::Answer { operation: READ, why });
        }
        SessionRead::read(&answer.body, session_id)
    }

    /// A POST of this body, or a GET.
    fn send(
        &self,
        operation: &'static str,
        url: &str,
        body: Option<&[u8]>,
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

    fn attempt(
        &self,
        url: &str,
        body: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Answer, ureq::Error> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut authorization = header::HeaderValue::from_str(&bearer)
            .map_err(|error| ureq::Error::Http(error.into()))?;
        authorization.set_sensitive(true);
        let connecting = Some(timeout.min(CONNECT_TIMEOUT));
        let response = match body {
            Some(body) => self
                .agent
                .post(url)
                .header(header::AUTHORIZATION, authorization)
                .header(header::CONTENT_TYPE, "application/json")
                .config()
                .timeout_connect(connecting)
                .timeout_resolve(connecting)
                .timeout_global(Some(timeout))
                .build()
                .send(body),
            None => self
                .agent
                .get(url)
                .header(header::AUTHORIZATION, authorization)
                .config()
                .timeout_connect(connecting)
                .timeout_resolve(connecting)
                .timeout_global(Some(timeout))
                .build()
                .call(),
        };
        read(response?)
    }

    /// A refusal with the caller's own credential blotted out, should the server echo it.
    fn refusal(&self, operation: &'static str, answer: &Answer) -> Error {
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
        .during(operation)
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
