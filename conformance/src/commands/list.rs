//! `list` and `explain`: the catalogue, read aloud.

use std::io::Write;

use serde_json::Value;

use super::{Trouble, choose};
use crate::catalogue;
use crate::cli::{ListArgs, Output};
use crate::exit::Ending;
use crate::report;
use crate::rule;

pub(super) fn list(args: &ListArgs, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let rules = choose(&all, &args.choice)?;
    match args.output {
        Output::Json => {
            let values: Vec<Value> = rules.iter().map(|rule| report::json::rule(rule)).collect();
            writeln!(out, "{:#}", Value::from(values))?;
        }
        Output::Text => {
            for rule in &rules {
                writeln!(out, "{}  {}", rule.id, rule.title)?;
            }
        }
    }
    Ok(if rules.is_empty() { Ending::NothingRan } else { Ending::Conforms })
}

pub(super) fn explain(id: &str, output: Output, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let Some(rule) = all.iter().find(|rule| rule.id == id) else {
        return Err(Trouble::Usage(format!(
            "no rule is called {id}; `conformance list` names all"
        )));
    };
    if output == Output::Json {
        writeln!(out, "{:#}", report::json::rule(rule))?;
        return Ok(Ending::Conforms);
    }
    let level = match rule.level {
        rule::Level::Must => "MUST",
        rule::Level::Should => "SHOULD",
    };
    writeln!(out, "{}\n  {}", rule.id, rule.title)?;
    writeln!(out, "  level: {level}\n  source: {}, {}", rule.source.page, rule.source.fact)?;
    for claim in &rule.claims {
        writeln!(out, "  covers: {claim}")?;
    }
    for need in &rule.needs {
        writeln!(out, "  needs: {need}")?;
    }
    writeln!(out, "  fix: {}", rule.fix)?;
    Ok(Ending::Conforms)
}
