//! A scenario in place of the honest answer. Nothing of it is kept: the same request is
//! answered alike every time, and nobody else's answers change.

use axum::body::Body;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response};
use uuid::Uuid;

use super::body::{self, Taken};
use super::exchange::{Answer, no_content};
use super::operation::{Operation, Place};
use super::wire::{IssueSessionRequest, uuid};
use super::{Exchange, Refusal, dispatch, sessions};
use crate::gate;
use crate::listeners;
use crate::scenario::{self, Issued, NotFound, Occasion, Scenario};
use crate::world::journal::{Hex, TokenMark};
use crate::world::sessions::{KeyDigest, NewSession, Session, Target};

/// Answers as the scenario `name` says, where it says anything, and as the world does elsewhere.
pub async fn play(mut x: Exchange, name: &str, path: &str, head: &Parts) -> Response<Body> {
    let scenario = match scenario::find(name) {
        Ok(scenario) => scenario,
        Err(error) => return x.finish(Err(refuse(&error))).await,
    };
    x.trail.scenario = Some(scenario.name.as_str().into());
    let answer = act(&mut x, &scenario, path, head).await;
    let mut response = x.finish(answer).await;
    if let Ok(name) = HeaderValue::from_str(&scenario.name) {
        response.headers_mut().insert("x-scenario", name);
    }
    response
}

pub fn refuse(error: &NotFound) -> Refusal {
    match error.told() {
        Some(told) => Refusal::new(404, "unknown_scenario", told),
        None => Refusal::internal(),
    }
}

async fn act(x: &mut Exchange, scenario: &Scenario, path: &str, head: &Parts) -> Answer {
    let place = Place::find(path);
    let operation = place.and_then(|place| place.operation(&head.method));
    match (operation, place) {
        (Some(operation), Some(place)) if scenario.is_about(operation.name()) => {
            x.trail.operation = operation.name();
            let taken = x.take_body(body::SESSION_BODY).await;
            staged(x, scenario, place, &head.headers, taken)
        }
        (Some(Operation::RevokeSession), _)
            if scenario.is_about(Operation::IssueSession.name()) =>
        {
            x.trail.operation = Operation::RevokeSession.name();
            if let Some(Place::Revocation { session, .. }) = place {
                x.trail.session_id = uuid(session);
            }
            Ok(no_content())
        }
        _ => dispatch(x, path, head).await,
    }
}

/// The scenario's own answer, to a request of any form and by anybody.
pub(super) fn staged(
    x: &mut Exchange,
    scenario: &Scenario,
    place: Place<'_>,
    headers: &HeaderMap,
    taken: Taken,
) -> Answer {
    // Who asked is noted; whether they may is not asked.
    let _ = x.caller(headers);
    let bytes = taken.clone().unwrap_or_default();
    let request: Option<IssueSessionRequest> = body::json(headers, taken, &mut x.trail).ok();
    x.trail.kind = request.as_ref().map(|request| request.kind);
    x.trail.idempotency = (request.as_ref().and_then(|one| one.idempotency_key.as_deref()))
        .map(|key| Hex(KeyDigest::of(key).bytes()));

    let asked_project = match place {
        Place::Sessions { project }
        | Place::Session { project, .. }
        | Place::Revocation { project, .. } => uuid(project),
        _ => None,
    };
    let session = imagine(x, scenario, asked_project, request, &bytes)?;
    let directory = &x.installation.directory;
    let project_id = directory.project(session.project).id.to_string();
    let resource_id = directory.resource(session.resource).id.to_string();
    let session_id = session.id.to_string();
    let occasion = Occasion {
        instance: &x.path,
        project_id: &project_id,
        resource_id: &resource_id,
        session_id: &session_id,
        kind: session.kind.word(),
    };
    let mut minted = None;
    let response = scenario::answer(scenario, &occasion, || {
        minted = Some(TokenMark { kid: x.installation.kid.clone(), jti: session.id });
        honest(x, &session)
    })
    .map_err(|_| Refusal::internal())?;
    if minted.is_some() {
        x.trail.session_id = Some(session.id);
        x.trail.token = minted;
    }
    x.trail.code = scenario.code().map(|code| code.to_owned().into());
    Ok(response)
}

/// The session that an honest server would have issued: as asked for where that makes sense,
/// else of whatever stands first in this world.
fn imagine(
    x: &Exchange,
    scenario: &Scenario,
    project: Option<Uuid>,
    request: Option<IssueSessionRequest>,
    bytes: &[u8],
) -> Result<Session, Refusal> {
    let directory = &x.installation.directory;
    let world = &directory.file;
    if world.projects.is_empty() || world.resources.is_empty() || world.identities.is_empty() {
        let detail = "a scenario needs a world with a project, a resource and an identity";
        return Err(Refusal::new(501, "access_session_not_provisioned", detail));
    }
    let project = project.and_then(|id| directory.find_project(id));
    let asked = request.as_ref().and_then(|one| directory.find_resource(one.resource_id.0));
    let resource = asked.unwrap_or(0);
    let project = project.unwrap_or_else(|| directory.project_of(resource));
    let domain = directory.domain_of(project);
    let policy = &directory.domain(domain).session_policy;
    let wish = request.as_ref().and_then(|one| one.requested_ttl_seconds);
    let ttl = wish.map_or(policy.default_ttl_seconds, |ttl| u32::try_from(ttl).unwrap_or(u32::MAX));
    let second = x.now.as_second();
    let target = request.and_then(|one| one.target.0.checked(one.kind, &x.installation.host).ok());
    let subject = [scenario.name.as_bytes(), b"\n", x.path.as_bytes(), b"\n", bytes].concat();
    let id = x.installation.ids.uuid_for(x.now, &subject);
    Ok(Session::imagined(&NewSession {
        id,
        domain,
        project,
        resource,
        identity: x.caller.map_or(0, gate::Caller::identity),
        issued_at: second,
        expires_at: second.saturating_add(i64::from(ttl.min(policy.max_ttl_seconds))),
        idle_timeout: policy.idle_timeout_seconds,
        target: target.unwrap_or_else(|| Target::Tcp { host: "localhost".into(), port: 1 }),
        // Nobody listens there: what is told of is not kept.
        port: listeners::wished_port(id),
    }))
}

fn honest(x: &Exchange, session: &Session) -> Issued {
    let endpoint = listeners::endpoint(&x.installation, session);
    // What does not fit into a token is left for the scenario to patch.
    let token = gate::token_of(&x.installation, session).unwrap_or_default();
    let body = sessions::told(x, session, &token, Some(&endpoint));
    Issued {
        body: serde_json::to_value(body).unwrap_or_default(),
        location: sessions::location(x, session),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_about_sessions_overrides_an_operation_there_is() {
        for name in scenario::names() {
            let scenario = scenario::find(&name).unwrap();
            let own = scenario.is_about(Operation::IssueSession.name());
            assert_eq!(own, scenario.conclude.is_none(), "{name}");
        }
    }
}
