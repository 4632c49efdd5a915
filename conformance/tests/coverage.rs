//! Everything that is promised is claimed by some rule, and every rule is complete.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use conformance::bench::{Family, Generation, Scenario, System};
use conformance::catalogue;
use conformance::fixture;
use conformance::rule::{Claim, Rule};
use serde_json::Value;

/// What no rule can bring about on a healthy server, and why.
const OUT_OF_REACH: [(&str, u16, &str); 10] = [
    ("*", 500, "no request may make a healthy server fail"),
    ("ListRancherFeatures", 410, "there is one feature, so that no page has another after it"),
    ("*", 408, "it takes a client that is slow for half a minute"),
    ("GetHealth", 503, "a server that shuts down takes no new connection"),
    ("GetHealthAtRoot", 503, "as GetHealth"),
    ("GetReadiness", 503, "as GetHealth"),
    ("GetSession", 503, "relations are asked for another's session only, and a new world has none"),
    ("AttachSession", 503, "as GetSession"),
    ("RevokeSession", 503, "as GetSession"),
    ("RevokeSessionByVerb", 503, "as GetSession"),
];

fn rules() -> Vec<Rule> {
    catalogue::all().unwrap_or_else(|reason| panic!("{reason:?}"))
}

fn claims() -> BTreeSet<Claim> {
    rules().into_iter().flat_map(|rule| rule.claims).collect()
}

/// Fails with all that nobody claims at once.
fn assert_claimed(due: impl IntoIterator<Item = Claim>) {
    let claimed = claims();
    let holes: Vec<String> = due
        .into_iter()
        .filter(|claim| !claimed.contains(claim))
        .map(|claim| claim.to_string())
        .collect();
    assert!(holes.is_empty(), "no rule claims:\n{}", holes.join("\n"));
}

fn texts<'v>(value: &'v Value, list: &str) -> Vec<&'v Value> {
    value[list].as_array().into_iter().flatten().collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn every_exit_code_and_each_of_its_triggers() {
    let document = fixture::json("contract/exit_codes.json").unwrap();
    let mut due = Vec::new();
    for row in texts(&document, "rows") {
        due.push(Claim::exit(text(&row["id"])));
        due.extend(texts(row, "triggers").iter().map(|one| Claim::exit(text(&one["id"]))));
    }
    assert!(due.len() > 50, "only {} triggers", due.len());
    assert_claimed(due);
}

#[test]
fn every_flag_of_every_page() {
    let document = fixture::json("contract/flags.json").unwrap();
    let mut due = Vec::new();
    for page in texts(&document, "pages") {
        let command = text(&page["command"]);
        let own = texts(page, "flags").into_iter().map(|row| &row["flag"]);
        for flag in own.chain(texts(page, "inherited")) {
            due.push(Claim::flag(command.clone(), text(flag)));
        }
    }
    assert!(due.len() > 25, "only {} flags", due.len());
    assert_claimed(due);
}

#[test]
fn every_scenario_for_every_command_and_on_the_server_s_wire() {
    let names = Scenario::names();
    assert!(names.len() > 200, "only {} scenarios", names.len());
    assert_claimed(names.into_iter().flat_map(|name| {
        let players = Family::ALL.map(Family::name).into_iter().chain(["server"]);
        players.map(move |player| Claim::scenario(name.clone(), player)).collect::<Vec<_>>()
    }));
    for system in [System::Rancher, System::K0rdent] {
        let scenarios = Scenario::of(system).unwrap();
        assert!(scenarios.len() > 30, "only {} scenarios of {}", scenarios.len(), system.name());
        assert_claimed(scenarios.into_iter().map(|one| Claim::scenario(one.name, "server")));
    }
}

#[test]
fn every_status_of_every_operation() {
    let claimed: BTreeSet<(String, u16)> = claims()
        .into_iter()
        .filter_map(|claim| match claim {
            Claim::Operation { id, status, .. } => Some((id.into_owned(), status)),
            _ => None,
        })
        .collect();
    let mut holes = Vec::new();
    let operations =
        System::ALL.map(|system| system.contract(Generation::July).unwrap().operations()).concat();
    for operation in &operations {
        // Another spelling of an operation answers as the operation does.
        let other = operation.definition["x-alias-of"].as_str().unwrap_or(&operation.id);
        for (status, _) in operation.definition["responses"].as_object().unwrap() {
            let status: u16 = status.parse().unwrap();
            let is = |id: &str| claimed.contains(&(id.to_owned(), status));
            let excused = OUT_OF_REACH
                .iter()
                .any(|(id, code, _)| (*id == "*" || *id == operation.id) && *code == status);
            if !is(&operation.id) && !is(other) && !excused {
                holes.push(format!("{} {status}", operation.id));
            }
        }
        assert!(
            claimed.iter().any(|(id, _)| *id == operation.id),
            "no rule claims {} at all",
            operation.id
        );
    }
    assert!(holes.is_empty(), "no rule claims:\n{}", holes.join("\n"));
}

