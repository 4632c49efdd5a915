//! Rules about Rancher's kubeconfigs.

mod api;
mod changes;
mod changes_refused;
mod clusters;
mod create;
mod create_contents;
mod create_order;
mod create_refused;
mod delete;
mod delete_collection;
mod everywhere;
mod forms;
mod kubectl;
mod kubectl_changes;
mod list;
mod scenarios;
mod site;
mod tokens;
mod watch;
mod works;
mod writable;

use std::borrow::Cow;

use crate::bench::System;
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

/// The published page, the surface in words, and its document for programs.
const PUBLIC: &str = "Rancher Kubeconfigs page";
const PAGE: &str = "docs/rancher.md";
const DOCUMENT: &str = "fixtures/contract/rancher.json";

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    rules.extend(api::all());
    rules.extend(changes::all());
    rules.extend(changes_refused::all());
    rules.extend(clusters::all());
    rules.extend(create::all());
    rules.extend(create_contents::all());
    rules.extend(create_order::all());
    rules.extend(create_refused::all());
    rules.extend(delete::all());
    rules.extend(delete_collection::all());
    rules.extend(everywhere::all());
    rules.extend(forms::all());
    rules.extend(kubectl::all());
    rules.extend(kubectl_changes::all());
    rules.extend(list::all());
    rules.extend(scenarios::all()?);
    rules.extend(tokens::all());
    rules.extend(watch::all());
    rules.extend(works::all());
    rules.extend(writable::all());
    Ok(rules)
}

/// What the published page says; any Rancher and any of its users will do.
fn must(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::must(id, Side::Server).system(System::Rancher)
}

/// What the page does not say, read off Rancher's behaviour or settled here.
fn should(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::should(id, Side::Server).system(System::Rancher)
}

/// The users and clusters of the embedded world.
const SEEDED: [Need; 1] = [Need::EmbeddedRancher];
