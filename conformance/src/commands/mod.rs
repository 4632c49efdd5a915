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
use crate::interrupt;
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
        Command::Run(args) => {
            interrupt::heed()?;
            run::run(&args, out, terminal)
        }
        Command::List(args) => list::list(&args, out),
        Command::Explain { rule, output } => list::explain(&rule, output, out),
        Command::Docs { check, dir } => docs::docs(&dir, check, out),
        Command::Selfcheck(args) => {
            interrupt::heed()?;
            selfcheck::selfcheck(&args, out, terminal)
        }
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
    /// There is nothing of what was asked for.
    Nothing(String),
    /// Whoever read our output has gone.
    Closed,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) | Self::Harness(why) | Self::Nothing(why) => f.write_str(why),
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

/// The rules of these globs; one that matches no rule at all is misspelt.
fn matching<'r>(all: &'r [Rule], globs: &[String]) -> Result<Vec<&'r Rule>, Trouble> {
    let of = |globs: &[String]| {
        catalogue::matching(all, globs).map_err(|error| Trouble::Usage(format!("--rule: {error}")))
    };
    let rules = of(globs)?;
    for glob in globs {
        if !rules.is_empty() && of(std::slice::from_ref(glob))?.is_empty() {
            let why = format!("--rule {glob}: matches no rule; `conformance list` names them all");
            return Err(Trouble::Usage(why));
        }
    }
    Ok(rules)
}

fn choose<'r>(all: &'r [Rule], choice: &Choice) -> Result<Vec<&'r Rule>, Trouble> {
    let mut rules = matching(all, &choice.rules)?;
    if !choice.systems.is_empty() {
        rules.retain(|rule| choice.systems.contains(&rule.system));
    }
    if choice.level == Level::Must {
        rules.retain(|rule| rule.level == rule::Level::Must);
    }
    Ok(rules)
}
