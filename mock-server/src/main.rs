//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_server::run(std::env::args_os())
}
