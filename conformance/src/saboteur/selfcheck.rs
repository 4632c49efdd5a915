//! Can every rule fail? Each broken subject is judged by the rules that it names, or by all of
//! its side, and what does not fail as announced is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::stand;
use super::subject::{Defect, End, Party, Subject};
use crate::rule::{Need, Rule, Side};
use crate::runner;
use crate::target::{ServerTarget, Settings, Target};
use crate::verdict::{Outcome, Verdict, broken};

/// The programs that a self-check needs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The conformance binary, which plays the subjects.
    pub player: PathBuf,
    pub plexctl: PathBuf,
    pub mock_server: PathBuf,
}

/// What one rule said about one subject.
#[derive(Debug, Clone)]
pub struct Finding {
    pub subject: String,
    pub rule: String,
    pub said: Said,
    pub took: Duration,
    /// Judged a second time.
    pub again: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It failed, as announced.
    Noticed,
    /// It passed although the defect acted.
    Silent,
    /// The defect never had a chance to act, whatever the verdict.
    Void,
    /// It cannot be judged here.
    Skipped(String),
    /// It neither passed nor failed.
    Broken(String),
    /// It failed without having been announced.
    Unannounced(String),
    /// It failed, unannounced, although the defect did not act: the player is in the way.
    Disturbed(String),
}

/// Which rules a subject names, by its globs.
#[derive(Debug)]
pub struct Announced<'s> {
    pub subject: &'s Subject,
    /// Places in the catalogue.
    pub rules: Vec<usize>,
}

/// The rules of each subject, and the globs that name none.
pub fn announced<'s>(
    subjects: &'s [Subject],
    rules: &[Rule],
) -> Outcome<(Vec<Announced<'s>>, Vec<String>)> {
    let mut empty = Vec::new();
    let mut all = Vec::new();
    for subject in subjects {
        let mut named = BTreeSet::new();
        for text in &subject.fails {
            let glob = match globset::Glob::new(text) {
                Ok(glob) => glob.compile_matcher(),
                Err(error) => return broken(format!("{}: {error}", subject.id())),
            };
            let before = named.len();
            let fits = |rule: &Rule| glob.is_match(&*rule.id) && concerns(rule, subject.side);
            named.extend((0..rules.len()).filter(|at| fits(&rules[*at])));
            if named.len() == before {
                empty.push(format!("{}: {text}", subject.id()));
            }
        }
        all.push(Announced { subject, rules: named.into_iter().collect() });
    }
    Ok((all, empty))
}

/// Whether the rule judges that party, alone or together with the other.
pub fn concerns(rule: &Rule, party: Party) -> bool {
    match party {
        Party::Client => rule.side != Side::Server,
        Party::Server => rule.side != Side::Client,
    }
}

