//! `run`: the rules against the subjects, and the report.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Trouble, choose, report};
use crate::bench::{self, Adapter, Generation, System, quote};
use crate::catalogue;
use crate::cli::{Level, RunArgs, Subjects};
use crate::exit::Ending;
use crate::interrupt;
use crate::known::{self, KnownFailing};
use crate::report::canary::Vault;
use crate::report::progress::Progress;
use crate::report::text::Detail;
use crate::report::{About, Report, model as report_model};
use crate::runner;
use crate::shard;
use crate::subjects as binaries;
use crate::target::{RunningServer, ServerTarget, Settings, Target};
use crate::verdict::{Outcome, Reason, broken};

pub(super) fn run(
    args: &RunArgs,
    out: &mut dyn Write,
    terminal: Option<&mut dyn Write>,
) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let mut rules = choose(&all, &args.choice)?;
    let target = Arc::new(target(args)?);
    if args.choice.systems.is_empty() && args.choice.rules.is_empty() && is_foreign(&target) {
        rules.retain(|rule| rule.system == System::default());
    }
    if let Some(shard) = args.shard {
        rules.retain(|rule| shard.has(&rule.id));
    }
    if let Some(seed) = args.shuffle {
        shard::shuffle(&mut rules, seed);
    }
    let known = match &args.known_failing {
        Some(path) => KnownFailing::load(path).map_err(Trouble::Usage)?,
        None => KnownFailing::default(),
    };
    report::expect_writable(&args.reports)?;
    let now = Timestamp::now();
    let jobs = args.jobs.map_or_else(|| runner::usual_jobs(&target), usize::from);
    if args.shuffle.is_none() {
        shard::longest_first(&mut rules);
    }
    let mut progress = Progress::new(terminal, rules.len());
    let mut judged = runner::run_all(&rules, &target, jobs, |one| progress.step(one));
    progress.end();
    let ids: Vec<&str> = all.iter().map(|rule| &*rule.id).collect();
    let stale = known.apply(&mut judged, &ids, now);
    let mut report = Report::new(&judged, &rules, stale, about(args, &target, now));
    if args.known_failing.is_some() {
        let today = now.to_zoned(TimeZone::UTC).date();
        for (one, judged) in report.rules.iter_mut().zip(&judged) {
            one.listing = known::listing(judged, today);
        }
    }
    let detail = if args.trace { Detail::Trace } else { report::detail(&args.reports) };
    let secret = match &target.server {
        Some(ServerTarget::Running(running)) => Some(running.token.as_str()),
        _ => None,
    };
    let tokens = target.tokens();
    let vault = Vault::new(secret).with_tokens(tokens.iter().map(String::as_str));
    match report::hand_out(&report, &args.reports, detail, &vault, out) {
        // Whoever reads has read enough; how the run ended is told by its exit code.
        Ok(()) | Err(Trouble::Closed) => {}
        Err(trouble) => return Err(trouble),
    }
    interrupt::is_over();
    if target.standing() > 0 && interrupt::heard().is_none() {
        hold(&target, out)?;
    }
    Ok(report::ending(&report))
}

/// Somebody else's server is one system, and nobody has said which. The mock is all of them.
fn is_foreign(target: &Target) -> bool {
    matches!(&target.server, Some(ServerTarget::Running(running)) if !running.control)
}

/// Waits until the person who asked to keep everything is done. Without anybody at standard input
/// it has ended already.
fn hold(target: &Target, out: &mut dyn Write) -> Result<(), Trouble> {
    let count = target.standing();
    let stand = if count == 1 { "server stands" } else { "servers stand" };
    writeln!(out, "{count} {stand} until standard input ends; the files stay")?;
    out.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}

