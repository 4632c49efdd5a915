//! The contract's own examples of issue requests, right ones and wrong ones.

use serde_json::Value;

use super::installation::expect_sessions;
use super::{DOCUMENT, must};
use crate::bench::{Family, Identity};
use crate::fixture;
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, broken, expect_eq, fail};

const EXAMPLES: &str = "contract/examples/plexsphere";
/// Wrong only in a field that nobody reads: a server takes such a request and notes the field.
const MERELY_UNREAD: [&str; 1] = ["issue_ttl_misnamed"];

pub(super) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    for (stem, example) in examples("valid")? {
        rules.push(accepted(&stem, example));
    }
    for (stem, example) in examples("invalid")? {
        if !MERELY_UNREAD.contains(&stem.as_str()) {
            rules.push(refused(&stem, example));
        }
    }
    Ok(rules)
}

fn examples(side: &str) -> Outcome<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for path in fixture::list(&format!("{EXAMPLES}/{side}/issue_")) {
        let example = fixture::json(&path)?;
        let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        if example["schema"] == "IssueSessionRequest" {
            found.push((stem.to_owned(), example["value"].clone()));
        }
    }
    if found.is_empty() {
        broken(format!("no {side} examples of an issue request"))
    } else {
        Ok(found)
    }
}

fn accepted(stem: &str, body: Value) -> Rule {
    must(format!("server.issue_session.accepts.{}", stem.trim_start_matches("issue_")))
        .title(format!("The request of the contract's example {stem} is answered with a session"))
        .source(DOCUMENT, "IssueSessionRequest")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Take every request that is of the contract's schema and inside the limits.")
        .check(move |bench| {
            let server = bench.server()?;
            let issued =
                server.issue(Family::Ssh, Identity::Operator)?.json(&body).send()?.expect(201)?;
            expect_eq("the kind of the session", &body["kind"], &issued["session"]["kind"])?;
            let kind = body["kind"].as_str().unwrap_or_default();
            for (field, value) in body["target"][kind].as_object().into_iter().flatten() {
                let kept = &issued["session"]["target"][kind][field];
                let nothing = value.as_array().is_some_and(Vec::is_empty) && kept.is_null();
                if !nothing {
                    expect_eq(format!("{field} of the session's target"), value, kept)?;
                }
            }
            expect_sessions(&server, 1)
        })
}

fn refused(stem: &str, body: Value) -> Rule {
    must(format!("server.issue_session.refuses.{}", stem.trim_start_matches("issue_")))
        .title(format!("The request of the contract's wrong example {stem} is a 400 and leaves nothing behind"))
        .source(DOCUMENT, "IssueSessionRequest; IssueSession, 400")
        .claims([Claim::operation("IssueSession", 400)])
        .fix("Refuse what is not of the request schema with 400 invalid_body, or invalid_target where the target is at fault.")
        .check(move |bench| {
            let server = bench.server()?;
            let exchange = server.issue(Family::Ssh, Identity::Operator)?.json(&body).send()?;
            let problem = exchange.expect(400)?;
            let code = problem["code"].as_str().unwrap_or_default();
            if !["invalid_body", "invalid_target"].contains(&code) {
                return fail("the problem code", "invalid_body or invalid_target", code);
            }
            expect_sessions(&server, 0)
        })
}
