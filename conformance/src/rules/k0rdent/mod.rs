//! Rules about k0rdent's kubeconfigs.

mod bodies;
mod callers;
mod examples;
mod file;
mod issue;
mod journal;
mod list;
mod order;
mod read;
mod scenarios;
mod site;
mod wire;
mod works;
mod works_kubectl;

use std::borrow::Cow;

use crate::bench::System;
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

/// The surface in words, and its document for programs.
const PAGE: &str = "docs/k0rdent.md";
const DOCUMENT: &str = "fixtures/contract/k0rdent.json";

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    rules.extend(bodies::all());
    rules.extend(callers::all());
    rules.extend(examples::all()?);
    rules.extend(file::all());
    rules.extend(issue::all());
    rules.extend(journal::all());
    rules.extend(list::all());
    rules.extend(order::all());
    rules.extend(read::all());
    rules.extend(scenarios::all()?);
    rules.extend(wire::all());
    rules.extend(works::all());
    rules.extend(works_kubectl::all());
    Ok(rules)
}

/// What the published page says.
fn must(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::must(id, Side::Server).system(System::K0rdent).needs([Need::SeededTokens])
}

/// What this project has settled where the page is silent.
fn should(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::should(id, Side::Server).system(System::K0rdent).needs([Need::SeededTokens])
}
