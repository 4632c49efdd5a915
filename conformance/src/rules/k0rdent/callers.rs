//! Who calls and where: the refusals that all four operations share.

use serde_json::json;

use super::site::{COLLECTION, VIEWER, expect_kept, issue, issue_as, issued};
use super::{PAGE, must, should};
use crate::bench::{Call, Identity, Server};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect_eq};

/// One of the four, as it is called.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) slug: &'static str,
    pub(super) method: &'static str,
    /// Whether it is about one kubeconfig.
    pub(super) single: bool,
}

pub(super) const OPERATIONS: [Operation; 4] = [
    Operation { id: "IssueKubeconfig", slug: "issue_kubeconfig", method: "POST", single: false },
    Operation { id: "ListKubeconfigs", slug: "list_kubeconfigs", method: "GET", single: false },
    Operation { id: "GetKubeconfig", slug: "get_kubeconfig", method: "GET", single: true },
    Operation { id: "DeleteKubeconfig", slug: "delete_kubeconfig", method: "DELETE", single: true },
];

impl Operation {
    /// The honest request, about `kubeconfig` where it is about one.
    pub(super) fn call(&self, server: &Server, collection: &str, kubeconfig: &str) -> Call {
        let path = match self.single {
            true => format!("{collection}/{kubeconfig}"),
            false => collection.to_owned(),
        };
        let call = server.call(self.method, &path);
        if self.method == "POST" { call.json(&json!({})) } else { call }
    }
}

/// A request by somebody, somewhere.
struct Case {
    slug: &'static str,
    what: &'static str,
    /// The value of the Authorization header.
    authorization: &'static str,
    /// What is written in place of what, in the path of the collection.
    path: (&'static str, &'static str),
    status: u16,
    reason: &'static str,
    /// Whether the page says so, or what it builds on.
    published: bool,
}

const HONEST: &str = "Bearer psk_dev_operator";

const fn by(slug: &'static str, what: &'static str, authorization: &'static str) -> Case {
    let (status, reason) = (401, "unauthenticated");
    Case { slug, what, authorization, path: ("", ""), status, reason, published: true }
}

const fn at(
    slug: &'static str,
    what: &'static str,
    path: (&'static str, &'static str),
    reason: &'static str,
) -> Case {
    Case { slug, what, authorization: HONEST, path, status: 404, reason, published: false }
}

const CASES: [Case; 16] = [
    by("no_token", "without a token", ""),
    by("unknown_token", "with a token nobody has", "Bearer psk_dev_nobody"),
    by("expired_token", "with a token whose time is over", "Bearer psk_dev_expired"),
    by("revoked_token", "with a token that was withdrawn", "Bearer psk_dev_revoked"),
    by("empty_token", "with an empty token", "Bearer "),
    by("basic_scheme", "with another scheme", "Basic psk_dev_operator"),
    by("no_scheme", "with a token and no scheme", "psk_dev_operator"),
    by("token_prefix", "with a part of a token", "Bearer psk_dev_operato"),
    Case {
        slug: "suspended",
        what: "by an account that is suspended",
        authorization: "Bearer psk_dev_suspended",
        path: ("", ""),
        status: 403,
        reason: "account_suspended",
        published: false,
    },
    Case {
        slug: "not_a_member",
        what: "by somebody who is no member of the project",
        authorization: "Bearer psk_dev_outsider",
        path: ("", ""),
        status: 404,
        reason: "project_not_found",
        published: false,
    },
    at("region", "in a region that is not there", ("us-texas-1", "us-texas-2"), "region_not_found"),
    at("region_case", "in a region in capitals", ("us-texas-1", "US-TEXAS-1"), "region_not_found"),
    at(
        "project",
        "in a project that is not there",
        ("project-x9y8z7", "project-0"),
        "project_not_found",
    ),
    at(
        "project_elsewhere",
        "in a project of another region",
        ("us-texas-1", "eu-north-1"),
        "project_not_found",
    ),
    at(
        "cluster",
        "for a cluster that is not there",
        ("cluster-a1b2c3", "cluster-0"),
        "cluster_not_found",
    ),
    at(
        "cluster_encoded",
        "for a cluster whose name is written with escapes around a slash",
        ("cluster-a1b2c3", "cluster%2Fa1b2c3"),
        "cluster_not_found",
    ),
];

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = OPERATIONS
        .iter()
        .flat_map(|operation| CASES.iter().map(|case| refused(operation, case)))
        .collect();
    rules.extend([viewer(), same_words(), scheme_in_any_case()]);
    rules
}

