//! IssueSession, ListSessions, GetSession, RevokeSession.

use axum::body::Body;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{HeaderMap, Response};
use uuid::Uuid;

use super::body::{self, Taken};
use super::exchange::{Answer, Exchange, json, no_content};
use super::paging::Paging;
use super::query::Query;
use super::refusal::Refusal;
use super::view;
use super::wire::{IssueSessionRequest, IssuedSession, Page, RevokeSessionRequest, uuid};
use crate::gate::{self, Admitted, Ask, Caller};
use crate::listeners;
use crate::world::directory::Index;
use crate::world::journal::{Hex, TokenMark};
use crate::world::kind::{Kind, RevokeReason, Status};
use crate::world::sessions::{Filter, KeyDigest, Session};

pub async fn issue(x: &mut Exchange, headers: &HeaderMap, project: &str, taken: Taken) -> Answer {
    let caller = x.caller(headers)?;
    x.provisioned()?;
    let project = project_id(project)?;
    let request: IssueSessionRequest = body::json(headers, taken, &mut x.trail)?;
    x.trail.kind = Some(request.kind);
    let request = request.checked()?;
    let key = request.idempotency_key.as_deref().map(KeyDigest::of);
    x.trail.idempotency = key.map(|key| Hex(key.bytes()));
    let ask = Ask {
        project,
        resource: request.resource_id.0,
        target: request.target.0.checked(request.kind, &x.installation.host)?,
        ttl_seconds: request
            .requested_ttl_seconds
            .map(|ttl| u32::try_from(ttl).unwrap_or(u32::MAX)),
        key,
    };
    let admitted = gate::admit(&x.installation, caller, ask, x.now);
    let (session, token) = match admitted.map_err(|denial| x.refuse(denial))? {
        Admitted::Fresh(seat) => seat.issue().await,
        Admitted::Replay(session) => {
            x.trail.replayed = true;
            gate::token_of(&x.installation, &session).map(|token| (session, token))
        }
    }
    .map_err(|denial| x.refuse(denial))?;
    Ok(issued(x, &session, &token))
}

fn issued(x: &mut Exchange, session: &Session, token: &str) -> Response<Body> {
    x.trail.session_id = Some(session.id);
    x.trail.token = Some(TokenMark { kid: x.installation.kid.clone(), jti: session.id });
    let endpoint =
        x.generation.endpoint_at_issue().then(|| listeners::endpoint(&x.installation, session));
    let mut response = json(201, &told(x, session, token, endpoint.as_deref()));
    if let Ok(location) = HeaderValue::from_str(&location(x, session)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// What a caller is told of a session just issued.
pub fn told<'a>(
    x: &Exchange,
    session: &'a Session,
    token: &'a str,
    listener_endpoint: Option<&'a str>,
) -> IssuedSession<'a> {
    let view = view::at_issue(&x.installation, session);
    IssuedSession {
        session_id: session.id,
        token,
        expires_at: view.expires_at,
        listener_endpoint,
        session: view,
    }
}

/// Where the session can be read.
pub fn location(x: &Exchange, session: &Session) -> String {
    let project = x.installation.directory.project(session.project).id;
    format!("{}/v1/projects/{project}/sessions/{}", x.base, session.id)
}

pub fn list(x: &mut Exchange, headers: &HeaderMap, project: &str, query: &str) -> Answer {
    let caller = x.caller(headers)?;
    x.provisioned()?;
    let id = project_id(project)?;
    let query = Query::read(query);
    query.note_unread(&["status", "kind", "identity_id", "cursor", "limit"], &mut x.trail);
    let (filter, nobody) = filter(x, &query)?;
    let wanted =
        format!("{:?}/{:?}/{:?}", query.get("status"), query.get("kind"), query.get("identity_id"));
    let paging = Paging::read(x, caller, &query, &[b"sessions", id.as_bytes(), wanted.as_bytes()])?;
    let project = find_project(x, id)?;
    x.permitted(caller, "view", &format!("project:{id}"))?;
    let (page, more) = if nobody {
        (Vec::new(), false)
    } else {
        x.installation.sessions(x.now).page(project, &filter, paging.after, paging.limit)
    };
    let next_cursor = page.last().filter(|_| more).map(|last| paging.next(x, last.seq));
    let items = page
        .iter()
        .map(|session| view::in_read(&x.installation, x.generation, session, x.now))
        .collect();
    Ok(json(200, &Page { items, next_cursor }))
}

