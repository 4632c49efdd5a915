//! The report for a person: a line a rule, and for what went wrong all that is known of it.

use std::fmt::Write as _;

use super::Counts;
use crate::rule::Rule;
use crate::runner::Judged;
use crate::verdict::Verdict;

/// One rule's lines. A quiet report has none for a pass, a skip or a known deviation.
pub fn rule(judged: &Judged, rule: Option<&Rule>, quiet: bool) -> String {
    let mut text = String::new();
    let calm =
        matches!(judged.verdict, Verdict::Pass | Verdict::Skip { .. } | Verdict::Known { .. });
    if quiet && calm {
        return text;
    }
    let said = match &judged.verdict {
        Verdict::Pass => String::new(),
        Verdict::Fail { failure } => format!(": {failure}"),
        Verdict::Known { reason, link, .. } => format!(": {reason} ({link})"),
        Verdict::Skip { need } => format!(": needs {need}"),
        Verdict::NotRun { why } | Verdict::Broken { why } => format!(": {why}"),
    };
    let _ = writeln!(text, "{:<7} {}{said}", judged.verdict.word(), judged.id);
    if calm {
        return text;
    }
    if let Some(rule) = rule {
        let _ = writeln!(text, "        rule: {}", rule.title);
        let _ = writeln!(text, "        source: {}, {}", rule.source.page, rule.source.fact);
        let _ = writeln!(text, "        fix: {}", rule.fix);
    }
    for note in &judged.evidence {
        let _ = writeln!(text, "        {}", note.replace('\n', "\n        "));
    }
    text
}

/// The closing lines: what is wrong with the known-failing list, and the counts.
pub fn closing(counts: &Counts, stale: &[String]) -> String {
    let mut text = String::new();
    for entry in stale {
        let _ = writeln!(text, "stale   {entry}");
    }
    let _ = write!(
        text,
        "{} rules: {} passed, {} failed, {} skipped",
        counts.rules, counts.pass, counts.fail, counts.skip
    );
    for (count, word) in
        [(counts.known, "known"), (counts.not_run, "not run"), (counts.broken, "broken")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {word}");
        }
    }
    text.push('\n');
    text
}
