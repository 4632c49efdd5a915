//! One request on its way through this surface, and how answers are written.

use std::sync::Arc;

use axum::body::Body;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::body;
use super::refusal::Refusal;
use crate::gate::{self, Caller, Denial};
use crate::namespace::{Installation, Namespace};
use crate::route::Reach;
use crate::scenario::Scenario;
use crate::world::journal::Open;

pub type Answer = Result<Response<Body>, Refusal>;

pub struct Exchange {
    pub installation: Arc<Installation>,
    pub now: Timestamp,
    /// What stands before `/v1` in the path.
    pub base: String,
    pub trail: Open,
    /// The request's body, until somebody reads it.
    pub body: Option<Incoming>,
    pub reach: Arc<Reach>,
    /// What answers one operation in this surface's place.
    pub scenario: Option<Arc<Scenario>>,
}

impl Exchange {
    pub fn open(
        namespace: &Namespace,
        head: &Parts,
        base: &str,
        body: Incoming,
        reach: Arc<Reach>,
    ) -> Self {
        let installation = namespace.installation();
        let now = installation.clock.now();
        let path = head.uri.path().into();
        let trail = namespace.trail(&installation, now, head.method.as_str(), &path);
        Self {
            installation,
            now,
            base: base.to_owned(),
            trail,
            body: Some(body),
            reach,
            scenario: None,
        }
    }

    /// Who calls; its name goes into the journal even when it is then turned away.
    pub fn caller(&mut self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let caller = gate::authenticate(&self.installation, bearer(headers), self.now)
            .map_err(|denial| denied(&denial))?;
        self.trail.identity = Some(self.installation.directory.label(caller.identity()));
        gate::in_good_standing(&self.installation, caller).map_err(|denial| denied(&denial))?;
        Ok(caller)
    }

    /// Closes the exchange: the answer or the refusal, and a line in the journal.
    pub async fn finish(mut self, answer: Answer) -> Response<Body> {
        let mut response = answer.unwrap_or_else(|refusal| {
            self.trail.code = Some(refusal.reason().into());
            refused(&refusal)
        });
        // A connection with an unread rest would be closed under a client that believes it can
        // use it again.
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
        {
            let _ = body::take(body, 0, self.installation.patience).await;
        }
        if let Some(Ok(name)) = self.trail.scenario.as_deref().map(HeaderValue::from_str) {
            response.headers_mut().insert("x-scenario", name);
        }
        self.trail.status = Some(response.status().as_u16());
        // A clock that stands still dates the answers too, so that runs are alike to the byte.
        if self.installation.clock.is_frozen() {
            let date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            if let Ok(date) = HeaderValue::from_str(&date) {
                response.headers_mut().insert(DATE, date);
            }
        }
        response
    }
}

fn denied(denial: &Denial) -> Refusal {
    match denial {
        Denial::Unauthenticated(why) => Refusal::new(401, "unauthenticated", *why),
        _ => Refusal::new(403, "account_suspended", "this account is suspended"),
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let mut response = json(refusal.status, &refusal.document());
    let headers = response.headers_mut();
    if let Some(methods) = refusal.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if refusal.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

pub fn json(status: u16, value: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
