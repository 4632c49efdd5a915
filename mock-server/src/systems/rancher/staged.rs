//! A scenario in place of Rancher's own answer, to one operation.

use std::sync::Arc;

use hyper::http::request::Parts;

use super::visit::{behind, uri};
use super::{kinds, operation};
use crate::kube::RequestInfo;
use crate::kube::request::Query;
use crate::kube::status::Refusal;
use crate::scenario::{self, Scenario};

pub(super) fn find(name: &str) -> Result<Arc<Scenario>, Refusal> {
    scenario::find(name).map_err(|error| match error.told() {
        Some(told) => Refusal::nowhere(told),
        None => Refusal::internal("the scenario cannot be read"),
    })
}

/// The name in the contract of what is asked for, where that is Rancher's own.
fn asked(path: &str, head: &Parts) -> Option<&'static str> {
    let path = match behind(path) {
        Some(("local", rest)) => rest,
        Some(_) => return None,
        None => path,
    };
    let uri = uri(path, head.uri.query())?;
    let query = Query::parse(uri.query().unwrap_or_default());
    let asked = RequestInfo::read(&head.method, &uri, &query);
    let kind = kinds::at(&asked.group, &asked.version, &asked.resource)?;
    let whole = asked.subresource.is_empty() && asked.namespace.is_empty();
    whole.then(|| operation::of(kind, asked.verb))
}

/// The operation that the scenario is about, if that is what is asked for.
pub(super) fn meant(scenario: &Scenario, path: &str, head: &Parts) -> Option<&'static str> {
    asked(path, head).filter(|operation| scenario.is_about(operation))
}
