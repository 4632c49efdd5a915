//! The binary: everything it does is `plexctl::run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    plexctl::run(std::env::args_os())
}
