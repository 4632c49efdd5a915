//! The referee: a control plane that answers exactly as a rule scripts it and remembers every
//! request. It shares no line with the server it stands in for.

mod answer;
mod conversation;
mod outdated;
mod play;
mod prepare;
mod stream;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

pub use self::answer::{
    Again, Answer, Body, Conclusion, ContentLength, Created, Decided, Drip, Expectation, Kubectl,
    OneOrMany, Part, Phase, Scenario, Stdout, WireScript,
};
use self::conversation::{Court, Speech, accept};
pub use self::outdated::Outdated;
pub(crate) use self::prepare::prepare;
use super::canary::Canary;
use super::evidence::Evidence;
use super::http::Request;
pub use super::issued::Issued;
use super::sandbox::Sandbox;
use super::tls::{self, Certificate};
use super::workers;
use crate::verdict::{Outcome, expect_eq, fail};

/// A request as the referee got it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `IssueSession`, `RevokeSession` or `unknown`.
    pub operation: &'static str,
    pub request: Request,
}

/// The referee being told what to answer.
pub struct RefereeScript<'b> {
    evidence: Evidence,
    sandbox: Option<&'b Sandbox>,
    answers: Vec<Arc<Answer>>,
    revoke: Arc<Answer>,
    scenario: Option<String>,
    certificate: Option<Certificate>,
    outdated: Option<Outdated>,
}

impl<'b> RefereeScript<'b> {
    pub(crate) fn new(evidence: Evidence, sandbox: Option<&'b Sandbox>) -> Self {
        Self {
            evidence,
            sandbox,
            answers: Vec::new(),
            revoke: Arc::new(Answer::empty(204)),
            scenario: None,
            certificate: None,
            outdated: None,
        }
    }

    /// The next IssueSession request gets this answer; the last answer repeats. Without any, the
    /// honest 201 is given.
    #[must_use]
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(Arc::new(answer));
        self
    }

    /// Every IssueSession request gets the answer of a fixture scenario.
    pub fn scenario(mut self, name: &str) -> Outcome<Self> {
        self.answers = vec![Arc::new(Answer::scenario(name)?)];
        self.scenario = Some(name.to_owned());
        Ok(self)
    }

    /// What a RevokeSession request gets; 204 unless told otherwise.
    #[must_use]
    pub fn revoke_answer(mut self, answer: Answer) -> Self {
        self.revoke = Arc::new(answer);
        self
    }

    /// Speaks https only, with that certificate; `Referee::ca_file` is the CA to trust.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Speaks https of a version that nobody should speak any more. What comes in the clear is
    /// heard and answered: a client must not fall back to that.
    #[must_use]
    pub fn outdated(mut self, how: Outdated) -> Self {
        self.outdated = Some(how);
        self
    }

    pub fn start(mut self) -> Outcome<Referee> {
        let mut ca_file = None;
        let mut speech = self.outdated.map_or(Speech::Plain, Speech::Outdated);
        if let Some(certificate) = self.certificate {
            let identity = tls::identity(certificate)?;
            speech = Speech::Tls(identity.config);
            if let Some(sandbox) = self.sandbox {
                ca_file = Some(sandbox.write("home/ca.pem", identity.ca_pem, 0o644)?);
            }
        }
        if self.answers.is_empty() {
            self.answers.push(Arc::new(Answer::issued()));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let origin = match speech {
            Speech::Plain => "http://127.0.0.1",
            Speech::Tls(_) | Speech::Outdated(_) => "https://localhost",
        };
        let url = format!("{origin}:{}", address.port());
        let court =
            Arc::new(Court::new(self.answers, self.revoke, self.scenario, speech, self.evidence));
        let listener = Arc::new(listener);
        let (held, heard) = (Arc::clone(&court), Arc::clone(&listener));
        let over = workers::spawn(move || accept(&heard, &held));
        let hall = Hall { listener, address, court: Arc::clone(&court), over };
        Ok(Referee { url, address, ca_file, court, hall: Some(hall) })
    }
}

