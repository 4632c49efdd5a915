//! The report for a person: all that is known of what went wrong, a word on what could not be
//! judged, and how many passed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Judgement, Report};
use crate::rule::Level;
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
    /// A line for every rule, and all that happened.
    Trace,
}

/// An exchange is shown up to here; the JSON report has more of it.
const NOTE_LENGTH: usize = 400;

/// The whole report. The last line says how many rules passed, failed and were skipped, and
/// nothing else.
pub fn report(report: &Report, detail: Detail) -> String {
    let mut text = String::new();
    let every = matches!(detail, Detail::Verbose | Detail::Trace);
    for one in &report.rules {
        let shown = match one.verdict {
            Verdict::Pass | Verdict::Skip { .. } => every,
            Verdict::Known { .. } => detail != Detail::Quiet,
            Verdict::Fail { .. } | Verdict::NotRun { .. } | Verdict::Broken { .. } => true,
        };
        if shown {
            line(&mut text, one, detail);
        }
    }
    if detail == Detail::Usual {
        skips(&mut text, report);
    }
    for stale in &report.stale_expectations {
        let _ = writeln!(text, "stale   {stale}");
        for line in stale.mend.lines() {
            let _ = writeln!(text, "        {line}");
        }
    }
    closing(&mut text, report, detail);
    text
}

fn line(text: &mut String, one: &Judgement, detail: Detail) {
    let said = one.said();
    let colon = if said.is_empty() { "" } else { ": " };
    let _ = writeln!(text, "{:<7} {}{colon}{said}", one.verdict.word(), one.id);
    let wrong = matches!(one.verdict, Verdict::Fail { .. } | Verdict::Broken { .. });
    if wrong {
        let level = if one.level == Level::Must { "MUST" } else { "SHOULD" };
        let _ = writeln!(text, "        rule: {} ({level})", one.title);
        let _ = writeln!(text, "        source: {}, {}", one.source.page, one.source.fact);
        let _ = writeln!(text, "        fix: {}", one.fix);
    }
    if wrong || detail == Detail::Trace {
        for note in &one.evidence {
            let note = if detail == Detail::Trace { note.clone() } else { bounded(note) };
            let _ = writeln!(text, "        {}", note.replace('\n', "\n        "));
        }
    }
    if wrong && let Some(repeat) = &one.repeat {
        let _ = writeln!(text, "        repeat: {repeat}");
    }
    if let Some(listing) = &one.listing {
        let _ = writeln!(text, "        add, if it has to be: {listing}");
    }
}

/// A run is a line to paste into a shell and stays whole; what was exchanged is cut.
pub fn bounded(note: &str) -> String {
    let length = if note.starts_with("ran: ") { note.len() } else { NOTE_LENGTH };
    if note.len() <= length {
        return note.to_owned();
    }
    format!("{} [cut; the JSON report keeps more]", &note[..note.floor_char_boundary(length)])
}

/// The skipped rules by what they need: many rules usually lack the same thing.
fn skips(text: &mut String, report: &Report) {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in &report.rules {
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

fn closing(text: &mut String, report: &Report, detail: Detail) {
    let [ran, passed] = report.closing();
    let _ = writeln!(text, "{ran}");
    if detail != Detail::Quiet {
        if report.counts.rules > 0 {
            let also = report.contract.also.join(", ");
            let also = if also.is_empty() { also } else { format!("; some rules ask for {also}") };
            let _ = writeln!(text, "contract {}{also}", report.contract.generation);
        }
        let [must, should] = [report.levels.must, report.levels.should];
        if must.fail + should.fail > 0 {
            let _ = writeln!(text, "failed: {} MUST, {} SHOULD", must.fail, should.fail);
        }
        if let Some(proven) = report.proven {
            let (some, all) = (proven.proven, proven.rules);
            let _ = writeln!(
                text,
                "{some} of {all} rules have a broken subject; `selfcheck` plays them"
            );
        }
    }
    let _ = writeln!(text, "{passed}");
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_person_reads_failures_and_counts() {
        let sample = sample::report();
        let usual = report(&sample, Detail::Usual);
        assert!(!usual.contains("a.passes"), "{usual}");
        assert!(usual.contains("skip    2 rules, c.skips to d.skips: need kubectl on PATH"));
        assert!(usual.contains("repeat: conformance run --plexctl /p --rule b.fails"), "{usual}");
        assert!(usual.contains("stale   x.*: no rule is called so\n        delete: "), "{usual}");
        assert!(usual.contains("failed: 1 MUST, 0 SHOULD\n"), "{usual}");
        assert!(usual.ends_with("\n1 passed, 1 failed, 2 skipped\n"), "{usual}");
        assert!(usual.lines().all(|line| line.len() < 500), "{usual}");
        let verbose = report(&sample, Detail::Verbose);
        assert!(verbose.contains("pass    a.passes\n"), "{verbose}");
        assert!(!report(&sample, Detail::Quiet).contains("kubectl"));
        let trace = report(&sample, Detail::Trace);
        assert!(trace.lines().any(|line| line.len() > 900), "{trace}");
    }
}
