//! What Rancher's own API answers to somebody who was let in: first may he, then how. What is
//! not Rancher's is the local cluster's.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::Value;

use super::kinds::{self, CLUSTER, KUBECONFIG};
use super::state::State;
use super::visit::inside;
use super::{change, create, documents, operation, rules};
use crate::cluster::kinds as local;
use crate::cluster::{Cluster, permissions};
use crate::kube::discovery::Offered;
use crate::kube::front::Front;
use crate::kube::read::{self, Selection, Shown};
use crate::kube::request::Query;
use crate::kube::status::{Refusal, respond};
use crate::kube::{
    Call, Caller, Clock, Ended, Kind, RequestInfo, body, impersonation, rbac, review, watch,
};
use crate::namespace::Installation;
use crate::world::journal::Open;

const LOCAL: &str = "local";
const OWNER: &str = "cattle.io/user-id";

/// Everything there is to know about a request.
pub(super) struct Asking<'a> {
    pub(super) state: &'a State,
    pub(super) installation: &'a Installation,
    pub(super) caller: Caller,
    /// Whether the caller may do this to anybody's kubeconfigs.
    pub(super) admin: bool,
    pub(super) asked: RequestInfo,
    pub(super) query: &'a Query,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) bytes: &'a Bytes,
    pub(super) now: Timestamp,
    pub(super) base: &'a str,
    /// As the client wrote it.
    pub(super) host: &'a str,
    pub(super) authority: &'a str,
}

/// An answer, or where it is to be had.
pub(super) enum Outcome {
    Answer(Response<Body>),
    /// One that is to be sent as it is.
    Staged(Response<Body>),
    Inside {
        cluster: Cluster,
        call: Box<Call>,
        request: Box<Request<Bytes>>,
    },
}

pub(super) fn answer(
    mut asking: Asking<'_>,
    uri: &Uri,
    life: (Clock, Ended),
    trail: &mut Open,
) -> Result<Outcome, Refusal> {
    let state = asking.state;
    let kind = kinds::at(&asking.asked.group, &asking.asked.version, &asking.asked.resource);
    trail.operation = match kind {
        Some(kind) if asking.asked.subresource.is_empty() => operation::of(kind, asking.asked.verb),
        _ => operation::elsewhere(&asking.asked),
    };
    let real = std::mem::take(&mut asking.caller);
    asking.caller = impersonation::caller(&state.rules, real, asking.headers)?;
    trail.identity = Some(asking.caller.user.as_str().into());
    asking.admin = rules::is_admin(&state.rules, &asking.caller, asking.asked.verb);
    if asking.bytes.len() > body::LIMIT {
        return Err(Refusal::too_large(body::LIMIT));
    }
    if !asking.asked.is_resource {
        rbac::authorize(&state.rules, &asking.caller, &asking.asked)?;
        return asking.front().map(Outcome::Answer);
    }
    let reviewed = review::answer(
        &asking.review_rules(),
        &asking.caller,
        &asking.asked,
        asking.headers,
        asking.bytes,
    );
    if let Some(review) = reviewed {
        return Ok(Outcome::Answer(respond(StatusCode::CREATED, &review?)));
    }
    if !kinds::is_own(&asking.asked.group) {
        return asking.local(uri, life);
    }
    let kind = kind.filter(|kind| asking.serves(kind)).ok_or_else(Refusal::no_such_resource)?;
    if !asking.asked.subresource.is_empty() || !asking.asked.namespace.is_empty() {
        return Err(Refusal::no_such_resource());
    }
    rbac::authorize(&state.rules, &asking.caller, &asking.asked)?;
    asking.resource(kind, life).map(Outcome::Answer)
}

