//! Writing verdicts down: for a person, and for a program.

pub mod json;
pub mod text;

use serde::Serialize;

use crate::runner::Judged;
use crate::verdict::Verdict;

/// How many rules got which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    pub rules: usize,
    pub pass: usize,
    pub fail: usize,
    pub known: usize,
    pub skip: usize,
    pub not_run: usize,
    pub broken: usize,
}

impl Counts {
    pub fn of(judged: &[Judged]) -> Self {
        let mut counts = Self { rules: judged.len(), ..Self::default() };
        for one in judged {
            let count = match one.verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail { .. } => &mut counts.fail,
                Verdict::Known { .. } => &mut counts.known,
                Verdict::Skip { .. } => &mut counts.skip,
                Verdict::NotRun { .. } => &mut counts.not_run,
                Verdict::Broken { .. } => &mut counts.broken,
            };
            *count += 1;
        }
        counts
    }
}
