//! When several refusals apply, which one is the answer.

use serde_json::json;

use super::site::{COLLECTION, VIEWER, expect_kept, issue, issued};
use super::{DOCUMENT, should};
use crate::bench::{Call, Identity, Server, ServerOptions};
use crate::rule::{Claim, Need, Rule};

/// A request that is wrong in two ways, and what is said of it.
struct Pair {
    slug: &'static str,
    what: &'static str,
    call: fn(&Server) -> Call,
    status: u16,
    reason: &'static str,
}

fn post(server: &Server, path: &str) -> Call {
    server.post(path, &json!({}))
}

fn missing(part: &str) -> String {
    COLLECTION.replace(part, "nowhere")
}

const PAIRS: [Pair; 12] = [
    Pair {
        slug: "caller_before_region",
        what: "by nobody, in a region that is not there",
        call: |s| post(s, &missing("us-texas-1")),
        status: 401,
        reason: "unauthenticated",
    },
    Pair {
        slug: "caller_before_body",
        what: "by nobody, with a bad body",
        call: |s| post(s, COLLECTION).body("["),
        status: 401,
        reason: "unauthenticated",
    },
    Pair {
        slug: "caller_before_size",
        what: "by nobody, with a body that is too large",
        call: |s| post(s, COLLECTION).body(vec![b' '; 9000]),
        status: 401,
        reason: "unauthenticated",
    },
    Pair {
        slug: "standing_before_region",
        what: "by a suspended account, in a region that is not there",
        call: |s| post(s, &missing("us-texas-1")).bearer(Identity::Suspended.token()),
        status: 403,
        reason: "account_suspended",
    },
    Pair {
        slug: "region_before_project",
        what: "in a region and a project that are not there",
        call: |s| {
            post(s, &missing("us-texas-1").replace("project-x9y8z7", "nowhere"))
                .bearer(Identity::Operator.token())
        },
        status: 404,
        reason: "region_not_found",
    },
    Pair {
        slug: "project_before_cluster",
        what: "in a project and for a cluster that are not there",
        call: |s| {
            post(s, &missing("project-x9y8z7").replace("cluster-a1b2c3", "nowhere"))
                .bearer(Identity::Operator.token())
        },
        status: 404,
        reason: "project_not_found",
    },
    Pair {
        slug: "cluster_before_rank",
        what: "by a viewer, for a cluster that is not there",
        call: |s| post(s, &missing("cluster-a1b2c3")).bearer(VIEWER),
        status: 404,
        reason: "cluster_not_found",
    },
    Pair {
        slug: "cluster_before_body",
        what: "with a bad body, for a cluster that is not there",
        call: |s| post(s, &missing("cluster-a1b2c3")).bearer(Identity::Operator.token()).body("["),
        status: 404,
        reason: "cluster_not_found",
    },
    Pair {
        slug: "rank_before_body",
        what: "by a viewer, with a bad body",
        call: |s| post(s, COLLECTION).bearer(VIEWER).body("["),
        status: 403,
        reason: "permission_denied",
    },
    Pair {
        slug: "size_before_type",
        what: "with a large body of another type",
        call: |s| {
            post(s, COLLECTION)
                .bearer(Identity::Operator.token())
                .body(vec![b' '; 9000])
                .header("content-type", "text/plain")
        },
        status: 413,
        reason: "body_too_large",
    },
    Pair {
        slug: "type_before_body",
        what: "with a bad body of another type",
        call: |s| {
            post(s, COLLECTION)
                .bearer(Identity::Operator.token())
                .body("[")
                .header("content-type", "text/plain")
        },
        status: 415,
        reason: "unsupported_media_type",
    },
    Pair {
        slug: "form_before_role",
        what: "with a user that is a number and a role the project has not",
        call: |s| issue(s, &json!({"user": 7, "role": "owner"})),
        status: 400,
        reason: "invalid_user",
    },
];

pub(super) fn all() -> Vec<Rule> {
    PAIRS.iter().map(first).chain([values_before_limit()]).collect()
}

fn first(pair: &'static Pair) -> Rule {
    should(format!("k0rdent.issue_kubeconfig.order.{}", pair.slug))
        .title(format!("A request {} is {} {}", pair.what, pair.status, pair.reason))
        .source(DOCUMENT, "IssueKubeconfig, x-refusal-order")
        .claims([Claim::refusal("IssueKubeconfig", pair.status, pair.reason)])
        .fix("Ask who, where, in what standing, with what body, and only then whether there is room.")
        .check(move |bench| {
            let server = bench.server()?;
            (pair.call)(&server).send()?.expect_problem(pair.status, pair.reason)?;
            expect_kept(&server, 0)
        })
}

fn values_before_limit() -> Rule {
    should("k0rdent.issue_kubeconfig.order.values_before_limit")
        .title("A ttl that is too long is refused for that, also where there is no room")
        .source(DOCUMENT, "IssueKubeconfig, x-refusal-order")
        .claims([Claim::refusal("IssueKubeconfig", 400, "ttl_too_long")])
        .needs([Need::SpawnableServer])
        .fix("Ask for room last.")
        .check(|bench| {
            let server = bench.server_with(&ServerOptions::with(&["--world", "tiny"]))?;
            issued(&server, &json!({}))?;
            issued(&server, &json!({}))?;
            issue(&server, &json!({"ttl": 11}))
                .send()?
                .expect_problem(400, "ttl_too_long")
                .map(drop)
        })
}
