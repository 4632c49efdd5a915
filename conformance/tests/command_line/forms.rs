//! Each form of a report, read by the program that it is made for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::fixture;
use conformance::runner::find_program;
use serde_json::Value;
use tempfile::TempDir;

use super::{code, conformance, json, run_client, stdout, subject};

/// Some rules that pass, some that fail and some that are skipped, reported in every form.
fn reports(dir: &TempDir, further: &[&str]) -> Output {
    let four = subject(dir, "echo 'forbidden <b>&\"]]>' >&2; exit 4");
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let mut args = vec!["run".to_owned(), "--plexctl".into(), four];
    for glob in ["kubeconfig.exit.[47]*", "server.version.*"] {
        args.extend(["--rule".into(), glob.into()]);
    }
    for name in
        ["r.json", "r.xml", "r.tap", "r.html", "r.md", "r.txt", "badge=badge.json", "github=g"]
    {
        let report = match name.split_once('=') {
            Some((format, name)) => format!("{format}={}", file(name)),
            None => file(name),
        };
        args.extend(["--report".into(), report]);
    }
    args.extend(further.iter().map(|arg| (*arg).to_owned()));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = conformance(&args);
    assert_eq!(code(&output), 1, "{output:?}");
    output
}

fn read(dir: &TempDir, name: &str) -> String {
    fs::read_to_string(dir.path().join(name)).unwrap()
}

/// A program that the check needs. On a machine that promised to have it, its absence fails.
fn tool(name: &str) -> Option<PathBuf> {
    let found = find_program(name);
    assert!(found.is_some() || std::env::var_os("CI_REQUIRE_TOOLS").is_none(), "{name} is missing");
    found
}

fn schema() -> jsonschema::Validator {
    jsonschema::validator_for(&fixture::json("schema/report.schema.json").unwrap()).unwrap()
}

#[test]
fn json_is_of_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    reports(&dir, &["--timings"]);
    let report: Value = serde_json::from_str(&read(&dir, "r.json")).unwrap();
    let errors: Vec<String> =
        schema().iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(report["contract"]["generation"], "2026-07");
    let mut wrong = report;
    wrong["rules"][0]["verdict"] = "perhaps".into();
    assert!(!schema().is_valid(&wrong));
}

#[test]
fn junit_is_of_the_common_schema() {
    let Some(xmllint) = tool("xmllint") else { return };
    let dir = tempfile::tempdir().unwrap();
    let xsd = dir.path().join("junit.xsd");
    fs::write(&xsd, fixture::bytes("schema/junit.xsd").unwrap()).unwrap();
    let valid = |file: &Path| {
        let output = Command::new(&xmllint)
            .args(["--noout", "--nonet", "--schema"])
            .args([&xsd, file])
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    reports(&dir, &[]);
    let file = dir.path().join("r.xml");
    let (fits, said) = valid(&file);
    assert!(fits, "{said}");
    let text = read(&dir, "r.xml");
    assert!(text.contains("<failure ") && text.contains("<skipped "), "{text}");
    reports(&dir, &["--timings"]);
    assert!(valid(&file).0);
    fs::write(&file, text.replace(" hostname=\"localhost\"", "")).unwrap();
    assert!(!valid(&file).0, "the schema refuses nothing");
}

/// What a browser makes of the page: its document, and what it complained of.
fn browsed(chromium: &Path, dir: &TempDir, file: &str, fragment: &str) -> (String, String) {
    let profile = dir.path().join("profile");
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}#{fragment}", dir.path().join(file).display()))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console.join("\n"))
}

#[test]
fn html_works_in_a_browser() {
    let Some(chromium) = tool("chromium") else { return };
    let dir = tempfile::tempdir().unwrap();
    reports(&dir, &[]);
    let (page, console) = browsed(&chromium, &dir, "r.html", "");
    assert_eq!(console, "");
    assert!(page.contains("data-ready=\"yes\""), "the script did not get to its end");
    let rules = page.matches("<details class=\"rule\"").count();
    let hidden = |page: &str| page.matches("hidden=\"\">").count();
    assert!(rules > 5 && hidden(&page) == 0, "{rules} rules, {} hidden", hidden(&page));
    // A filter leaves some and takes the others away; so does a cell of the matrix.
    let (page, _) = browsed(&chromium, &dir, "r.html", "verdict=fail");
    let failed = page.matches("data-verdict=\"fail\"").count();
    assert_eq!(hidden(&page), rules - failed);
    let (page, _) = browsed(&chromium, &dir, "r.html", "claim=exit+kubeconfig.4.forbidden");
    let claimed = page.matches("|exit kubeconfig.4.forbidden|").count();
    assert!(claimed > 0 && claimed < rules, "{claimed} of {rules}");
    assert_eq!(hidden(&page), rules - claimed);
    // The look at the console would see an error.
    let broken = read(&dir, "r.html").replace("const form =", "const form = nobody.knows ||");
    fs::write(dir.path().join("broken.html"), broken).unwrap();
    let (page, console) = browsed(&chromium, &dir, "broken.html", "");
    assert!(console.contains("nobody is not defined"), "{console}");
    assert!(!page.contains("data-ready=\"yes\""));
}

