//! A request that meets a fault: the answer of a scenario in place of the honest one, either before
//! anything was done or after everything was.

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::header::{HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::body;
use super::exchange::Answer;
use super::operation::{Operation, Place};
use super::{Exchange, Refusal, dispatch, staged};
use crate::scenario::{self, Issued, Scenario};
use crate::world::faults::{Fault, Phase};

/// The fault that this request meets, if it meets one.
pub(super) fn due(x: &Exchange, path: &str, head: &Parts) -> Option<Fault> {
    let operation = Place::find(path)?.operation(&head.method)?;
    x.namespace.faults.due(operation.name())
}

/// Answers as the fault has it, or honestly where it does not come to be hit.
pub(super) async fn meet(
    mut x: Exchange,
    fault: Fault,
    path: &str,
    head: &Parts,
) -> Response<Body> {
    let Ok(scenario) = scenario::find(&fault.scenario) else {
        return x.finish(Err(Refusal::internal())).await;
    };
    let (answer, met) = match fault.phase {
        Phase::Before if x.namespace.faults.hit(fault.id) => {
            (before(&mut x, &scenario, path, head).await, true)
        }
        Phase::Before => (dispatch(&mut x, path, head).await, false),
        Phase::After => after(&mut x, &fault, &scenario, path, head).await,
    };
    if met {
        x.trail.fault = Some(fault.id);
        x.trail.scenario = Some(scenario.name.as_str().into());
    }
    let mut response = x.finish(answer).await;
    if met {
        let headers = response.headers_mut();
        if let Ok(name) = HeaderValue::from_str(&scenario.name) {
            headers.insert("x-scenario", name);
        }
        headers.insert("x-fault", HeaderValue::from(fault.id));
    }
    response
}

async fn before(x: &mut Exchange, scenario: &Scenario, path: &str, head: &Parts) -> Answer {
    let place = Place::find(path).ok_or_else(Refusal::not_found)?;
    let operation = place.operation(&head.method).ok_or_else(Refusal::internal)?;
    x.trail.operation = operation.name();
    let taken = x.take_body(body::SESSION_BODY).await;
    staged::staged(x, scenario, place, &head.headers, taken)
}

/// What was done stays done, whoever learns of it.
async fn after(
    x: &mut Exchange,
    fault: &Fault,
    scenario: &Scenario,
    path: &str,
    head: &Parts,
) -> (Answer, bool) {
    let honest = match dispatch(x, path, head).await {
        Ok(honest) if x.namespace.faults.hit(fault.id) => honest,
        other => return (other, false),
    };
    let made = honest.status() == StatusCode::CREATED;
    x.trail.left_behind = made && x.trail.operation == Operation::IssueSession.name();
    (lost(x, scenario, path, honest).await, true)
}

async fn lost(x: &mut Exchange, scenario: &Scenario, path: &str, honest: Response<Body>) -> Answer {
    let (parts, body) = honest.into_parts();
    let bytes = body.collect().await.map_err(|_| Refusal::internal())?.to_bytes();
    let location = parts.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let issued = Issued {
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        location: location.unwrap_or_default().to_owned(),
    };
    let project = match Place::find(path) {
        Some(Place::Sessions { project } | Place::Session { project, .. }) => project,
        Some(Place::Revocation { project, .. } | Place::Project { project }) => project,
        Some(Place::Resources { project } | Place::Resource { project, .. }) => project,
        _ => "",
    };
    let session = x.trail.session_id.map(|id| id.to_string()).unwrap_or_default();
    let resource = issued.body["session"]["resource_id"].as_str().unwrap_or_default().to_owned();
    let occasion = scenario::Occasion {
        instance: &x.path,
        project_id: project,
        resource_id: &resource,
        session_id: &session,
        kind: x.trail.kind.map_or("", |kind| kind.word()),
    };
    let response = scenario::answer(scenario, &occasion, || issued.clone())
        .map_err(|_| Refusal::internal())?;
    x.trail.code = scenario.code().map(|code| code.to_owned().into());
    Ok(response)
}
