//! Every fixture is what its schema says, and the contract document is sound in itself.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use conformance::bench::{Generation, System};
use conformance::fixture;
use conformance::verdict::Reason;
use jsonschema::Validator;
use serde_json::{Value, json};

/// OpenAPI documents, whose schema is not ours.
fn is_contract(path: &str) -> bool {
    System::ALL.iter().any(|system| system.document() == path)
}

fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())
}

/// `../schema/x.json` seen from `dir/file.json`, as a path below `fixtures/`.
fn resolved(from: &str, reference: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(from).parent().unwrap().join(reference).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part.as_os_str().to_str().unwrap().to_owned()),
        }
    }
    parts.join("/")
}

/// A JSON or YAML fixture.
fn document(path: &str) -> Value {
    let bytes = fixture::bytes(path).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    if path.ends_with(".yaml") {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
    } else {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// JSON and YAML of our own formats; schemas, the contract, and what is no data are judged elsewhere.
fn is_document(path: &str) -> bool {
    let data = path.ends_with(".json") || path.ends_with(".yaml");
    data && !path.starts_with("schema/") && !is_contract(path)
}

#[test]
fn every_file_is_of_its_schema() {
    let mut validators: BTreeMap<String, Validator> = BTreeMap::new();
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for path in fixture::list("") {
        if !is_document(&path) {
            continue;
        }
        let document = document(&path);
        let Some(reference) = document["$schema"].as_str() else {
            wrong.push(format!("{path} names no schema"));
            continue;
        };
        let schema = resolved(&path, reference);
        let validator = validators
            .entry(schema.clone())
            .or_insert_with(|| validator(&fixture::json(&schema).unwrap()).unwrap());
        judged += 1;
        for error in validator.iter_errors(&document) {
            wrong.push(format!("{path} at {}: {error}", error.instance_path()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 300, "only {judged} files were judged");
}

#[test]
fn every_schema_is_one_and_is_used() {
    let used: BTreeSet<String> = fixture::list("")
        .into_iter()
        .filter(|path| is_document(path))
        .map(|path| resolved(&path, document(&path)["$schema"].as_str().unwrap_or_default()))
        .collect();
    // What a program prints is judged where it is printed, not stored.
    let printed = ["schema/error_document.schema.json", "schema/report.schema.json"];
    for path in fixture::list("schema/") {
        if path.ends_with(".xsd") {
            continue;
        }
        let schema = fixture::json(&path).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{path} is no JSON Schema");
        validator(&schema).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(
            used.contains(&path) || printed.contains(&path.as_str()),
            "{path} is used by no file"
        );
    }
}

#[test]
fn a_file_is_called_as_it_calls_itself() {
    for prefix in ["scenarios/", "worlds/", "tokens/cases/", "golden/"] {
        for path in fixture::list(prefix) {
            // A machine goes by its host name, and a Rancher is part of a world.
            let nameless = ["worlds/machines/", "worlds/rancher/"];
            if path.ends_with(".md") || nameless.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap().to_owned();
            assert_eq!(document(&path)["name"], json!(stem), "{path}");
        }
    }
}

#[test]
fn the_examples_are_judged_as_they_are_filed() {
    let generations = [Generation::June, Generation::July, Generation::August];
    let (mut valid, mut invalid) = (0, 0);
    for path in fixture::list("contract/examples/") {
        let example = document(&path);
        let wanted = example["generation"].as_str().unwrap_or("2026-07");
        let generation =
            generations.into_iter().find(|generation| generation.name() == wanted).unwrap();
        let schema = example["schema"].as_str().unwrap();
        let system = path.split('/').nth(2).and_then(System::named).unwrap();
        let verdict = system.contract(generation).unwrap().validate(schema, &example["value"]);
        if path.contains("/valid/") {
            valid += 1;
            assert!(verdict.is_ok(), "{path}: {verdict:?}");
        } else {
            invalid += 1;
            assert!(matches!(verdict, Err(Reason::Failure(_))), "{path}: {verdict:?}");
        }
    }
    assert!(valid >= 10 && invalid >= 10, "{valid} valid and {invalid} invalid examples");
}

/// Every value in the document, with its place.
fn walk<'v>(value: &'v Value, place: &str, visit: &mut impl FnMut(&str, &'v Value)) {
    visit(place, value);
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{at}"), visit);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &format!("{place}/{name}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_contract_is_sound_in_every_generation() {
    let generations = [Generation::June, Generation::July, Generation::August];
    for (system, generation) in
        System::ALL.into_iter().flat_map(|system| generations.map(|one| (system, one)))
    {
        let contract = system.contract(generation).unwrap();
        let document = contract.document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        walk(document, "", &mut |place, value| {
            if let Some(reference) = value["$ref"].as_str() {
                let target = reference.strip_prefix('#').unwrap_or_default();
                assert!(document.pointer(target).is_some(), "{place}: {reference} leads nowhere");
            }
        });
        for (name, _) in document["components"]["schemas"].as_object().unwrap() {
            // A schema that cannot be compiled is broken; null is merely refused.
            let verdict = contract.validate(name, &Value::Null);
            assert!(!matches!(verdict, Err(Reason::Broken(_))), "{name}: {verdict:?}");
        }
        let ids: BTreeSet<&str> = contract.operations().iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids.len(), contract.operations().len(), "an operationId is there twice");
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "put", "post", "delete", "patch", "head", "options"] {
                let Some(operation) = item.get(method) else { continue };
                assert!(operation["operationId"].is_string(), "{method} {path} has no operationId");
                let responses = operation["responses"].as_object().unwrap();
                assert!(!responses.is_empty(), "{method} {path} answers nothing");
            }
        }
    }
}

#[test]
fn the_contracts_own_examples_are_of_their_schemas() {
    for system in System::ALL {
        own_examples(system);
    }
}

fn own_examples(system: System) {
    let document = system.contract(Generation::July).unwrap().document();
    let mut judged = 0;
    walk(document, "", &mut |place, value| {
        // Patches of other generations are judged where they are applied.
        if place.starts_with("/x-generations") || value.get("schema").is_none() {
            return;
        }
        let single = value.get("example").map(|example| ("example", example));
        let named = value["examples"].as_object().into_iter().flatten();
        let named =
            named.filter_map(|(name, example)| Some((name.as_str(), example.get("value")?)));
        let whole = json!({"allOf": [value["schema"]], "components": document["components"]});
        for (name, example) in single.into_iter().chain(named) {
            let validator = validator(&whole).unwrap_or_else(|error| panic!("{place}: {error}"));
            let error = validator.iter_errors(example).next();
            assert!(error.is_none(), "{place}, {name}: {}", error.unwrap());
            judged += 1;
        }
    });
    assert!(judged > 0, "no example was judged");
}
