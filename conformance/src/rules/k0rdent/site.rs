//! The place of the page's example, who is who there, and the requests that are made of it.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::bench::{Call, Identity, Server, ServerOptions};
use crate::verdict::{Outcome, expect_eq};

pub(super) const COLLECTION: &str =
    "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs";
/// A project whose kubeconfigs do not expire unless asked to; the operator is no member.
pub(super) const ENDLESS: &str =
    "/v1/regions/eu-north-1/projects/project-q1w2e3/compute/clusters/cluster-a1b2c3/kubeconfigs";
/// The administrator of the endless project.
pub(super) const BELA: &str = "psk_dev_beta";
pub(super) const VIEWER: &str = "psk_dev_viewer";
/// In the clock's own spelling, and in whole seconds.
pub(super) const NOON: &str = "2026-06-01T12:00:00Z";
pub(super) const LONGEST_TTL: u64 = 2_592_000;

/// A server whose clock stands at noon.
pub(super) fn at_noon(bench: &Bench) -> Outcome<Server> {
    bench.server_with(&ServerOptions::with(&["--clock", NOON]))
}

pub(super) fn issue_as(server: &Server, token: &str, body: &Value) -> Call {
    server.post(COLLECTION, body).bearer(token)
}

/// A request of the operator, who is an editor of the project.
pub(super) fn issue(server: &Server, body: &Value) -> Call {
    issue_as(server, Identity::Operator.token(), body)
}

pub(super) fn issued(server: &Server, body: &Value) -> Outcome<Value> {
    issue(server, body).send()?.expect(201)
}

pub(super) fn get_as(server: &Server, token: &str, path: &str) -> Call {
    server.get(path).bearer(token)
}

pub(super) fn get(server: &Server, path: &str) -> Call {
    get_as(server, Identity::Operator.token(), path)
}

pub(super) fn delete(server: &Server, token: &str, path: &str) -> Call {
    server.call("DELETE", path).bearer(token)
}

/// Where a resource says it is, below the base URL.
pub(super) fn path_of(server: &Server, resource: &Value) -> String {
    below(server, resource["selfLink"].as_str().unwrap_or_default()).to_owned()
}

/// A path that the server hands out, without what stands before the API's own paths.
pub(super) fn below<'p>(server: &Server, path: &'p str) -> &'p str {
    path.strip_prefix(server.endpoint().prefix.as_str()).unwrap_or(path)
}

/// How many kubeconfigs the cluster has, by the administrator's count.
pub(super) fn expect_kept(server: &Server, count: u64) -> Outcome {
    let path = format!("{COLLECTION}?offset=0");
    let page = get_as(server, Identity::Admin.token(), &path).send()?.expect(200)?;
    expect_eq("the number of kubeconfigs", &json!(count), &page["total"])
}

/// That refusal, and nothing came of the request.
pub(super) fn expect_refused(server: &Server, call: Call, status: u16, reason: &str) -> Outcome {
    call.send()?.expect_problem(status, reason)?;
    expect_kept(server, 0)
}
