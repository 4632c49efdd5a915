//! Judging: one rule, or many in parallel. Both doors call `run`.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{self, Bench, Family};
use crate::interrupt;
use crate::rule::{Claim, Need, Rule, Side};
use crate::target::{ServerTarget, Target};
use crate::verdict::Verdict;

/// A rule's verdict, how long it took, and what happened meanwhile.
#[derive(Debug, Clone)]
pub struct Judged {
    pub id: String,
    pub verdict: Verdict,
    pub took: Duration,
    /// Empty for a pass, unless everything is traced.
    pub evidence: Vec<String>,
}

/// Judges one rule. Never panics: a panicking check is a broken check.
pub fn run(rule: &Rule, target: &Arc<Target>) -> Judged {
    let started = Instant::now();
    let judged = |verdict, evidence| Judged {
        id: rule.id.to_string(),
        verdict,
        took: started.elapsed(),
        evidence,
    };
    if let Some(need) = missing(rule, target) {
        return judged(Verdict::Skip { need }, Vec::new());
    }
    if let Some(why) = moot(rule, target) {
        return judged(Verdict::NotRun { why }, Vec::new());
    }
    let bench = Bench::new(Arc::clone(target));
    let verdict = match catch_unwind(AssertUnwindSafe(|| rule.judge(&bench))) {
        Ok(outcome) => redacted(Verdict::from(outcome), &bench),
        Err(panic) => {
            let why = format!("the check panicked: {}", message(&*panic));
            redacted(Verdict::Broken { why }, &bench)
        }
    };
    // Whatever it was about to say is about a subject that was ended in the middle.
    let verdict = match interrupt::heard() {
        Some(_) if verdict != Verdict::Pass => Verdict::NotRun { why: interrupt::WHY.to_owned() },
        _ => crashed(rule, target, verdict),
    };
    let evidence = match verdict {
        Verdict::Pass | Verdict::Skip { .. } if !target.settings.trace => Vec::new(),
        _ => bench.evidence().lines(),
    };
    target.remember(bench.evidence().secrets());
    if target.settings.keep && verdict.is_wrong() {
        bench.keep();
    }
    judged(verdict, evidence)
}

/// Why the rule need not be judged any more.
fn moot(rule: &Rule, target: &Target) -> Option<String> {
    if interrupt::heard().is_some() {
        return Some(interrupt::WHY.to_owned());
    }
    if let Some(first) = target.stopped.get() {
        return Some(format!("stopped after {first}"));
    }
    if rule.side != Side::Client
        && let Some(why) = target.server_gone.get()
    {
        return Some(format!("the server is gone: {why}"));
    }
    if rule.side != Side::Server
        && let Some(why) = target.client_gone.get()
    {
        return Some(format!("the client is gone: {why}"));
    }
    None
}

/// Looks whether the subject is still there after a rule went wrong. Whoever sees first that it is
/// gone keeps its verdict; what else was under way at that moment is not run, never failed.
fn crashed(rule: &Rule, target: &Target, verdict: Verdict) -> Verdict {
    if !matches!(verdict, Verdict::Fail { .. } | Verdict::Broken { .. }) {
        return verdict;
    }
    if target.settings.fail_fast {
        let _ = target.stopped.set(rule.id.to_string());
    }
    if let Verdict::Broken { why } = &verdict
        && rule.side != Side::Server
        && let Some(program) = &target.plexctl
        && why.starts_with(&format!("cannot start {}", program.display()))
    {
        let _ = target.client_gone.set(why.clone());
    }
    if rule.side != Side::Client
        && let Some(ServerTarget::Running(running)) = &target.server
        && !bench::answers_at(&running.url)
    {
        let why = format!("it takes no connection since {}", rule.id);
        let asked_nothing = match &verdict {
            Verdict::Fail { failure } => failure.expected == "an open port",
            _ => true,
        };
        if target.server_gone.set(why.clone()).is_err() || asked_nothing {
            return Verdict::NotRun { why: format!("the server is gone: {why}") };
        }
    }
    verdict
}

