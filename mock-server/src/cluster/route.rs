//! From a request to whoever answers it: first who and what, then may they, then how.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::description::DescriptionError;
use super::kinds::Kind;
use super::read::{self, Shown};
use super::request::{Query, RequestInfo};
use super::status::{self, Refusal, respond};
use super::store::Key;
use super::table::Include;
use super::write::{Done, Writing};
use super::{
    Call, Inside, body, delete, discovery, impersonation, logs, negotiate, openapi, rbac, review,
    watch,
};

/// `v1.32.4` has a major and a minor that kubectl compares with its own.
pub(crate) fn check_version(version: &str) -> Result<(), DescriptionError> {
    match numbers(version) {
        Some(_) => Ok(()),
        None => Err(DescriptionError(format!("version: {version:?} is not written like v1.32.4"))),
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().map(|_| numbers)
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
            return self.plain();
        }
        let (asked, headers) = (&self.asked, &self.headers);
        if let Some(review) = review::answer(rules, &call.caller, asked, headers, &self.bytes) {
            return review.map(|review| respond(StatusCode::CREATED, &review));
        }
        let Some(kind) = Kind::at(&asked.group, &asked.version, &asked.resource) else {
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

    /// Paths that are no resources: health, discovery, documents.
    fn plain(&self) -> Result<Response<Body>, Refusal> {
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return Err(Refusal::method_not_allowed(None));
        }
        let parts: Vec<&str> = self.asked.path.split('/').filter(|part| !part.is_empty()).collect();
        let found = match parts.as_slice() {
            [] => Some(discovery::root()),
            ["version"] => Some(self.version()),
            ["healthz" | "livez" | "readyz", ..] => {
                negotiate::plain(&self.headers, "text/plain")?;
                return Ok(status::typed(StatusCode::OK, "text/plain; charset=utf-8", "ok"));
            }
            [root @ ("api" | "apis")] => return Ok(self.discovery(*root == "api")),
            ["api", version] => discovery::resources("", version),
            ["apis", group] => discovery::group(group),
            ["apis", group, version] => discovery::resources(group, version),
            ["openapi", "v2"] => {
                return Ok(status::typed(StatusCode::OK, openapi::V2_MEDIA, Bytes::new()));
            }
            ["openapi", "v3"] => Some(openapi::index()),
            ["openapi", "v3", rest @ ..] => match openapi::of(&rest.join("/")) {
                Some(document) => {
                    return Ok(status::typed(StatusCode::OK, "application/json", document));
                }
                None => None,
            },
            _ => None,
        };
        let found = found.ok_or_else(Refusal::no_such_resource)?;
        negotiate::plain(&self.headers, "application/json")?;
        Ok(respond(StatusCode::OK, &found))
    }

    fn version(&self) -> Value {
        let version = &self.inside.version;
        let (major, minor) = numbers(version).unwrap_or_default();
        json!({
            "major": major.to_string(), "minor": minor.to_string(), "gitVersion": version,
            "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
            "compiler": "none", "platform": "linux/amd64",
        })
    }

    fn discovery(&self, core: bool) -> Response<Body> {
        let Some(version) = negotiate::aggregated(&self.headers) else {
            let plain = if core { discovery::versions() } else { discovery::groups() };
            return respond(StatusCode::OK, &plain);
        };
        // kubectl reads the form off the media type, parameters and all.
        let media = match version {
            "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        };
        let list = discovery::aggregated(core, version);
        let mut response = status::typed(StatusCode::OK, media, list.to_string());
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        response
    }

    fn resource(&self, kind: &'static Kind, call: Call) -> Result<Response<Body>, Refusal> {
        let (store, asked, query) = (&self.inside.store, &self.asked, &self.query);
        let now = (call.clock)();
        let shown =
            Shown { form: negotiate::form(&self.headers)?, include: Include::read(query)?, now };
        match asked.verb {
            "get" => {
                let object = read::get(store, kind, asked)?;
                return Ok(respond(StatusCode::OK, &shown.one(kind, &object)));
            }
            "list" => {
                let list = read::list(store, kind, asked, query, shown)?;
                return Ok(respond(StatusCode::OK, &list));
            }
            "watch" => {
                return watch::answer(store, kind, asked, query, shown, (call.clock, call.ended));
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
        Ok(written(&done, shown, kind))
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

fn written(done: &Done, shown: Shown, kind: &Kind) -> Response<Body> {
    let code = if done.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = respond(code, &shown.one(kind, &done.object));
    for warning in &done.warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}
