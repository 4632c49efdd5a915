//! What a check may answer, and what the runner makes of it.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// What a check returns: `Ok(())`, or why the rule did not pass.
pub type Outcome<T = ()> = Result<T, Reason>;

/// Why a check did not pass. `?` works on the helpers of the bench, on `io::Error` and on
/// `serde_json::Error`; the last two are faults of the set-up, never of the subject.
#[derive(Debug, Clone)]
pub enum Reason {
    /// The subject broke the rule.
    Failure(Failure),
    /// The rule cannot be judged here; the text names what is missing.
    Skip(String),
    /// The harness, not the subject, went wrong.
    Broken(String),
}

/// One broken rule: what was looked at, what it should have been, what it was.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Failure {
    pub what: String,
    pub expected: String,
    pub observed: String,
}

impl Failure {
    pub fn new(
        what: impl Into<String>,
        expected: impl fmt::Display,
        observed: impl fmt::Display,
    ) -> Self {
        Self { what: what.into(), expected: expected.to_string(), observed: observed.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, observed {}", self.what, self.expected, self.observed)
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(reason)) = inner {
            let what = "the certificate of the server";
            let expected = "one that its CA vouches for, by the name it is called";
            return Self::Failure(Failure::new(what, expected, format!("{reason:?}")));
        }
        Self::Broken(error.to_string())
    }
}

impl From<serde_json::Error> for Reason {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(format!("JSON in the set-up: {error}"))
    }
}

/// The subject broke the rule: `return fail("the file mode", "0600", "0644")`.
pub fn fail<T>(
    what: impl Into<String>,
    expected: impl fmt::Display,
    observed: impl fmt::Display,
) -> Outcome<T> {
    Err(Reason::Failure(Failure::new(what, expected, observed)))
}

/// The rule cannot be judged here.
pub fn skip<T>(need: impl Into<String>) -> Outcome<T> {
    Err(Reason::Skip(need.into()))
}

/// The set-up failed, which says nothing about the subject.
pub fn broken<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Reason::Broken(why.into()))
}

/// `observed == expected`, or a failure that shows both.
pub fn expect_eq<T: PartialEq + fmt::Debug>(
    what: impl Into<String>,
    expected: &T,
    observed: &T,
) -> Outcome {
    if expected == observed {
        return Ok(());
    }
    fail(what, format!("{expected:?}"), format!("{observed:?}"))
}

/// `holds`, or a failure in the given words.
pub fn expect(
    holds: bool,
    what: impl Into<String>,
    expected: impl fmt::Display,
    observed: impl fmt::Display,
) -> Outcome {
    if holds { Ok(()) } else { fail(what, expected, observed) }
}

/// The judgement of one rule against one target.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Fail {
        #[serde(flatten)]
        failure: Failure,
    },
    /// A listed deviation that happened as listed.
    Known {
        reason: String,
        link: String,
        #[serde(flatten)]
        failure: Failure,
    },
    Skip {
        need: String,
    },
    NotRun {
        why: String,
    },
    Broken {
        why: String,
    },
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::Known { .. } => "known",
            Self::Skip { .. } => "skip",
            Self::NotRun { .. } => "not-run",
            Self::Broken { .. } => "broken",
        }
    }

    /// Whether somebody has to look at it.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Fail { .. } | Self::NotRun { .. } | Self::Broken { .. })
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(()) => Self::Pass,
            Err(Reason::Failure(failure)) => Self::Fail { failure },
            Err(Reason::Skip(need)) => Self::Skip { need },
            Err(Reason::Broken(why)) => Self::Broken { why },
        }
    }
}
