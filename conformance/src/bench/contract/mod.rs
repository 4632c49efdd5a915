//! The contract documents: their operations in each generation, and their schemas, compiled when
//! they are first asked for. `exchange` judges by them, `system` says whose is whose.

mod exchange;
mod system;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::{Draft, Registry, RegistryBuilder, Validator};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::exchange::{check, check_request};
pub use self::system::System;
use crate::fixture;
use crate::verdict::{Outcome, Reason, broken, fail};

/// Which generation of the contract a server speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Generation {
    #[serde(rename = "2026-06")]
    June,
    #[default]
    #[serde(rename = "2026-07")]
    July,
    #[serde(rename = "2026-08")]
    August,
}

impl Generation {
    pub const ALL: [Self; 3] = [Self::June, Self::July, Self::August];

    /// As `--contract` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::June => "2026-06",
            Self::July => "2026-07",
            Self::August => "2026-08",
        }
    }
}

/// One generation of a document, and the schemas compiled from it so far.
pub struct Contract {
    document: Value,
    /// The document once more, under the name by which a schema refers to its components.
    registry: Registry<'static>,
    operations: Vec<Operation>,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// What `#/components/...` of the document is called outside of it.
const NAME: &str = "urn:contract";

/// One operation of the document.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub method: String,
    /// The path template, such as `/v1/projects/{project_id}`.
    pub path: String,
    pub definition: Value,
}

/// The contract of a system in a generation, read once per process.
fn contract(system: System, generation: Generation) -> Outcome<&'static Contract> {
    static READ: [[OnceLock<Contract>; 3]; System::ALL.len()] =
        [const { [const { OnceLock::new() }; 3] }; System::ALL.len()];
    let cell = &READ[system as usize][generation as usize];
    if let Some(contract) = cell.get() {
        return Ok(contract);
    }
    let contract = Contract::read(system, generation)?;
    Ok(cell.get_or_init(|| contract))
}

impl Contract {
    fn read(system: System, generation: Generation) -> Outcome<Self> {
        let mut document = fixture::json(&system.document())?;
        // A document without generations is the same in all of them.
        if let Some(generations) = document.get("x-generations") {
            let patch = generations[generation.name()]["patch"].clone();
            let operations: Vec<json_patch::PatchOperation> = serde_json::from_value(patch)?;
            if let Err(error) = json_patch::patch(&mut document, &operations) {
                return broken(format!("the contract's patch for {}: {error}", generation.name()));
            }
        }
        let operations = read_operations(&document);
        let components = json!({"components": document["components"]});
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(NAME, Draft::Draft202012.create_resource(components))
            .and_then(RegistryBuilder::prepare)
            .map_err(|error| Reason::Broken(format!("the contract's components: {error}")))?;
        Ok(Self { document, registry, operations, compiled: Mutex::default() })
    }

    pub fn document(&self) -> &Value {
        &self.document
    }

    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation a request is for, by method and path template.
    pub fn operation_of(&self, method: &str, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or_default();
        self.operations
            .iter()
            .filter(|operation| operation.method == method && matches(&operation.path, path))
            // A literal segment is a better match than a parameter.
            .min_by_key(|operation| operation.path.matches('{').count())
    }

    /// Follows one `$ref` inside the document.
    fn resolve<'c>(&'c self, value: &'c Value) -> Outcome<&'c Value> {
        match value["$ref"].as_str() {
            None => Ok(value),
            Some(reference) => match self.document.pointer(reference.trim_start_matches('#')) {
                Some(found) => Ok(found),
                None => broken(format!("the contract refers to {reference}, which is not there")),
            },
        }
    }

    /// Schemas are compiled at their first use and kept for the life of the process.
    fn validator(&self, key: &str, schema: &Value) -> Outcome<Arc<Validator>> {
        let held = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = held().get(key) {
            return Ok(Arc::clone(validator));
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&self.registry)
            .should_validate_formats(true)
            .build(&from_outside(schema))
            .map_err(|error| Reason::Broken(format!("the contract's schema for {key}: {error}")))?;
        Ok(Arc::clone(held().entry(key.to_owned()).or_insert(Arc::new(validator))))
    }