#[test]
fn the_other_forms_agree_with_the_json() {
    let dir = tempfile::tempdir().unwrap();
    let shown = stdout(&reports(&dir, &[]));
    assert_eq!(read(&dir, "r.txt"), shown);
    let report: Value = serde_json::from_str(&read(&dir, "r.json")).unwrap();
    let count =
        |verdict: &str| usize::try_from(report["counts"][verdict].as_u64().unwrap()).unwrap();
    let tap = read(&dir, "r.tap");
    assert!(tap.starts_with(&format!("TAP version 14\n1..{}\n", count("rules"))), "{tap}");
    let lines = |start: &str| tap.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("not ok "), count("fail"));
    assert_eq!(tap.matches(" # SKIP ").count(), count("skip"));
    let badge: Value = serde_json::from_str(&read(&dir, "badge.json")).unwrap();
    assert_eq!(badge["message"], format!("{} of {}", count("pass"), count("pass") + count("fail")));
    assert_eq!(badge["color"], "red");
    let summary = read(&dir, "r.md");
    assert!(summary.contains("**does not conform**, contract 2026-07"), "{summary}");
    assert!(read(&dir, "g").lines().all(|line| line.starts_with("::")));
}

#[test]
fn a_kept_report_is_rendered_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    reports(&dir, &[]);
    let kept = dir.path().join("r.json");
    let kept = kept.to_str().unwrap();
    for (format, name) in [
        ("text", "r.txt"),
        ("json", "r.json"),
        ("junit", "r.xml"),
        ("tap", "r.tap"),
        ("html", "r.html"),
        ("markdown", "r.md"),
    ] {
        let output = conformance(&["report", kept, "--output", format]);
        assert_eq!(code(&output), 0, "{output:?}");
        assert_eq!(stdout(&output), read(&dir, name), "{format}");
    }
    assert_eq!(code(&conformance(&["report", "/no/such/report.json"])), 3);
    fs::write(dir.path().join("other.json"), "{\"format\": 7}").unwrap();
    let other = dir.path().join("other.json");
    let output = conformance(&["report", other.to_str().unwrap()]);
    assert_eq!(code(&output), 3);
    assert!(super::stderr(&output).contains("a report of format 7"), "{output:?}");
}

#[test]
fn a_job_page_gets_annotations_and_a_summary() {
    let dir = tempfile::tempdir().unwrap();
    reports(&dir, &[]);
    let page = dir.path().join("summary");
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("report")
        .arg(dir.path().join("r.json"))
        .args(["--github", "--quiet"])
        .env("GITHUB_STEP_SUMMARY", &page)
        .output()
        .unwrap();
    assert!(stdout(&output).contains("::error title=kubeconfig.exit.77."), "{output:?}");
    assert_eq!(fs::read_to_string(page).unwrap(), read(&dir, "r.md"));
}

#[test]
fn four_shards_merged_are_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (whole, merged) = (file("whole.json"), file("merged.json"));
    let rules = ["--rule", "kubeconfig.exit.*", "--quiet"];
    let run = |further: &[&str]| {
        let output = run_client(&[&rules, further].concat());
        assert_eq!(code(&output), 0, "{output:?}");
    };
    run(&["--report", &whole]);
    let mut shards = Vec::new();
    for number in 1..=4 {
        let path = file(&format!("{number}.json"));
        run(&["--shard", &format!("{number}/4"), "--shuffle", "7", "--report", &path]);
        shards.push(path);
    }
    let mut args = vec!["merge"];
    args.extend(shards.iter().map(String::as_str));
    args.extend(["--report", &merged, "--output", "json"]);
    let output = conformance(&args);
    assert_eq!(code(&output), 0, "{output:?}");
    let (one, mut other) = (json(&run_json(&whole)), json(&output));
    other["run"].as_object_mut().unwrap().remove("shuffle");
    assert_eq!(one, other);
    let output = conformance(&["diff", &whole, &merged]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(stdout(&output).starts_with("0 worse, 0 better"), "{output:?}");
    let output = conformance(&["merge", &shards[0], &shards[2], &shards[3]]);
    assert_eq!(code(&output), 3);
    assert!(super::stderr(&output).contains("shard 2 is missing"), "{output:?}");
}

fn run_json(path: &str) -> Output {
    conformance(&["report", path, "--output", "json"])
}

#[test]
fn after_the_first_failure_nothing_more_is_judged() {
    let args = ["run", "--plexctl", "/bin/false", "--rule", "kubeconfig.exit.4.*", "--jobs", "1"];
    let output = conformance(&[&args[..], &["--fail-fast", "--output", "json"]].concat());
    assert_eq!(code(&output), 1, "{output:?}");
    let report = json(&output);
    assert_eq!(report["counts"]["fail"], 1);
    assert_eq!(report["counts"]["not_run"], report["counts"]["rules"].as_u64().unwrap() - 1);
}

#[test]
fn a_trace_shows_what_passed_too() {
    let output = run_client(&["--rule", super::CLIENT_RULE, "--trace"]);
    let text = stdout(&output);
    assert!(text.contains("ran: cd ") && text.contains("the referee saw IssueSession"), "{text}");
}

#[test]
fn a_client_that_cannot_be_started_is_broken_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not-a-program");
    fs::write(&path, "no").unwrap();
    let output = conformance(&[
        "run",
        "--plexctl",
        path.to_str().unwrap(),
        "--rule",
        "kubeconfig.exit.4.*",
        "--jobs",
        "1",
    ]);
    assert_eq!(code(&output), 3, "{output:?}");
    let text = stdout(&output);
    assert_eq!(text.matches("broken  ").count(), 1, "{text}");
    assert!(text.contains("not-run ") && text.contains("the client is gone"), "{text}");
}
