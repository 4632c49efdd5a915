//! The list of deviations a subject's owner knows of. An entry must name its reason and a link,
//! must happen as listed, and expires.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::runner::Judged;
use crate::verdict::Verdict;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// A glob over rule ids.
    pub rule: String,
    pub reason: String,
    /// Where the deviation is tracked.
    pub link: String,
    /// A text that the failure must contain.
    pub observation: String,
    /// The last day on which the entry holds, `YYYY-MM-DD`.
    pub expires: Date,
}

#[derive(Debug, Default)]
pub struct KnownFailing(Vec<Expectation>);

/// What is wrong with an entry of the list, and how to mend the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    pub rule: String,
    pub problem: String,
    /// The lines to delete or to add, each after the word that says which.
    pub mend: String,
    /// The rules whose failures the entry was about: what they did is the entry's fault, and not
    /// news about the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.problem)
    }
}

impl KnownFailing {
    /// Reads a list from YAML, of which JSON is a part.
    pub fn load(path: &Path) -> Result<Self, String> {
        let told = |why: String| format!("--known-failing {}: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
        Self::parse(&text).map_err(told)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let entries: Vec<Expectation> =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        for entry in &entries {
            for (what, text) in [
                ("reason", &entry.reason),
                ("link", &entry.link),
                ("observation", &entry.observation),
            ] {
                if text.trim().is_empty() {
                    return Err(format!("the entry for {} gives no {what}", entry.rule));
                }
            }
            globset::Glob::new(&entry.rule).map_err(|error| error.to_string())?;
        }
        Ok(Self(entries))
    }

    /// Turns the listed failures into known ones and returns what is wrong with the list itself.
    /// `all` is every rule there is: an entry for rules that were not chosen, or that are in
    /// another shard, is not judged.
    pub fn apply(&self, judged: &mut [Judged], all: &[&str], now: Timestamp) -> Vec<Stale> {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.0.iter().filter_map(|entry| entry.apply(judged, all, today)).collect()
    }
}

impl Expectation {
    fn apply(&self, judged: &mut [Judged], all: &[&str], today: Date) -> Option<Stale> {
        let stale = |problem: String, add: Vec<String>, rules: Vec<String>| {
            let mut lines = vec![format!("delete: {}", self.line())];
            lines.extend(add.into_iter().map(|line| format!("add: {line}")));
            Some(Stale { rule: self.rule.clone(), problem, mend: lines.join("\n"), rules })
        };
        let Ok(glob) = globset::Glob::new(&self.rule) else {
            return stale("not a glob".to_owned(), Vec::new(), Vec::new());
        };
        let glob = glob.compile_matcher();
        if today > self.expires {
            let listed = judged.iter().filter(|one| glob.is_match(&one.id));
            let rules = listed.map(|one| one.id.clone()).collect();
            return stale(format!("expired on {}", self.expires), Vec::new(), rules);
        }
        if !all.iter().any(|id| glob.is_match(id)) {
            return stale("no rule is called so".to_owned(), Vec::new(), Vec::new());
        }
        let (mut problems, mut add, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut matched, mut taken) = (0, 0);
        for one in judged.iter_mut().filter(|one| glob.is_match(&one.id)) {
            matched += 1;
            taken += usize::from(matches!(one.verdict, Verdict::Known { .. }));
            match &one.verdict {
                Verdict::Fail { failure } if failure.to_string().contains(&self.observation) => {
                    one.verdict = Verdict::Known {
                        reason: self.reason.clone(),
                        link: self.link.clone(),
                        failure: failure.clone(),
                    };
                    add.push(Self { rule: one.id.clone(), ..self.clone() }.line());
                }
                Verdict::Fail { failure } => {
                    problems.push(format!("{} fails otherwise than listed", one.id));
                    failed.push(one.id.clone());
                    let observation = beginning(&failure.observed);
                    add.push(Self { rule: one.id.clone(), observation, ..self.clone() }.line());
                }
                Verdict::Pass => problems.push(format!("{} passes", one.id)),
                Verdict::Known { .. }
                | Verdict::Skip { .. }
                | Verdict::NotRun { .. }
                | Verdict::Broken { .. } => {}
            }
        }
        if matched > 0 && matched == taken {
            let why = "matches nothing that an earlier entry has not listed".to_owned();
            return stale(why, Vec::new(), Vec::new());
        }
        if problems.is_empty() {
            return None;
        }
        stale(problems.join(", "), add, failed)
    }

