//! `selfcheck`: the broken subjects against the rules, and how many rules were seen to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Trouble, matching};
use crate::catalogue;
use crate::cli::{Output, SelfcheckArgs};
use crate::exit::Ending;
use crate::interrupt;
use crate::report::progress::Progress;
use crate::rule::Rule;
use crate::saboteur::selfcheck::{self, Announced, Finding, Programs, Said};
use crate::saboteur::subject::{self, Subject};
use crate::subjects::beside_us;
use crate::target::Settings;

pub(super) fn selfcheck(
    args: &SelfcheckArgs,
    out: &mut dyn Write,
    mut terminal: Option<&mut dyn Write>,
) -> Result<Ending, Trouble> {
    let rules = catalogue::all()?;
    let subjects = chosen(args)?;
    let (announced, empty) = selfcheck::announced(&subjects, &rules)?;
    let wanted: BTreeSet<&str> =
        matching(&rules, &args.rules)?.into_iter().map(|rule| &*rule.id).collect();
    let mut pairs = if args.exact {
        selfcheck::whole_matrix(&announced, &rules)
    } else {
        selfcheck::spot_checks(&announced)
    };
    pairs.retain(|(_, rule)| wanted.contains(&*rules[*rule].id));
    let all = pairs.len();
    // Rules without a subject are told of, unless some subjects alone were asked for.
    if pairs.is_empty() && (wanted.is_empty() || !args.subjects.is_empty()) {
        return Err(Trouble::Nothing("no such subject, or no such rule".to_owned()));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // Broken subjects hang, stall and wait for what never comes.
    let jobs = args.jobs.map_or(8 * cores, usize::from);
    let settings =
        Settings { timeout: Duration::from_secs(args.timeout.into()), ..Settings::default() };
    let found = if pairs.is_empty() {
        Vec::new()
    } else {
        let programs = programs(args)?;
        if args.exact {
            let progress = Progress::new(terminal.as_deref_mut().map(|it| it as _), rules.len());
            pairs = selfcheck::with_a_chance(
                &programs, &announced, &rules, &pairs, jobs, &settings, progress,
            )?;
        }
        selfcheck::long_first(&mut pairs, &announced);
        let progress = Progress::new(terminal, pairs.len());
        selfcheck::judge(&programs, &announced, &rules, &pairs, jobs, &settings, progress)?
    };
    if interrupt::heard().is_some() {
        return Err(Trouble::Harness(interrupt::WHY.to_owned()));
    }
    let mut summary = Summary::of(&found, &announced, &rules, &wanted, empty);
    summary.without_a_chance = all - pairs.len();
    if !args.subjects.is_empty() {
        // Some subjects were asked for: what the others would notice is another question.
        summary.uncovered.clear();
    }
    match args.output {
        Output::Text => summary.text(&found, args.complete, out)?,
        Output::Json => summary.json(&found, out)?,
    }
    if found.is_empty() && !args.complete {
        return Ok(Ending::NothingRan);
    }
    Ok(if summary.as_announced() && (summary.uncovered.is_empty() || !args.complete) {
        Ending::Conforms
    } else {
        Ending::DoesNotConform
    })
}

fn chosen(args: &SelfcheckArgs) -> Result<Vec<Subject>, Trouble> {
    let mut subjects = match &args.from {
        Some(dir) => subject::in_folder(dir)?,
        None => subject::all()?,
    };
    if !args.subjects.is_empty() {
        let mut set = globset::GlobSetBuilder::new();
        for glob in &args.subjects {
            let glob = globset::Glob::new(glob)
                .map_err(|error| Trouble::Usage(format!("--subject: {error}")))?;
            set.add(glob);
        }
        let set = set.build().map_err(|error| Trouble::Usage(error.to_string()))?;
        subjects.retain(|subject| set.is_match(subject.id()));
    }
    Ok(subjects)
}

fn programs(args: &SelfcheckArgs) -> Result<Programs, Trouble> {
    let found = |named: &Option<PathBuf>, name: &str| {
        let path = named.clone().or_else(|| beside_us(name)).filter(|path| path.is_file());
        match path {
            Some(path) => Ok(std::path::absolute(path)?),
            None => Err(Trouble::Harness(format!("there is no {name} to make broken ones of"))),
        }
    };
    Ok(Programs {
        player: env::current_exe()?,
        plexctl: found(&args.plexctl, "plexctl")?,
        mock_server: found(&args.mock_server, "mock-server")?,
    })
}

/// What came out, rule by rule.
struct Summary {
    rules: usize,
    proven: BTreeSet<String>,
    uncovered: Vec<String>,
    skipped: BTreeMap<String, String>,
    empty: Vec<String>,
    wrong: usize,
    /// Pairs of a subject and a rule that gives its defect no chance.
    without_a_chance: usize,
}

impl Summary {
    fn of(
        found: &[Finding],
        announced: &[Announced<'_>],
        rules: &[Rule],
        wanted: &BTreeSet<&str>,
        empty: Vec<String>,
    ) -> Self {
        let named: BTreeSet<&str> = announced
            .iter()
            .flat_map(|one| one.rules.iter().map(|rule| &*rules[*rule].id))
            .collect();
        let announced_pairs: BTreeSet<(String, &str)> = announced
            .iter()
            .flat_map(|one| one.rules.iter().map(|rule| (one.subject.id(), &*rules[*rule].id)))
            .collect();
        let mut proven = BTreeSet::new();
        let mut skipped = BTreeMap::new();
        let mut wrong = 0;
        for finding in found {
            let announced =
                announced_pairs.contains(&(finding.subject.clone(), finding.rule.as_str()));
            match &finding.said {
                Said::Noticed if announced => {
                    proven.insert(finding.rule.clone());
                }
                Said::Noticed => {}
                Said::Skipped(need) => {
                    skipped.insert(finding.rule.clone(), need.clone());
                }
                _ => wrong += 1,
            }
        }
        skipped.retain(|rule, _| !proven.contains(rule));
        let uncovered =
            wanted.iter().filter(|id| !named.contains(**id)).map(|id| (*id).to_owned()).collect();
        Self { rules: wanted.len(), proven, uncovered, skipped, empty, wrong, without_a_chance: 0 }
    }

    /// Nothing is amiss; a rule that cannot be judged on this machine is shown, and no fault.
    fn as_announced(&self) -> bool {
        self.wrong == 0 && self.empty.is_empty()
    }

    fn text(&self, found: &[Finding], complete: bool, out: &mut dyn Write) -> std::io::Result<()> {
        for finding in found {
            let Finding { subject, rule, said, .. } = finding;
            match said {
                Said::Noticed | Said::Skipped(_) => {}
                Said::Silent => writeln!(out, "SILENT  {subject}: {rule} passes")?,
                Said::Void => {
                    writeln!(out, "VOID    {subject}: the defect did not act under {rule}")?;
                }
                Said::Broken(why) => writeln!(out, "BROKEN  {subject}: {rule}: {why}")?,
                Said::Disturbed(why) => {
                    writeln!(out, "DISTURBED {subject}: {rule}: {}", bounded(why))?;
                }
                Said::Unannounced(why) => {
                    writeln!(out, "MORE    {subject}: {rule} fails, too: {}", bounded(why))?;
                }
            }
        }
        for text in &self.empty {
            writeln!(out, "EMPTY   {text} names no rule")?;
        }
        if complete {
            for rule in &self.uncovered {
                writeln!(out, "UNSEEN  {rule}: no subject names it")?;
            }
        } else if !self.uncovered.is_empty() {
            writeln!(out, "{} rules that no subject names", self.uncovered.len())?;
        }
        for (rule, need) in &self.skipped {
            writeln!(out, "skipped {rule}: needs {need}")?;
        }
        let subjects: BTreeSet<&str> = found.iter().map(|finding| &*finding.subject).collect();
        let again = found.iter().filter(|finding| finding.again).count();
        let twice = if again == 0 { String::new() } else { format!(", {again} of them twice") };
        writeln!(out, "{} subjects, {} judgements{twice}", subjects.len(), found.len())?;
        if self.without_a_chance > 0 {
            writeln!(out, "{} more give the defect no chance to act", self.without_a_chance)?;
        }
        writeln!(out, "{} of {} rules proven able to fail", self.proven.len(), self.rules)
    }

    fn json(&self, found: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
        let findings: Vec<_> = found
            .iter()
            .map(|finding| {
                let why = match &finding.said {
                    Said::Noticed | Said::Silent | Said::Void => None,
                    Said::Skipped(why)
                    | Said::Broken(why)
                    | Said::Unannounced(why)
                    | Said::Disturbed(why) => Some(why),
                };
                json!({
                    "subject": finding.subject, "rule": finding.rule, "said": finding.said.word(), "why": why,
                    "millis": u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
                    "again": finding.again,
                })
            })
            .collect();
        let document = json!({
            "rules": self.rules,
            "proven": self.proven,
            "uncovered": self.uncovered,
            "skipped": self.skipped,
            "empty": self.empty,
            "without_a_chance": self.without_a_chance,
            "findings": findings,
        });
        writeln!(out, "{document:#}")
    }
}

fn bounded(text: &str) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}
