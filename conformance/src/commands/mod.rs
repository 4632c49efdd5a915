//! What each subcommand does. Everything is written to the stream that `main` hands in.

mod docs;
mod doctor;
mod fixtures;
mod list;
mod report;
mod run;
mod selfcheck;

use std::fmt;
use std::io::Write;

use crate::catalogue;
use crate::cli::{Choice, Cli, Command, Fixtures, Level};
use crate::exit::Ending;
use crate::rule::{self, Rule};
use crate::verdict::Reason;

/// Runs the subcommand; `Err` is the harness's own failure or a usage mistake.
/// `terminal` is where a line may live while a run goes on.
pub fn dispatch(
    cli: Cli,
    out: &mut dyn Write,
    terminal: Option<&mut dyn Write>,
) -> Result<Ending, Trouble> {
    match cli.command {
        Command::Run(args) => run::run(&args, out, terminal),
        Command::List(args) => list::list(&args, out),
        Command::Explain { rule, output } => list::explain(&rule, output, out),
        Command::Docs { check, dir } => docs::docs(&dir, check, out),
        Command::Selfcheck(args) => selfcheck::selfcheck(&args, out, terminal),
        Command::Doctor(subjects) => doctor::doctor(&subjects, out),
        Command::Fixtures(Fixtures::Export { dir, force }) => fixtures::export(&dir, force, out),
        Command::Fixtures(Fixtures::Verify { dir }) => fixtures::verify(&dir, out),
        Command::Report { file, reports } => report::again(&file, &reports, out),
        Command::Merge { shards, reports } => report::merge(&shards, &reports, out),
        Command::Diff { before, after } => report::diff(&before, &after, out),
    }
}

/// Why a subcommand could not do its work.
#[derive(Debug)]
pub enum Trouble {
    Usage(String),
    Harness(String),
    /// Whoever read our output has gone.
    Closed,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) | Self::Harness(why) => f.write_str(why),
            Self::Closed => f.write_str("nobody reads what is written"),
        }
    }
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
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Harness(error.to_string()),
        }
    }
}

fn choose<'r>(all: &'r [Rule], choice: &Choice) -> Result<Vec<&'r Rule>, Trouble> {
    let mut rules = catalogue::matching(all, &choice.rules)
        .map_err(|error| Trouble::Usage(format!("--rule: {error}")))?;
    if !choice.systems.is_empty() {
        rules.retain(|rule| choice.systems.contains(&rule.system));
    }
    if choice.level == Level::Must {
        rules.retain(|rule| rule.level == rule::Level::Must);
    }
    Ok(rules)
}
