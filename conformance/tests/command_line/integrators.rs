//! What people with projects of their own are told to do, done: the data files handed out, and the
//! examples in other languages.

use std::fs;
use std::path::Path;
use std::process::Command;

use conformance::runner::find_program;

use super::{code, conformance, stdout};

#[test]
fn fixtures_are_handed_out_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("data");
    let place = place.to_str().unwrap();
    let output = conformance(&["fixtures", "export", place]);
    assert_eq!(code(&output), 0, "{output:?}");
    let verify = || {
        let output = conformance(&["fixtures", "verify", place]);
        (code(&output), stdout(&output))
    };
    let (ended, text) = verify();
    assert_eq!(ended, 0, "{text}");
    // What lies there is not written over by mistake.
    assert_eq!(code(&conformance(&["fixtures", "export", place])), 2);
    assert_eq!(code(&conformance(&["fixtures", "export", place, "--force"])), 0);
    fs::write(Path::new(place).join("contract/extra.json"), "{}").unwrap();
    let rows = fs::read_to_string(Path::new(place).join("contract/exit_codes.json")).unwrap();
    assert!(rows.contains("kubeconfig.77.rebac_denied"));
    fs::write(Path::new(place).join("contract/exit_codes.json"), "{}").unwrap();
    fs::remove_file(Path::new(place).join("contract/flags.json")).unwrap();
    let (ended, text) = verify();
    assert_eq!(ended, 1, "{text}");
    assert!(text.contains("contract/exit_codes.json is not the file"), "{text}");
    assert!(text.contains("contract/flags.json is missing"), "{text}");
    assert!(text.contains("contract/extra.json is not of the fixtures"), "{text}");
    assert_eq!(code(&conformance(&["fixtures", "verify", "/no/such/folder"])), 3);
    // Another version is not what was asked for, however whole it is.
    let manifest = Path::new(place).join("MANIFEST.json");
    assert_eq!(code(&conformance(&["fixtures", "export", place, "--force"])), 0);
    fs::remove_file(Path::new(place).join("contract/extra.json")).unwrap();
    let listed = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, listed.replacen("\"version\": \"", "\"version\": \"9.", 1)).unwrap();
    let output = conformance(&["fixtures", "verify", place]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(stdout(&output).contains("the folder has fixtures 9."), "{output:?}");
    // What a link leads to is not ours to write.
    let other = tempfile::NamedTempFile::new().unwrap();
    fs::remove_file(Path::new(place).join("README.md")).unwrap();
    std::os::unix::fs::symlink(other.path(), Path::new(place).join("README.md")).unwrap();
    let output = conformance(&["fixtures", "export", place, "--force"]);
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(fs::read(other.path()).unwrap().is_empty());
    assert!(stdout(&conformance(&["fixtures", "verify", place])).contains("README.md is a link"));
}

/// Runs the example of a language in a folder that was exported, where the language is installed.
fn example(language: &str, program: &str, args: &[&str]) {
    let Some(program) = find_program(program) else { return };
    let dir = tempfile::tempdir().unwrap();
    let output = conformance(&["fixtures", "export", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{output:?}");
    let run = || {
        Command::new(&program)
            .args(args)
            .current_dir(dir.path().join("examples").join(language))
            .env("GOCACHE", dir.path().join("go-cache"))
            .output()
            .unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{output:?}");
    // The example looks: a scenario that expects something else makes it fail.
    let path = dir.path().join("scenarios/rebac_denied.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"exit_code\": 77", "\"exit_code\": 4")).unwrap();
    let output = run();
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn the_example_in_python() {
    example("python", "python3", &["-m", "unittest"]);
}

#[test]
fn the_example_in_javascript() {
    example("javascript", "node", &["--test"]);
}

#[test]
fn the_example_in_go() {
    example("go", "go", &["test", "-count=1", "./..."]);
}

#[test]
fn the_action_runs_the_harness() {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/actions/conformance/run.sh");
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("output");
    let output = Command::new("bash")
        .arg(script)
        .env("BINARY", env!("CARGO_BIN_EXE_conformance"))
        .env("PLEXCTL", "/bin/false")
        .env("RULES", "kubeconfig.exit.77.* kubeconfig.exit.4.*")
        .env("REPORT_DIR", dir.path().join("reports"))
        .env("GITHUB_OUTPUT", &out)
        .env("GITHUB_STEP_SUMMARY", dir.path().join("summary"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(stdout(&output).contains("::error title=kubeconfig.exit."), "{output:?}");
    assert_eq!(fs::read_to_string(out).unwrap(), "exit-code=1\n");
    for name in ["report.json", "report.xml", "report.html", "badge.json"] {
        assert!(dir.path().join("reports").join(name).is_file(), "{name}");
    }
    assert!(fs::read_to_string(dir.path().join("summary")).unwrap().contains("does not conform"));
}
