//! Door 2: the standalone runner, and the one file that prints.

#![expect(clippy::print_stderr, reason = "this is the file that prints")]

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use conformance::cli::Cli;
use conformance::commands::{self, Trouble};
use conformance::exit::Ending;
use mimalloc::MiMalloc;

/// Rules are judged on many threads, and most of what they do is make and forget small texts: the
/// system's allocator takes a sixth of all that a run does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Started under the name of a broken subject, this program is that subject.
    if let Some(played) = conformance::saboteur::play() {
        return played;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stream leaves nobody to tell.
            let printed = error.print();
            if printed.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
                return Ending::HarnessFailed.into();
            }
            return if error.use_stderr() { Ending::Usage } else { Ending::Conforms }.into();
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut err = io::stderr();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let live = err.is_terminal() && !dumb;
    let terminal = if live { Some(&mut err as &mut dyn Write) } else { None };
    let ended = commands::dispatch(cli, &mut out, terminal);
    if let Err(error) = out.flush()
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("conformance: stdout: {error}");
        return Ending::HarnessFailed.into();
    }
    if let Some(signal) = conformance::interrupt::heard() {
        eprintln!("conformance: interrupted");
        conformance::interrupt::die(signal);
    }
    match ended {
        Ok(ending) => ending.into(),
        Err(Trouble::Nothing(why)) => {
            eprintln!("conformance: {why}");
            Ending::NothingRan.into()
        }
        Err(Trouble::Closed) => Ending::Conforms.into(),
        Err(Trouble::Usage(why)) => {
            eprintln!("conformance: {why}");
            Ending::Usage.into()
        }
        Err(Trouble::Harness(why)) => {
            eprintln!("conformance: {why}");
            Ending::HarnessFailed.into()
        }
    }
}