/// Each rule once, by the subject that names fewest others; and each subject at least once.
pub fn spot_checks(announced: &[Announced<'_>]) -> Vec<(usize, usize)> {
    let mut by_rule: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, one) in announced.iter().enumerate() {
        for rule in &one.rules {
            let held = by_rule.entry(*rule).or_insert(at);
            if one.rules.len() < announced[*held].rules.len() {
                *held = at;
            }
        }
    }
    let mut pairs: Vec<(usize, usize)> = by_rule.into_iter().map(|(rule, at)| (at, rule)).collect();
    let used: BTreeSet<usize> = pairs.iter().map(|(at, _)| *at).collect();
    for (at, one) in announced.iter().enumerate() {
        if !used.contains(&at) {
            pairs.extend(one.rules.first().map(|rule| (at, *rule)));
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Puts first what waits until it is killed.
pub fn long_first(pairs: &mut [(usize, usize)], announced: &[Announced<'_>]) {
    pairs.sort_by_key(|(subject, _)| {
        !matches!(
            announced[*subject].subject.defect,
            Defect::Ends(End::Hang | End::Dumpable) | Defect::Signal { with: None }
        )
    });
}

/// Every subject with every rule that concerns it.
pub fn whole_matrix(announced: &[Announced<'_>], rules: &[Rule]) -> Vec<(usize, usize)> {
    let of = |at: usize| {
        let side = announced[at].subject.side;
        (0..rules.len())
            .filter(move |rule| concerns(&rules[*rule], side))
            .map(move |rule| (at, rule))
    };
    (0..announced.len()).flat_map(of).collect()
}

/// Judges the pairs of a subject and a rule on so many threads. What did not come out as announced
/// is judged once more, alone and with more time: a machine that is busy is no finding.
pub fn judge(
    programs: &Programs,
    announced: &[Announced<'_>],
    rules: &[Rule],
    pairs: &[(usize, usize)],
    jobs: usize,
    settings: &Settings,
) -> Outcome<Vec<Finding>> {
    let place = tempfile::Builder::new().prefix("selfcheck-").tempdir()?;
    let judged = |at: usize, settings: &Settings| {
        let (subject, rule) = pairs[at];
        let dir = place.path().join(at.to_string());
        let begun = Instant::now();
        let one = &announced[subject];
        let said = judge_one(programs, one, &rules[rule], rule, &dir, settings);
        let _ = std::fs::remove_dir_all(&dir);
        let (subject, rule) = (one.subject.id(), rules[rule].id.to_string());
        Finding { subject, rule, said, took: begun.elapsed(), again: false }
    };
    let (busy, idle): (Vec<usize>, Vec<usize>) =
        (0..pairs.len()).partition(|at| starts_clients(&rules[pairs[*at].1]));
    let queues = [(&busy, AtomicUsize::new(0)), (&idle, AtomicUsize::new(0))];
    let lanes = thread::available_parallelism().map_or(1, usize::from) * 2;
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for lane in 0..jobs.clamp(1, pairs.len().max(1)) {
            let (send, judged) = (send.clone(), &judged);
            // What keeps the processors busy is not done everywhere at once.
            let queues = if lane < lanes { &queues[..] } else { &queues[1..] };
            scope.spawn(move || {
                for (queue, next) in queues {
                    while let Some(at) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let _ = send.send((*at, judged(*at, settings)));
                    }
                }
            });
        }
    });
    drop(send);
    let patient = Settings { timeout: settings.timeout * 4, ..settings.clone() };
    let mut found: Vec<Finding> = receive
        .into_iter()
        .map(|(at, finding)| match finding.said {
            Said::Noticed | Said::Skipped(_) => finding,
            _ => Finding { again: true, ..judged(at, &patient) },
        })
        .collect();
    found.sort_by(|a, b| (&a.subject, &a.rule).cmp(&(&b.subject, &b.rule)));
    Ok(found)
}

/// Whether clients of others take part, of which some take long to start.
fn starts_clients(rule: &Rule) -> bool {
    rule.needs.iter().any(|need| matches!(need, Need::Program(_) | Need::Python(_)))
}

fn judge_one(
    programs: &Programs,
    announced: &Announced<'_>,
    rule: &Rule,
    at: usize,
    dir: &Path,
    settings: &Settings,
) -> Said {
    let subject = announced.subject;
    let honest = match subject.side {
        Party::Client => &programs.plexctl,
        Party::Server => &programs.mock_server,
    };
    let program = match stand::set_up(dir, &programs.player, honest, subject) {
        Ok(program) => program,
        Err(error) => return Said::Broken(format!("{}: {error}", dir.display())),
    };
    let mut target = Target { settings: settings.clone(), ..Target::default() };
    match subject.side {
        Party::Client => {
            target.plexctl = Some(program.clone());
            target.server = (rule.side != Side::Client)
                .then(|| ServerTarget::Spawn(programs.mock_server.clone()));
        }
        Party::Server => {
            target.server = Some(ServerTarget::Spawn(program.clone()));
            target.plexctl = (rule.side != Side::Server).then(|| programs.plexctl.clone());
        }
    }
    let verdict = runner::run(rule, &Arc::new(target)).verdict;
    let wanted = announced.rules.binary_search(&at).is_ok();
    let acted = stand::acted(&program);
    match verdict {
        Verdict::Fail { .. } if wanted && acted => Said::Noticed,
        Verdict::Fail { failure } if !wanted && acted => Said::Unannounced(failure.to_string()),
        Verdict::Fail { failure } if !wanted => Said::Disturbed(failure.to_string()),
        Verdict::Fail { .. } => Said::Void,
        Verdict::Pass if wanted && acted => Said::Silent,
        Verdict::Pass if wanted => Said::Void,
        Verdict::Pass => Said::Noticed,
        Verdict::Skip { need } => Said::Skipped(need),
        Verdict::Broken { why } | Verdict::NotRun { why } => Said::Broken(why),
        Verdict::Known { reason, .. } => Said::Broken(reason),
    }
}
