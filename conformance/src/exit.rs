//! The exit codes of `conformance`, in one place. `docs/decisions/0039-*.md` says why these.

use std::process::ExitCode;

use crate::verdict::Verdict;

/// How a run ended, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every rule that ran passed, or deviated exactly as listed.
    Conforms,
    /// At least one rule failed.
    DoesNotConform,
    /// The command line made no sense.
    Usage,
    /// The harness could not do its work.
    HarnessFailed,
    /// An entry of the known-failing list is stale, matches nothing or has expired.
    StaleExpectation,
    /// No rule was judged: all were skipped, or none was chosen.
    NothingRan,
}

impl Ending {
    pub fn code(self) -> u8 {
        match self {
            Self::Conforms => 0,
            Self::DoesNotConform => 1,
            Self::Usage => 2,
            Self::HarnessFailed => 3,
            Self::StaleExpectation => 4,
            Self::NothingRan => 5,
        }
    }

    /// What a whole run amounts to. A failure outweighs a fault of the harness: the subject is
    /// known to be wrong, whatever else could not be seen. What an entry of the known-failing list
    /// is about counts as that entry's fault, and is left out of `verdicts`.
    pub fn of<'v>(
        verdicts: impl IntoIterator<Item = &'v Verdict>,
        stale_expectations: usize,
    ) -> Self {
        let verdicts: Vec<&Verdict> = verdicts.into_iter().collect();
        let any = |wanted: fn(&Verdict) -> bool| verdicts.iter().any(|one| wanted(one));
        if any(|verdict| matches!(verdict, Verdict::Fail { .. })) {
            Self::DoesNotConform
        } else if any(|verdict| matches!(verdict, Verdict::Broken { .. } | Verdict::NotRun { .. }))
        {
            Self::HarnessFailed
        } else if stale_expectations > 0 {
            Self::StaleExpectation
        } else if any(|verdict| matches!(verdict, Verdict::Pass | Verdict::Known { .. })) {
            Self::Conforms
        } else {
            Self::NothingRan
        }
    }
}

impl Ending {
    /// The ending that a report was written with.
    pub fn of_code(code: u8) -> Option<Self> {
        let all = [
            Self::Conforms,
            Self::DoesNotConform,
            Self::Usage,
            Self::HarnessFailed,
            Self::StaleExpectation,
            Self::NothingRan,
        ];
        all.into_iter().find(|ending| ending.code() == code)
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Failure;

    #[test]
    fn skips_alone_are_never_success() {
        let skip = || Verdict::Skip { need: "kubectl".into() };
        let pass = || Verdict::Pass;
        let fail = || Verdict::Fail { failure: Failure::new("a", "b", "c") };
        let broken = || Verdict::Broken { why: "x".into() };
        assert_eq!(Ending::of(&[], 0), Ending::NothingRan);
        assert_eq!(Ending::of(&[skip()], 0), Ending::NothingRan);
        assert_eq!(Ending::of(&[skip(), pass()], 0), Ending::Conforms);
        assert_eq!(Ending::of(&[pass(), fail(), broken()], 1), Ending::DoesNotConform);
        assert_eq!(Ending::of(&[pass(), broken()], 1), Ending::HarnessFailed);
        assert_eq!(Ending::of(&[pass()], 1), Ending::StaleExpectation);
    }
}
