//! The report for a program: the model itself. And a rule, as `list` and `explain` show it.

use serde_json::{Value, json};

use super::Report;
use super::model::FORMAT;
use crate::rule::Rule;

pub fn report(report: &Report) -> String {
    // Our own types always serialise; an empty report would show a mistake of ours at once.
    let text = serde_json::to_string_pretty(report).unwrap_or_default();
    format!("{text}\n")
}

/// Reads what [`report`] wrote.
pub fn parse(text: &str) -> Result<Report, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(other) => return Err(format!("a report of format {other}; this reads {FORMAT}")),
        None => return Err("not a report: it has no `format`".to_owned()),
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let sample = sample::report();
        assert_eq!(parse(&report(&sample)).unwrap(), sample);
        assert!(parse("{}").unwrap_err().contains("not a report"));
        assert!(parse(r#"{"format": 99}"#).unwrap_err().contains("format 99"));
    }
}