/// The reasons are what k0rdent's refusals say to programs, listed in the schema of each status.
#[test]
fn every_reason_of_k0rdent() {
    let contract = System::K0rdent.contract(Generation::July).unwrap();
    let mut due = Vec::new();
    for operation in contract.operations() {
        for (status, response) in operation.definition["responses"].as_object().unwrap() {
            let status: u16 = status.parse().unwrap();
            let Some(name) = response["$ref"].as_str() else { continue };
            let response = contract.document().pointer(name.trim_start_matches('#')).unwrap();
            let schema = &response["content"]["application/json"]["schema"]["allOf"][1];
            let detail = &schema["properties"]["error"]["properties"]["details"]["prefixItems"][0];
            let reasons = texts(&detail["properties"]["reason"], "enum");
            assert!(!reasons.is_empty(), "{name} lists no reasons");
            if !OUT_OF_REACH.iter().any(|(id, code, _)| *id == "*" && *code == status) {
                due.extend(
                    reasons
                        .iter()
                        .map(|reason| Claim::refusal(operation.id.clone(), status, text(reason))),
                );
            }
        }
    }
    assert!(due.len() > 30, "only {} reasons", due.len());
    assert_claimed(due);
}

#[test]
fn an_operation_is_called_so_in_one_document_only() {
    let mut ids = BTreeSet::new();
    for system in System::ALL {
        for operation in system.contract(Generation::July).unwrap().operations() {
            assert!(ids.insert(operation.id.clone()), "{} is there twice", operation.id);
        }
    }
}

#[test]
fn every_promise_of_the_listeners() {
    let document = fixture::json("contract/listeners.json").unwrap();
    let rows = texts(&document, "rows");
    assert!(rows.len() > 80, "only {} rows", rows.len());
    assert_claimed(rows.iter().map(|row| Claim::listener(text(&row["id"]))));
    // The rule says what the row says.
    let rules = rules();
    for row in rows {
        let id = format!("listeners.{}", text(&row["id"]));
        let rule = rules.iter().find(|rule| rule.id == id);
        assert_eq!(rule.map(|rule| &*rule.title), row["what"].as_str(), "{id}");
    }
}

#[test]
fn every_token_of_the_collection() {
    let stem = |path: String| path.rsplit('/').next().unwrap().replace(".json", "");
    assert_claimed(fixture::list("tokens/cases/").into_iter().map(stem).map(Claim::token));
}

#[test]
fn every_hostile_case() {
    // There is no login yet, so nothing can be phished out of one (C32).
    let due = (1..=33).filter(|number| *number != 32);
    assert_claimed(due.map(|number| Claim::hostile(format!("C{number}"))));
}

#[test]
fn every_rule_is_complete_and_stands_once() {
    let rules = rules();
    assert!(rules.len() > 1000, "only {} rules", rules.len());
    for pair in rules.windows(2) {
        assert!(pair[0].id < pair[1].id, "{} and {}", pair[0].id, pair[1].id);
    }
    for rule in &rules {
        for (what, text) in
            [("title", &rule.title), ("fix", &rule.fix), ("fact", &rule.source.fact)]
        {
            let text = text.trim();
            assert!(!text.is_empty() && !text.contains('\n'), "{}: its {what}", rule.id);
        }
        assert!(!rule.claims.is_empty(), "{} claims nothing", rule.id);
        let page = &*rule.source.page;
        let known =
            (["plexctl ", "k0rdent ", "Rancher "].iter().any(|system| page.starts_with(system))
                && page.ends_with(" page"))
                || page.strip_prefix("RFC ").is_some_and(|number| number.parse::<u16>().is_ok());
        let on_disk = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
        assert!(known || on_disk.is_file(), "{}: there is no page {page}", rule.id);
    }
}

#[test]
fn every_sentence_of_the_command_pages() {
    let document = fixture::json("contract/sentences.json").unwrap();
    let rules = rules();
    let sentences = texts(&document, "sentences");
    let mut places = BTreeSet::new();
    for sentence in &sentences {
        let id = text(&sentence["id"]);
        let place =
            (text(&sentence["page"]), text(&sentence["section"]), sentence["ordinal"].as_u64());
        assert!(places.insert(place), "{id} stands twice");
        for glob in texts(sentence, "rules") {
            let found = catalogue::matching(&rules, &[text(glob)]).unwrap();
            assert!(!found.is_empty(), "{id}: no rule is called {glob}");
            // What a page says has to be asked of everybody.
            let must = found.iter().any(|rule| rule.level == conformance::rule::Level::Must);
            assert!(must, "{id}: {glob} asks for nothing that is a MUST");
        }
    }
    // None is left out in between, and every row of the tables is a sentence.
    for (page, section, ordinal) in &places {
        let number = ordinal.unwrap();
        assert!(number == 1 || places.contains(&(page.clone(), section.clone(), Some(number - 1))));
    }
    let flags = fixture::json("contract/flags.json").unwrap();
    for page in texts(&flags, "pages") {
        let name = format!("plexctl {} page", page["command"].as_str().unwrap());
        let rows =
            places.iter().filter(|(of, section, _)| *of == name && section == "Flags").count();
        assert_eq!(rows, texts(page, "flags").len(), "{name}, Flags");
    }
    let untestable = sentences.iter().filter(|one| one["untestable"].is_string()).count();
    assert!(untestable * 5 < sentences.len(), "{untestable} of {}", sentences.len());
}
