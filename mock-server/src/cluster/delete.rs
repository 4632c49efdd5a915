//! Deleting: one object or a selection, with preconditions, and namespaces with all that is
//! in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::kinds::Kind;
use super::scheduling;
use super::write::Writing;
use crate::kube::age::stamp;
use crate::kube::deletion::DeleteOptions;
use crate::kube::read::Selection;
use crate::kube::status::{self, Refusal};
use crate::kube::store::{Key, State};

/// Namespaces a cluster cannot be without.
const PROTECTED: &[&str] = &["default", "kube-public", "kube-system"];

impl Writing<'_> {
    pub(crate) fn delete(&self, body: &Value) -> Result<Value, Refusal> {
        let options = DeleteOptions::read(self.kind, self.query, body)?;
        let key = Key::of(self.kind, &self.asked.namespace, &self.asked.name);
        self.store.edit(|state| self.delete_one(state, &key, &options))
    }

    pub(crate) fn delete_collection(&self, body: &Value) -> Result<Value, Refusal> {
        let options = DeleteOptions::read(self.kind, self.query, body)?;
        let selection = Selection::read(self.kind, self.asked, self.query)?;
        self.store.edit(|state| {
            let chosen: Vec<(Key, Arc<Value>)> = state
                .list(self.kind, &self.asked.namespace, None)
                .filter(|(_, object)| selection.matches(object))
                .map(|(key, object)| (key.clone(), Arc::clone(object)))
                .collect();
            let mut items = Vec::new();
            for (key, object) in chosen {
                self.delete_one(state, &key, &options)?;
                items.push((*object).clone());
            }
            Ok(json!({
                "kind": format!("{}List", self.kind.kind), "apiVersion": self.kind.api_version(),
                "metadata": { "resourceVersion": state.version().to_string() }, "items": items,
            }))
        })
    }

    fn delete_one(
        &self,
        state: &mut State,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<Value, Refusal> {
        let (kind, name) = (self.kind, key.name.as_str());
        let object = state.get(key).ok_or_else(|| Refusal::not_found(kind, name))?;
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        options.check(kind, name, &object)?;
        if kind.kind == "Namespace" && PROTECTED.contains(&name) {
            let why = "this namespace may not be deleted";
            return Err(Refusal::forbidden(kind.plural, kind.group, name, why));
        }
        let mut going = (*object).clone();
        going["metadata"]["deletionTimestamp"] = stamp(self.now).into();
        going["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        if kind.kind == "Namespace" {
            going["status"]["phase"] = "Terminating".into();
        }
        if options.dry {
            return Ok(going);
        }
        let held = going.pointer("/metadata/finalizers").and_then(Value::as_array);
        let held = held.is_some_and(|finalizers| !finalizers.is_empty());
        if !held && !matches!(kind.kind, "Namespace" | "Pod") {
            state.remove(key);
            return Ok(status::deleted(kind, name, text("/metadata/uid")));
        }
        // Watchers see it going before they see it gone.
        let going = state.put(key.clone(), going);
        if held {
            return Ok((*going).clone());
        }
        if kind.kind == "Namespace" {
            for inside in state.keys_in(name) {
                state.remove(&inside);
            }
        }
        state.remove(key);
        if kind.kind == "Pod" {
            scheduling::replace(state, &going, self.now);
        }
        Ok((*going).clone())
    }
}

/// Whether a kind's objects may be written here at all, asked after whether the caller may.
pub(crate) fn require_writable(kind: &Kind) -> Result<(), Refusal> {
    if kind.allows("create") { Ok(()) } else { Err(Refusal::method_not_allowed(Some(kind))) }
}
