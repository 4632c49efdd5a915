//! Can every rule fail? Each broken subject is judged by the rules that it names, or by all of
//! its side, and what does not fail as announced is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::subject::{Defect, End, Party, Subject};
use super::{scout, stand};
use crate::interrupt;
use crate::report::progress::Progress;
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

impl Finding {
    fn id(&self) -> String {
        format!("{}: {}", self.subject, self.rule)
    }
}

impl Said {
    /// For programs; the text has it in capital letters.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Noticed => "noticed",
            Self::Silent => "silent",
            Self::Void => "void",
            Self::Skipped(_) => "skipped",
            Self::Broken(_) => "broken",
            Self::Unannounced(_) => "more",
            Self::Disturbed(_) => "disturbed",
        }
    }

    /// Nothing is amiss, as far as it can be told here.
    pub fn is_as_announced(&self) -> bool {
        matches!(self, Self::Noticed | Self::Skipped(_))
    }
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

/// The pairs in which the defect has a chance, found by one honest run of each rule. What an
/// honest run does not get through is a chance for everybody.
pub fn with_a_chance(
    programs: &Programs,
    announced: &[Announced<'_>],
    rules: &[Rule],
    pairs: &[(usize, usize)],
    jobs: usize,
    settings: &Settings,
    mut progress: Progress<'_>,
) -> Outcome<Vec<(usize, usize)>> {
    let mut by_party: BTreeMap<(Party, usize), Vec<usize>> = BTreeMap::new();
    for (subject, rule) in pairs {
        by_party.entry((announced[*subject].subject.side, *rule)).or_default().push(*subject);
    }
    let of = |party: Party| -> Vec<Subject> {
        let all = announced.iter().filter(|one| one.subject.side == party);
        all.map(|one| one.subject.clone()).collect()
    };
    let candidates = [Party::Client, Party::Server].map(|party| (party, of(party)));
    let place = tempfile::Builder::new().prefix("selfcheck-").tempdir()?;
    let runs: Vec<((Party, usize), Vec<usize>)> = by_party.into_iter().collect();
    let reached = |at: usize| {
        let ((party, rule), subjects) = &runs[at];
        let dir = place.path().join(at.to_string());
        let candidates = candidates.iter().find(|(held, _)| held == party);
        let candidates = candidates.map(|(_, held)| &**held).unwrap_or_default();
        let honest = Subject::honest(*party);
        let judged = judged(programs, &honest, candidates, &rules[*rule], &dir, settings);
        let reached = match judged {
            Ok((program, Verdict::Pass)) => scout::reached(&program).ok(),
            _ => None,
        };
        let _ = std::fs::remove_dir_all(&dir);
        let has_a_chance = |subject: &usize| {
            let one = &announced[*subject];
            one.rules.binary_search(rule).is_ok()
                || reached.as_ref().is_none_or(|reached| reached.contains(&one.subject.id()))
        };
        let subjects = subjects.iter().copied().filter(has_a_chance);
        (*rule, subjects.collect::<Vec<usize>>())
    };
    let busy = |at: usize| starts_clients(&rules[runs[at].0.1]);
    let mut found = Vec::new();
    in_lanes(runs.len(), busy, jobs, reached, |(rule, subjects)| {
        progress.came(&rules[rule].id, None);
        found.extend(subjects.into_iter().map(|subject| (subject, rule)));
    });
    progress.end();
    found.sort_unstable();
    Ok(found)
}

/// Judges the pairs of a subject and a rule on so many threads. What did not come out as announced
/// is judged once more, with more time: a machine that is busy is no finding.
pub fn judge(
    programs: &Programs,
    announced: &[Announced<'_>],
    rules: &[Rule],
    pairs: &[(usize, usize)],
    jobs: usize,
    settings: &Settings,
    mut progress: Progress<'_>,
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
    let busy = |at: usize| starts_clients(&rules[pairs[at].1]);
    let (mut found, mut doubted) = (Vec::new(), Vec::new());
    let first = |at: usize| (at, judged(at, settings));
    in_lanes(pairs.len(), busy, jobs, first, |(at, finding)| {
        if finding.said.is_as_announced() {
            progress.came(&finding.id(), None);
            found.push(finding);
        } else {
            doubted.push(at);
        }
    });
    let patient = Settings { timeout: settings.timeout * 4, ..settings.clone() };
    let again = |at: usize| Finding { again: true, ..judged(doubted[at], &patient) };
    let busy = |at: usize| starts_clients(&rules[pairs[doubted[at]].1]);
    in_lanes(doubted.len(), busy, jobs, again, |finding| {
        let wrong = (!finding.said.is_as_announced()).then(|| finding.said.word());
        progress.came(&finding.id(), wrong);
        found.push(finding);
    });
    progress.end();
    found.sort_by(|a, b| (&a.subject, &a.rule).cmp(&(&b.subject, &b.rule)));
    Ok(found)
}

/// How many rules may start programs at once: those also wait for one another.
fn lanes() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

/// Does what there is to do on so many threads, and what keeps the processors busy on fewer.
fn in_lanes<T: Send>(
    count: usize,
    is_busy: impl Fn(usize) -> bool,
    jobs: usize,
    each: impl Fn(usize) -> T + Sync,
    heard: impl FnMut(T),
) {
    let (busy, idle): (Vec<usize>, Vec<usize>) = (0..count).partition(|at| is_busy(*at));
    let queues = [(&busy, AtomicUsize::new(0)), (&idle, AtomicUsize::new(0))];
    let lanes = lanes();
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for lane in 0..jobs.clamp(1, count.max(1)) {
            let (send, each) = (send.clone(), &each);
            let queues = if lane < lanes { &queues[..] } else { &queues[1..] };
            scope.spawn(move || {
                for (queue, next) in queues {
                    while let Some(at) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Nothing is said of an interrupted check.
                        if interrupt::heard().is_some() {
                            return;
                        }
                        let _ = send.send(each(*at));
                    }
                }
            });
        }
        drop(send);
        receive.into_iter().for_each(heard);
    });
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
    let judged = judged(programs, announced.subject, &[], rule, dir, settings);
    let (program, verdict) = match judged {
        Ok(judged) => judged,
        Err(error) => return Said::Broken(format!("{}: {error}", dir.display())),
    };
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

/// Sets the subject up and hears what the rule says of it.
fn judged(
    programs: &Programs,
    subject: &Subject,
    candidates: &[Subject],
    rule: &Rule,
    dir: &Path,
    settings: &Settings,
) -> io::Result<(PathBuf, Verdict)> {
    let honest = match subject.side {
        Party::Client => &programs.plexctl,
        Party::Server => &programs.mock_server,
    };
    let program = stand::set_up(dir, &programs.player, honest, subject, candidates)?;
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
    Ok((program, verdict))
}