    /// Fails when `value` is not of the schema; `key` names the schema for the cache.
    fn judge(&self, what: &str, key: &str, schema: &Value, value: &Value) -> Outcome {
        // Many answers are of one named schema, which is then compiled once for all of them.
        let named = schema.as_object().filter(|members| members.len() == 1);
        let key = named.and_then(|only| only.get("$ref")?.as_str()).unwrap_or(key);
        let validator = self.validator(key, schema)?;
        if validator.is_valid(value) {
            return Ok(());
        }
        match validator.iter_errors(value).next() {
            None => Ok(()),
            Some(error) => {
                let place = error.instance_path().to_string();
                fail(what, format!("the contract's schema kept at {place:?}"), &error)
            }
        }
    }

    /// Fails when the value is not of the named schema of the document.
    pub fn validate(&self, schema: &str, value: &Value) -> Outcome {
        let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
        self.judge(&format!("a {schema}"), schema, &reference, value)
    }
}

/// A schema as it reads outside of its document.
fn from_outside(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let each = |(name, member): (&String, &Value)| match member {
                Value::String(within) if name == "$ref" && within.starts_with('#') => {
                    (name.clone(), Value::String(format!("{NAME}{within}")))
                }
                member => (name.clone(), from_outside(member)),
            };
            Value::Object(members.iter().map(each).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(from_outside).collect()),
        plain => plain.clone(),
    }
}

fn read_operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, definition) in item.as_object().into_iter().flatten() {
            if let Some(id) = definition["operationId"].as_str() {
                operations.push(Operation {
                    id: id.to_owned(),
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                    definition: definition.clone(),
                });
            }
        }
    }
    operations
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    let mut pairs = 0;
    let mut path = path.peekable();
    for part in template {
        let Some(segment) = path.next() else { return false };
        pairs += 1;
        if !segment_matches(part, segment) {
            return false;
        }
    }
    pairs > 0 && path.peek().is_none()
}

/// `{id}` takes any segment without a colon, `{id}:revoke` any that ends so.
fn segment_matches(part: &str, segment: &str) -> bool {
    match part.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        None => part == segment,
        Some((_, "")) => !segment.is_empty() && !segment.contains(':'),
        Some((_, tail)) => segment.len() > tail.len() && segment.ends_with(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_can_be_read_and_its_examples_are_of_its_schemas() {
        for generation in Generation::ALL {
            let contract = System::Plexsphere.contract(generation).unwrap();
            assert_eq!(contract.document()["info"]["version"], generation.name());
            let mut examples = 0;
            for operation in contract.operations() {
                let responses = operation.definition["responses"].as_object();
                for (status, response) in responses.into_iter().flatten() {
                    let response = contract.resolve(response).unwrap();
                    for (media, declared) in response["content"].as_object().into_iter().flatten() {
                        let what = format!("{} {status} {media}", operation.id);
                        contract.validator(&what, &declared["schema"]).unwrap();
                        if let Some(example) = declared.get("example") {
                            contract.judge(&what, &what, &declared["schema"], example).unwrap();
                            examples += 1;
                        }
                    }
                }
            }
            assert!(examples > 10, "{examples} examples in {}", generation.name());
        }
    }

    #[test]
    fn templates_match_whole_paths_only() {
        let one = "/v1/projects/{project_id}/sessions/{session_id}";
        assert!(matches(one, "/v1/projects/a/sessions/b"));
        assert!(!matches(one, "/v1/projects/a/sessions"));
        assert!(!matches(one, "/v1/projects/a/sessions/b/revoke"));
        assert!(!matches(one, "/v1/projects/a/sessions/b:revoke"));
        assert!(matches(&format!("{one}:revoke"), "/v1/projects/a/sessions/b:revoke"));
        assert!(!matches(one, "/v1/projects//sessions/b"));
    }
}
