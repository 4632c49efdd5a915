//! A small report with one of each verdict, for the tests of the renderers.

use std::time::Duration;

use super::model::{About, Run, Subjects};
use super::{Judgement, Report};
use crate::known::Stale;
use crate::rule::{Claim, Rule, Side};
use crate::runner::Judged;
use crate::verdict::{Failure, Verdict};

pub(super) fn report() -> Report {
    let failure = Failure::new("x", 1, "<script>alert(1)</script> \u{1b}[31m |`");
    let known = Verdict::Known {
        reason: "for now".into(),
        link: "https://example.org/1".into(),
        failure: failure.clone(),
    };
    let all = [
        ("a.passes", Verdict::Pass),
        ("b.fails", Verdict::Fail { failure }),
        ("c.skips", Verdict::Skip { need: "kubectl on PATH".into() }),
        ("d.skips", Verdict::Skip { need: "kubectl on PATH".into() }),
        ("e.known", known),
        ("f.waits", Verdict::NotRun { why: "the server is gone".into() }),
    ];
    let rules: Vec<Rule> = all
        .iter()
        .map(|(id, _)| {
            Rule::must((*id).to_owned(), Side::Client)
                .title("does what it should")
                .source("plexctl kubeconfig page", "Exit codes, 77")
                .claims([Claim::exit("kubeconfig.77.rebac_denied")])
                .fix("Do it.")
                .check(|_| Ok(()))
        })
        .collect();
    let judged: Vec<Judged> = all
        .into_iter()
        .map(|(id, verdict)| {
            let wrong = verdict.is_wrong();
            let evidence = wrong.then(|| format!("asked: {}", "x".repeat(1000)));
            let evidence = evidence.into_iter().collect();
            Judged { id: id.into(), verdict, took: Duration::ZERO, evidence }
        })
        .collect();
    let rules: Vec<&Rule> = rules.iter().collect();
    let stale = Stale {
        rule: "x.*".into(),
        problem: "no rule is called so".into(),
        mend: "delete: - rule: 'x.*'".into(),
        rules: Vec::new(),
    };
    let about = About {
        subjects: Subjects { plexctl: Some("/p".into()), ..Subjects::default() },
        run: Run { level: "should".into(), seed: 1, ..Run::default() },
        command: "conformance run --plexctl /p".into(),
        ..About::default()
    };
    Report::new(&judged, &rules, vec![stale], about)
}

/// A judgement of that name, for reports that are merged or compared.
pub(super) fn judgement(id: &str, verdict: Verdict) -> Judgement {
    let mut one = report().rules.remove(0);
    one.id = id.to_owned();
    one.verdict = verdict;
    one
}
