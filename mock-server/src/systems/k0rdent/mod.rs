//! The k0rdent surface: kubeconfigs for the clusters of a project.

pub mod body;
pub mod document;
pub mod door;
pub mod exchange;
pub mod kubeconfigs;
pub mod paging;
pub mod place;
pub mod refusal;

use axum::body::Body;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};

pub use exchange::Exchange;

use place::{Operation, Place};
use refusal::Refusal;

use crate::scenario::{self, Scenario};

/// Whether a path is this surface's to answer.
pub fn owns(path: &str) -> bool {
    let below = |base: &str| {
        path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below("/v1/regions") || below(door::BASE)
}

/// Answers one request; `path` is what follows the base of `x`. A scenario answers one operation
/// as it says, and everything else is as usual.
pub async fn answer(
    mut x: Exchange,
    scenario: Option<String>,
    path: &str,
    head: Parts,
) -> Response<Body> {
    match scenario.map(|name| scenario::find(&name)).transpose() {
        Ok(found) => x.scenario = found,
        Err(error) => return x.finish(Err(Refusal::of(&error))).await,
    }
    x.trail.scenario = x.scenario.as_ref().map(|scenario| scenario.name.as_str().into());
    if path.starts_with(door::BASE) {
        return door::answer(x, path, head).await;
    }
    let answer = dispatch(&mut x, path, &head).await;
    x.finish(answer).await
}

/// Who asked is noted; whether they may is not asked, nor what they sent.
async fn stage(x: &mut Exchange, scenario: &Scenario, head: &Parts) -> exchange::Answer {
    if let Some(body) = x.body.take() {
        let _ = body::take(body, body::MOST, x.installation.patience).await;
    }
    let _ = x.caller(&head.headers);
    x.trail.code = scenario.code().map(|code| code.to_owned().into());
    scenario::verbatim(scenario, head.uri.path())
        .map_err(|_| Refusal::new(500, "internal", "the scenario cannot be played"))
}

async fn dispatch(x: &mut Exchange, path: &str, head: &Parts) -> exchange::Answer {
    let place = Place::find(path).ok_or_else(Refusal::not_found)?;
    if head.method == Method::OPTIONS {
        let mut response = exchange::no_content();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(place.allow()));
        return Ok(response);
    }
    let operation =
        place.operation(&head.method).ok_or_else(|| Refusal::method_not_allowed(place.allow()))?;
    x.trail.operation = operation.name();
    if let Some(scenario) = x.scenario.take_if(|scenario| scenario.is_about(operation.name())) {
        return stage(x, &scenario, head).await;
    }
    let id = place.kubeconfig.unwrap_or_default();
    match operation {
        Operation::IssueKubeconfig => kubeconfigs::issue(x, head, place).await,
        Operation::ListKubeconfigs => kubeconfigs::list(x, head, place),
        Operation::GetKubeconfig => kubeconfigs::get(x, head, place, id),
        Operation::DeleteKubeconfig => kubeconfigs::delete(x, head, place, id),
    }
}
