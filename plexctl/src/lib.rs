//! plexctl: reach resources through one-time mediated sessions.
//!
//! The rooms, from the door inwards: `cli` is the command line and `usage` what is said about a
//! wrong one; `commands` holds one file a command; `session` is the flow they share, with
//! `wait` for those who ask it to; `render` and
//! `local` turn a session into a document, a file, an ssh client, a tunnel; `context`, `profile`
//! and `credentials` say which server and as whom; `api` speaks to it; `output` is the only file
//! that prints; `error` knows causes and `exit` their numbers.

mod api;
mod audit;
mod cli;
mod commands;
mod context;
mod credentials;
mod endpoint;
mod env;
mod error;
mod exit;
mod local;
mod names;
mod output;
mod process;
mod profile;
mod render;
mod secret;
mod session;
mod untrusted;
mod usage;
mod wait;
mod yaml;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::output::{Format, Output};

/// The command line as a value, for the generated documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs plexctl with these arguments, the program's own name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    process::quiet_panics();
    // The hook has said what there is to say; 101 is in no table of exit codes.
    let code = std::panic::catch_unwind(AssertUnwindSafe(|| answer_or_run(&args)));
    ExitCode::from(code.unwrap_or(exit::FAILURE))
}

/// ssh starts plexctl with a prompt as its one argument and the switch in the environment; anything
/// else is a command line, also inside a session that inherited the switch.
fn answer_or_run(args: &[OsString]) -> u8 {
    if let [_, prompt] = args
        && env::raw(env::ASKPASS).is_some()
    {
        process::harden();
        let answered = local::askpass::answer(&prompt.to_string_lossy());
        return if answered { exit::OK } else { exit::FAILURE };
    }
    match Cli::try_parse_from(args) {
        Ok(cli) => {
            let output = Output::new(cli.persistent.output);
            finish(dispatch(&cli, &output), &output)
        }
        Err(error) => finish(usage::report(&error), &Output::new(usage::format_asked_for(args))),
    }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<(), Error> {
    match &cli.command {
        Command::Kubeconfig(args) => commands::kubeconfig::run(args, &cli.persistent, output),
        Command::Ssh(args) => commands::ssh::run(args, &cli.persistent, output),
        Command::TcpForward(args) => commands::tcp_forward::run(args, &cli.persistent, output),
    }
}

fn finish(outcome: Result<(), Error>, output: &Output) -> u8 {
    match outcome {
        Ok(()) => {
            output.release_remarks();
            exit::OK
        }
        Err(error) => {
            let silent = matches!(error, Error::SshExit { silent: true, .. });
            if !silent || output.format() != Format::Text {
                output.error(&error);
            }
            exit::code(&error)
        }
    }
}
