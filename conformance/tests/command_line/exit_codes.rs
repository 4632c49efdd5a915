//! Each exit code of the runner, brought about.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    CLIENT_RULE, OTHER_SERVER_RULE, SERVER_RULE, binaries, code, conformance, run_client, stdout,
    subject,
};

fn list(dir: &TempDir, text: &str) -> String {
    let path = dir.path().join("known.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn exit_0_when_the_subject_conforms() {
    let output = run_client(&["--rule", CLIENT_RULE]);
    assert_eq!(code(&output), 0, "{output:?}");
    let told = stdout(&output);
    assert!(told.starts_with("1 of 1 rules ran\ncontract 2026-07"), "{told}");
    assert!(told.ends_with("\n1 passed, 0 failed, 0 skipped\n"), "{told}");
    let output = run_client(&["--rule", CLIENT_RULE, "--verbose"]);
    assert!(stdout(&output).starts_with(&format!("pass    {CLIENT_RULE}\n")), "{output:?}");
}

#[test]
fn exit_1_when_it_does_not() {
    let output = conformance(&["run", "--plexctl", "/bin/false", "--rule", CLIENT_RULE]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.starts_with(&format!("fail    {CLIENT_RULE}: ")), "{text}");
    for part in ["source: plexctl kubeconfig page", "fix: ", "ran: ", "/bin/false kubeconfig"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.ends_with("\n0 passed, 1 failed, 0 skipped\n"), "{text}");
}

#[test]
fn exit_2_when_the_command_line_makes_no_sense() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = list(&dir, "rule: [");
    for args in [
        &["run", "--jobs", "0"][..],
        &["run", "--rule", "a[b"],
        &["run", "--server", "http://127.0.0.1:1"],
        &["run", "--server", "nonsense", "--token-file", "/dev/null"],
        &["run", "--server", "http://a:b@127.0.0.1:1", "--token-file", "/dev/null"],
        &["run", "--plexctl", "/bin/true", "--rule", CLIENT_RULE, "--rule", "typo.*"],
        &["run", "--plexctl", "/bin/true", "--report", "jnuit=report.xml"],
        &["run", "--plexctl", "/bin/true", "--report", "badge="],
        &["run", "--plexctl", "/bin/true", "--github", "--output", "json"],
        &["run", "--server", "ftp://127.0.0.1/", "--token-file", "/dev/null"],
        &["run", "--mock-server", "/bin/true", "--server", "http://127.0.0.1:1"],
        &["run", "--verbose", "--quiet"],
        &["run", "--shard", "5/4"],
        &["run", "--report", "no-form"],
        &["run", "--plexctl", "/bin/true", "--known-failing", &garbage],
        &["run", "--plexctl", "/bin/true", "--known-failing", "/no/such/list"],
        // Told before anything is judged, which would be in vain.
        &["run", "--plexctl", "/bin/true", "--report", "/no/such/dir/r.xml"],
        &["merge"],
        &["merge", "/dev/null", "--report", "/no/such/dir/r.xml"],
        &["report", "/dev/null", "--report", "/no/such/dir/r.xml"],
        &["explain", "no.such.rule"],
        &["judge"],
        &[],
    ] {
        let output = conformance(args);
        assert_eq!(code(&output), 2, "{args:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn exit_3_when_the_harness_cannot_work() {
    let output = conformance(&["run", "--plexctl", "/no/such/plexctl"]);
    assert_eq!(code(&output), 3, "{output:?}");
    assert!(!output.stderr.is_empty(), "{output:?}");
    // A server that never becomes ready breaks the first rule; the rest is not run.
    let one_by_one = ["--rule", OTHER_SERVER_RULE, "--jobs", "1"];
    let output = conformance(&[&["run", "--mock-server", "/bin/true"][..], &one_by_one].concat());
    assert_eq!(code(&output), 3, "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("broken  server.whoami"), "{text}");
    assert!(text.contains("not-run server.whoami"), "{text}");
}

/// A report that cannot be written takes no other with it.
#[test]
fn what_can_be_handed_out_is() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.json");
    let files = ["--report", "json=/dev/full", "--report", whole.to_str().unwrap()];
    let output = run_client(&[&["--rule", CLIENT_RULE][..], &files].concat());
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(stdout(&output).contains("1 passed, 0 failed"), "{output:?}");
    let report: Value = serde_json::from_slice(&fs::read(whole).unwrap()).unwrap();
    assert_eq!(report["counts"]["pass"], 1, "{report}");
}

/// An interpreter is on the PATH of whoever asks, and on none of the rules'.
#[test]
fn doctor_starts_a_client_where_the_rules_do() {
    let dir = tempfile::tempdir().unwrap();
    let client = dir.path().join("client");
    for (script, ends) in [("#!/bin/sh\necho usage\n", 0), ("#!/usr/bin/env sh\necho usage\n", 3)] {
        fs::write(&client, script).unwrap();
        fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
        let output = conformance(&["doctor", "--plexctl", client.to_str().unwrap()]);
        assert_eq!(code(&output), ends, "{output:?}");
    }
}

/// What was started is ended, nothing is left on disk, and the report says what was not run.
#[test]
fn an_interrupted_run_cleans_up_and_reports() {
    let (dir, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = dir.path().join("pid");
    let client = subject(&dir, &format!("echo $$ >> {}; exec /bin/sleep 600", told.display()));
    let report = dir.path().join("report.json");
    let mut run = Command::new(env!("CARGO_BIN_EXE_conformance"));
    run.args(["run", "--timeout", "600", "--jobs", "2", "--rule", "kubeconfig.exit.77.*"]);
    run.args(["--plexctl", &client, "--report", report.to_str().unwrap()]);
    let pids = || fs::read_to_string(&told).unwrap_or_default();
    terminated(&mut run, place.path(), || pids().lines().count() == 2);
    for pid in pids().lines() {
        let pid = pid.parse().ok().and_then(Pid::from_raw).unwrap();
        assert!(test_kill_process(pid).is_err(), "{pid:?} lives on");
    }
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let rules = report["rules"].as_array().unwrap();
    assert!(!rules.is_empty());
    for rule in rules {
        assert_eq!(rule["verdict"], "not_run", "{rule}");
    }
}

/// Broken servers are two processes each, and none outlives the command.
#[test]
fn an_interrupted_selfcheck_leaves_nothing_running() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_conformance"));
    run.args(["selfcheck", "--subject", "server/*", "--jobs", "8"]);
    run.arg("--mock-server").arg(&binaries().mock_server);
    run.arg("--plexctl").arg(&binaries().plexctl);
    terminated(&mut run, place.path(), || living_in(place.path()).len() >= 8);
    let left = living_in(place.path());
    assert!(left.is_empty(), "{left:?}");
}

/// Sends SIGTERM to the command as soon as it is time: whoever starts tests in the background has
/// SIGINT ignored, and so would the command. It dies of the signal, and `place` is empty again.
fn terminated(command: &mut Command, place: &Path, is_time: impl Fn() -> bool) {
    command.env("TMPDIR", place);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    while !is_time() && run.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = i32::try_from(run.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // Far less than what the clients would sleep, and far more than any machine needs.
    let deadline = Instant::now() + Duration::from_secs(60);
    while run.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("it waits for what it started");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(run.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    let left: Vec<_> = fs::read_dir(place).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The command lines of processes whose environment leads below that folder; the dead have none.
fn living_in(place: &Path) -> Vec<String> {
    let below = format!("{}/", place.display());
    let table = fs::read_dir("/proc").unwrap().flatten();
    table
        .filter(|item| {
            let environment = fs::read(item.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&below)
        })
        .map(|item| fs::read_to_string(item.path().join("cmdline")).unwrap_or_default())
        .collect()
}

#[test]
fn exit_4_when_an_expectation_no_longer_holds() {
    let entry = |rule: &str, observation: &str, expires: &str| {
        format!(
            "- rule: '{rule}'\n  reason: for now\n  link: https://example.org/1\n  \
             observation: '{observation}'\n  expires: {expires}\n"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let four = subject(&dir, "echo forbidden >&2; exit 4");
    let judged = |plexctl: &str, text: &str| {
        let known = list(&dir, text);
        let output = conformance(&[
            "run",
            "--plexctl",
            plexctl,
            "--rule",
            CLIENT_RULE,
            "--known-failing",
            &known,
        ]);
        (code(&output), stdout(&output))
    };
    let listed = entry("kubeconfig.exit.*", "exit code 4", "2999-12-31");
    let (ended, text) = judged(&four, &listed);
    assert_eq!(ended, 0, "{text}");
    assert!(text.contains(&format!("known   {CLIENT_RULE}: for now (https://example.org/1)")));
    // Listed, but it passes.
    let own = binaries().plexctl.to_str().unwrap();
    let (ended, text) = judged(own, &listed);
    assert_eq!(ended, 4, "{text}");
    assert!(text.contains(&format!("stale   kubeconfig.exit.*: {CLIENT_RULE} passes")), "{text}");
    // Listed, but it fails otherwise: the entry has to be looked at.
    let (ended, text) = judged("/bin/false", &listed);
    assert_eq!(ended, 4, "{text}");
    assert!(text.contains("fails otherwise than listed"), "{text}");
    // A failure that nobody listed is worse than any entry.
    let known = list(&dir, &entry(CLIENT_RULE, "exit code 4", "2999-12-31"));
    let both = ["run", "--plexctl", "/bin/false", "--rule", "kubeconfig.exit.77.*"];
    let output = conformance(&[&both[..], &["--known-failing", &known]].concat());
    assert_eq!(code(&output), 1, "{output:?}");
    // Listed twice: the second entry has nothing left to match.
    let (ended, text) = judged(&four, &listed.repeat(2));
    assert_eq!(ended, 4, "{text}");
    assert!(text.contains("an earlier entry"), "{text}");
    // Listed, and matches no rule that ran.
    let (ended, text) = judged(own, &entry("no.such.*", "x", "2999-12-31"));
    assert_eq!(ended, 4, "{text}");
    // Listed for too long.
    let (ended, text) = judged(own, &entry(CLIENT_RULE, "exit code 4", "2001-01-01"));
    assert_eq!(ended, 4, "{text}");
    assert!(text.contains("expired on 2001-01-01"), "{text}");
    let (ended, text) = judged(&four, &entry(CLIENT_RULE, "exit code 4", "2001-01-01"));
    assert_eq!(ended, 4, "{text}");
}

#[test]
fn exit_5_when_nothing_ran() {
    let output = run_client(&["--rule", "no.such.rule"]);
    assert_eq!(code(&output), 5, "{output:?}");
    assert_eq!(stdout(&output), "0 of 0 rules ran\n0 passed, 0 failed, 0 skipped\n");
    let output = run_client(&["--rule", SERVER_RULE]);
    assert_eq!(code(&output), 5, "skips alone are no success: {output:?}");
    assert!(stdout(&output).contains("a server to judge"), "{output:?}");
    assert_eq!(code(&conformance(&["list", "--rule", "no.such.rule"])), 5);
}

/// What a shell puts in the background ignores SIGINT, and `nohup` SIGHUP; their children need not.
#[test]
fn a_run_in_the_background_judges_as_one_in_front() {
    let (conformance, plexctl) = (env!("CARGO_BIN_EXE_conformance"), &binaries().plexctl);
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP INT QUIT TERM; exec \"$@\"", "sh", conformance, "run"])
        .args(["--rule", "*.process.signal_*", "--plexctl"])
        .arg(plexctl)
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(!stdout(&output).starts_with("0 of 0"), "{output:?}");
}
