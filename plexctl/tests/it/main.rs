//! plexctl as a process: what it prints, leaves behind, starts and sends.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod exit_codes;
mod files;
mod mock;
mod pinless;
mod pins;
mod process;
mod secrets;
mod shell;
mod ssh;
mod stage;
mod terminal;
mod tls;
mod tunnel;
mod wait;