/// What the report says of the run, and the command line that repeats a part of it.
fn about(args: &RunArgs, target: &Target, now: Timestamp) -> About {
    let mut subjects = report_model::Subjects::default();
    let mut words = vec!["conformance".to_owned(), "run".to_owned()];
    let mut named = |flag: &str, value: String| {
        words.extend([flag.to_owned(), quote(OsStr::new(&value))]);
        Some(value)
    };
    if let Some(command) = &args.subjects.adapter {
        subjects.adapter = named("--adapter", command.clone());
    } else if let Some(path) = &target.plexctl {
        subjects.plexctl = named("--plexctl", path.display().to_string());
    }
    match &target.server {
        Some(ServerTarget::Spawn(path)) => {
            subjects.mock_server = named("--mock-server", path.display().to_string());
        }
        Some(ServerTarget::Running(running)) => {
            subjects.server = named("--server", running.url.clone());
            let files = [
                ("--token-file", &args.subjects.token_file),
                ("--ca-file", &args.subjects.ca_file),
            ];
            for (flag, file) in files {
                if let Some(file) = file {
                    named(flag, file.display().to_string());
                }
            }
        }
        None => {}
    }
    if args.timeout != RunArgs::TIMEOUT {
        named("--timeout", args.timeout.to_string());
    }
    if args.seed != 1 {
        named("--seed", args.seed.to_string());
    }
    let mut foreign: String =
        args.subjects.without.iter().map(|one| format!(" --without {one}")).collect();
    foreign.push_str(if args.subjects.foreign { " --foreign" } else { "" });
    let level = if args.choice.level == Level::Must { "must" } else { "should" };
    About {
        contract: report_model::Contract::default(),
        subjects,
        run: report_model::Run {
            rules: args.choice.rules.clone(),
            level: level.to_owned(),
            seed: args.seed,
            shard: args.shard.map(|shard| shard.to_string()),
            shuffle: args.shuffle,
            started: args.timings.then(|| now.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
        },
        command: format!("{}{foreign}", words.join(" ")),
        timings: args.timings,
    }
}

fn target(args: &RunArgs) -> Outcome<Target> {
    let (mut plexctl, server) = subjects(&args.subjects)?;
    let timeout = Duration::from_secs(args.timeout.into());
    let adapter = match &args.subjects.adapter {
        Some(command) => Some(Adapter::ask(command, timeout)?),
        None => None,
    };
    if let Some(adapter) = &adapter {
        plexctl = Some(adapter.program.clone());
    }
    let settings = Settings {
        timeout,
        seed: args.seed,
        keep: args.keep,
        trace: args.trace,
        fail_fast: args.fail_fast,
    };
    Ok(Target { plexctl, adapter, server, settings, ..Target::default() })
}

/// The subjects as asked for. Who names one side only is judged on that side only; who names
/// none gets the binaries beside this program.
pub(super) fn subjects(asked: &Subjects) -> Outcome<(Option<PathBuf>, Option<ServerTarget>)> {
    let named = asked.plexctl.is_some()
        || asked.adapter.is_some()
        || asked.mock_server.is_some()
        || asked.server.is_some();
    let or_beside = |path: &Option<PathBuf>, name: &str| match path {
        None if named => None,
        None => binaries::beside_us(name),
        Some(path) => Some(path.clone()),
    };
    let plexctl = existing(or_beside(&asked.plexctl, "plexctl"))?;
    let server = match (&asked.server, &asked.token_file) {
        (Some(url), Some(token_file)) => {
            Some(ServerTarget::Running(running(asked, url, token_file)?))
        }
        _ => existing(or_beside(&asked.mock_server, "mock-server"))?.map(ServerTarget::Spawn),
    };
    Ok((plexctl, server))
}

/// A mistake in what we were given for a server would look like one of the server.
fn running(asked: &Subjects, url: &str, token_file: &Path) -> Outcome<RunningServer> {
    for id in &asked.without {
        let knows = |system: &System| {
            let contract = system.contract(Generation::default())?;
            Ok::<_, Reason>(contract.operations().iter().any(|operation| operation.id == *id))
        };
        let known = System::ALL.iter().map(knows).collect::<Result<Vec<_>, _>>()?;
        if !known.contains(&true) {
            return broken(format!("--without {id}: no contract has an operation of that id"));
        }
    }
    let ca_file = existing(asked.ca_file.clone())?;
    if let Some(ca_file) = &ca_file {
        bench::certificates(ca_file)?;
    }
    let server = RunningServer {
        url: url.to_owned(),
        token: credential(token_file)?,
        without: asked.without.clone(),
        control: !asked.foreign && bench::has_control_routes(url, ca_file.as_deref())?,
        ca_file,
    };
    let asks = !server.control && !server.without.iter().any(|id| id == "Whoami");
    // One that is not there is told of by the report, which somebody may be waiting for.
    if asks && bench::answers_at(url) && bench::refuses(&server)? {
        let file = token_file.display();
        return broken(format!("the server answers 401 to the credential in {file}"));
    }
    Ok(server)
}

fn credential(file: &Path) -> Outcome<String> {
    let text =
        fs::read_to_string(file).or_else(|error| broken(format!("{}: {error}", file.display())))?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        let file = file.display();
        return broken(format!("{file}: not a credential, which is one line without blanks"));
    }
    Ok(token.to_owned())
}

fn existing(path: Option<PathBuf>) -> Outcome<Option<PathBuf>> {
    match path {
        Some(path) if !path.is_file() => broken(format!("no file at {}", path.display())),
        Some(path) => Ok(Some(std::path::absolute(path)?)),
        None => Ok(None),
    }
}
