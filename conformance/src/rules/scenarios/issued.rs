//! The body of a scenario that patches an honest session: honest but for the patch.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::bench::{PROJECT_ID, claims_of};
use crate::verdict::{Outcome, expect, expect_eq};

/// `found` is what the server sent; `due` is our own honest session with the same patch. They
/// agree where the patch has been, and `found` is honest everywhere else.
pub(super) fn expect_patched(found: &Value, due: &Value, patch: &Value, asked: &Value) -> Outcome {
    let operations = patch.as_array().map(Vec::as_slice).unwrap_or_default();
    for operation in operations {
        let path = operation["path"].as_str().unwrap_or_default();
        let takes = operation["from"].as_str();
        let own = operation["value"].to_string().contains("{session_id}");
        let (is, should) = (found.pointer(path), due.pointer(path));
        match takes {
            // What is copied is the server's own.
            Some(_) => expect_eq(path, &should.is_some(), &is.is_some())?,
            None if own => {}
            None => expect_eq(path, &should, &is)?,
        }
        if operation["op"] == "move" {
            expect_eq(takes.unwrap_or_default(), &None, &found.pointer(takes.unwrap_or_default()))?;
        }
    }
    let touched = |path: &str| {
        operations.iter().any(|operation| {
            let hits = |member: &str| {
                operation[member]
                    .as_str()
                    .is_some_and(|at| at == path || path.starts_with(&format!("{at}/")))
            };
            hits("path") || (operation["op"] == "move" && hits("from"))
        })
    };
    let text = |path: &str| found.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let session_id = if touched("/session_id") { text("/session/id") } else { text("/session_id") };
    let known = !session_id.is_empty();
    for (path, due) in [
        ("/session/id", json!(session_id)),
        ("/session/project_id", json!(PROJECT_ID)),
        ("/session/resource_id", asked["resource_id"].clone()),
        ("/session/kind", asked["kind"].clone()),
    ] {
        if !touched(path) && (known || path != "/session/id") {
            expect_eq(path, &Some(&due), &found.pointer(path))?;
        }
    }
    if !touched("/session_id") {
        expect(Uuid::parse_str(session_id).is_ok(), "session_id", "a UUID", session_id)?;
    }
    if !touched("/expires_at") {
        let moment = text("/expires_at");
        expect(moment.parse::<jiff::Timestamp>().is_ok(), "expires_at", "a moment", moment)?;
    }
    if !touched("/listener_endpoint") {
        expect(!text("/listener_endpoint").is_empty(), "listener_endpoint", "a text", "none")?;
    }
    if !touched("/token") && known {
        let claims = claims_of(text("/token")).unwrap_or_default();
        expect_eq("jti of the token", &json!(session_id), &claims["jti"])?;
    }
    Ok(())
}

/// Takes the strings away that the file leaves to the server: those made of `{session_id}`.
pub(super) fn forget_ids(template: &Value, document: &mut Value) {
    match (template, document) {
        (Value::String(text), document) if text.contains("{session_id}") => *document = Value::Null,
        (Value::Array(items), Value::Array(found)) => {
            for (item, found) in items.iter().zip(found) {
                forget_ids(item, found);
            }
        }
        (Value::Object(members), Value::Object(found)) => {
            for (name, member) in members {
                if let Some(found) = found.get_mut(name) {
                    forget_ids(member, found);
                }
            }
        }
        _ => {}
    }
}