/// A running referee. It stops, and lets go of every connection, when it is dropped.
pub struct Referee {
    url: String,
    address: SocketAddr,
    pub(crate) ca_file: Option<std::path::PathBuf>,
    court: Arc<Court>,
    hall: Option<Hall>,
}

/// Where the referee listens, until it is torn down.
struct Hall {
    listener: Arc<TcpListener>,
    address: SocketAddr,
    court: Arc<Court>,
    /// Hangs up when the accept loop has ended.
    over: Receiver<()>,
}

impl Referee {
    /// The base URL for `--server`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The CA to trust, where the referee speaks https.
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        self.ca_file.as_deref()
    }

    /// Every request so far, in order of arrival. Waits until the connections that were opened
    /// before this call have been heard out.
    pub fn seen(&self) -> Outcome<Vec<Seen>> {
        self.court.settle(self.address)?;
        Ok(self.court.seen())
    }

    /// Whether a request has been heard; one that is on its way is waited for as long as told.
    pub fn hears_within(&self, longest: Duration) -> bool {
        self.court.hears_within(longest)
    }

    /// How many TCP connections were opened, whether or not a request came over them.
    pub fn connections(&self) -> Outcome<usize> {
        self.court.settle(self.address)?;
        Ok(self.court.connections())
    }

    /// What was handed out, in order.
    pub fn issued(&self) -> Vec<Issued> {
        self.court.issued()
    }

    /// The token of the first session handed out, as something to search for.
    pub fn session_canary(&self) -> Outcome<Canary> {
        match self.court.issued().first() {
            Some(issued) => Ok(Canary::new("the session token", &issued.token)),
            None => fail("the requests", "an IssueSession that could be answered", "none came"),
        }
    }

    pub fn requests_of(&self, operation: &str) -> Outcome<Vec<Request>> {
        let of = |seen: Seen| (seen.operation == operation).then_some(seen.request);
        Ok(self.seen()?.into_iter().filter_map(of).collect())
    }

    /// Exactly `count` requests for that operation arrived.
    pub fn expect_requests(&self, operation: &str, count: usize) -> Outcome {
        let found = self.requests_of(operation)?.len();
        expect_eq(format!("the number of {operation} requests the server saw"), &count, &found)
    }

    /// Not one connection was opened: nothing was asked, nothing was burnt.
    pub fn expect_untouched(&self) -> Outcome {
        let connections = self.connections()?;
        expect_eq("the number of connections the server saw", &0, &connections)
    }

    /// The one IssueSession request, its method, path and body.
    pub fn expect_one_issue(&self) -> Outcome<Request> {
        self.expect_requests("IssueSession", 1)?;
        match self.requests_of("IssueSession")?.pop() {
            Some(request) => Ok(request),
            None => fail("the IssueSession requests", "one", "none"),
        }
    }

    /// Exactly one best-effort revoke of the session handed out, as the operator.
    pub fn expect_one_revoke(&self) -> Outcome {
        self.expect_requests("RevokeSession", 1)?;
        let issued = self.court.issued();
        let session_id = issued.first().map(|issued| issued.session_id.clone()).unwrap_or_default();
        for request in self.requests_of("RevokeSession")? {
            let path = &request.path;
            if !path.contains(&session_id) {
                return fail("the session revoked", session_id, path);
            }
            let reason = request.json();
            let expected = Value::from("operator_request");
            expect_eq("the revoke reason", &expected, &reason["revoke_reason"])?;
        }
        Ok(())
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        if let Some(hall) = self.hall.take() {
            self.court.evidence().outlive(Box::new(hall));
        }
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.court.close();
        // The accept loop wakes up, sees that the court has risen, and goes. Linux wakes it when the
        // listener is shut down; elsewhere it takes a visitor, and two sockets more.
        let shut = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        if shut.is_err() || !cfg!(target_os = "linux") {
            let _ = TcpStream::connect(self.address);
        }
        let _ = self.over.recv();
    }
}

#[cfg(test)]
mod tests;
