//! `--adapter`: a client with another command line, judged through a program that translates.

use super::{binaries, code, conformance, json, stderr, subject};

/// Passes on what its client has, says what it lacks, and cannot express one user name.
fn adapter(dir: &tempfile::TempDir, further: &str) -> String {
    let plexctl = binaries().plexctl.display();
    let script = format!(
        "if [ \"$1\" = conformance-describe ]; then\n\
         \x20 echo '{{\"protocol\":1,\"name\":\"other\",\"version\":\"2\",\"unsupported\":[\"ssh\"]}}'; exit 0\n\
         fi\n\
         [ \"$CONFORMANCE_PROTOCOL\" = 1 ] || exit 70\n{further}\n\
         exec {plexctl} \"$@\""
    );
    format!("/bin/sh {}", subject(dir, &script))
}

#[test]
fn what_the_client_has_is_judged_and_the_rest_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let run = |command: &str| {
        let rules = ["--rule", "*.exit.77.rebac_denied", "--output", "json"];
        let output = conformance(&[&["run", "--adapter", command][..], &rules].concat());
        (code(&output), json(&output))
    };
    let (ended, report) = run(&adapter(&dir, ""));
    assert_eq!(ended, 0, "{report:#}");
    assert_eq!(report["counts"]["pass"], 2, "{report:#}");
    assert_eq!(report["needs"]["a client that has ssh"], 1, "{report:#}");
    assert!(report["subjects"]["adapter"].as_str().unwrap().starts_with("/bin/sh "));
    let unable = "case \"$1\" in tcp-forward) echo 'forwarding by host' >&2; exit 89;; esac";
    let (ended, report) = run(&adapter(&dir, unable));
    assert_eq!((ended, &report["counts"]["pass"]), (0, &1.into()), "{report:#}");
    assert_eq!(report["needs"]["an adapter that can express: forwarding by host"], 1);
    // Whoever can express nothing has not conformed.
    let (ended, report) = run(&adapter(&dir, "exit 89"));
    assert_eq!((ended, &report["counts"]["skip"]), (5, &3.into()), "{report:#}");
}

#[test]
fn an_adapter_that_does_not_speak_the_protocol_is_no_verdict() {
    for (command, why) in [("/bin/true", "describe"), ("no-such-adapter", "no program")] {
        let output = conformance(&["run", "--adapter", command, "--rule", "kubeconfig.exit.4.*"]);
        assert_eq!(code(&output), 3, "{output:?}");
        assert!(stderr(&output).contains(why), "{output:?}");
    }
    // Its interpreter is not on the PATH of the sandbox: told at once, and not by each rule.
    let dir = tempfile::tempdir().unwrap();
    let path = subject(&dir, "");
    std::fs::write(&path, "#!/usr/bin/env python3\nprint(1)\n").unwrap();
    for verb in ["run", "doctor"] {
        let output = conformance(&[verb, "--adapter", &path]);
        assert_eq!(code(&output), 3, "{output:?}");
        let said = format!("{}{}", super::stdout(&output), stderr(&output));
        assert!(said.contains("in the sandbox of the rules"), "{said}");
    }
    let output = conformance(&["doctor", "--adapter", &adapter(&dir, "")]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(super::stdout(&output).contains("for other 2, without ssh"), "{output:?}");
    let output = conformance(&["run", "--adapter", "/bin/true", "--plexctl", "/bin/true"]);
    assert_eq!(code(&output), 2, "{output:?}");
}
