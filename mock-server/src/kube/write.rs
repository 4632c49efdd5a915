//! What every write goes through, whatever it writes: the query's wishes, the object's type,
//! and the metadata that no writer can change.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::Kind;
use super::read::Shown;
use super::request::Query;
use super::selector::is_name_part;
use super::status::{Cause, Refusal, respond};

/// What a write left behind, and what is to be said about it beside.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) object: Arc<Value>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

impl Done {
    pub(crate) fn response(&self, shown: Shown, kind: &Kind) -> Response<Body> {
        let code = if self.created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = respond(code, &shown.one(kind, &self.object));
        for warning in &self.warnings {
            let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
                response.headers_mut().append(header::WARNING, value);
            }
        }
        response
    }
}

pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the client only wants to know what would happen.
pub(crate) fn dry(query: &Query) -> Result<bool, Refusal> {
    match query.text("dryRun") {
        "" => Ok(false),
        word => dry_word(word).map(|()| true),
    }
}

/// There is one word for it, in a query and in options.
pub(super) fn dry_word(word: &str) -> Result<(), Refusal> {
    if word == "All" {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "dryRun: Unsupported value: {word:?}: supported values: \"All\""
    )))
}

/// Through the type, and through what the client wants done with fields that are unknown, or
/// that were there more than once. What comes beside the object are warnings.
pub(crate) fn admit(
    kind: &Kind,
    query: &Query,
    mut object: Value,
    duplicates: &[String],
) -> Result<(Value, Vec<String>), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad_request("the object provided is unrecognized"));
    }
    for (field, expected) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        match object.get(field).and_then(Value::as_str) {
            None | Some("") => object[field] = expected.into(),
            Some(found) if found == expected => {}
            Some(found) => {
                return Err(Refusal::bad_request(format!(
                    "the {field} in the data ({found}) does not match the expected {field} ({expected})"
                )));
            }
        }
    }
    if !object.get("metadata").is_some_and(Value::is_object) {
        object["metadata"] = json!({});
    }
    let cannot = |why: &str| {
        Refusal::bad_request(format!(
            "{0} in version {1:?} cannot be handled as a {0}: {why}",
            kind.kind, kind.version
        ))
    };
    let (object, unknown) = kind.admit(&object).map_err(|error| cannot(&error))?;
    let named: Vec<String> = (duplicates.iter().map(|field| format!("duplicate field {field:?}")))
        .chain(unknown.iter().map(|field| format!("unknown field {field:?}")))
        .collect();
    match query.text("fieldValidation") {
        "Strict" if !named.is_empty() => {
            Err(cannot(&format!("strict decoding error: {}", named.join(", "))))
        }
        "Strict" | "Ignore" => Ok((object, Vec::new())),
        "Warn" | "" => Ok((object, named)),
        other => Err(Refusal::bad_request(format!(
            "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
        ))),
    }
}

/// A patch that does not name a version is meant for whichever there is.
pub(crate) fn forget_version(before: &Value, after: &mut Value) {
    if after.pointer("/metadata/resourceVersion") == before.pointer("/metadata/resourceVersion")
        && let Some(metadata) = after.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("resourceVersion");
    }
}

/// The metadata a writer cannot change is as it was; trying to is refused where it could
/// mislead.
pub(crate) fn keep_metadata(
    kind: &Kind,
    name: &str,
    before: &Value,
    after: &mut Value,
) -> Result<(), Refusal> {
    let claimed = text(after, "/metadata/name");
    if !claimed.is_empty() && claimed != name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({claimed}) does not match the name on the URL ({name})"
        )));
    }
    let version = text(after, "/metadata/resourceVersion");
    if !version.is_empty() && version != text(before, "/metadata/resourceVersion") {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Refusal::conflict(kind, name, why));
    }
    let (uid, own) = (text(after, "/metadata/uid"), text(before, "/metadata/uid"));
    if !uid.is_empty() && uid != own {
        return Err(Refusal::conflict(kind, name, &failed("UID", uid, own)));
    }
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "deletionTimestamp"]
    {
        match before.pointer(&format!("/metadata/{field}")) {
            Some(value) => after["metadata"][field] = value.clone(),
            None => {
                if let Some(metadata) = after["metadata"].as_object_mut() {
                    metadata.remove(field);
                }
            }
        }
    }
    if let Some(metadata) = after["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    Ok(())
}

pub(super) fn failed(what: &str, wanted: &str, found: &str) -> String {
    format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}")
}

/// As much as the annotations of an object may be, names and values together.
const ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object's labels and annotations.
pub(crate) fn metadata_causes(object: &Value, causes: &mut Vec<Cause>) {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    for (key, value) in labels.into_iter().flatten() {
        key_causes("metadata.labels", key, causes);
        let value = value.as_str().unwrap_or_default();
        if !value.is_empty() && !is_name_part(value) {
            causes.push(Cause::invalid("metadata.labels", value, "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"));
        }
    }
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        key_causes("metadata.annotations", key, causes);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".to_owned(),
            message: format!("Too long: may not be more than {ANNOTATIONS} bytes"),
        });
    }
}

/// A key is a name, perhaps behind the name of whoever gave it.
fn key_causes(field: &str, key: &str, causes: &mut Vec<Cause>) {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| !is_prefix(prefix)) {
        causes.push(Cause::invalid(field, key, "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"));
    }
    if !is_name_part(name) {
        causes.push(Cause::invalid(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"));
    }
}

fn is_prefix(prefix: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| is_name_part(label) && label.chars().all(inner);
    prefix.len() <= 253 && prefix.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_sizes_are_looked_at() {
        let count = |metadata: Value| {
            let mut causes = Vec::new();
            metadata_causes(&json!({ "metadata": metadata }), &mut causes);
            causes.len()
        };
        for fits in ["a", "A_b.c", "cattle.io/user-id", "a.b-c/D"] {
            assert_eq!(
                count(json!({ "labels": { fits: "x" }, "annotations": { fits: "é x" } })),
                0
            );
        }
        for wrong in ["", "-a", "a/", "/a", "A.b/c", "a/b/c", "a b", &"a".repeat(64)] {
            assert!(count(json!({ "labels": { wrong: "x" } })) > 0, "{wrong}");
            assert!(count(json!({ "annotations": { wrong: "x" } })) > 0, "{wrong}");
        }
        let annotated = |size: usize| count(json!({ "annotations": { "a": "x".repeat(size) } }));
        assert_eq!((annotated(ANNOTATIONS - 1), annotated(ANNOTATIONS)), (0, 1));
    }
}
