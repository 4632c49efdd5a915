//! Judging an exchange by the contract document: the operation is known, the status is declared
//! for it, and type, headers and body are as declared.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::call::Exchange;
use crate::fixture;
use crate::verdict::{Outcome, Reason, broken, fail};

const DOCUMENT: &str = "contract/plexsphere.json";

/// The contract document, parsed once per process.
pub fn document() -> Outcome<&'static Value> {
    static CONTRACT: OnceLock<Value> = OnceLock::new();
    if let Some(document) = CONTRACT.get() {
        return Ok(document);
    }
    let document = fixture::json(DOCUMENT)?;
    Ok(CONTRACT.get_or_init(|| document))
}

/// One operation of the document.
pub struct Operation {
    pub id: String,
    pub method: String,
    /// The path template, such as `/v1/projects/{project_id}`.
    pub path: String,
    pub definition: &'static Value,
}

/// Every operation, in document order.
pub fn operations() -> Outcome<Vec<Operation>> {
    let paths = document()?["paths"].as_object();
    let mut operations = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        for (method, definition) in item.as_object().into_iter().flatten() {
            if let Some(id) = definition["operationId"].as_str() {
                operations.push(Operation {
                    id: id.to_owned(),
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                    definition,
                });
            }
        }
    }
    Ok(operations)
}

/// The operation a request is for, by method and path template.
pub fn operation_of(method: &str, path: &str) -> Outcome<Option<Operation>> {
    let path = path.split('?').next().unwrap_or_default();
    let found = operations()?
        .into_iter()
        .filter(|operation| operation.method == method && matches(&operation.path, path))
        // A literal segment is a better match than a parameter.
        .min_by_key(|operation| operation.path.matches('{').count());
    Ok(found)
}

/// Fails when the exchange is not as the document says.
pub fn check(exchange: &Exchange) -> Outcome {
    let path = exchange.request.path.strip_prefix(&exchange.prefix).unwrap_or_default();
    let method = &exchange.request.method;
    let Some(operation) = operation_of(method, path)? else {
        // An unknown route has no declared answers but must still refuse in the one form.
        return match exchange.response.status {
            404 | 405 => check_problem_type(exchange),
            status => fail(format!("{method} {path}"), "404 or 405 for an unknown route", status),
        };
    };
    let status = exchange.response.status;
    let responses = &operation.definition["responses"];
    let declared = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
    let Some(response) = declared.iter().find_map(|key| responses.get(key)) else {
        let keys: Vec<_> =
            responses.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        return fail(format!("the status of {}", operation.id), format!("one of {keys:?}"), status);
    };
    let response = resolve(response)?;
    check_headers(&operation.id, response, exchange)?;
    check_body(&operation.id, response, exchange)
}

/// Fails when the request body is not as the document says; requests are closed there.
pub fn check_request(exchange: &Exchange) -> Outcome {
    let path = exchange.request.path.strip_prefix(&exchange.prefix).unwrap_or_default();
    let Some(operation) = operation_of(&exchange.request.method, path)? else {
        return fail("the request path", "a path of the contract", path);
    };
    let declared = resolve(&operation.definition["requestBody"])?;
    let schema = &declared["content"]["application/json"]["schema"];
    if schema.is_null() {
        return Ok(());
    }
    let what = format!("the request body of {}", operation.id);
    let body: Value = match serde_json::from_slice(&exchange.request.body) {
        Ok(body) => body,
        Err(_) if exchange.request.body.is_empty() && declared["required"] != json!(true) => {
            return Ok(());
        }
        Err(error) => return fail(what, "a JSON body", error),
    };
    let validator = validator(&format!("{} request", operation.id), schema)?;
    match validator.iter_errors(&body).next() {
        None => Ok(()),
        Some(error) => {
            fail(what, format!("the declared schema at {}", error.instance_path()), &error)
        }
    }
}

fn check_headers(operation: &str, response: &'static Value, exchange: &Exchange) -> Outcome {
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let header = resolve(header)?;
        let found = exchange.response.headers.get(name);
        if found.is_none() && header["required"].as_bool() == Some(true) {
            let what = format!("the {} answer of {operation}", exchange.response.status);
            return fail(what, format!("a {name} header"), "none");
        }
    }
    Ok(())
}

fn check_body(operation: &str, response: &Value, exchange: &Exchange) -> Outcome {
    let status = exchange.response.status;
    let what = format!("the {status} answer of {operation}");
    let Some(content) = response["content"].as_object() else {
        return match exchange.response.body.len() {
            0 => Ok(()),
            length => fail(what, "no body", format!("{length} bytes")),
        };
    };
    let media = media_type(exchange);
    let Some(declared) = content.get(&media) else {
        let types: Vec<_> = content.keys().collect();
        return fail(what, format!("content type {types:?}"), format!("{media:?}"));
    };
    if !media.ends_with("json") {
        return Ok(());
    }
    let body: Value = match serde_json::from_slice(&exchange.response.body) {
        Ok(body) => body,
        Err(error) => return fail(what, "a JSON body", error),
    };
    let key = format!("{operation} {status} {media}");
    let validator = validator(&key, &declared["schema"])?;
    match validator.iter_errors(&body).next() {
        None => Ok(()),
        Some(error) => fail(
            what,
            format!("a body of the declared schema at {}", error.instance_path()),
            &error,
        ),
    }
}

/// A refusal in the one form every refusal has.
fn check_problem_type(exchange: &Exchange) -> Outcome {
    let media = media_type(exchange);
    if media != "application/problem+json" {
        let what = format!("the {} answer to an unknown route", exchange.response.status);
        return fail(what, "application/problem+json", media);
    }
    validate("Problem", &exchange.json())
}

/// Fails when the value is not of the named schema of the document.
pub fn validate(schema: &str, value: &Value) -> Outcome {
    let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
    let validator = validator(schema, &reference)?;
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => fail(
            format!("a {schema}"),
            format!("the declared schema at {:?}", error.instance_path().to_string()),
            &error,
        ),
    }
}

fn media_type(exchange: &Exchange) -> String {
    let header = exchange.response.headers.get("content-type").unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Schemas are compiled at their first use and kept for the life of the process.
fn validator(key: &str, schema: &Value) -> Outcome<Arc<Validator>> {
    static COMPILED: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(Mutex::default);
    if let Some(validator) = compiled.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
        return Ok(Arc::clone(validator));
    }
    let whole = json!({"allOf": [schema], "components": document()?["components"]});
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&whole)
        .map_err(|error| Reason::Broken(format!("the contract's schema for {key}: {error}")))?;
    let validator = Arc::new(validator);
    let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Arc::clone(compiled.entry(key.to_owned()).or_insert(validator)))
}

/// Follows one `$ref` inside the document.
fn resolve(value: &'static Value) -> Outcome<&'static Value> {
    match value["$ref"].as_str() {
        None => Ok(value),
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            match document()?.pointer(pointer) {
                Some(found) => Ok(found),
                None => broken(format!("the contract refers to {reference}, which is not there")),
            }
        }
    }
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
