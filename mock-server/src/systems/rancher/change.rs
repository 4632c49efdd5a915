//! Changing and deleting what there is: kubeconfigs for their owners and for admins, features,
//! settings and users for those whom the rules let through.

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Asking;
use super::create::mark_updated;
use super::kinds::{KUBECONFIG, TOKEN};
use crate::kube::Kind;
use crate::kube::body::Written;
use crate::kube::deletion::DeleteOptions;
use crate::kube::patch::Patch;
use crate::kube::status::{self, Refusal};
use crate::kube::store::Key;
use crate::kube::write::{Done, admit, dry, forget_version, keep_metadata, metadata_causes};

pub(super) fn update(
    asking: &Asking<'_>,
    kind: &'static Kind,
    written: Written,
) -> Result<Done, Refusal> {
    rewrite(asking, kind, &written.duplicates, |_| Ok(written.value))
}

pub(super) fn patch(
    asking: &Asking<'_>,
    kind: &'static Kind,
    written: Written,
) -> Result<Done, Refusal> {
    let patch = Patch::of(&written.media)?;
    let Written { value, duplicates, .. } = written;
    rewrite(asking, kind, &duplicates, |before| {
        let mut after = patch.onto(before, value)?;
        forget_version(before, &mut after);
        Ok(after)
    })
}

/// Reads, changes, checks and writes in one step, so that no other write comes between.
fn rewrite(
    asking: &Asking<'_>,
    kind: &'static Kind,
    duplicates: &[String],
    change: impl FnOnce(&Value) -> Result<Value, Refusal>,
) -> Result<Done, Refusal> {
    let (name, dry) = (asking.asked.name.as_str(), dry(asking.query)?);
    let key = Key::of(kind, "", name);
    let (object, warnings) = asking.state.store.edit(|store| {
        let before = store
            .get(&key)
            .filter(|object| asking.visible(kind, object))
            .ok_or_else(|| Refusal::not_found(kind, name))?;
        let (mut after, warnings) = admit(kind, asking.query, change(&before)?, duplicates)?;
        keep_metadata(kind, name, &before, &mut after)?;
        let mut causes = Vec::new();
        metadata_causes(&after, &mut causes);
        if !causes.is_empty() {
            return Err(Refusal::invalid(kind, name, &causes));
        }
        match before.get("status") {
            Some(status) => after["status"] = status.clone(),
            None => {
                if let Some(fields) = after.as_object_mut() {
                    fields.remove("status");
                }
            }
        }
        if kind.kind == KUBECONFIG.kind {
            keep_kubeconfig(&before, &mut after)?;
        }
        if dry || after == *before {
            return Ok((Arc::new(after), warnings));
        }
        if kind.kind == KUBECONFIG.kind {
            mark_updated(&mut after, asking.now);
        }
        Ok((store.put(key.clone(), after), warnings))
    })?;
    Ok(Done { object, created: false, warnings })
}

/// Of a kubeconfig, only metadata and the description are its owner's to change.
fn keep_kubeconfig(before: &Value, after: &mut Value) -> Result<(), Refusal> {
    for field in ["clusters", "currentContext", "ttl"] {
        let path = format!("/spec/{field}");
        // An empty value and none are the same.
        let said = |object: &Value| match object.pointer(&path) {
            Some(Value::Array(items)) if items.is_empty() => Value::Null,
            Some(Value::String(text)) if text.is_empty() => Value::Null,
            Some(value) => value.clone(),
            None => Value::Null,
        };
        if said(before) != said(after) {
            return Err(Refusal::bad_request(format!("spec.{field} is immutable")));
        }
    }
    // What ties it to its tokens is the server's: without, it would outlive them.
    for field in ["ownerReferences", "generateName", "finalizers"] {
        let kept = before.pointer(&format!("/metadata/{field}")).cloned();
        if let Some(metadata) = after.get_mut("metadata").and_then(Value::as_object_mut) {
            match kept {
                Some(kept) => metadata.insert(field.to_owned(), kept),
                None => metadata.remove(field),
            };
        }
    }
    let owner = "/metadata/labels/cattle.io~1user-id";
    if let Some(owner) = before.pointer(owner).cloned() {
        if !after["metadata"]["labels"].is_object() {
            after["metadata"]["labels"] = json!({});
        }
        after["metadata"]["labels"]["cattle.io/user-id"] = owner;
    }
    Ok(())
}

/// The names of the tokens that go with a kubeconfig.
fn tokens_of(kubeconfig: &Value) -> Vec<String> {
    let tokens = kubeconfig.pointer("/status/tokens").and_then(Value::as_array);
    let names = tokens.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

pub(super) fn delete(
    asking: &Asking<'_>,
    kind: &'static Kind,
    body: &Value,
) -> Result<Value, Refusal> {
    let options = DeleteOptions::read(kind, asking.query, body)?;
    let name = asking.asked.name.as_str();
    let gone = delete_one(asking, kind, name, &options)?;
    if kind.kind != TOKEN.kind {
        return Ok((*gone).clone());
    }
    if !options.dry {
        asking.state.forget_tokens(&[name.to_owned()]);
    }
    let uid = gone.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    Ok(status::deleted(kind, name, uid))
}

/// Deletes one object, and the tokens that go with it.
fn delete_one(
    asking: &Asking<'_>,
    kind: &'static Kind,
    name: &str,
    options: &DeleteOptions,
) -> Result<Arc<Value>, Refusal> {
    let key = Key::of(kind, "", name);
    let gone = asking.state.store.edit(|store| {
        let object = store
            .get(&key)
            .filter(|object| asking.visible(kind, object))
            .ok_or_else(|| Refusal::not_found(kind, name))?;
        options.check(kind, name, &object)?;
        // A token goes together with what it owns.
        if !options.dry && kind.kind != TOKEN.kind {
            store.remove(&key);
        }
        Ok(object)
    })?;
    if !options.dry && kind.kind == KUBECONFIG.kind {
        asking.state.drop_tokens(&tokens_of(&gone));
    }
    Ok(gone)
}

pub(super) fn delete_collection(
    asking: &Asking<'_>,
    kind: &'static Kind,
    body: &Value,
) -> Result<Value, Refusal> {
    let options = DeleteOptions::read(kind, asking.query, body)?;
    let selection = asking.selection(kind)?;
    let chosen: Vec<String> = asking.state.store.read(|store| {
        let found = store.list(kind, "", None).filter(|(_, object)| selection.matches(object));
        found.map(|(key, _)| key.name.clone()).collect()
    });
    let mut items = Vec::new();
    for name in chosen {
        match delete_one(asking, kind, &name, &options) {
            Ok(gone) => items.push((*gone).clone()),
            // Somebody else was faster.
            Err(refusal) if refusal.reason() == "NotFound" => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let version = asking.state.store.read(|store| store.version().to_string());
    Ok(json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": { "resourceVersion": version }, "items": items,
    }))
}
