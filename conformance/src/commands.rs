//! What each subcommand does. Everything is written to the two streams that `main` hands in.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::catalogue;
use crate::cli::{Choice, Cli, Command, Level, ListArgs, Output, RunArgs};
use crate::exit::Ending;
use crate::known::KnownFailing;
use crate::report::{self, Counts};
use crate::rule::{self, Rule};
use crate::runner;
use crate::subjects;
use crate::target::{RunningServer, ServerTarget, Settings, Target};
use crate::verdict::{Outcome, Reason, broken};

/// Runs the subcommand; `Err` is the harness's own failure or a usage mistake.
pub fn dispatch(cli: Cli, out: &mut dyn Write) -> Result<Ending, Trouble> {
    match cli.command {
        Command::Run(args) => run(&args, out),
        Command::List(args) => list(&args, out),
        Command::Explain { rule, output } => explain(&rule, output, out),
    }
}

/// Why a subcommand could not do its work.
#[derive(Debug)]
pub enum Trouble {
    Usage(String),
    Harness(String),
}

impl From<Reason> for Trouble {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Failure(failure) => Self::Harness(failure.to_string()),
            Reason::Skip(why) | Reason::Broken(why) => Self::Harness(why),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Harness(error.to_string())
    }
}

fn run(args: &RunArgs, out: &mut dyn Write) -> Result<Ending, Trouble> {
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
    let document = || report::json::report(&judged, &rules, &stale, ending);
    match args.output {
        Output::Json => writeln!(out, "{:#}", document())?,
        Output::Text => {
            for one in &judged {
                let rule = rules.iter().find(|rule| *rule.id == *one.id).copied();
                out.write_all(report::text::rule(one, rule, args.quiet).as_bytes())?;
            }
            out.write_all(report::text::closing(&Counts::of(&judged), &stale).as_bytes())?;
        }
    }
    if let Some(path) = &args.report {
        fs::write(path, format!("{:#}\n", document()))
            .map_err(|error| Trouble::Harness(format!("{}: {error}", path.display())))?;
    }
    Ok(ending)
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let rules = choose(&all, &args.choice)?;
    match args.output {
        Output::Json => {
            let values: Vec<Value> = rules.iter().map(|rule| report::json::rule(rule)).collect();
            writeln!(out, "{:#}", Value::from(values))?;
        }
        Output::Text => {
            for rule in &rules {
                writeln!(out, "{}  {}", rule.id, rule.title)?;
            }
        }
    }
    Ok(if rules.is_empty() { Ending::NothingRan } else { Ending::Conforms })
}

fn explain(id: &str, output: Output, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let all = catalogue::all()?;
    let Some(rule) = all.iter().find(|rule| rule.id == id) else {
        return Err(Trouble::Usage(format!(
            "no rule is called {id}; `conformance list` names all"
        )));
    };
    if output == Output::Json {
        writeln!(out, "{:#}", report::json::rule(rule))?;
        return Ok(Ending::Conforms);
    }
    let level = match rule.level {
        rule::Level::Must => "MUST",
        rule::Level::Should => "SHOULD",
    };
    writeln!(out, "{}\n  {}", rule.id, rule.title)?;
    writeln!(out, "  level: {level}\n  source: {}, {}", rule.source.page, rule.source.fact)?;
    for claim in &rule.claims {
        writeln!(out, "  covers: {claim}")?;
    }
    for need in &rule.needs {
        writeln!(out, "  needs: {need}")?;
    }
    writeln!(out, "  fix: {}", rule.fix)?;
    Ok(Ending::Conforms)
}

fn choose<'r>(all: &'r [Rule], choice: &Choice) -> Result<Vec<&'r Rule>, Trouble> {
    let mut rules = catalogue::matching(all, &choice.rules)
        .map_err(|error| Trouble::Usage(format!("--rule: {error}")))?;
    if choice.level == Level::Must {
        rules.retain(|rule| rule.level == rule::Level::Must);
    }
    Ok(rules)
}

/// The subjects as asked for. Who names one side only is judged on that side only; who names
/// none gets the binaries beside this program.
fn target(args: &RunArgs) -> Outcome<Target> {
    let named = args.plexctl.is_some() || args.mock_server.is_some() || args.server.is_some();
    let or_beside = |path: &Option<PathBuf>, name: &str| match path {
        None if named => None,
        None => subjects::beside_us(name),
        Some(path) => Some(path.clone()),
    };
    let plexctl = existing(or_beside(&args.plexctl, "plexctl"))?;
    let server = match (&args.server, &args.token_file) {
        (Some(url), Some(token_file)) => {
            let token = fs::read_to_string(token_file)
                .or_else(|error| broken(format!("{}: {error}", token_file.display())))?;
            Some(ServerTarget::Running(RunningServer {
                url: url.clone(),
                token: token.trim_end_matches(['\r', '\n']).to_owned(),
                ca_file: existing(args.ca_file.clone())?,
                control: crate::bench::has_control_routes(url, args.ca_file.as_deref())?,
            }))
        }
        _ => existing(or_beside(&args.mock_server, "mock-server"))?.map(ServerTarget::Spawn),
    };
    let settings = Settings {
        timeout: Duration::from_secs(args.timeout.into()),
        seed: args.seed,
        keep: args.keep,
    };
    Ok(Target { plexctl, server, settings, ..Target::default() })
}

fn existing(path: Option<PathBuf>) -> Outcome<Option<PathBuf>> {
    match path {
        Some(path) if !path.is_file() => broken(format!("nothing to judge at {}", path.display())),
        Some(path) => Ok(Some(std::path::absolute(path)?)),
        None => Ok(None),
    }
}