impl Asking<'_> {
    /// A feature that is off takes its API away.
    fn serves(&self, kind: &Kind) -> bool {
        kind.kind != KUBECONFIG.kind || self.state.feature("ext-kubeconfigs")
    }

    fn front(&self) -> Result<Response<Body>, Refusal> {
        let mut offered: Offered = local::offered();
        offered.groups.extend(kinds::GROUPS);
        offered.kinds.extend(kinds::KINDS.into_iter().filter(|kind| self.serves(kind)));
        let cluster = self.state.cluster(self.installation, LOCAL, self.now);
        let version = cluster.as_ref().map_or("v1.32.4", Cluster::version);
        let document = match self.serves(&KUBECONFIG) {
            true => documents::of,
            false => documents::without_kubeconfigs,
        };
        let front = Front { version, offered: &offered, document };
        front.answer(&self.asked.path, self.method, self.headers)
    }

    /// What is judged when somebody asks what he may do.
    fn review_rules(&self) -> Vec<crate::kube::Rule> {
        let mut rules = self.state.rules.clone();
        if rules::may_get_cluster(&self.state.rules, &self.caller, LOCAL) {
            rules.extend(permissions::default_rules());
        }
        rules
    }

    /// The cluster that Rancher runs on answers for everything that is not Rancher's.
    fn local(self, uri: &Uri, (clock, ended): (Clock, Ended)) -> Result<Outcome, Refusal> {
        if !rules::may_get_cluster(&self.state.rules, &self.caller, LOCAL) {
            rbac::authorize(&self.state.rules, &self.caller, &self.asked)?;
        }
        let made = self.state.cluster(self.installation, LOCAL, self.now);
        let cluster = made.ok_or_else(Refusal::no_such_resource)?;
        let mut request = Request::new(self.bytes.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri.clone();
        for (name, value) in self.headers {
            // Who speaks for whom has been settled.
            if !name.as_str().starts_with("impersonate-") && name != "authorization" {
                request.headers_mut().append(name, value.clone());
            }
        }
        let caller = inside(self.state, self.caller);
        let call = Box::new(Call { caller, clock, ended });
        Ok(Outcome::Inside { cluster, call, request: Box::new(request) })
    }

    /// Whether the caller may know that this is there.
    pub(super) fn visible(&self, kind: &Kind, object: &Value) -> bool {
        if self.admin || kind.kind != KUBECONFIG.kind {
            return true;
        }
        let owner = object.pointer("/metadata/labels").and_then(|labels| labels.get(OWNER));
        owner.and_then(Value::as_str) == Some(self.caller.user.as_str())
    }

    /// What is asked for, of what the caller may know of.
    pub(super) fn selection(&self, kind: &Kind) -> Result<Selection, Refusal> {
        let selection = Selection::read(kind, &self.asked, self.query)?;
        if self.admin {
            return Ok(selection);
        }
        if kind.kind == KUBECONFIG.kind {
            return Ok(selection.labelled(OWNER, &self.caller.user));
        }
        if kind.kind == CLUSTER.kind {
            let rules = &self.state.rules;
            let mut names = self.state.cluster_names();
            names.retain(|name| rules::may_get_cluster(rules, &self.caller, name));
            return Ok(selection.among(names.into()));
        }
        Ok(selection)
    }

    fn resource(
        self,
        kind: &'static Kind,
        life: (Clock, Ended),
    ) -> Result<Response<Body>, Refusal> {
        let store = &self.state.store;
        let (asked, query) = (&self.asked, self.query);
        let shown = Shown::read(self.headers, query, asked.verb, self.now)?;
        if !kind.allows(asked.verb) {
            return Err(Refusal::method_not_allowed(Some(kind)));
        }
        let named = !asked.name.is_empty();
        let done = match asked.verb {
            "get" => {
                let object = read::get(store, kind, asked)?;
                if !self.visible(kind, &object) {
                    return Err(Refusal::not_found(kind, &asked.name));
                }
                return Ok(respond(StatusCode::OK, &shown.one(kind, &object)));
            }
            "list" => {
                let selection = self.selection(kind)?;
                let list = read::list(store, kind, asked, query, shown, &selection)?;
                return Ok(respond(StatusCode::OK, &list));
            }
            "watch" => {
                let selection = self.selection(kind)?;
                return watch::answer(store, kind, asked, query, shown, selection, life);
            }
            "create" if !named => {
                create::answer(&self, body::object(kind, self.headers, self.bytes)?)?
            }
            "update" if named => {
                change::update(&self, kind, body::object(kind, self.headers, self.bytes)?)?
            }
            "patch" if named => change::patch(&self, kind, body::patch(self.headers, self.bytes)?)?,
            "delete" => {
                let options = body::options(self.headers, self.bytes)?;
                return Ok(respond(StatusCode::OK, &change::delete(&self, kind, &options)?));
            }
            "deletecollection" => {
                let options = body::options(self.headers, self.bytes)?;
                let gone = change::delete_collection(&self, kind, &options)?;
                return Ok(respond(StatusCode::OK, &gone));
            }
            _ => return Err(Refusal::method_not_allowed(Some(kind))),
        };
        Ok(done.response(shown, kind))
    }
}
