//! One request on its way through Rancher: who calls, whether it is for Rancher or for a
//! cluster behind it, and what the journal is told.

use std::sync::{Arc, Weak};

use axum::body::{Body, Bytes};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, DATE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response, Uri};
use jiff::Timestamp;
use serde_json::Value;

use super::api::{self, Asking, Outcome};
use super::kinds::{CLUSTER, EXT};
use super::state::State;
use super::{rules, staged};
use crate::kube::body::LIMIT;
use crate::kube::request::Query;
use crate::kube::status::Refusal;
use crate::kube::{Call, Caller, Clock, Ended, RequestInfo, yaml};
use crate::namespace::Installation;
use crate::net::intake;
use crate::route::Reach;
use crate::scenario::{self, Scenario};
use crate::world::annex::Kept as _;
use crate::world::journal::Open;

/// Where a caller's token is named among what is known of him.
pub(super) const TOKEN_ID: &str = "requesttokenid";

/// A request as it comes in.
pub struct Visit {
    pub installation: Arc<Installation>,
    pub now: Timestamp,
    /// What stands before the path of the API.
    pub base: String,
    pub trail: Open,
    pub reach: Arc<Reach>,
    /// What answers one operation in Rancher's place, by the name in the path.
    pub scenario: Option<String>,
}

/// Who was let in, and by which token he stays.
struct Guest {
    caller: Caller,
    stays: tokio::sync::watch::Receiver<()>,
}

/// Answers one request; `path` is what follows the base.
pub async fn answer(mut visit: Visit, path: &str, head: &Parts, body: Incoming) -> Response<Body> {
    let body = intake::take(body, LIMIT, visit.installation.patience).await;
    let body = body.map_err(Refusal::lost);
    let mut response = match visit.act(path, head, body) {
        Ok(Outcome::Staged(response)) => response,
        Ok(Outcome::Answer(response)) => yaml::as_asked(&head.headers, response).await,
        Ok(Outcome::Inside { cluster, call, request }) => cluster.answer(*call, *request).await,
        Err(refusal) => {
            visit.trail.code = Some(refusal.reason().into());
            yaml::as_asked(&head.headers, refusal.response()).await
        }
    };
    if let Some(date) = visit.installation.clock.http_date(visit.now)
        && let Ok(date) = HeaderValue::from_str(&date)
    {
        response.headers_mut().insert(DATE, date);
    }
    if let Some(Ok(name)) = visit.trail.scenario.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert("x-scenario", name);
    }
    visit.trail.status = Some(response.status().as_u16());
    response
}

/// `/k8s/clusters/<id>/<rest>`, taken apart.
pub(super) fn behind(path: &str) -> Option<(&str, &str)> {
    let tail = path.strip_prefix("/k8s/clusters/")?;
    let end = tail.find('/').unwrap_or(tail.len());
    let rest = &tail[end..];
    Some((&tail[..end], if rest.is_empty() { "/" } else { rest }))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a token is shown that looks like one of Rancher's.
pub(super) fn names_token(headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| token.contains(':'))
}

impl Visit {
    /// As a scenario in the path says, where it says anything, and as Rancher does elsewhere.
    fn act(
        &mut self,
        path: &str,
        head: &Parts,
        body: Result<Bytes, Refusal>,
    ) -> Result<Outcome, Refusal> {
        if let Some(name) = self.scenario.take() {
            let scenario = staged::find(&name)?;
            self.trail.scenario = Some(scenario.name.as_str().into());
            if let Some(operation) = staged::meant(&scenario, path, head) {
                self.trail.operation = operation;
                return self.stage(&scenario, head).map(Outcome::Staged);
            }
        }
        self.serve(path, head, body)
    }

    /// Who asked is noted; whether they may is not asked.
    fn stage(&mut self, scenario: &Scenario, head: &Parts) -> Result<Response<Body>, Refusal> {
        let state = State::of(&self.installation, self.now);
        if let Ok(guest) = enter(&state, bearer(&head.headers), None) {
            self.trail.identity = Some(guest.caller.user.as_str().into());
        }
        self.trail.code = scenario.code().map(|code| code.to_owned().into());
        scenario::verbatim(scenario, head.uri.path())
            .map_err(|unplayable| Refusal::internal(&unplayable.to_string()))
    }

    fn serve(
        &mut self,
        path: &str,
        head: &Parts,
        body: Result<Bytes, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let state = State::of(&self.installation, self.now);
        // What is due by now happens before anybody is let in by it.
        state.settle(self.now);
        let (cluster, path) = match behind(path) {
            Some((cluster, rest)) => (Some(cluster), rest),
            None => (None, path),
        };
        self.trail.operation = if cluster.is_some() { "CallRancherCluster" } else { "unknown" };
        let guest = enter(&state, bearer(&head.headers), cluster)?;
        self.trail.identity = Some(guest.caller.user.as_str().into());
        let bytes = body?;
        if path.starts_with("/k8s") {
            return Err(Refusal::no_such_resource());
        }
        let uri = uri(path, head.uri.query()).ok_or_else(Refusal::no_such_resource)?;
        let clock = clock(Arc::downgrade(&self.installation));
        let ended = ended(&state, &guest, path);
        let call = Call { caller: guest.caller, clock, ended };
        if let Some(cluster) = cluster.filter(|cluster| *cluster != "local") {
            let mut headers = head.headers.clone();
            headers.remove(AUTHORIZATION);
            let mut request = Request::new(bytes);
            *request.method_mut() = head.method.clone();
            (*request.uri_mut(), *request.headers_mut()) = (uri, headers);
            return self.cluster(&state, cluster, call, request);
        }
        if cluster.is_some() && !rules::may_get_cluster(&state.rules, &call.caller, "local") {
            return Err(no_way(&call.caller, "local"));
        }
        let query = Query::parse(uri.query().unwrap_or_default());
        let asked = RequestInfo::read(&head.method, &uri, &query);
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let asking = Asking {
            state: &state,
            installation: &self.installation,
            caller: call.caller,
            admin: false,
            asked,
            query: &query,
            method: &head.method,
            headers: &head.headers,
            bytes: &bytes,
            now: self.now,
            base: &self.base,
            host,
            authority: &self.reach.ca_pem,
        };
        api::answer(asking, &uri, (call.clock, call.ended), &mut self.trail)
    }

