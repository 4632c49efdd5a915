//! The report for a program. Two runs with the same outcome give the same document: sorted by
//! id, without times, without paths of the sandbox in what passed.

use serde::Serialize;
use serde_json::{Value, json};

use super::Counts;
use crate::exit::Ending;
use crate::rule::Rule;
use crate::runner::Judged;

/// The version of this document's shape.
const FORMAT: u32 = 1;

pub fn report(judged: &[Judged], rules: &[&Rule], stale: &[String], ending: Ending) -> Value {
    let all: Vec<Value> = judged
        .iter()
        .map(|one| {
            let mut value = to_value(one);
            if let Some(rule) = rules.iter().find(|rule| *rule.id == *one.id) {
                value["level"] = to_value(&rule.level);
                value["side"] = to_value(&rule.side);
                value["title"] = to_value(&rule.title);
                value["source"] = to_value(&rule.source);
            }
            value
        })
        .collect();
    json!({
        "format": FORMAT,
        "tool": {"name": "conformance", "version": env!("CARGO_PKG_VERSION")},
        "counts": Counts::of(judged),
        "exit_code": ending.code(),
        "stale_expectations": stale,
        "rules": all,
    })
}

/// One rule as `list` and `explain` show it.
pub fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "level": rule.level,
        "side": rule.side,
        "title": rule.title,
        "source": rule.source,
        "claims": rule.claims,
        "needs": rule.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "fix": rule.fix,
    })
}

/// Our own types always serialise; null would show a mistake of ours at once.
fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