fn refused(operation: &'static Operation, case: &'static Case) -> Rule {
    let id = format!("k0rdent.{}.refused.{}", operation.slug, case.slug);
    let published = case.published && operation.id == "IssueKubeconfig";
    let (draft, page) =
        if published { (must(id), "k0rdent Issue kubeconfig page") } else { (should(id), PAGE) };
    draft
        .title(format!("{} {} is {} {}", operation.id, case.what, case.status, case.reason))
        .source(page, if published { "Authorizations" } else { "Errors" })
        .claims([Claim::refusal(operation.id, case.status, case.reason)])
        .fix("Ask first who calls, then where, and answer with the family's error document.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = issued(&server, &json!({}))?;
            let kubeconfig = made["id"].as_str().unwrap_or_default();
            let collection = COLLECTION.replace(case.path.0, case.path.1);
            let collection = if case.path.0.is_empty() { COLLECTION } else { collection.as_str() };
            let mut call = operation.call(&server, collection, kubeconfig);
            if !case.authorization.is_empty() {
                call = call.header("authorization", case.authorization);
            }
            call.send()?.expect_problem(case.status, case.reason)?;
            expect_kept(&server, 1)
        })
}

fn viewer() -> Rule {
    should("k0rdent.issue_kubeconfig.refused.viewer")
        .title("A viewer of the project may list, and not issue: 403 permission_denied")
        .source(PAGE, "Who may do what")
        .claims([
            Claim::refusal("IssueKubeconfig", 403, "permission_denied"),
            Claim::operation("ListKubeconfigs", 200),
        ])
        .fix("Refuse a viewer's issue request with 403, and answer its list.")
        .check(|bench| {
            let server = bench.server()?;
            issue_as(&server, VIEWER, &json!({}))
                .send()?
                .expect_problem(403, "permission_denied")?;
            let page = server.get(COLLECTION).bearer(VIEWER).send()?.expect(200)?;
            expect_eq("the viewer's list", &json!({"kubeconfigs": []}), &page)?;
            expect_kept(&server, 0)
        })
}

fn same_words() -> Rule {
    should("k0rdent.issue_kubeconfig.refused.same_words")
        .title(
            "A project one is no member of is refused in the very words of one that is not there",
        )
        .source("docs/decisions/0036-k0rdent.md", "404 for what is somebody else's")
        .claims([Claim::refusal("IssueKubeconfig", 404, "project_not_found")])
        .fix("Look for the project among the caller's own.")
        .check(|bench| {
            let server = bench.server()?;
            let missing = COLLECTION.replace("project-x9y8z7", "project-0");
            let say = |path: &str| -> Outcome<_> {
                let call = server.post(path, &json!({})).bearer(Identity::Outsider.token());
                call.send()?.expect_problem(404, "project_not_found")
            };
            expect_eq("the refusal", &say(&missing)?, &say(COLLECTION)?)
        })
}

fn scheme_in_any_case() -> Rule {
    must("k0rdent.issue_kubeconfig.scheme_in_any_case")
        .title("The scheme of the Authorization header counts in any case")
        .source("RFC 9110", "the scheme is case-insensitive")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .fix("Compare the scheme without regard to case.")
        .check(|bench| {
            let server = bench.server()?;
            for scheme in ["bearer", "BEARER", "bEaReR"] {
                let value = format!("{scheme} {}", Identity::Operator.token());
                issue(&server, &json!({})).header("authorization", &value).send()?.expect(201)?;
            }
            Ok(())
        })
}
