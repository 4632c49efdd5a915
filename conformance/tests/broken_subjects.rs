//! Every rule is named by a broken subject, and the subjects are noticed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use conformance::catalogue;
use conformance::report::progress::Progress;
use conformance::rule::Rule;
use conformance::saboteur::selfcheck::{self, Announced, Programs, Said};
use conformance::saboteur::subject::{self, Subject};
use conformance::subjects;
use conformance::target::Settings;
use serde_json::json;

fn rules() -> Vec<Rule> {
    catalogue::all().unwrap_or_else(|reason| panic!("{reason:?}"))
}

fn programs() -> Programs {
    let binaries = subjects::from_environment_or_cargo().unwrap();
    Programs {
        player: Path::new(env!("CARGO_BIN_EXE_conformance")).to_path_buf(),
        plexctl: binaries.plexctl,
        mock_server: binaries.mock_server,
    }
}

fn judged(
    subjects: &[Subject],
    choose: impl Fn(&[Announced<'_>]) -> Vec<(usize, usize)>,
) -> Vec<(String, Said)> {
    let rules = rules();
    let (announced, empty) = selfcheck::announced(subjects, &rules).unwrap();
    assert_eq!(empty, [""; 0], "texts under `fails` that name no rule");
    let settings = Settings { timeout: Duration::from_secs(10), ..Settings::default() };
    let pairs = choose(&announced);
    let found =
        selfcheck::judge(&programs(), &announced, &rules, &pairs, 4, &settings, silent()).unwrap();
    found.into_iter().map(|one| (format!("{}: {}", one.subject, one.rule), one.said)).collect()
}

fn silent() -> Progress<'static> {
    Progress::new(None, 0)
}

fn made_up(defect: &serde_json::Value, when: &serde_json::Value) -> Vec<Subject> {
    let subject = json!({
        "name": "made_up", "side": "client", "why": "made for a test", "when": when,
        "defect": defect, "fails": ["kubeconfig.exit.77.rebac_denied"],
    });
    vec![serde_json::from_value(subject).unwrap()]
}

#[test]
fn every_subject_says_what_fails_and_no_two_are_alike() {
    let subjects = subject::all().unwrap();
    assert!(subjects.len() > 100, "only {} subjects", subjects.len());
    let mut whys: Vec<&str> = subjects.iter().map(|one| one.why.as_str()).collect();
    whys.sort_unstable();
    for pair in whys.windows(2) {
        assert_ne!(pair[0], pair[1], "two subjects for one mistake");
    }
}

#[test]
fn every_rule_is_named_by_a_subject() {
    let (subjects, rules) = (subject::all().unwrap(), rules());
    let (announced, _) = selfcheck::announced(&subjects, &rules).unwrap();
    let named: BTreeSet<usize> =
        announced.iter().flat_map(|one| one.rules.iter().copied()).collect();
    let unseen: Vec<&str> =
        (0..rules.len()).filter(|at| !named.contains(at)).map(|at| &*rules[at].id).collect();
    assert_eq!(unseen, [""; 0], "rules that no subject names");
}

/// One rule for each subject, the one that fewest others name.
#[test]
fn each_subject_is_noticed() {
    let subjects = subject::all().unwrap();
    let found = judged(&subjects, |announced| {
        let mut pairs = selfcheck::spot_checks(announced);
        pairs.dedup_by_key(|(subject, _)| *subject);
        pairs
    });
    let noticed = |said: &Said| matches!(said, Said::Noticed | Said::Skipped(_));
    let wrong: Vec<_> = found.iter().filter(|(_, said)| !noticed(said)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found.len() >= subjects.len());
}

#[test]
fn a_defect_that_does_not_act_is_void() {
    let never = made_up(&json!({"exit": {"to": 4}}), &json!({"exit": [99]}));
    let said = judged(&never, |announced| vec![(0, announced[0].rules[0])]);
    assert_eq!(said[0].1, Said::Void);
}

#[test]
fn a_defect_that_the_rule_overlooks_is_silent() {
    // How long the session was to last is no affair of a rule about its refusal.
    let chatty = made_up(&json!({"args": {"append": ["--ttl-seconds", "60"]}}), &json!({}));
    let said = judged(&chatty, |announced| vec![(0, announced[0].rules[0])]);
    assert_eq!(said[0].1, Said::Silent);
}

#[test]
fn a_defect_that_the_rule_sees_is_noticed_and_no_other_rule_is_blamed() {
    let wrong = made_up(&json!({"exit": {"to": 4}}), &json!({"exit": [77]}));
    let rules = rules();
    let other = rules.iter().position(|rule| rule.id == "kubeconfig.exit.4.forbidden").unwrap();
    let said = judged(&wrong, |announced| vec![(0, announced[0].rules[0]), (0, other)]);
    assert!(said.iter().all(|(_, said)| *said == Said::Noticed), "{said:?}");
}

/// A side, a defect and its condition, a rule that gives it a chance, and one that does not.
const CHANCES: [(&str, &str, &str, &str, &str); 11] = [
    (
        "client",
        r#"{"exit": {"to": 4}}"#,
        r#"{"exit": [77]}"#,
        "kubeconfig.exit.77.rebac_denied",
        "kubeconfig.exit.4.forbidden",
    ),
    (
        "client",
        r#"{"stream": {"which": "stderr", "swallow": true}}"#,
        r#"{"exit": [4]}"#,
        "kubeconfig.exit.4.forbidden",
        "kubeconfig.exit.77.rebac_denied",
    ),
    (
        "client",
        r#"{"args": {"remove": ["--output-file"]}}"#,
        "{}",
        "files.mode_0600_under_umask_022",
        "kubeconfig.exit.4.forbidden",
    ),
    (
        "client",
        r#"{"env": {"set": {"PLEXCTL_MADE_UP": "1"}}}"#,
        r#"{"command": ["ssh"]}"#,
        "ssh.exit.4.forbidden",
        "kubeconfig.exit.4.forbidden",
    ),
    (
        "client",
        r#"{"traffic": {"when": {"code": ["rebac_denied"]}, "act": {"answer": {"status": 404}}}}"#,
        "{}",
        "kubeconfig.exit.77.rebac_denied",
        "kubeconfig.exit.4.forbidden",
    ),
    (
        "server",
        r#"{"traffic": {"when": {"path_has": ["/authz/"]}, "act": {"answer": {"status": 404}}}}"#,
        "{}",
        "server.check_authorization.denied",
        "server.health.ready",
    ),
    (
        "server",
        r#"{"traffic": {"when": {"path_has": ["/authz/"]}, "act": {"request": {"text": "[]"}}}}"#,
        "{}",
        "server.check_authorization.denied",
        "server.health.ready",
    ),
    (
        "server",
        r#"{"traffic": {"act": {"answer": {"replace": [["allowed", "given"]]}}}}"#,
        "{}",
        "server.check_authorization.allowed",
        "server.health.ready",
    ),
    (
        "server",
        r#"{"traffic": {"listener": ["tcp"], "act": {"cut": 6}}}"#,
        "{}",
        "listeners.forward.plain_pipe",
        "listeners.ssh.exec",
    ),
    (
        "server",
        r#"{"traffic": {"https": true, "when": {"path_has": ["/nowhere"]}, "act": "twice"}}"#,
        "{}",
        "pair.https.denied.ssh",
        "server.check_authorization.denied",
    ),
    (
        "server",
        r#"{"args": {"remove": ["--state-dir"]}}"#,
        "{}",
        "server.process.state_dir",
        "server.process.ready_line",
    ),
];

#[test]
fn only_rules_that_give_a_defect_a_chance_are_asked_about_it() {
    let subject = |(at, (side, defect, when, _, _)): (usize, &(&str, &str, &str, &str, &str))| {
        let of = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let subject = json!({
            "name": format!("made_up_{at}"), "side": side, "why": "made for a test",
            "when": of(when), "defect": of(defect), "fails": ["no.such.rule"],
        });
        serde_json::from_value::<Subject>(subject).unwrap()
    };
    let subjects: Vec<Subject> = CHANCES.iter().enumerate().map(subject).collect();
    let rules = rules();
    let (announced, _) = selfcheck::announced(&subjects, &rules).unwrap();
    let place = |id: &str| rules.iter().position(|rule| rule.id == id).unwrap();
    let wanted: Vec<(usize, usize)> =
        CHANCES.iter().enumerate().map(|(at, chance)| (at, place(chance.3))).collect();
    let mut pairs = wanted.clone();
    pairs.extend(CHANCES.iter().enumerate().map(|(at, chance)| (at, place(chance.4))));
    let settings = Settings { timeout: Duration::from_secs(10), ..Settings::default() };
    let found =
        selfcheck::with_a_chance(&programs(), &announced, &rules, &pairs, 4, &settings, silent());
    assert_eq!(found.unwrap(), wanted);
}