    /// The entry as a line of the list.
    fn line(&self) -> String {
        let Self { rule, reason, link, observation, expires } = self;
        let [rule, reason, link, observation] =
            [rule, reason, link, observation].map(|text| quoted(text));
        format!(
            "- {{rule: {rule}, reason: {reason}, link: {link}, observation: {observation}, \
             expires: {expires}}}"
        )
    }
}

/// The line that would list a failure; reason and link are its owner's to give.
pub fn listing(judged: &Judged, today: Date) -> Option<String> {
    let Verdict::Fail { failure } = &judged.verdict else { return None };
    let entry = Expectation {
        rule: judged.id.clone(),
        reason: "WHY".to_owned(),
        link: "https://WHERE".to_owned(),
        observation: beginning(&failure.observed),
        expires: today.checked_add(jiff::Span::new().days(90)).unwrap_or(today),
    };
    Some(entry.line())
}

/// As much of an observation as one can read; what comes later tends to hold paths and times.
fn beginning(observed: &str) -> String {
    observed
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// A YAML string in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace(['\n', '\r'], " "))
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

    const ALL: [&str; 3] = ["ssh.exit.4", "ssh.exit.77", "x.y"];

    fn apply(judged: &mut [Judged], now: &str) -> Vec<Stale> {
        KnownFailing::parse(LIST).unwrap().apply(judged, &ALL, now.parse().unwrap())
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
        let stale = apply(&mut other, day);
        assert_eq!(other[0].verdict.word(), "fail", "another failure is not excused");
        assert!(stale[0].mend.starts_with("delete: - {rule: 'ssh.exit.*', reason: "), "{stale:?}");
        let add = stale[0].mend.split_once("\nadd: ").unwrap().1;
        let mended = KnownFailing::parse(add).unwrap();
        let mut again = [judged("ssh.exit.77", failing("exit code 1"))];
        assert!(mended.apply(&mut again, &ALL, day.parse().unwrap()).is_empty(), "{add}");
        assert_eq!(again[0].verdict.word(), "known", "the line to add is the one that was missing");
        assert_eq!(apply(&mut [judged("ssh.exit.77", Verdict::Pass)], day).len(), 1);
        // Its rules were not chosen, or are in another shard.
        assert!(apply(&mut [judged("x.y", Verdict::Pass)], day).is_empty());
        let nowhere = KnownFailing::parse(&LIST.replace("ssh.exit", "no.such")).unwrap();
        let stale = nowhere.apply(&mut [], &ALL, day.parse().unwrap());
        assert_eq!(stale[0].problem, "no rule is called so");
        let mut late = [judged("ssh.exit.77", failing("exit code 4"))];
        assert_eq!(apply(&mut late, "2030-02-01T00:00:00Z").len(), 1);
        assert_eq!(late[0].verdict.word(), "fail");
    }

    #[test]
    fn an_entry_for_what_is_listed_already_matches_nothing() {
        let twice = KnownFailing::parse(&LIST.repeat(2)).unwrap();
        let mut all = [judged("ssh.exit.77", failing("exit code 4"))];
        let stale = twice.apply(&mut all, &ALL, "2029-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(all[0].verdict.word(), "known");
        assert_eq!(stale.len(), 1, "{stale:?}");
        assert!(stale[0].problem.contains("earlier entry"), "{stale:?}");
    }

    #[test]
    fn an_entry_without_a_reason_or_an_observation_is_refused() {
        assert!(KnownFailing::parse(&LIST.replace("exits 4 for now", "''")).is_err());
        assert!(KnownFailing::parse(&LIST.replace("link:", "lnk:")).is_err());
        assert!(KnownFailing::parse(&LIST.replace("  observation: exit code 4\n", "")).is_err());
    }
}
