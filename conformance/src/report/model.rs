//! The one model that every report is written from. It is what the JSON report holds, so a report
//! that was kept can be rendered again, merged and compared.

use std::collections::BTreeMap;

use globset::{Glob, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use super::Counts;
use crate::bench::Generation;
use crate::exit::Ending;
use crate::known::Stale;
use crate::rule::{Level, Rule, Side, Source};
use crate::runner::Judged;
use crate::saboteur::subject;
use crate::verdict::Verdict;

/// The version of this document's shape, in `format`.
pub const FORMAT: u32 = 1;

/// A run, judged. Two runs with the same outcome give the same report: sorted by id, and without
/// times unless they were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    pub tool: Tool,
    pub contract: Contract,
    pub subjects: Subjects,
    pub run: Run,
    pub counts: Counts,
    pub levels: Levels,
    /// What rules were skipped for the lack of, and how many.
    pub needs: BTreeMap<String, usize>,
    pub exit_code: u8,
    pub stale_expectations: Vec<Stale>,
    /// How many of the rules have a broken subject that they must notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<Proven>,
    pub rules: Vec<Judgement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// The contract that servers are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    pub generation: String,
    /// Generations that single rules ask for by themselves.
    pub also: Vec<String>,
}

impl Default for Contract {
    fn default() -> Self {
        let generation = Generation::default();
        let others = Generation::ALL.into_iter().filter(|one| *one != generation);
        Self {
            generation: generation.name().to_owned(),
            also: others.map(|one| one.name().to_owned()).collect(),
        }
    }
}

/// Who was judged; a side that is not there was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subjects {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plexctl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// A server that was started for each rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mock_server: Option<String>,
    /// A server that already ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

impl Subjects {
    pub(crate) fn named(&self) -> Vec<(&'static str, &str)> {
        [
            ("plexctl", &self.plexctl),
            ("adapter", &self.adapter),
            ("mock-server", &self.mock_server),
            ("server", &self.server),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
    }
}

/// What was asked of the run, as far as the outcome depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The globs; empty for the whole catalogue.
    pub rules: Vec<String>,
    /// `should` is everything, `must` leaves the SHOULD rules out.
    pub level: String,
    pub seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<u64>,
    /// When it began; only with `--timings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
}

/// MUST and SHOULD apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    pub must: Counts,
    pub should: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    pub rules: usize,
    pub proven: usize,
}

impl Proven {
    /// By what the subjects that are compiled in say of themselves; `selfcheck` plays them.
    fn of(rules: &[&Rule]) -> Option<Self> {
        if rules.is_empty() {
            return None;
        }
        let mut globs = GlobSetBuilder::new();
        for subject in subject::all().ok()? {
            for text in &subject.fails {
                globs.add(Glob::new(text).ok()?);
            }
        }
        let named = globs.build().ok()?;
        let proven = rules.iter().filter(|rule| named.is_match(&*rule.id)).count();
        Some(Self { rules: rules.len(), proven })
    }
}

/// One rule and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub id: String,
    pub level: Level,
    pub side: Side,
    pub title: String,
    pub source: Source,
    pub claims: Vec<String>,
    pub fix: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What happened, oldest first; empty for a pass unless everything is traced.
    pub evidence: Vec<String>,
    /// The command that judges this rule alone, the same way again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
    /// The line that would list this failure, where there is a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<String>,
    /// Only with `--timings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// What a run knows about itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub contract: Contract,
    pub subjects: Subjects,
    pub run: Run,
    /// The words of a command line that names the same subjects and settings.
    pub command: String,
    pub timings: bool,
}

impl Report {
    pub fn new(judged: &[Judged], rules: &[&Rule], stale: Vec<Stale>, about: About) -> Self {
        let by_id: BTreeMap<&str, &Rule> = rules.iter().map(|rule| (&*rule.id, *rule)).collect();
        let all = judged
            .iter()
            .filter_map(|one| Some(Judgement::new(one, by_id.get(one.id.as_str())?, &about)))
            .collect();
        let tool = Tool { name: "conformance".into(), version: env!("CARGO_PKG_VERSION").into() };
        let proven = Proven::of(rules);
        let whole = Self::of(tool, about.contract, about.subjects, about.run, stale, all);
        Self { proven, ..whole }
    }

    /// A report whose numbers follow from its rules.
    pub(crate) fn of(
        tool: Tool,
        contract: Contract,
        subjects: Subjects,
        run: Run,
        stale_expectations: Vec<Stale>,
        mut rules: Vec<Judgement>,
    ) -> Self {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let at = |level| Counts::of(rules.iter().filter(|one| one.level == level).map(verdict));
        let levels = Levels { must: at(Level::Must), should: at(Level::Should) };
        let mut needs = BTreeMap::new();
        for one in &rules {
            if let Verdict::Skip { need } = &one.verdict {
                *needs.entry(need.clone()).or_default() += 1;
            }
        }
        let listed = |one: &&Judgement| {
            matches!(one.verdict, Verdict::Fail { .. })
                && stale_expectations.iter().any(|stale| stale.rules.contains(&one.id))
        };
        let news = rules.iter().filter(|one| !listed(one)).map(verdict);
        let ending = Ending::of(news, stale_expectations.len());
        Self {
            format: FORMAT,
            tool,
            contract,
            subjects,
            run,
            counts: Counts::of(rules.iter().map(verdict)),
            levels,
            needs,
            exit_code: ending.code(),
            stale_expectations,
            proven: None,
            rules,
        }
    }

    /// The verdicts that somebody has to look at.
    pub(crate) fn wrong(&self) -> impl Iterator<Item = &Judgement> {
        self.rules.iter().filter(|one| one.verdict.is_wrong())
    }

    /// The two closing lines that texts have in common.
    pub(crate) fn closing(&self) -> [String; 2] {
        let counts = &self.counts;
        let ran = counts.rules - counts.skip - counts.not_run;
        let mut first = format!("{ran} of {} rules ran", counts.rules);
        for (count, word) in
            [(counts.known, "known"), (counts.not_run, "not run"), (counts.broken, "broken")]
        {
            if count > 0 {
                first.push_str(&format!(", {count} {word}"));
            }
        }
        let last =
            format!("{} passed, {} failed, {} skipped", counts.pass, counts.fail, counts.skip);
        [first, last]
    }
}

fn verdict(judgement: &Judgement) -> &Verdict {
    &judgement.verdict
}

impl Judgement {
    fn new(judged: &Judged, rule: &Rule, about: &About) -> Self {
        let again = !matches!(judged.verdict, Verdict::Pass | Verdict::Skip { .. });
        let took_ms = u64::try_from(judged.took.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: judged.id.clone(),
            level: rule.level,
            side: rule.side,
            title: rule.title.to_string(),
            source: rule.source.clone(),
            claims: rule.claims.iter().map(ToString::to_string).collect(),
            fix: rule.fix.to_string(),
            verdict: judged.verdict.clone(),
            evidence: judged.evidence.clone(),
            repeat: again.then(|| format!("{} --rule {}", about.command, judged.id)),
            listing: None,
            took_ms: about.timings.then_some(took_ms),
        }
    }

    /// The verdict's own words, on one line.
    pub(crate) fn said(&self) -> String {
        match &self.verdict {
            Verdict::Pass => String::new(),
            Verdict::Fail { failure } => failure.to_string(),
            Verdict::Known { reason, link, .. } => format!("{reason} ({link})"),
            Verdict::Skip { need } => format!("needs {need}"),
            Verdict::NotRun { why } | Verdict::Broken { why } => why.clone(),
        }
    }
}
