//! The contract's own examples of issue requests, right ones and wrong ones.

use serde_json::Value;

use super::site::{expect_kept, issue};
use super::{DOCUMENT, should};
use crate::fixture;
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, broken, expect_eq};

const EXAMPLES: &str = "contract/examples/k0rdent";
/// Wrong only in a field that nobody reads: a server takes such a request and notes the field.
const MERELY_UNREAD: [&str; 1] = ["issue_id"];

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
        let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        found.push((stem.to_owned(), fixture::json(&path)?["value"].clone()));
    }
    if found.is_empty() {
        broken(format!("no {side} examples of an issue request"))
    } else {
        Ok(found)
    }
}

fn accepted(stem: &str, body: Value) -> Rule {
    let id = stem.trim_start_matches("issue_");
    should(format!("k0rdent.issue_kubeconfig.accepts.{id}"))
        .title(format!(
            "The request of the contract's example {stem} is answered with a kubeconfig"
        ))
        .source(DOCUMENT, "IssueKubeconfigRequest")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .fix("Take every request that is of the contract's schema and inside the project's limits.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = issue(&server, &body).send()?.expect(201)?;
            if let Some(user) = body.get("user") {
                expect_eq("issuedFor", user, &made["issuedFor"])?;
            }
            expect_kept(&server, 1)
        })
}

fn refused(stem: &str, body: Value) -> Rule {
    let id = stem.trim_start_matches("issue_");
    should(format!("k0rdent.issue_kubeconfig.refuses.{id}"))
        .title(format!(
            "The request of the contract's wrong example {stem} is a 400 and issues nothing"
        ))
        .source(DOCUMENT, "IssueKubeconfigRequest; IssueKubeconfig, 400")
        .claims([Claim::operation("IssueKubeconfig", 400)])
        .fix("Refuse what is not of the request schema with 400 and the field's reason.")
        .check(move |bench| {
            let server = bench.server()?;
            issue(&server, &body).send()?.expect(400)?;
            expect_kept(&server, 0)
        })
}
