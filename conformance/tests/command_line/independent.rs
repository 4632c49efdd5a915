//! A client that was written from the public pages alone is judged as anybody's is.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{code, conformance, json};

fn python() -> bool {
    let found = Path::new("/usr/bin/python3").is_file();
    assert!(found || std::env::var_os("CI_REQUIRE_TOOLS").is_none(), "python3 is missing");
    found
}

fn subject(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/subjects/independent");
    fixtures.join(name).canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_python_client_keeps_every_must_that_it_reaches() {
    if !python() {
        return;
    }
    let client = subject("plexctl.py");
    let args = ["run", "--plexctl", &client, "--level", "must", "--output", "json"];
    let output = conformance(&[&args[..], &["--timeout", "120"]].concat());
    let report = json(&output);
    assert_nothing_wrong(&report);
    assert_eq!(code(&output), 0);
    assert!(report["counts"]["pass"].as_u64().unwrap() > 600, "{}", report["counts"]);
}

fn assert_nothing_wrong(report: &Value) {
    let wrong: Vec<String> = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["verdict"] != "pass" && one["verdict"] != "skip")
        .map(|one| {
            format!("{} expected {}, observed {}", one["id"], one["expected"], one["observed"])
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The independent server, and its address. Ends with the test.
struct Started(Child, String);

impl Started {
    fn with(token_file: &Path) -> Self {
        let mut child = Command::new(subject("server.py"))
            .arg(token_file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Operations of the contract that the server leaves out.
const WITHOUT: [&str; 10] = [
    "AttachSession",
    "PostNodeSessionCallback",
    "ListSessions",
    "ListProjects",
    "GetProject",
    "ListResources",
    "GetResource",
    "CheckAuthorization",
    "GetOpenApi",
    "GetJwks",
];

/// Judges the server; the report, and how the run ended.
fn judged(server: &Started, token_file: &Path, further: &[&str]) -> (Value, i32) {
    let mut args = vec!["run", "--server", &server.1, "--output", "json"];
    args.extend(["--token-file", token_file.to_str().unwrap()]);
    args.extend(WITHOUT.iter().flat_map(|operation| ["--without", operation]));
    args.extend(further);
    let output = conformance(&args);
    (json(&output), code(&output))
}

#[test]
fn the_python_server_keeps_every_must_that_it_reaches() {
    if !python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    fs::write(&token_file, "an-opaque-token-of-nobody-s\n").unwrap();
    let server = Started::with(&token_file);
    let (report, ended) = judged(&server, &token_file, &["--level", "must"]);
    assert_nothing_wrong(&report);
    assert_eq!(ended, 0);
    assert!(report["counts"]["pass"].as_u64().unwrap() > 60, "{}", report["counts"]);
    let needs = report["needs"].as_object().unwrap();
    for need in ["a server that has ListSessions", "a server whose clock can be moved"] {
        assert!(needs.contains_key(need), "{needs:?}");
    }
    // Nothing is left behind on somebody else's server: the sessions were given back.
    let text = report.to_string();
    assert!(!text.contains("an-opaque-token"), "the credential is in the report");
}

#[test]
fn a_server_that_goes_away_fails_nothing_more() {
    if !python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    fs::write(&token_file, "an-opaque-token-of-nobody-s\n").unwrap();
    let mut server = Started::with(&token_file);
    let mut args = vec!["run", "--server", &server.1, "--foreign", "--output", "json"];
    args.extend(["--token-file", token_file.to_str().unwrap(), "--rule", "server.issue_session.*"]);
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let output = conformance(&args);
    assert_eq!(code(&output), 3, "{output:?}");
    let counts = &json(&output)["counts"];
    assert_eq!((&counts["fail"], &counts["pass"]), (&0.into(), &0.into()), "{counts}");
    assert!(counts["not_run"].as_u64().unwrap() > 10, "{counts}");
}
