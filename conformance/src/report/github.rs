//! Annotations for GitHub's job log. GitHub shows ten of a kind for each step, so what is over is
//! counted in the last one.

use std::fmt::Write as _;

use super::Report;
use crate::verdict::Verdict;

const SHOWN: usize = 9;

pub fn report(report: &Report) -> String {
    let mut text = String::new();
    let wrong: Vec<_> = report.wrong().collect();
    for one in wrong.iter().take(SHOWN) {
        let repeat = one.repeat.as_deref().unwrap_or_default();
        let message = format!("{}\n{}\nfix: {}\n{repeat}", one.said(), one.title, one.fix);
        let _ = writeln!(text, "::error title={}::{}", property(&one.id), data(&message));
    }
    if wrong.len() > SHOWN {
        let more = wrong.len() - SHOWN;
        let _ = writeln!(text, "::error title=conformance::{more} more rules did not pass");
    }
    for stale in report.stale_expectations.iter().take(SHOWN) {
        let message = data(&format!("{stale}\n{}", stale.mend));
        let _ = writeln!(text, "::warning title=stale expectation::{message}");
    }
    let known = report.rules.iter().filter(|one| matches!(one.verdict, Verdict::Known { .. }));
    for one in known.take(SHOWN) {
        let title = property(&format!("known: {}", one.id));
        let _ = writeln!(text, "::notice title={title}::{}", data(&one.said()));
    }
    let _ = writeln!(text, "::notice title=conformance::{}", data(&report.closing().join("; ")));
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_annotation_is_one_line() {
        let text = report(&sample::report());
        assert!(text.starts_with("::error title=b.fails::x: expected 1, observed"), "{text}");
        assert!(text.lines().all(|line| line.starts_with("::")), "{text}");
        assert!(text.contains("::notice title=known%3A e.known::for now"), "{text}");
        assert!(text.contains("::warning title=stale expectation::x.*: "), "{text}");
    }
}
