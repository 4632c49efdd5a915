//! `run`: the rules against the subjects, and the report.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::{Trouble, choose};
use crate::bench::{self, redaction};
use crate::catalogue;
use crate::cli::{Output, RunArgs, Subjects};
use crate::exit::Ending;
use crate::known::KnownFailing;
use crate::report::{self, text::Detail};
use crate::runner;
use crate::subjects as binaries;
use crate::target::{RunningServer, ServerTarget, Settings, Target};
use crate::verdict::{Outcome, broken};

pub(super) fn run(args: &RunArgs, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let rules = choose(&all, &args.choice)?;
    let known = match &args.known_failing {
        Some(path) => KnownFailing::load(path)?,
        None => KnownFailing::default(),
    };
    let target = Arc::new(target(args)?);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    let mut judged = runner::run_all(&rules, &target, jobs, |_| {});
    let stale = known.apply(&mut judged, Timestamp::now());
    let ending = Ending::of(&judged, stale.len());
    let document = report::json::report(&judged, &rules, &stale, ending);
    let document = without_secrets(format!("{document:#}\n"))?;
    let shown = match args.output {
        Output::Json => document.clone(),
        Output::Text => {
            let detail = match (args.verbose, args.quiet) {
                (true, _) => Detail::Verbose,
                (false, true) => Detail::Quiet,
                (false, false) => Detail::Usual,
            };
            without_secrets(report::text::report(&judged, &rules, &stale, detail))?
        }
    };
    out.write_all(shown.as_bytes())?;
    if let Some(path) = &args.report {
        fs::write(path, document)
            .map_err(|error| Trouble::Harness(format!("{}: {error}", path.display())))?;
    }
    Ok(ending)
}

/// The last look at a report: one that still shows a token is not handed out.
fn without_secrets(report: String) -> Result<String, Trouble> {
    if redaction::shows_token(&report) {
        return Err(Trouble::Harness(
            "a token is about to reach the report; nothing of it is shown".to_owned(),
        ));
    }
    Ok(report)
}

fn target(args: &RunArgs) -> Outcome<Target> {
    let (plexctl, server) = subjects(&args.subjects)?;
    let settings = Settings {
        timeout: Duration::from_secs(args.timeout.into()),
        seed: args.seed,
        keep: args.keep,
    };
    Ok(Target { plexctl, server, settings, ..Target::default() })
}

/// The subjects as asked for. Who names one side only is judged on that side only; who names
/// none gets the binaries beside this program.
pub(super) fn subjects(asked: &Subjects) -> Outcome<(Option<PathBuf>, Option<ServerTarget>)> {
    let named = asked.plexctl.is_some() || asked.mock_server.is_some() || asked.server.is_some();
    let or_beside = |path: &Option<PathBuf>, name: &str| match path {
        None if named => None,
        None => binaries::beside_us(name),
        Some(path) => Some(path.clone()),
    };
    let plexctl = existing(or_beside(&asked.plexctl, "plexctl"))?;
    let server = match (&asked.server, &asked.token_file) {
        (Some(url), Some(token_file)) => {
            let token = fs::read_to_string(token_file)
                .or_else(|error| broken(format!("{}: {error}", token_file.display())))?;
            Some(ServerTarget::Running(RunningServer {
                url: url.clone(),
                token: token.trim_end_matches(['\r', '\n']).to_owned(),
                ca_file: existing(asked.ca_file.clone())?,
                control: bench::has_control_routes(url, asked.ca_file.as_deref())?,
            }))
        }
        _ => existing(or_beside(&asked.mock_server, "mock-server"))?.map(ServerTarget::Spawn),
    };
    Ok((plexctl, server))
}

fn existing(path: Option<PathBuf>) -> Outcome<Option<PathBuf>> {
    match path {
        Some(path) if !path.is_file() => broken(format!("nothing to judge at {}", path.display())),
        Some(path) => Ok(Some(std::path::absolute(path)?)),
        None => Ok(None),
    }
}
