//! plexctl as a process: what it prints, leaves behind, starts and sends.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod exit_codes;
mod files;
mod secrets;
mod ssh;
mod stage;
mod tls;