    fn cluster(
        &self,
        state: &State,
        name: &str,
        mut call: Call,
        request: Request<Bytes>,
    ) -> Result<Outcome, Refusal> {
        if state.object(&CLUSTER, name).is_none() {
            return Err(Refusal::not_found(&CLUSTER, name));
        }
        if !rules::may_get_cluster(&state.rules, &call.caller, name) {
            return Err(no_way(&call.caller, name));
        }
        let made = state.cluster(&self.installation, name, self.now);
        let cluster = made.ok_or_else(|| Refusal::internal("the cluster cannot be made"))?;
        call.caller = inside(state, call.caller);
        Ok(Outcome::Inside { cluster, call: Box::new(call), request: Box::new(request) })
    }
}

fn no_way(caller: &Caller, cluster: &str) -> Refusal {
    let why = format!("user {} is not allowed to access cluster {cluster}", caller.user);
    Refusal::forbidden(CLUSTER.plural, CLUSTER.group, cluster, &why)
}

/// The caller as a cluster knows him: an admin of Rancher is one there too.
pub(super) fn inside(state: &State, mut caller: Caller) -> Caller {
    const MASTERS: &str = "system:masters";
    if rules::is_admin(&state.rules, &caller, "update")
        && !caller.groups.iter().any(|group| group == MASTERS)
    {
        caller.groups.push(MASTERS.to_owned());
    }
    caller
}

pub(super) fn uri(path: &str, query: Option<&str>) -> Option<Uri> {
    match query {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

/// The installation's clock, for as long as there is an installation.
fn clock(installation: Weak<Installation>) -> Clock {
    Arc::new(move || {
        installation.upgrade().map_or_else(Timestamp::now, |installation| installation.clock.now())
    })
}

/// Over when the token is gone, its user is no longer welcome, or what is looked at is switched
/// off.
fn ended(state: &Arc<State>, guest: &Guest, path: &str) -> Ended {
    let (mut stays, user) = (guest.stays.clone(), guest.caller.user.clone());
    let mut changed = state.store.subscribe();
    // A watch does not keep alive what it waits for the end of.
    let state = Arc::downgrade(state);
    let served = path.strip_prefix("/apis/").is_some_and(|rest| rest.starts_with(EXT));
    Box::pin(async move {
        loop {
            tokio::select! {
                still = stays.changed() => if still.is_err() { return },
                still = changed.changed() => if still.is_err() { return },
            }
            let Some(state) = state.upgrade() else { return };
            if !state.welcome(&user) || (served && !state.feature("ext-kubeconfigs")) {
                return;
            }
        }
    })
}

/// Lets in whoever has a good token: one that exists, is good for where it is shown, and whose
/// user is still welcome. Not a word about why not.
fn enter(state: &State, bearer: Option<&str>, cluster: Option<&str>) -> Result<Guest, Refusal> {
    let (name, text) =
        bearer.and_then(|token| token.split_once(':')).ok_or_else(Refusal::unauthorized)?;
    let (user, stays) = {
        let secrets = state.secrets();
        let secret = secrets
            .get(name)
            .filter(|secret| same(&secret.text, text))
            .filter(|secret| secret.cluster.is_none() || secret.cluster.as_deref() == cluster)
            .ok_or_else(Refusal::unauthorized)?;
        (secret.user.clone(), secret.alive.subscribe())
    };
    let mut caller = Caller::new(user.as_str(), &["system:authenticated"]);
    if let Some(login) = state.login(&user) {
        caller.groups.extend(login.groups.iter().cloned());
        if !login.rancher_user {
            return Ok(Guest { caller, stays });
        }
    }
    let known = state.user(&user).filter(|_| state.welcome(&user));
    let known = known.ok_or_else(Refusal::unauthorized)?;
    caller.groups.push("system:cattle:authenticated".to_owned());
    caller.extra.push(("principalid".to_owned(), vec![format!("local://{user}")]));
    caller.extra.push((TOKEN_ID.to_owned(), vec![name.to_owned()]));
    if let Some(username) = known.get("username").and_then(Value::as_str) {
        caller.extra.push(("username".to_owned(), vec![username.to_owned()]));
    }
    Ok(Guest { caller, stays })
}

/// Takes as long for a wrong secret as for the right one.
fn same(known: &str, shown: &str) -> bool {
    let differ = known.bytes().zip(shown.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    known.len() == shown.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_found_in_the_path() {
        assert_eq!(behind("/k8s/clusters/local/api/v1"), Some(("local", "/api/v1")));
        assert_eq!(behind("/k8s/clusters/c-m-a"), Some(("c-m-a", "/")));
        assert_eq!(behind("/k8s/other"), None);
        assert!(same("abc", "abc") && !same("abc", "abd") && !same("abc", "abcd"));
    }
}
