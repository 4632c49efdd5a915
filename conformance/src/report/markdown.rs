//! A summary for a job page: the counts, what failed and how to repeat it, what was not judged.

use std::fmt::Write as _;

use super::{Counts, Report};
use crate::rule::Level;

/// More failures than these are counted and not shown: a job page takes a megabyte at most.
const SHOWN: usize = 50;

pub fn report(report: &Report) -> String {
    let mut text = String::from("# Conformance\n\n");
    let word = match report.exit_code {
        0 => "conforms",
        1 => "does not conform",
        4 => "an expectation is stale",
        5 => "nothing ran",
        _ => "the harness could not do its work",
    };
    let _ = writeln!(text, "**{word}**, contract {}\n", report.contract.generation);
    for (name, value) in report.subjects.named() {
        let _ = writeln!(text, "- {name}: {}", code(value));
    }
    text.push_str("\n| | rules | passed | failed | known | skipped | not run | broken |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for (name, counts) in
        [("MUST", report.levels.must), ("SHOULD", report.levels.should), ("all", report.counts)]
    {
        row(&mut text, name, counts);
    }
    if let Some(proven) = report.proven {
        let (some, all) = (proven.proven, proven.rules);
        let _ = writeln!(
            text,
            "\n{some} of {all} rules have a broken subject; `selfcheck` plays them."
        );
    }
    failures(&mut text, report);
    if !report.stale_expectations.is_empty() {
        text.push_str("\n## Stale expectations\n\n");
        for stale in &report.stale_expectations {
            let _ = writeln!(text, "- {}", plain(&stale.to_string()));
        }
    }
    if !report.needs.is_empty() {
        text.push_str("\n## Not judged\n\n| rules | for the lack of |\n|---|---|\n");
        for (need, count) in &report.needs {
            let _ = writeln!(text, "| {count} | {} |", plain(need));
        }
    }
    text
}

fn row(text: &mut String, name: &str, counts: Counts) {
    let Counts { rules, pass, fail, known, skip, not_run, broken } = counts;
    let _ = writeln!(
        text,
        "| {name} | {rules} | {pass} | {fail} | {known} | {skip} | {not_run} | {broken} |"
    );
}

fn failures(text: &mut String, report: &Report) {
    let wrong: Vec<_> = report.wrong().collect();
    if wrong.is_empty() {
        return;
    }
    text.push_str("\n## What went wrong\n\n");
    for one in wrong.iter().take(SHOWN) {
        let level = if one.level == Level::Must { "MUST" } else { "SHOULD" };
        let _ = writeln!(
            text,
            "<details><summary>{} <code>{}</code>: {}</summary>\n",
            one.verdict.word(),
            one.id,
            plain(&one.said()),
        );
        let _ = writeln!(
            text,
            "{level}: {}. Source: {}, {}. Fix: {}",
            plain(&one.title),
            plain(&one.source.page),
            plain(&one.source.fact),
            plain(&one.fix),
        );
        if let Some(repeat) = &one.repeat {
            let _ = writeln!(text, "\n    {}", repeat.replace('\n', " "));
        }
        text.push_str("\n</details>\n");
    }
    if wrong.len() > SHOWN {
        let _ = writeln!(text, "\n... and {} more.", wrong.len() - SHOWN);
    }
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace(['\n', '\r'], " "))
}

/// Text that Markdown takes for nothing else.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(600) {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
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
    fn a_page_with_counts_and_failures() {
        let text = report(&sample::report());
        assert!(text.contains("**does not conform**, contract 2026-07"), "{text}");
        assert!(text.contains("| all | 6 | 1 | 1 | 1 | 2 | 1 | 0 |"), "{text}");
        assert!(text.contains("<code>b.fails</code>"), "{text}");
        assert!(text.contains("| 2 | kubectl on PATH |"), "{text}");
        assert!(!text.contains("<script"), "{text}");
    }
}
