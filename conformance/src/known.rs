//! The list of deviations a subject's owner knows of. An entry must name its reason and a link,
//! must happen as listed, and expires.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::runner::Judged;
use crate::verdict::{Outcome, Verdict, broken};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// A glob over rule ids.
    pub rule: String,
    pub reason: String,
    /// Where the deviation is tracked.
    pub link: String,
    /// A text that the failure must contain; any failure will do without one.
    pub observation: Option<String>,
    /// The last day on which the entry holds, `YYYY-MM-DD`.
    pub expires: Date,
}

#[derive(Debug, Default)]
pub struct KnownFailing(Vec<Expectation>);

impl KnownFailing {
    /// Reads a list from YAML, of which JSON is a part.
    pub fn load(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path)
            .or_else(|error| broken(format!("{}: {error}", path.display())))?;
        Self::parse(&text).or_else(|why| broken(format!("{}: {why}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let entries: Vec<Expectation> =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        for entry in &entries {
            if entry.reason.trim().is_empty() || entry.link.trim().is_empty() {
                return Err(format!("the entry for {} gives no reason or no link", entry.rule));
            }
            globset::Glob::new(&entry.rule).map_err(|error| error.to_string())?;
        }
        Ok(Self(entries))
    }

    /// Turns the listed failures into known ones and returns what is wrong with the list itself.
    pub fn apply(&self, judged: &mut [Judged], now: Timestamp) -> Vec<String> {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.0.iter().filter_map(|entry| entry.apply(judged, today)).collect()
    }
}

impl Expectation {
    fn apply(&self, judged: &mut [Judged], today: Date) -> Option<String> {
        if today > self.expires {
            return Some(format!("{}: expired on {}", self.rule, self.expires));
        }
        let Ok(glob) = globset::Glob::new(&self.rule) else {
            return Some(format!("{}: not a glob", self.rule));
        };
        let glob = glob.compile_matcher();
        let (mut matched, mut stale) = (false, Vec::new());
        for one in judged.iter_mut().filter(|one| glob.is_match(&one.id)) {
            matched = true;
            match &one.verdict {
                Verdict::Fail { failure } => {
                    let text = failure.to_string();
                    if self.observation.as_ref().is_none_or(|wanted| text.contains(wanted)) {
                        one.verdict = Verdict::Known {
                            reason: self.reason.clone(),
                            link: self.link.clone(),
                            failure: failure.clone(),
                        };
                    } else {
                        stale.push(format!("{} fails otherwise than listed", one.id));
                    }
                }
                Verdict::Pass => stale.push(format!("{} passes", one.id)),
                Verdict::Known { .. }
                | Verdict::Skip { .. }
                | Verdict::NotRun { .. }
                | Verdict::Broken { .. } => {}
            }
        }
        if !matched {
            stale.push("no rule that ran is called so".to_owned());
        }
        (!stale.is_empty()).then(|| format!("{}: {}", self.rule, stale.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::Failure;

    const LIST: &str = "
- rule: 'ssh.exit.*'
  reason: exits 4 for now
  link: https://example.org/1
  observation: exit code 4
  expires: 2030-01-31
";

    fn judged(id: &str, verdict: Verdict) -> Judged {
        Judged { id: id.into(), verdict, took: Duration::ZERO, evidence: Vec::new() }
    }

    fn failing(observed: &str) -> Verdict {
        Verdict::Fail { failure: Failure::new("the end", "exit code 77", observed) }
    }

    fn apply(judged: &mut [Judged], now: &str) -> Vec<String> {
        KnownFailing::parse(LIST).unwrap().apply(judged, now.parse().unwrap())
    }

    #[test]
    fn a_listed_failure_is_known_and_nothing_else_is() {
        let mut all = [judged("ssh.exit.77", failing("exit code 4")), judged("x.y", Verdict::Pass)];
        assert!(apply(&mut all, "2030-01-31T23:00:00Z").is_empty());
        assert_eq!(all[0].verdict.word(), "known");
        assert_eq!(all[1].verdict.word(), "pass");
    }

    #[test]
    fn an_entry_that_no_longer_holds_is_stale() {
        let day = "2029-01-01T00:00:00Z";
        let mut other = [judged("ssh.exit.77", failing("exit code 1"))];
        assert_eq!(apply(&mut other, day).len(), 1);
        assert_eq!(other[0].verdict.word(), "fail", "another failure is not excused");
        assert_eq!(apply(&mut [judged("ssh.exit.77", Verdict::Pass)], day).len(), 1);
        assert_eq!(apply(&mut [judged("x.y", Verdict::Pass)], day).len(), 1);
        let mut late = [judged("ssh.exit.77", failing("exit code 4"))];
        assert_eq!(apply(&mut late, "2030-02-01T00:00:00Z").len(), 1);
        assert_eq!(late[0].verdict.word(), "fail");
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(KnownFailing::parse(&LIST.replace("exits 4 for now", "''")).is_err());
        assert!(KnownFailing::parse(&LIST.replace("link:", "lnk:")).is_err());
    }
}
