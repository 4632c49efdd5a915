//! One request on its way through this surface, and how answers are written.

use std::sync::Arc;

use axum::body::Body;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ALLOW, CONTENT_TYPE, DATE, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::body::{self, Taken};
use super::generation::Generation;
use super::refusal::{Refusal, Shape};
use super::wire::uuid;
use crate::gate::{self, Caller, Denial};
use crate::namespace::{Installation, Namespace};
use crate::world::directory::Index;
use crate::world::journal::Open;

/// Room for an issued session, so that its buffer does not grow piece by piece.
const USUAL: usize = 1_536;

pub type Answer = Result<Response<Body>, Refusal>;

pub struct Exchange {
    pub namespace: Arc<Namespace>,
    pub installation: Arc<Installation>,
    pub generation: Generation,
    pub now: Timestamp,
    /// The whole path, as the client wrote it.
    pub path: Arc<str>,
    /// What stands before `/v1` in it.
    pub base: String,
    pub trail: Open,
    /// The request's body, until somebody reads it.
    pub body: Option<Incoming>,
    /// Who calls, once that was asked.
    pub caller: Option<Caller>,
}

impl Exchange {
    pub fn refuse(&self, denial: Denial) -> Refusal {
        Refusal::from_denial(denial, self.generation)
    }

    /// Who calls; its name goes into the journal even when it is then turned away.
    pub fn caller(&mut self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let caller = gate::authenticate(&self.installation, bearer(headers), self.now)
            .map_err(|denial| self.refuse(denial))?;
        self.caller = Some(caller);
        self.trail.identity = Some(self.installation.directory.label(caller.identity()));
        gate::in_good_standing(&self.installation, caller).map_err(|denial| self.refuse(denial))?;
        Ok(caller)
    }

    /// Which node calls, on the path of the node `id`; its name goes into the journal.
    pub fn node(&mut self, headers: &HeaderMap, id: &str) -> Result<Index, Refusal> {
        let login = gate::authenticate_node(&self.installation, bearer(headers))
            .map_err(|denial| self.refuse(denial))?;
        let name = &self.installation.directory.node(login.node).name;
        self.trail.identity = Some(name.as_str().into());
        gate::is_node(&self.installation, login, uuid(id)).map_err(|denial| self.refuse(denial))
    }

    pub fn provisioned(&self) -> Result<(), Refusal> {
        gate::provisioned(&self.installation).map_err(|denial| self.refuse(denial))
    }

    pub fn permitted(&self, caller: Caller, permission: &str, object: &str) -> Result<(), Refusal> {
        gate::relation(&self.installation, caller, permission, object, self.now)
            .map_err(|denial| self.refuse(denial))
    }

    /// The request's body, up to a limit.
    pub async fn take_body(&mut self, limit: usize) -> Taken {
        match self.body.take() {
            Some(body) => body::take(body, limit, self.installation.patience).await,
            None => Ok(Bytes::new()),
        }
    }

    /// What nobody wanted to read is read all the same: a connection with an unread rest would
    /// be closed under a client that believes it can use it again.
    async fn drain(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
        {
            let _ = body::take(body, 0, self.installation.patience).await;
        }
    }

    /// Closes the exchange: the answer, or the problem document, and a line in the journal.
    pub async fn finish(mut self, answer: Answer) -> Response<Body> {
        let response = answer.unwrap_or_else(|refusal| {
            self.trail.code = Some(refusal.code.into());
            self.problem(&refusal)
        });
        self.drain().await;
        self.trail.status = Some(response.status().as_u16());
        self.dated(response)
    }

    /// As [`finish`](Self::finish), leaving no line in the journal.
    pub async fn finish_unseen(mut self, answer: Answer) -> Response<Body> {
        let response = answer.unwrap_or_else(|refusal| self.problem(&refusal));
        self.drain().await;
        let response = self.dated(response);
        self.trail.discard();
        response
    }

    fn dated(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(date) = self.installation.clock.http_date(self.now)
            && let Ok(date) = HeaderValue::from_str(&date)
        {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    fn problem(&self, refusal: &Refusal) -> Response<Body> {
        let correlation = self.installation.ids.correlation(self.now);
        let mut problem = Problem {
            r#type: format!("{}{}", self.generation.problem_base(), refusal.code.replace('_', "-")),
            title: refusal.title(),
            status: refusal.status,
            detail: &refusal.detail,
            instance: &self.path,
            code: refusal.code,
            reason: None,
            relation_path: None,
            correlation_id: None,
        };
        if self.generation.correlates_problems() {
            problem.correlation_id = Some(&correlation);
        }
        if let Shape::PermissionDenied { reason, path } = &refusal.shape {
            problem.reason = Some(reason.as_str());
            problem.relation_path = Some(path);
            problem.correlation_id = Some(&correlation);
        }
        let mut response = json_as("application/problem+json", refusal.status, &problem);
        let headers = response.headers_mut();
        match &refusal.shape {
            Shape::StepUp { acr_values } => {
                headers.insert(WWW_AUTHENTICATE, challenge(acr_values));
            }
            Shape::Allow(methods) => {
                headers.insert(ALLOW, HeaderValue::from_static(methods));
            }
            Shape::Upgrade => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Shape::Plain | Shape::PermissionDenied { .. } => {}
        }
        if self.generation.correlates_problems()
            && let Ok(value) = HeaderValue::from_str(&correlation)
        {
            headers.insert("x-correlation-id", value);
        }
        response
    }
}

/// RFC 9457, and the members a refusal by relations adds.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation_path: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
}

pub fn json(status: u16, value: &impl Serialize) -> Response<Body> {
    json_as("application/json", status, value)
}

fn json_as(content_type: &'static str, status: u16, value: &impl Serialize) -> Response<Body> {
    let mut bytes = Vec::with_capacity(USUAL);
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.clear();
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// `acr_values` names the contexts that would do; an unmet method gets the bare challenge.
fn challenge(acr_values: &[String]) -> HeaderValue {
    const BARE: &str = r#"Bearer error="insufficient_user_authentication""#;
    let named = format!(r#"{BARE}, acr_values="{}""#, acr_values.join(" "));
    match acr_values {
        [] => HeaderValue::from_static(BARE),
        _ => HeaderValue::from_str(&named).unwrap_or(HeaderValue::from_static(BARE)),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(hyper::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
