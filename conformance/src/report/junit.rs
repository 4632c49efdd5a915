//! JUnit XML, within what both schemas in use (Ant's and Jenkins') allow. A failure is a failure, a
//! fault of the harness an error, a known deviation is skipped with its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Counts, Judgement, Report};
use crate::verdict::Verdict;

/// The schema wants a time, and a report that can be compared has none.
const NO_TIME: &str = "1970-01-01T00:00:00";

pub fn report(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Vec<&Judgement>> = BTreeMap::new();
    for one in &report.rules {
        suites.entry(suite(&one.id)).or_default().push(one);
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (number, (name, rules)) in suites.into_iter().enumerate() {
        write_suite(&mut text, report, number, name, &rules);
    }
    text.push_str("</testsuites>\n");
    text
}

/// Rules are gathered by the first word of their id.
fn suite(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

fn write_suite(
    text: &mut String,
    report: &Report,
    number: usize,
    name: &str,
    rules: &[&Judgement],
) {
    let counts = Counts::of(rules.iter().map(|one| &one.verdict));
    let took: u64 = rules.iter().filter_map(|one| one.took_ms).sum();
    let _ = writeln!(
        text,
        "  <testsuite id=\"{number}\" package=\"conformance\" name=\"{}\" timestamp=\"{}\" \
         hostname=\"localhost\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" \
         time=\"{}\">",
        escaped(name),
        escaped(report.run.started.as_deref().unwrap_or(NO_TIME)),
        counts.rules,
        counts.fail,
        counts.broken + counts.not_run,
        counts.skip + counts.known,
        seconds(took),
    );
    text.push_str("    <properties>\n");
    let mut properties = vec![
        ("tool", report.tool.version.clone()),
        ("contract", report.contract.generation.clone()),
        ("seed", report.run.seed.to_string()),
    ];
    properties
        .extend(report.subjects.named().into_iter().map(|(name, value)| (name, value.to_owned())));
    for (name, value) in properties {
        let value = escaped(&value);
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{value}\"/>");
    }
    text.push_str("    </properties>\n");
    for one in rules {
        write_case(text, one);
    }
    text.push_str("    <system-out></system-out>\n    <system-err></system-err>\n");
    text.push_str("  </testsuite>\n");
}

fn write_case(text: &mut String, one: &Judgement) {
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        escaped(suite(&one.id)),
        escaped(&one.id),
        seconds(one.took_ms.unwrap_or_default()),
    );
    let message = escaped(&one.said());
    let _ = match &one.verdict {
        Verdict::Pass => writeln!(text, "/>"),
        Verdict::Skip { .. } | Verdict::Known { .. } => {
            let known = if matches!(one.verdict, Verdict::Known { .. }) { "known: " } else { "" };
            writeln!(text, ">\n      <skipped message=\"{known}{message}\"/>\n    </testcase>")
        }
        Verdict::Fail { .. } | Verdict::NotRun { .. } | Verdict::Broken { .. } => {
            let element =
                if matches!(one.verdict, Verdict::Fail { .. }) { "failure" } else { "error" };
            writeln!(
                text,
                ">\n      <{element} type=\"{}\" message=\"{message}\">{}</{element}>\n    </testcase>",
                one.verdict.word(),
                escaped(&told(one)),
            )
        }
    };
}

/// What to know about a failure, for the body of its element.
pub(super) fn told(one: &Judgement) -> String {
    let mut lines = vec![
        one.title.clone(),
        format!("source: {}, {}", one.source.page, one.source.fact),
        format!("fix: {}", one.fix),
    ];
    lines.extend(one.repeat.iter().map(|repeat| format!("repeat: {repeat}")));
    lines.extend(one.evidence.iter().cloned());
    lines.join("\n")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Text that may stand in an attribute and in an element; characters that XML cannot hold at all
/// become the sign for what cannot be shown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn each_verdict_has_its_element() {
        let text = report(&sample::report());
        assert!(text.contains("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{text}");
        assert!(text.contains("<failure type=\"fail\" message=\"x: expected 1, observed"));
        assert!(text.contains("<skipped message=\"known: for now (https://example.org/1)\"/>"));
        assert!(text.contains("<error type=\"not-run\""), "{text}");
        assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
    }
}
