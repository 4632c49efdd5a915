//! What a deletion may be told: conditions under which it is meant, and that it is for show.
//! Read by type, because options that are misread delete what was not meant.

use serde_json::Value;

use super::Kind;
use super::request::Query;
use super::status::Refusal;
use super::write::{dry, dry_word, failed, text};

const POLICIES: &[&str] = &["Background", "Foreground", "Orphan"];

/// `DeleteOptions`, as far as they matter where nothing takes time: grace periods and
/// propagation are read, and then do not.
#[derive(Debug, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry: bool,
    uid: Option<String>,
    version: Option<String>,
}

impl DeleteOptions {
    /// The body is `null` where there was none. Members that are unknown are passed over, as a
    /// real server does.
    pub(crate) fn read(kind: &Kind, query: &Query, body: &Value) -> Result<Self, Refusal> {
        if !(body.is_object() || body.is_null()) {
            return Err(unrecognized());
        }
        named(kind, body)?;
        let conditions = member(body, "", "preconditions", "v1.Preconditions", Value::is_object)?;
        let condition = |name: &str, kind: &str| -> Result<Option<String>, Refusal> {
            let Some(conditions) = conditions else { return Ok(None) };
            let found = member(conditions, "preconditions", name, kind, Value::is_string)?;
            Ok(found.and_then(Value::as_str).map(str::to_owned))
        };
        let (uid, version) =
            (condition("uid", "types.UID")?, condition("resourceVersion", "string")?);
        member(body, "", "gracePeriodSeconds", "int64", Value::is_i64)?;
        let orphans = member(body, "", "orphanDependents", "bool", Value::is_boolean)?;
        propagation(body, orphans.is_some())?;
        Ok(Self { dry: dry(query)? | for_show(body)?, uid, version })
    }

    /// Whether the object is the one that is meant: first by its id, then by its version.
    pub(crate) fn check(&self, kind: &Kind, name: &str, object: &Value) -> Result<(), Refusal> {
        for (wanted, path, what) in [
            (&self.uid, "/metadata/uid", "UID"),
            (&self.version, "/metadata/resourceVersion", "ResourceVersion"),
        ] {
            let found = text(object, path);
            if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
                return Err(Refusal::conflict(kind, name, &failed(what, wanted, found)));
            }
        }
        Ok(())
    }
}

fn unrecognized() -> Refusal {
    Refusal::bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
}

/// What the body says that it is. Every group has options of that name, and old clients send
/// those of the group that they delete from.
fn named(kind: &Kind, body: &Value) -> Result<(), Refusal> {
    for field in ["kind", "apiVersion"] {
        member(body, "", field, "string", Value::is_string)?;
    }
    if !matches!(text(body, "/kind"), "" | "DeleteOptions") {
        return Err(unrecognized());
    }
    let version = text(body, "/apiVersion");
    if matches!(version, "" | "v1" | "meta.k8s.io/v1") || version == kind.api_version() {
        return Ok(());
    }
    let why = format!("no kind \"DeleteOptions\" is registered for version {version:?}");
    Err(Refusal::bad_request(why))
}

/// A member of the type that it has to be of. A null says nothing.
fn member<'a>(
    holder: &'a Value,
    within: &str,
    name: &str,
    wanted: &str,
    fits: fn(&Value) -> bool,
) -> Result<Option<&'a Value>, Refusal> {
    let found = holder.get(name).filter(|value| !value.is_null());
    match found {
        Some(value) if !fits(value) => Err(mistyped(within, name, value, wanted)),
        found => Ok(found),
    }
}

/// In the words of the library that real servers read JSON with.
fn mistyped(within: &str, name: &str, found: &Value, wanted: &str) -> Refusal {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let place = match within {
        "" => format!("DeleteOptions.{name}"),
        within => format!("Preconditions.{within}.{name}"),
    };
    Refusal::bad_request(format!(
        "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: json: cannot unmarshal {found} into Go struct field {place} of type {wanted}"
    ))
}

fn propagation(body: &Value, orphans: bool) -> Result<(), Refusal> {
    let policy = member(body, "", "propagationPolicy", "v1.DeletionPropagation", Value::is_string)?;
    let Some(policy) = policy.and_then(Value::as_str) else { return Ok(()) };
    if !POLICIES.contains(&policy) {
        let why = format!(
            "propagationPolicy: Unsupported value: {policy:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
        );
        return Err(Refusal::bad_request(why));
    }
    if orphans {
        let why = "propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set";
        return Err(Refusal::bad_request(why));
    }
    Ok(())
}

/// Whether the body asks for a deletion that is none.
fn for_show(body: &Value) -> Result<bool, Refusal> {
    let words = member(body, "", "dryRun", "[]string", Value::is_array)?;
    let words = words.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for word in words {
        match word.as_str() {
            Some(word) => dry_word(word)?,
            None => return Err(mistyped("", "dryRun", word, "string")),
        }
    }
    Ok(!words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kinds;
    use serde_json::json;

    fn read(body: &Value) -> Result<DeleteOptions, Refusal> {
        DeleteOptions::read(kinds::named("Deployment").unwrap(), &Query::default(), body)
    }

    #[test]
    fn what_is_no_option_is_refused_by_name() {
        for (body, says) in [
            (json!([]), "unrecognized"),
            (json!({ "kind": "Pod" }), "unrecognized"),
            (json!({ "kind": 5 }), "DeleteOptions.kind"),
            (json!({ "apiVersion": "v9" }), "version \"v9\""),
            (
                json!({ "preconditions": [] }),
                "array into Go struct field DeleteOptions.preconditions",
            ),
            (
                json!({ "preconditions": { "uid": 5 } }),
                "number into Go struct field Preconditions.preconditions.uid",
            ),
            (
                json!({ "preconditions": { "resourceVersion": 5 } }),
                "preconditions.resourceVersion of type string",
            ),
            (
                json!({ "dryRun": "All" }),
                "string into Go struct field DeleteOptions.dryRun of type []string",
            ),
            (json!({ "dryRun": [true] }), "bool into Go"),
            (json!({ "dryRun": ["Foo"] }), "\"Foo\""),
            (json!({ "dryRun": ["All", "None"] }), "\"None\""),
            (json!({ "gracePeriodSeconds": "0" }), "int64"),
            (json!({ "gracePeriodSeconds": 0.5 }), "int64"),
            (json!({ "orphanDependents": "no" }), "bool"),
            (json!({ "propagationPolicy": "Later" }), "\"Later\""),
            (json!({ "propagationPolicy": "Orphan", "orphanDependents": true }), "both"),
        ] {
            let refused = read(&body).unwrap_err().status();
            assert_eq!(refused["code"], 400, "{body}");
            assert!(refused["message"].as_str().unwrap().contains(says), "{refused}");
        }
    }

    #[test]
    fn what_clients_send_is_read() {
        for body in [
            Value::Null,
            json!({}),
            json!({ "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0 }),
            json!({ "kind": "DeleteOptions", "apiVersion": "apps/v1", "propagationPolicy": "Orphan" }),
            json!({ "preconditions": { "uid": null, "name": "x" }, "dryRun": null }),
        ] {
            assert!(!read(&body).unwrap().dry, "{body}");
        }
        assert!(read(&json!({ "dryRun": ["All"] })).unwrap().dry);
    }
}
