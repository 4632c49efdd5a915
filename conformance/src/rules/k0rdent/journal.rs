//! What the journal says of k0rdent's operations.

use serde_json::json;

use super::callers::OPERATIONS;
use super::site::{COLLECTION, issue, issued};
use super::{PAGE, should};
use crate::bench::Identity;
use crate::rule::{Claim, Need, Rule};
use crate::verdict::expect_eq;

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = OPERATIONS
        .iter()
        .map(|operation| {
            should(format!("k0rdent.journal.{}", operation.slug))
                .title(format!("The journal counts {} by that name, whatever came of it, with caller and status", operation.id))
                .source(PAGE, "Steering")
                .claims([Claim::refusal(operation.id, 401, "unauthenticated")])
                .needs([Need::Journal])
                .fix("Count by operationId as soon as method and path are known.")
                .check(move |bench| {
                    let server = bench.server()?;
                    let made = issued(&server, &json!({}))?;
                    server.control("DELETE", "/__mock/requests", None)?;
                    let id = made["id"].as_str().unwrap_or_default();
                    operation.call(&server, COLLECTION, id).send()?.expect_problem(401, "unauthenticated")?;
                    let call = operation.call(&server, COLLECTION, id).bearer(Identity::Operator.token());
                    let status = call.send()?.status();
                    server.expect_count(operation.id, 2)?;
                    let entries = server.journal()?["requests"].clone();
                    let seen = |at: usize| {
                        let one = &entries[at];
                        json!([one["operation"], one["status"], one["code"], one["identity"]])
                    };
                    expect_eq("the refused one", &json!([operation.id, 401, "unauthenticated", null]), &seen(0))?;
                    expect_eq("the answered one", &json!([operation.id, status, null, "olivia"]), &seen(1))
                })
        })
        .collect();
    rules.push(unknown());
    rules
}

fn unknown() -> Rule {
    should("k0rdent.journal.outside")
        .title(
            "What is no operation is counted as unknown, and a refused value by its first reason",
        )
        .source(PAGE, "Steering")
        .claims([Claim::refusal("IssueKubeconfig", 400, "invalid_user")])
        .needs([Need::Journal])
        .fix("Note the first reason as the code; leave operations out that are none.")
        .check(|bench| {
            let server = bench.server()?;
            server.get("/v1/regions/x").send()?.expect_problem(404, "unknown_path")?;
            server.call("PUT", COLLECTION).send()?.expect_problem(405, "method_not_allowed")?;
            issue(&server, &json!({"ttl": 0, "user": 1}))
                .send()?
                .expect_problem(400, "invalid_user")?;
            server.expect_count("unknown", 2)?;
            let journal = server.journal()?;
            let codes: Vec<_> = (0..3).map(|at| journal["requests"][at]["code"].clone()).collect();
            expect_eq(
                "the codes",
                &json!(["unknown_path", "method_not_allowed", "invalid_user"]),
                &json!(codes),
            )
        })
}
