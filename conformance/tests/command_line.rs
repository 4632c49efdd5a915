//! The standalone runner from outside: its exit codes, its reports, and each way to name a subject.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
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

fn list(dir: &TempDir, text: &str) -> String {
    let path = dir.path().join("known.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn exit_0_when_the_subject_conforms() {
    let output = run_client(&["--rule", CLIENT_RULE]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert_eq!(stdout(&output), "1 of 1 rules ran\n1 passed, 0 failed, 0 skipped\n");
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
    for args in [
        &["run", "--jobs", "0"][..],
        &["run", "--rule", "a[b"],
        &["run", "--server", "http://127.0.0.1:1"],
        &["run", "--mock-server", "/bin/true", "--server", "http://127.0.0.1:1"],
        &["run", "--verbose", "--quiet"],
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
    let dir = tempfile::tempdir().unwrap();
    let garbage = list(&dir, "rule: [");
    for args in [
        &["run", "--plexctl", "/no/such/plexctl"][..],
        &["run", "--plexctl", "/bin/true", "--known-failing", &garbage],
        &["run", "--plexctl", "/bin/true", "--known-failing", "/no/such/list"],
        &["run", "--plexctl", "/bin/true", "--rule", CLIENT_RULE, "--report", "/no/such/dir/r"],
    ] {
        let output = conformance(args);
        assert_eq!(code(&output), 3, "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    // A server that never becomes ready breaks the first rule; the rest is not run.
    let output = conformance(&["run", "--mock-server", "/bin/true", "--rule", OTHER_SERVER_RULE]);
    assert_eq!(code(&output), 3, "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("broken  server.whoami"), "{text}");
    assert!(text.contains("not-run server.whoami"), "{text}");
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
    // Listed, but it fails otherwise: that is a failure first.
    let (ended, text) = judged("/bin/false", &listed);
    assert_eq!(ended, 1, "{text}");
    // Listed, and matches no rule that ran.
    let (ended, text) = judged(own, &entry("no.such.*", "x", "2999-12-31"));
    assert_eq!(ended, 4, "{text}");
    // Listed for too long.
    let (ended, text) = judged(own, &entry(CLIENT_RULE, "exit code 4", "2001-01-01"));
    assert_eq!(ended, 4, "{text}");
    assert!(text.contains("expired on 2001-01-01"), "{text}");
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

#[test]
fn the_report_is_json_and_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let ask = || {
        run_client(&[
            "--rule",
            "kubeconfig.exit.4.*",
            "--rule",
            CLIENT_RULE,
            "--jobs",
            "3",
            "--output",
            "json",
            "--report",
            path.to_str().unwrap(),
        ])
    };
    let (first, second) = (ask(), ask());
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(fs::read(&path).unwrap(), first.stdout);
    let report = json(&first);
    assert_eq!(report["format"], 1);
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["counts"]["pass"], report["counts"]["rules"]);
    let ids: Vec<&str> =
        report["rules"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(ids.len() > 1 && ids.is_sorted() && ids.contains(&CLIENT_RULE), "{ids:?}");
}

#[test]
fn no_token_reaches_a_report() {
    let dir = tempfile::tempdir().unwrap();
    // It prints what it should hide: the credential, and all that it was given.
    let talker = subject(&dir, "echo \"$@\"; /bin/cat \"$HOME/token\"; exit 9");
    let report = dir.path().join("report.json");
    let output = conformance(&[
        "run",
        "--plexctl",
        &talker,
        "--rule",
        "kubeconfig.exit.*",
        "--report",
        report.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 1, "{output:?}");
    let written = fs::read_to_string(report).unwrap();
    for text in [stdout(&output), stderr(&output), written] {
        assert!(!text.contains("psk_"), "{text}");
    }
}

#[test]
fn kept_sandboxes_are_named_and_there() {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["run", "--plexctl", "/bin/false", "--rule", CLIENT_RULE, "--keep"])
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    let text = stdout(&output);
    let named = text.lines().find_map(|line| line.split_once("the sandbox is kept: ")).unwrap().1;
    assert!(Path::new(named.trim()).join("home/token").is_file(), "{text}");
    assert!(Path::new(named.trim()).starts_with(temporary.path()), "{text}");
}

#[test]
fn rules_can_be_chosen_listed_and_explained() {
    let all = stdout(&conformance(&["list"])).lines().count();
    let must = stdout(&conformance(&["list", "--level", "must"])).lines().count();
    assert!(must > 100 && must < all, "{must} of {all}");
    let some = stdout(&conformance(&["list", "--rule", "ssh.exit.*", "--rule", CLIENT_RULE]));
    assert!(
        some.lines().all(|line| line.starts_with("ssh.exit.") || line.starts_with(CLIENT_RULE))
    );
    let told = stdout(&conformance(&["explain", CLIENT_RULE]));
    for part in [CLIENT_RULE, "level: MUST", "source: plexctl kubeconfig page", "covers: ", "fix: "]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(
        json(&conformance(&["explain", CLIENT_RULE, "--output", "json"]))["id"],
        CLIENT_RULE
    );
}

#[test]
fn the_generated_pages_are_the_ones_in_the_repository() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let output = conformance(&["docs", "--check", "--dir", docs.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    assert_eq!(code(&conformance(&["docs", "--dir", place])), 0);
    assert_eq!(code(&conformance(&["docs", "--check", "--dir", place])), 0);
    fs::write(dir.path().join("rules.md"), "edited by hand").unwrap();
    let output = conformance(&["docs", "--check", "--dir", place]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("rules.md is stale") && text.lines().count() == 1, "{text}");
}

#[test]
fn the_doctor_looks_at_subjects_and_machine() {
    let plexctl = binaries().plexctl.to_str().unwrap();
    let output = conformance(&["doctor", "--plexctl", plexctl]);
    assert_eq!(code(&output), 0, "{output:?}");
    for part in ["plexctl: ", "umask: ", "/proc: ", "ssh: ", "kubectl: ", "strace: "] {
        assert!(stdout(&output).contains(part), "{part} in {output:?}");
    }
    let output = conformance(&["doctor", "--plexctl", "/bin/false"]);
    assert_eq!(code(&output), 3, "{output:?}");
}

/// Our own server, started as anybody would, and stopped at the end of the test.
struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    fn start() -> Self {
        let mut child = Command::new(&binaries().mock_server)
            .args(["--port", "0", "--output", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, ready }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_that_already_runs() {
    let server = Running::start();
    let dir = tempfile::tempdir().unwrap();
    let token: PathBuf = dir.path().join("token");
    fs::write(&token, "psk_dev_operator\n").unwrap();
    let token = token.to_str().unwrap();
    let ca = server.ready["ca_file"].as_str().unwrap();
    for url in [&server.ready["http"], &server.ready["https"]] {
        let url = url.as_str().unwrap();
        let output = conformance(&[
            "run",
            "--server",
            url,
            "--token-file",
            token,
            "--ca-file",
            ca,
            "--rule",
            SERVER_RULE,
            "--rule",
            OTHER_SERVER_RULE,
            "--rule",
            "server.issue_session.*",
        ]);
        assert_eq!(code(&output), 0, "{}", stdout(&output));
        assert!(stdout(&output).contains(" passed, 0 failed, "), "{output:?}");
    }
    // What only a server of our own making can show is skipped, with its need.
    let http = server.ready["http"].as_str().unwrap();
    let output = conformance(&[
        "run",
        "--server",
        http,
        "--token-file",
        token,
        "--rule",
        "server.determinism.*",
    ]);
    assert_eq!(code(&output), 5, "{output:?}");
    assert!(stdout(&output).contains("a server the harness starts itself"), "{output:?}");
}
