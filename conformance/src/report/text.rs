//! The report for a person: all that is known of what went wrong, a word on what could not be
//! judged, and how many passed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Counts;
use crate::rule::Rule;
use crate::runner::Judged;
use crate::verdict::Verdict;

/// How much a person wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What went wrong.
    Quiet,
    /// Known deviations and skips as well, skips gathered by what they need.
    Usual,
    /// A line for every rule.
    Verbose,
}

/// An exchange is shown up to here; the JSON report has more of it.
const NOTE_LENGTH: usize = 400;

/// The whole report. The last line says how many rules passed, failed and were skipped, and
/// nothing else.
pub fn report(judged: &[Judged], rules: &[&Rule], stale: &[String], detail: Detail) -> String {
    let mut text = String::new();
    for one in judged {
        let shown = match one.verdict {
            Verdict::Pass | Verdict::Skip { .. } => detail == Detail::Verbose,
            Verdict::Known { .. } => detail != Detail::Quiet,
            Verdict::Fail { .. } | Verdict::NotRun { .. } | Verdict::Broken { .. } => true,
        };
        if shown {
            let rule = rules.iter().find(|rule| *rule.id == *one.id).copied();
            line(&mut text, one, rule);
        }
    }
    if detail == Detail::Usual {
        skips(&mut text, judged);
    }
    for entry in stale {
        let _ = writeln!(text, "stale   {entry}");
    }
    closing(&mut text, &Counts::of(judged));
    text
}

fn line(text: &mut String, judged: &Judged, rule: Option<&Rule>) {
    let said = match &judged.verdict {
        Verdict::Pass => String::new(),
        Verdict::Fail { failure } => format!(": {failure}"),
        Verdict::Known { reason, link, .. } => format!(": {reason} ({link})"),
        Verdict::Skip { need } => format!(": needs {need}"),
        Verdict::NotRun { why } | Verdict::Broken { why } => format!(": {why}"),
    };
    let _ = writeln!(text, "{:<7} {}{said}", judged.verdict.word(), judged.id);
    if !matches!(judged.verdict, Verdict::Fail { .. } | Verdict::Broken { .. }) {
        return;
    }
    if let Some(rule) = rule {
        let _ = writeln!(text, "        rule: {}", rule.title);
        let _ = writeln!(text, "        source: {}, {}", rule.source.page, rule.source.fact);
        let _ = writeln!(text, "        fix: {}", rule.fix);
    }
    for note in &judged.evidence {
        let _ = writeln!(text, "        {}", bounded(note).replace('\n', "\n        "));
    }
}

/// A run is a line to paste into a shell and stays whole; what was exchanged is cut.
pub fn bounded(note: &str) -> String {
    let length = if note.starts_with("ran: ") { note.len() } else { NOTE_LENGTH };
    if note.len() <= length {
        return note.to_owned();
    }
    format!("{} [cut; --report keeps more]", &note[..note.floor_char_boundary(length)])
}

/// The skipped rules by what they need: many rules usually lack the same thing.
fn skips(text: &mut String, judged: &[Judged]) {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in judged {
        if let Verdict::Skip { need } = &one.verdict {
            needs.entry(need).or_default().push(&one.id);
        }
    }
    for (need, ids) in needs {
        let said = match ids.as_slice() {
            [] => continue,
            [one] => format!("{one}: needs {need}"),
            [first, .., last] => format!("{} rules, {first} to {last}: need {need}", ids.len()),
        };
        let _ = writeln!(text, "skip    {said}");
    }
}

fn closing(text: &mut String, counts: &Counts) {
    let ran = counts.rules - counts.skip - counts.not_run;
    let _ = write!(text, "{ran} of {} rules ran", counts.rules);
    for (count, word) in
        [(counts.known, "known"), (counts.not_run, "not run"), (counts.broken, "broken")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {word}");
        }
    }
    let _ =
        writeln!(text, "\n{} passed, {} failed, {} skipped", counts.pass, counts.fail, counts.skip);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::Failure;

    fn judged(id: &str, verdict: Verdict, evidence: &[&str]) -> Judged {
        let evidence = evidence.iter().map(|note| (*note).to_owned()).collect();
        Judged { id: id.into(), verdict, took: Duration::ZERO, evidence }
    }

    #[test]
    fn a_person_reads_failures_and_counts() {
        let exchange = format!("asked: {}", "x".repeat(1000));
        let all = [
            judged("a.passes", Verdict::Pass, &[]),
            judged("b.fails", Verdict::Fail { failure: Failure::new("x", 1, 2) }, &[&exchange]),
            judged("c.skips", Verdict::Skip { need: "kubectl on PATH".into() }, &[]),
            judged("d.skips", Verdict::Skip { need: "kubectl on PATH".into() }, &[]),
        ];
        let usual = report(&all, &[], &[], Detail::Usual);
        assert!(!usual.contains("a.passes"), "{usual}");
        assert!(usual.contains("skip    2 rules, c.skips to d.skips: need kubectl on PATH"));
        assert!(usual.ends_with("2 of 4 rules ran\n1 passed, 1 failed, 2 skipped\n"), "{usual}");
        assert!(usual.lines().all(|line| line.len() < 500), "{usual}");
        assert!(report(&all, &[], &[], Detail::Verbose).contains("pass    a.passes"));
        assert!(!report(&all, &[], &[], Detail::Quiet).contains("kubectl"));
    }
}
