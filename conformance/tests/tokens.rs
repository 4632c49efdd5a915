//! The verifier that rules judge tokens with, against every case of `fixtures/tokens`.

use conformance::bench::token::{Situation, refusal};
use conformance::fixture;
use jiff::Timestamp;

#[test]
fn the_verifier_agrees_with_every_case() {
    let ring = fixture::json("tokens/keys.json").unwrap();
    let key = |name: &str| {
        let all = ring["keys"].as_array().unwrap();
        all.iter().find(|key| key["name"] == name).unwrap()["jwk"]["x"].as_str().unwrap().to_owned()
    };
    let cases = fixture::list("tokens/cases/");
    assert!(cases.len() >= 70, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for path in cases {
        let case = fixture::json(&path).unwrap();
        let keys: Vec<String> = case["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| key(name.as_str().unwrap()))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let context = &case["context"];
        let now: Timestamp = context["now"].as_str().unwrap().parse().unwrap();
        let situation = Situation {
            now: now.as_duration().as_secs_f64(),
            session_id: context["session_id"].as_str().unwrap(),
            kind: context["kind"].as_str().unwrap(),
            user: context["user"].as_str(),
        };
        let said = refusal(case["token"].as_str().unwrap(), &keys, &situation);
        if said != case["refusal"].as_str() {
            wrong.push(format!("{path}: {said:?} instead of {}", case["refusal"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
