//! TAP version 14: a line a rule, a block of YAML where something is to be known. A known deviation
//! is TODO, which TAP counts as no failure.

use std::fmt::Write as _;

use super::Report;
use super::junit::told;
use crate::verdict::Verdict;

pub fn report(report: &Report) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", report.rules.len());
    for (number, one) in report.rules.iter().enumerate() {
        let number = number + 1;
        let said = one_line(&one.said());
        let _ = match &one.verdict {
            Verdict::Pass => writeln!(text, "ok {number} - {}", one.id),
            Verdict::Skip { .. } => writeln!(text, "ok {number} - {} # SKIP {said}", one.id),
            Verdict::Known { .. } => writeln!(text, "not ok {number} - {} # TODO {said}", one.id),
            Verdict::Fail { .. } | Verdict::NotRun { .. } | Verdict::Broken { .. } => {
                writeln!(text, "not ok {number} - {}", one.id)
            }
        };
        if one.verdict.is_wrong() {
            // A JSON string is a YAML string, whatever stands in it.
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            let level = format!("{:?}", one.level).to_lowercase();
            let _ = writeln!(
                text,
                "  ---\n  message: {}\n  verdict: {}\n  level: {level}\n  details: {}\n  ...",
                quoted(&one.said()),
                one.verdict.word(),
                quoted(&told(one)),
            );
        }
    }
    for stale in &report.stale_expectations {
        let _ = writeln!(text, "# stale expectation: {}", one_line(&stale.to_string()));
    }
    for line in report.closing() {
        let _ = writeln!(text, "# {line}");
    }
    text
}

/// Without the characters that mean something in a TAP line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('\\', "\\\\").replace('#', "\\#")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_plan_and_as_many_lines() {
        let text = report(&sample::report());
        let points =
            text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok "));
        assert_eq!(points.count(), 6, "{text}");
        assert!(
            text.starts_with("TAP version 14\n1..6\nok 1 - a.passes\nnot ok 2 - b.fails\n  ---\n")
        );
        assert!(text.contains("ok 3 - c.skips # SKIP needs kubectl on PATH\n"), "{text}");
        assert!(text.contains("# TODO for now (https://example.org/1)\n"), "{text}");
    }
}
