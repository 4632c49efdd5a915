//! Rules about a control plane, asked directly.

mod bodies;
mod gates;
mod installation;
mod issue;
mod operation;
mod operations;

use std::borrow::Cow;

use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

/// The contract in words, and the contract for programs.
const PAGE: &str = "docs/contract.md";
const DOCUMENT: &str = "fixtures/contract/plexsphere.json";

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    rules.extend(bodies::all()?);
    rules.extend(gates::all());
    rules.extend(issue::all());
    rules.extend(operations::all());
    Ok(rules)
}

/// What the contract says, asked of the default world.
fn must(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::must(id, Side::Server).needs([Need::SeededTokens])
}

/// What this project has settled beyond the contract.
fn should(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::should(id, Side::Server).needs([Need::SeededTokens])
}
