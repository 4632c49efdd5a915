//! The standalone runner from outside: its exit codes, its reports, and each way to name a subject.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adapter;
mod exit_codes;
mod forms;
mod independent;
mod integrators;
mod kept;
mod reports;
mod running_server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use conformance::subjects::{self, Binaries};
use serde_json::Value;
use tempfile::TempDir;

/// A rule about the client and one about the server, both cheap.
const CLIENT_RULE: &str = "kubeconfig.exit.77.rebac_denied";
const SERVER_RULE: &str = "server.version.*";
const OTHER_SERVER_RULE: &str = "server.whoami.*";

fn binaries() -> &'static Binaries {
    static FOUND: OnceLock<Binaries> = OnceLock::new();
    FOUND.get_or_init(|| {
        subjects::from_environment_or_cargo().unwrap_or_else(|reason| panic!("{reason:?}"))
    })
}

fn conformance(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// `run` against our own plexctl, with further arguments.
fn run_client(args: &[&str]) -> Output {
    let plexctl = binaries().plexctl.to_str().unwrap();
    conformance(&[&["run", "--plexctl", plexctl], args].concat())
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A subject that does the same whatever it is asked.
fn subject(dir: &TempDir, script: &str) -> String {
    let path = dir.path().join("subject");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}
