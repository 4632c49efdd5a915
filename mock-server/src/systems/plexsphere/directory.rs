//! Whoami, projects, resources and the authorization check.

use hyper::HeaderMap;
use serde::Serialize;
use uuid::Uuid;

use super::body::{self, Taken};
use super::exchange::{Answer, Exchange, json};
use super::paging::Paging;
use super::query::Query;
use super::refusal::Refusal;
use super::sessions::{find_project, project_id};
use super::wire::{AuthorizationCheckRequest, Page, uuid};
use crate::gate::{Caller, Denial};
use crate::rebac::CheckContext;
use crate::world::directory::Index;
use crate::world::file::{PrincipalType, ResourceType};
use crate::world::kind::Kind;

#[derive(Serialize)]
struct Whoami<'a> {
    principal_type: PrincipalType,
    subject: Uuid,
    principal_scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    amr: &'a [String],
}

pub fn whoami(x: &mut Exchange, headers: &HeaderMap) -> Answer {
    let caller = x.caller(headers)?;
    let directory = &x.installation.directory;
    let identity = directory.identity(caller.identity());
    let domain_id = directory.identity_domain(caller.identity()).map(|domain| domain.id);
    let login = directory.token(caller.login);
    let whoami = Whoami {
        principal_type: identity.principal_type,
        subject: identity.id,
        principal_scope: if domain_id.is_some() { "domain" } else { "platform" },
        domain_id,
        email: identity.email.as_deref(),
        acr: login.acr.as_deref(),
        amr: login.amr.get(..16).unwrap_or(&login.amr),
    };
    Ok(json(200, &whoami))
}

#[derive(Serialize)]
struct ProjectView<'a> {
    id: Uuid,
    domain_id: Uuid,
    slug: &'a str,
    name: &'a str,
}

fn project_view(x: &Exchange, index: Index) -> ProjectView<'_> {
    let directory = &x.installation.directory;
    let project = directory.project(index);
    ProjectView {
        id: project.id,
        domain_id: directory.domain(directory.domain_of(index)).id,
        slug: &project.slug,
        name: &project.name,
    }
}

pub fn list_projects(x: &mut Exchange, headers: &HeaderMap, query: &str) -> Answer {
    let caller = x.caller(headers)?;
    let query = Query::read(query);
    query.note_unread(&["cursor", "limit"], &mut x.trail);
    let paging = Paging::read(x, caller, &query, &[b"projects"])?;
    let mut visible = Vec::new();
    for (index, project) in (0..).zip(&x.installation.directory.file.projects) {
        if sees(x, caller, &format!("project:{}", project.id))? {
            visible.push(index);
        }
    }
    let (page, next_cursor) = paging.slice(x, visible);
    let items = page.into_iter().map(|index| project_view(x, index)).collect();
    Ok(json(200, &Page { items, next_cursor }))
}

/// Lists leave out what the caller may not see, instead of refusing.
fn sees(x: &Exchange, caller: Caller, object: &str) -> Result<bool, Refusal> {
    match x.permitted(caller, "view", object) {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.status == 403 => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

pub fn get_project(x: &mut Exchange, headers: &HeaderMap, project: &str) -> Answer {
    let caller = x.caller(headers)?;
    let index = find_project(x, project_id(project)?)?;
    let view = project_view(x, index);
    x.permitted(caller, "view", &format!("project:{}", view.id))?;
    Ok(json(200, &view))
}

#[derive(Serialize)]
struct ResourceView<'a> {
    id: Uuid,
    project_id: Uuid,
    domain_id: Uuid,
    name: &'a str,
    r#type: ResourceType,
    kinds: &'a [Kind],
}

fn resource_view(x: &Exchange, index: Index) -> ResourceView<'_> {
    let directory = &x.installation.directory;
    let (resource, project) = (directory.resource(index), directory.project_of(index));
    ResourceView {
        id: resource.id,
        project_id: directory.project(project).id,
        domain_id: directory.domain(directory.domain_of(project)).id,
        name: &resource.name,
        r#type: resource.resource_type,
        kinds: &resource.kinds,
    }
}

pub fn list_resources(x: &mut Exchange, headers: &HeaderMap, project: &str, query: &str) -> Answer {
    let caller = x.caller(headers)?;
    let id = project_id(project)?;
    let query = Query::read(query);
    query.note_unread(&["cursor", "limit"], &mut x.trail);
    let paging = Paging::read(x, caller, &query, &[b"resources", id.as_bytes()])?;
    let project = find_project(x, id)?;
    x.permitted(caller, "view", &format!("project:{id}"))?;
    let directory = &x.installation.directory;
    let all = (0..).take(directory.file.resources.len());
    let inside = all.filter(|index| directory.project_of(*index) == project).collect();
    let (page, next_cursor) = paging.slice(x, inside);
    let items = page.into_iter().map(|index| resource_view(x, index)).collect();
    Ok(json(200, &Page { items, next_cursor }))
}

pub fn get_resource(
    x: &mut Exchange,
    headers: &HeaderMap,
    project: &str,
    resource: &str,
) -> Answer {
    let caller = x.caller(headers)?;
    let project = project_id(project)?;
    let id = uuid(resource)
        .ok_or_else(|| Refusal::new(400, "invalid_resource_id", "the resource id is a UUID"))?;
    let project = find_project(x, project)?;
    let directory = &x.installation.directory;
    let index = (directory.find_resource(id))
        .filter(|index| directory.project_of(*index) == project)
        .ok_or_else(|| x.refuse(Denial::NoSuchResource))?;
    x.permitted(caller, "view", &format!("resource:{id}"))?;
    Ok(json(200, &resource_view(x, index)))
}

#[derive(Serialize)]
struct CheckResult<'a> {
    decision: &'static str,
    correlation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation_path: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

pub fn check_authorization(x: &mut Exchange, headers: &HeaderMap, taken: Taken) -> Answer {
    x.caller(headers)?;
    let request: AuthorizationCheckRequest = body::json(headers, taken, &mut x.trail)?;
    if !is_object(&request.subject) || !is_object(&request.resource) || !is_name(&request.relation)
    {
        let detail = "subject and resource read type:id, relation is a name";
        return Err(Refusal::new(400, "invalid_check_request", detail));
    }
    let directory = &x.installation.directory;
    if !directory.file.authz.available {
        return Err(x.refuse(Denial::AuthzUnavailable));
    }
    let decision = x.installation.model.check(
        &directory.object(&request.subject),
        &request.relation,
        &directory.object(&request.resource),
        &CheckContext { now: x.now },
    );
    let result = CheckResult {
        decision: if decision.allowed { "allowed" } else { "denied" },
        correlation_id: x.installation.ids.correlation(x.now),
        relation_path: decision.allowed.then_some(&decision.path),
        reason: decision.reason.map(crate::rebac::Reason::as_str),
    };
    Ok(json(200, &result))
}

fn is_object(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, id)| {
        is_name(kind) && !id.is_empty() && !id.chars().any(|c| c.is_whitespace() || c.is_control())
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
