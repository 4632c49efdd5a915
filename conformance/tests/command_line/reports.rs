//! What the runner writes: reports, lists, pages, and never a token.

use std::fs;
use std::path::Path;

use super::{CLIENT_RULE, binaries, code, conformance, json, run_client, stderr, stdout, subject};

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

/// A client that writes what it made to stderr as `base64` does, in lines of 76 characters.
#[test]
fn a_token_in_base64_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let plexctl = binaries().plexctl.display();
    let script = format!("{plexctl} \"$@\" | /usr/bin/base64 >&2; exit 9");
    let output = conformance(&[
        "run",
        "--plexctl",
        &subject(&dir, &script),
        "--rule",
        "kubeconfig.exit.0.stdout",
    ]);
    assert_eq!(code(&output), 3, "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(stderr(&output).contains("a token is about to reach the report"), "{output:?}");
}

/// Whoever pipes a report into `head` has seen enough, and hears no complaint.
#[test]
fn a_closed_pipe_ends_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["list", "--output", "json"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
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
    for part in ["HOME: ", "paramiko: ", "psql: ", "curl: ", "dbclient: "] {
        assert!(stdout(&output).contains(part), "{part} in {output:?}");
    }
    let output = conformance(&["doctor", "--plexctl", "/bin/false"]);
    assert_eq!(code(&output), 3, "{output:?}");
    // No page promises a version, and a client that hangs is told of.
    let dir = tempfile::tempdir().unwrap();
    let helpful = subject(&dir, "[ \"$1\" = --help ] && echo usage");
    assert_eq!(code(&conformance(&["doctor", "--plexctl", &helpful])), 0);
    let dir = tempfile::tempdir().unwrap();
    let hangs = subject(&dir, "exec /bin/sleep 600");
    let output = conformance(&["doctor", "--plexctl", &hangs]);
    assert_eq!(code(&output), 3, "{output:?}");
    assert!(stdout(&output).contains("has not ended after"), "{output:?}");
}