/// Four rules for each core: most of them wait for something. Somebody else's server is asked one
/// thing after the other, so that no rule takes the room that another needs.
pub fn usual_jobs(target: &Target) -> usize {
    match &target.server {
        Some(ServerTarget::Running(running)) if !running.control => 1,
        _ => 4 * thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Judges many rules on `jobs` threads and hands each verdict over as it falls.
pub fn run_all(
    rules: &[&Rule],
    target: &Arc<Target>,
    jobs: usize,
    mut each: impl FnMut(&Judged),
) -> Vec<Judged> {
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    let mut all = Vec::with_capacity(rules.len());
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, rules.len().max(1)) {
            let send = send.clone();
            let next = &next;
            scope.spawn(move || {
                while let Some(rule) = rules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if send.send(run(rule, target)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for judged in receive {
            each(&judged);
            all.push(judged);
        }
    });
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// The first need of the rule that this target and this machine do not meet.
fn missing(rule: &Rule, target: &Arc<Target>) -> Option<String> {
    if rule.side != Side::Server && target.plexctl.is_none() {
        return Some("a plexctl to judge".to_owned());
    }
    if rule.side != Side::Client && target.server.is_none() {
        return Some("a server to judge".to_owned());
    }
    if let Some(ServerTarget::Running(running)) = &target.server
        && let Some(id) = lacking(rule, &running.without)
    {
        return Some(format!("a server that has {id}"));
    }
    rule.needs.iter().find(|need| !met(**need, target)).map(ToString::to_string)
}

/// An operation that the rule is about and the server does not have.
fn lacking<'w>(rule: &Rule, without: &'w [String]) -> Option<&'w String> {
    let about = |id: &&String| {
        rule.claims
            .iter()
            .any(|claim| matches!(claim, Claim::Operation { id: of, .. } if of == *id))
    };
    without.iter().find(about)
}

fn met(need: Need, target: &Arc<Target>) -> bool {
    let (spawned, control) = match &target.server {
        None => (false, false),
        Some(ServerTarget::Spawn(_)) => (true, true),
        Some(ServerTarget::Running(running)) => (false, running.control),
    };
    match need {
        Need::SpawnableServer => spawned,
        // Whoever names a server and a token has them: the rules know no other ids.
        Need::ExampleIds => target.server.is_some(),
        Need::Journal
        | Need::Clock
        | Need::OwnWorld
        | Need::Scenarios
        | Need::SeededTokens
        | Need::EmbeddedRancher => control,
        Need::Proc => cfg!(target_os = "linux") && std::path::Path::new("/proc/self/stat").exists(),
        Need::Unix => cfg!(unix),
        Need::Unprivileged => !rustix::process::geteuid().is_root(),
        Need::Offers(flag) => offers(target, flag),
        Need::Program(name) => find_program(name).is_some(),
        Need::Python(module) => find_python(module).is_some(),
    }
}

/// Whether a command's help names the flag.
fn offers(target: &Arc<Target>, flag: &str) -> bool {
    let help = target.help.get_or_init(|| {
        let bench = Bench::new(Arc::clone(target));
        Family::ALL
            .iter()
            .filter_map(|family| bench.plexctl().ok()?.args([family.name(), "--help"]).go().ok())
            .map(|ran| ran.stdout_text())
            .collect()
    });
    help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric()).any(|word| word == flag)
}

/// A program on our own PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A Python on our own PATH that has the module; looked for once.
pub fn find_python(module: &'static str) -> Option<PathBuf> {
    static FOUND: Mutex<BTreeMap<&str, Option<PathBuf>>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let look = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("python3")).find(|python| {
            let mut command = Command::new(python);
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // As the rules run it: without the site of the user.
            let asked = quiet.args(["-s", "-W", "ignore", "-c", &format!("import {module}")]);
            asked.status().is_ok_and(|status| status.success())
        })
    };
    found.entry(module).or_insert_with(look).clone()
}

/// A failure may quote the subject's output; no secret leaves through it.
fn redacted(verdict: Verdict, bench: &Bench) -> Verdict {
    match verdict {
        Verdict::Fail { mut failure } => {
            failure.what = bench.evidence().redact(&failure.what);
            failure.expected = bench.evidence().redact(&failure.expected);
            failure.observed = bench.evidence().redact(&failure.observed);
            Verdict::Fail { failure }
        }
        Verdict::Broken { why } => Verdict::Broken { why: bench.evidence().redact(&why) },
        other => other,
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "without a message".to_owned(),
    }
}