/// The filter, and whether it names an identity that this world does not have.
fn filter(x: &Exchange, query: &Query) -> Result<(Filter, bool), Refusal> {
    let wrong = |what: &'static str| Refusal::new(400, "invalid_filter", what);
    let status = (query.get("status").map(Status::from_word))
        .map(|status| status.ok_or_else(|| wrong("status is active, revoked or expired")))
        .transpose()?;
    let kind = (query.get("kind").map(Kind::from_word))
        .map(|kind| kind.ok_or_else(|| wrong("kind is ssh, k8s or tcp")))
        .transpose()?;
    let identity = (query.get("identity_id").map(uuid))
        .map(|id| id.ok_or_else(|| wrong("identity_id is a UUID")))
        .transpose()?;
    let known = identity.map(|id| x.installation.directory.find_identity(id));
    let nobody = known == Some(None);
    Ok((Filter { status, kind, identity: known.flatten() }, nobody))
}

pub fn get(x: &mut Exchange, headers: &HeaderMap, project: &str, session: &str) -> Answer {
    let (caller, session) = find(x, headers, project, session)?;
    if session.identity != caller.identity() {
        let object = format!("project:{}", x.installation.directory.project(session.project).id);
        x.permitted(caller, "view", &object)?;
    }
    Ok(json(200, &view::in_read(&x.installation, x.generation, &session, x.now)))
}

pub fn revoke(
    x: &mut Exchange,
    headers: &HeaderMap,
    (project, session): (&str, &str),
    taken: Taken,
) -> Answer {
    let caller = x.caller(headers)?;
    x.provisioned()?;
    let (project, id) = (project_id(project)?, session_id(session)?);
    let request: RevokeSessionRequest = body::optional_json(headers, taken, &mut x.trail)?;
    let reason = request.revoke_reason.unwrap_or(RevokeReason::OperatorRequest);
    if !reason.is_callers() {
        let detail = "ttl_expired and idle_timeout are the server's own reasons";
        return Err(Refusal::invalid_body(detail));
    }
    let session = look_up(x, project, id)?;
    if session.identity != caller.identity() {
        let object = format!("resource:{}", x.installation.directory.resource(session.resource).id);
        x.permitted(caller, "administer", &object)?;
    }
    x.installation.sessions(x.now).revoke(id, reason, x.now.as_second());
    Ok(no_content())
}

fn find(
    x: &mut Exchange,
    headers: &HeaderMap,
    project: &str,
    session: &str,
) -> Result<(Caller, Session), Refusal> {
    let caller = x.caller(headers)?;
    x.provisioned()?;
    let (project, session) = (project_id(project)?, session_id(session)?);
    Ok((caller, look_up(x, project, session)?))
}

pub(super) fn look_up(x: &mut Exchange, project: Uuid, id: Uuid) -> Result<Session, Refusal> {
    x.trail.session_id = Some(id);
    let project = find_project(x, project)?;
    let found = x.installation.sessions(x.now).get(id).cloned();
    let session = (found.filter(|session| session.project == project))
        .ok_or_else(Refusal::session_not_found)?;
    x.trail.kind = Some(session.kind);
    Ok(session)
}

pub fn project_id(text: &str) -> Result<Uuid, Refusal> {
    uuid(text).ok_or_else(|| Refusal::new(400, "invalid_project_id", "the project id is a UUID"))
}

fn session_id(text: &str) -> Result<Uuid, Refusal> {
    uuid(text).ok_or_else(|| Refusal::new(400, "invalid_session_id", "the session id is a UUID"))
}

pub fn find_project(x: &Exchange, id: Uuid) -> Result<Index, Refusal> {
    x.installation.directory.find_project(id).ok_or_else(Refusal::project_not_found)
}
