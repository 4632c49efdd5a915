//! From a request to whoever answers it: first who and what, then may they, then how.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};

use super::description::DescriptionError;
use super::kinds::{self, Kind};
use super::write::Writing;
use super::{Inside, delete, documents, logs};
use crate::kube::front::{self, Front};
use crate::kube::read::{self, Selection, Shown};
use crate::kube::request::{Query, RequestInfo};
use crate::kube::status::{Refusal, respond};
use crate::kube::store::Key;
use crate::kube::{Call, body, impersonation, negotiate, rbac, review, watch};

/// `v1.32.4` has a major and a minor that kubectl compares with its own.
pub(crate) fn check_version(version: &str) -> Result<(), DescriptionError> {
    match front::numbers(version) {
        Some(_) => Ok(()),
        None => Err(DescriptionError(format!("version: {version:?} is not written like v1.32.4"))),
    }
}

pub(crate) fn answer(inside: &Inside, call: Call, request: Request<Bytes>) -> Response<Body> {
    let (parts, bytes) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let asked = RequestInfo::read(&parts.method, &parts.uri, &query);
    let told = asked.clone();
    let question =
        Question { inside, asked, query, method: parts.method, headers: parts.headers, bytes };
    let mut response = question.answer(call).unwrap_or_else(|refusal| refusal.response());
    response.extensions_mut().insert(told);
    response
}

/// One request, taken apart.
struct Question<'a> {
    inside: &'a Inside,
    asked: RequestInfo,
    query: Query,
    method: Method,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Question<'_> {
    fn answer(self, mut call: Call) -> Result<Response<Body>, Refusal> {
        let rules = &self.inside.rules;
        call.caller = impersonation::caller(rules, call.caller, &self.headers)?;
        if self.bytes.len() > body::LIMIT {
            return Err(Refusal::too_large(body::LIMIT));
        }
        if !self.asked.is_resource {
            rbac::authorize(rules, &call.caller, &self.asked)?;
            let (version, offered) = (&self.inside.version, kinds::offered());
            let front = Front { version, offered: &offered, document: documents::of };
            return front.answer(&self.asked.path, &self.method, &self.headers);
        }
        let (asked, headers) = (&self.asked, &self.headers);
        if let Some(review) = review::answer(rules, &call.caller, asked, headers, &self.bytes) {
            return review.map(|review| respond(StatusCode::CREATED, &review));
        }
        let Some(kind) = kinds::at(&asked.group, &asked.version, &asked.resource) else {
            return Err(Refusal::no_such_resource());
        };
        // A path with a namespace for a kind without one leads nowhere, and the other way round.
        let misplaced = kind.kind != "Namespace" && !kind.namespaced && !asked.namespace.is_empty();
        let homeless = kind.namespaced
            && asked.namespace.is_empty()
            && (!asked.name.is_empty()
                || asked.verb == "create"
                || asked.verb == "deletecollection");
        if misplaced || homeless {
            return Err(Refusal::no_such_resource());
        }
        rbac::authorize(rules, &call.caller, asked)?;
        if asked.subresource.is_empty() { self.resource(kind, call) } else { self.part(kind, call) }
    }

    fn resource(&self, kind: &'static Kind, call: Call) -> Result<Response<Body>, Refusal> {
        let (store, asked, query) = (&self.inside.store, &self.asked, &self.query);
        let now = (call.clock)();
        let shown = Shown::read(&self.headers, query, asked.verb, now)?;
        match asked.verb {
            "get" => {
                let object = read::get(store, kind, asked)?;
                return Ok(respond(StatusCode::OK, &shown.one(kind, &object)));
            }
            "list" => {
                let selection = Selection::read(kind, asked, query)?;
                let list = read::list(store, kind, asked, query, shown, &selection)?;
                return Ok(respond(StatusCode::OK, &list));
            }
            "watch" => {
                let selection = Selection::read(kind, asked, query)?;
                let life = (call.clock, call.ended);
                return watch::answer(store, kind, asked, query, shown, selection, life);
            }
            _ => {}
        }
        delete::require_writable(kind)?;
        let writing = Writing { store, kind, asked, query, now };
        let done = match asked.verb {
            "create" if asked.name.is_empty() => {
                writing.create(body::object(kind, &self.headers, &self.bytes)?)?
            }
            "update" if !asked.name.is_empty() => {
                writing.update(body::object(kind, &self.headers, &self.bytes)?)?
            }
            "patch" if !asked.name.is_empty() => {
                writing.patch(body::patch(&self.headers, &self.bytes)?)?
            }
            "delete" => {
                let gone = writing.delete(&body::options(&self.headers, &self.bytes)?)?;
                return Ok(respond(StatusCode::OK, &gone));
            }
            "deletecollection" => {
                let gone =
                    writing.delete_collection(&body::options(&self.headers, &self.bytes)?)?;
                return Ok(respond(StatusCode::OK, &gone));
            }
            _ => return Err(Refusal::method_not_allowed(Some(kind))),
        };
        Ok(done.response(shown, kind))
    }

    /// Subresources: a pod's log is read, its doors stay shut.
    fn part(&self, kind: &'static Kind, call: Call) -> Result<Response<Body>, Refusal> {
        let asked = &self.asked;
        let known = kind.subresources.iter().any(|part| part.name == asked.subresource);
        if !known {
            return Err(Refusal::no_such_resource());
        }
        let object = read::get(&self.inside.store, kind, asked)?;
        if asked.subresource != "log" {
            let what = format!("{} of {} {:?}", asked.subresource, kind.plural, asked.name);
            return Err(Refusal::not_simulated(&what));
        }
        if asked.verb != "get" {
            return Err(Refusal::method_not_allowed(Some(kind)));
        }
        negotiate::plain(&self.headers, "text/plain")?;
        let key = Key::of(kind, &asked.namespace, &asked.name);
        let now = (call.clock)();
        let (logs, store) = (&self.inside.logs, &self.inside.store);
        logs::answer(logs, store, (&key, &object), &self.query, now, call.ended)
    }
}
