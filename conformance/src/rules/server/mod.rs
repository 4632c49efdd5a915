//! Rules about a control plane, asked directly.

mod attach;
mod attach_socket;
mod authz;
mod bodies;
mod budget;
mod callback;
mod control;
mod determinism;
mod directory;
mod examples;
mod faults;
mod gates;
mod generations;
mod idempotency;
mod installation;
mod issue;
mod journal;
mod lifetime;
mod list;
mod list_refusals;
mod namespaces;
mod no_request;
mod operation;
mod operations;
mod process;
mod relations;
mod revoke;
mod service;
mod token;
mod wire;

use std::borrow::Cow;

use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

/// The contract in words, and the contract for programs.
const PAGE: &str = "docs/contract.md";
const DOCUMENT: &str = "fixtures/contract/plexsphere.json";

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = Vec::new();
    rules.extend(attach::all());
    rules.extend(attach_socket::all());
    rules.extend(authz::all());
    rules.extend(bodies::all());
    rules.extend(budget::all());
    rules.extend(callback::all());
    rules.extend(control::all());
    rules.extend(determinism::all());
    rules.extend(directory::all());
    rules.extend(examples::all()?);
    rules.extend(faults::all());
    rules.extend(gates::all());
    rules.extend(generations::all());
    rules.extend(idempotency::all());
    rules.extend(issue::all());
    rules.extend(journal::all());
    rules.extend(lifetime::all());
    rules.extend(list::all());
    rules.extend(list_refusals::all());
    rules.extend(namespaces::all());
    rules.extend(no_request::all());
    rules.extend(operations::all());
    rules.extend(process::all());
    rules.extend(relations::all());
    rules.extend(revoke::all());
    rules.extend(service::all());
    rules.extend(token::all());
    rules.extend(wire::all());
    Ok(rules)
}

/// What the contract says, asked of the default world.
fn must(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::must(id, Side::Server).needs([Need::ExampleIds])
}

/// What this project has settled beyond the contract.
fn should(id: impl Into<Cow<'static, str>>) -> RuleDraft {
    Rule::should(id, Side::Server).needs([Need::ExampleIds])
}
