//! Every rule is named by a broken subject, and the subjects are noticed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use conformance::catalogue;
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
    let found = selfcheck::judge(&programs(), &announced, &rules, &pairs, 4, &settings).unwrap();
    found.into_iter().map(|one| (format!("{}: {}", one.subject, one.rule), one.said)).collect()
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
