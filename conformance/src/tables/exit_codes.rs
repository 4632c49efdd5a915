//! `docs/exit-codes.md`: what each command ends with, and who watches over it.

use std::fmt::Write as _;

use serde_json::Value;

use super::{NOTICE, cell};
use crate::fixture;
use crate::rule::{Claim, Rule};
use crate::verdict::Outcome;

/// More rules than these are counted and not named.
const NAMED: usize = 2;

pub(super) fn page(rules: &[Rule]) -> Outcome<String> {
    let document = fixture::json("contract/exit_codes.json")?;
    let rows: Vec<&Value> = document["rows"].as_array().into_iter().flatten().collect();
    let mut text = format!(
        "# Exit codes\n\n{NOTICE}\n\nThe tables of the three command pages, each row taken apart \
         into the single events it names, from\n[exit_codes.json](../fixtures/contract/exit_codes.json). \
         On every code but 0, stdout is empty and stderr says why.\n`conformance explain RULE` tells \
         what a rule asks; [rules.md](rules.md) lists them all.\n"
    );
    let mut command = "";
    for row in rows {
        let of = |member: &str| row[member].as_str().unwrap_or_default();
        if of("command") != command {
            command = of("command");
            let page = row["source"]["page"].as_str().unwrap_or_default();
            let section = row["source"]["section"].as_str().unwrap_or_default();
            let _ = write!(
                text,
                "\n## {command}\n\nSource: {page} page, {section}.\n\n| code | when | rules |\n|---|---|---|\n"
            );
        }
        let code = &row["code"];
        let _ = writeln!(text, "| **{code}** | **{}** | |", cell(of("trigger")));
        for trigger in row["triggers"].as_array().into_iter().flatten() {
            let id = trigger["id"].as_str().unwrap_or_default();
            let what = cell(trigger["what"].as_str().unwrap_or_default());
            let _ = writeln!(text, "| | {what} | {} |", watched(rules, id));
        }
    }
    Ok(text)
}

/// The rules that claim the trigger.
fn watched(rules: &[Rule], trigger: &str) -> String {
    let claims = |rule: &&Rule| {
        rule.claims.iter().any(|claim| matches!(claim, Claim::Exit { id } if id == trigger))
    };
    let ids: Vec<&str> = rules.iter().filter(claims).map(|rule| &*rule.id).collect();
    let mut named: Vec<String> = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    if ids.len() > NAMED {
        named.push(format!("{} more", ids.len() - NAMED));
    }
    named.join(", ")
}
