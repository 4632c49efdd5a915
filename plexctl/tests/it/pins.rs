//! The pin against what a person's own ssh configuration and records say.

use std::process::{Command, Stdio};

use crate::mock::{Mock, has};
use crate::shell::configured_ssh;
use crate::stage::{Sandbox, line, write_executable};

const WRONG: &str = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

/// `plexctl ssh` to the end of a shell that nobody types into; its exit code and stderr.
fn ssh(mock: &Mock, sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("ssh"))
        .args(args)
        .env_clear()
        .envs(mock.environment(sandbox))
        .env("TMPDIR", sandbox.work())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let left = std::fs::read_dir(sandbox.work()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("plexctl-")), "{left:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn expect_no_token(mock: &Mock, sandbox: &Sandbox, args: &[&str], said: &str) {
    let (code, stderr) = ssh(mock, sandbox, args);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn a_wrong_pin_ends_it_whatever_the_configuration_waves_through() {
    if !has("ssh") || !has("ssh-keygen") {
        return;
    }
    let wrong = &["--host-key-fingerprint", WRONG][..];
    for (options, said) in [
        ("", "Host key verification failed"),
        ("-o StrictHostKeyChecking=accept-new", "another key than the pinned one is on record"),
        ("-o StrictHostKeyChecking=no", "another key than the pinned one is on record"),
        (
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ssh has not compared the host's key",
        ),
        ("-o NoHostAuthenticationForLocalhost=yes", "ssh has not compared the host's key"),
    ] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        configured_ssh(&sandbox, options);
        expect_no_token(&mock, &sandbox, wrong, said);
        let journal = mock.journal();
        assert!(!journal.contains("NODE"), "{options}: {journal}");
    }
}

#[test]
fn a_key_on_record_that_is_not_the_pinned_one_ends_it_too() {
    if !has("ssh") || !has("ssh-keygen") {
        return;
    }
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    configured_ssh(&sandbox, "");
    assert_eq!(ssh(&mock, &sandbox, &[]).0, Some(0));
    // Every session has a port of its own; the record holds for all of them.
    let record = sandbox.work().join("known_hosts");
    let kept = std::fs::read_to_string(&record).unwrap();
    let (_, key) = kept.split_once(' ').unwrap();
    std::fs::write(&record, format!("[127.0.0.1]:* {key}")).unwrap();
    // Known and pinned: nothing is asked, and nothing is wrong.
    assert_eq!(ssh(&mock, &sandbox, &[]).0, Some(0));
    let entered = mock.journal().matches("connection_opened").count();
    let said = "ssh-keygen -R '[127.0.0.1]:";
    expect_no_token(&mock, &sandbox, &["--host-key-fingerprint", WRONG], said);
    let journal = mock.journal();
    assert_eq!(journal.matches("connection_opened").count(), entered, "{journal}");
    assert!(!journal.contains("RedeemToken"), "{journal}");
}

#[test]
fn a_right_pin_goes_with_any_configuration_that_compares() {
    if !has("ssh") || !has("ssh-keygen") {
        return;
    }
    for options in [
        "-o StrictHostKeyChecking=accept-new",
        "-o UserKnownHostsFile=/dev/null",
        "-o StrictHostKeyChecking=no -o HashKnownHosts=yes",
    ] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        configured_ssh(&sandbox, options);
        let (code, stderr) = ssh(&mock, &sandbox, &[]);
        assert_eq!(code, Some(0), "{options}: {stderr}");
    }
}

#[test]
fn a_stale_record_is_named_with_the_way_out() {
    if !has("ssh-keygen") {
        return;
    }
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    sandbox.fake_ssh("#!/bin/sh\nexit 255\n");
    // The real one looks in the home of the account and not in HOME.
    let record = format!("#!/bin/sh\necho '# Host x found: line 1'\necho \"$3 ED25519 {WRONG}\"\n");
    write_executable(&sandbox.path("bin").join("ssh-keygen"), &record);
    let (code, stderr) = ssh(&mock, &sandbox, &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("ssh-keygen -R '[127.0.0.1]:"), "{stderr}");
}
