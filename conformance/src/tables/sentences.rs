//! `docs/sentences.md`: every sentence of the command pages, and who watches over it.

use std::fmt::Write as _;

use serde_json::Value;

use super::{NOTICE, cell};
use crate::catalogue;
use crate::fixture;
use crate::rule::Rule;
use crate::verdict::{Outcome, broken};

pub(super) fn page(rules: &[Rule]) -> Outcome<String> {
    let document = fixture::json("contract/sentences.json")?;
    let sentences: Vec<&Value> = document["sentences"].as_array().into_iter().flatten().collect();
    let watched = sentences.iter().filter(|one| one["rules"].is_array()).count();
    let mut text = format!(
        "# Sentences of the command pages\n\n{NOTICE}\n\nEvery sentence of the three pages in our own \
         short words, from\n[sentences.json](../fixtures/contract/sentences.json): {} in all, {watched} \
         watched by rules, the others with the reason why none can.\n",
        sentences.len(),
    );
    let mut heading = String::new();
    for one in sentences {
        let of = |member: &str| one[member].as_str().unwrap_or_default();
        let here = format!(
            "\n## {}, {}\n\n| | says | rules |\n|---|---|---|\n",
            of("page"),
            of("section")
        );
        if here != heading {
            text.push_str(&here);
            heading = here;
        }
        let by = match one["rules"].as_array() {
            Some(globs) => watchers(rules, globs)?,
            None => format!("none: {}", cell(of("untestable"))),
        };
        let _ = writeln!(text, "| {} | {} | {by} |", one["ordinal"], cell(of("says")));
    }
    Ok(text)
}

/// The globs, and how many rules each fits.
fn watchers(rules: &[Rule], globs: &[Value]) -> Outcome<String> {
    let mut named = Vec::new();
    for glob in globs.iter().filter_map(Value::as_str) {
        let found = catalogue::matching(rules, &[glob.to_owned()])
            .or_else(|error| broken(format!("{glob}: {error}")))?;
        named.push(match found.len() {
            0 => return broken(format!("sentences.json: no rule is called {glob}")),
            1 => format!("`{glob}`"),
            count => format!("`{glob}` ({count})"),
        });
    }
    Ok(named.join(", "))
}
