//! Creating, replacing, patching and deleting, for those who may: in memory, at once, and
//! with the checks a client could trip over on a real server.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admission;
use super::furnish::pods::spec_defaults;
use super::kinds::Kind;
use super::scheduling;
use crate::kube::body::Written;
use crate::kube::patch::Patch;
use crate::kube::request::{Query, RequestInfo};
use crate::kube::status::Refusal;
use crate::kube::store::{CAPACITY, Key, Store};
use crate::kube::write::{Done, admit, dry, forget_version, keep_metadata, text};

/// One write as it was asked for.
pub(crate) struct Writing<'a> {
    pub(crate) store: &'a Store,
    pub(crate) kind: &'static Kind,
    pub(crate) asked: &'a RequestInfo,
    pub(crate) query: &'a Query,
    pub(crate) now: Timestamp,
}

impl Writing<'_> {
    pub(crate) fn key(&self, name: &str) -> Key {
        Key::of(self.kind, &self.asked.namespace, name)
    }

    pub(crate) fn create(&self, body: Written) -> Result<Done, Refusal> {
        let (kind, dry) = (self.kind, dry(self.query)?);
        let (mut object, warnings) = admit(kind, self.query, body.value, &body.duplicates)?;
        if !text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(Refusal::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let object = self.store.edit(|state| {
            self.place(state, &mut object)?;
            let name = text(&object, "/metadata/name").to_owned();
            let causes = admission::causes(kind, &object);
            if !causes.is_empty() {
                return Err(Refusal::invalid(kind, &name, &causes));
            }
            let key = self.key(&name);
            if state.get(&key).is_some() {
                return Err(Refusal::already_exists(kind, &name));
            }
            if state.len() >= CAPACITY {
                let why = format!("exceeded quota: the cluster holds {CAPACITY} objects");
                return Err(Refusal::forbidden(kind.plural, kind.group, &name, &why));
            }
            if dry {
                return Ok(Arc::new(object));
            }
            let created = state.put(key.clone(), object);
            match kind.kind {
                "Pod" => scheduling::start(state, &key, self.now),
                "Namespace" => self.settle(state, &name),
                _ => {}
            }
            Ok(created)
        })?;
        Ok(Done { object, created: true, warnings })
    }

    pub(crate) fn update(&self, body: Written) -> Result<Done, Refusal> {
        self.rewrite(&body.duplicates, |_| Ok(body.value))
    }

    pub(crate) fn patch(&self, mut written: Written) -> Result<Done, Refusal> {
        let patch = Patch::of(&written.media)?;
        let exists = self.store.read(|state| state.get(&self.key(&self.asked.name)).is_some());
        if patch == Patch::Apply && !exists {
            let object = &mut written.value;
            if object.is_object() {
                if !object["metadata"].is_object() {
                    object["metadata"] = json!({});
                }
                object["metadata"]["name"] = self.asked.name.clone().into();
            }
            return self.create(written);
        }
        let Written { value, duplicates, .. } = written;
        self.rewrite(&duplicates, |before| {
            let mut after = patch.onto(before, value)?;
            forget_version(before, &mut after);
            Ok(after)
        })
    }

    /// Reads, changes, checks and writes in one step, so that no other write comes between.
    fn rewrite(
        &self,
        duplicates: &[String],
        change: impl FnOnce(&Value) -> Result<Value, Refusal>,
    ) -> Result<Done, Refusal> {
        let (kind, name, dry) = (self.kind, self.asked.name.as_str(), dry(self.query)?);
        let key = self.key(name);
        let (object, warnings) = self.store.edit(|state| {
            let before = state.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?;
            let (mut after, warnings) = admit(kind, self.query, change(&before)?, duplicates)?;
            self.keep(&before, &mut after)?;
            let mut causes = admission::causes(kind, &after);
            causes.extend(admission::frozen(kind, &before, &after));
            if !causes.is_empty() {
                return Err(Refusal::invalid(kind, name, &causes));
            }
            if dry || after == *before {
                return Ok((Arc::new(after), warnings));
            }
            let written = state.put(key.clone(), after);
            if is_released(&written) {
                state.remove(&key);
            }
            Ok((written, warnings))
        })?;
        Ok(Done { object, created: false, warnings })
    }

    /// What a writer cannot change is as it was; trying to is refused where it could mislead.
    fn keep(&self, before: &Value, after: &mut Value) -> Result<(), Refusal> {
        let (kind, name) = (self.kind, self.asked.name.as_str());
        keep_metadata(kind, name, before, after)?;
        if let Some(status) = before.get("status") {
            after["status"] = status.clone();
        }
        if kind.kind == "Namespace" {
            after["spec"] = before["spec"].clone();
        }
        if kind.kind == "Pod" {
            spec_defaults(&mut after["spec"]);
        }
        Ok(())
    }
}

/// Being deleted, and held by nobody any more.
pub(crate) fn is_released(object: &Value) -> bool {
    let held = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    object.pointer("/metadata/deletionTimestamp").is_some() && held.is_none_or(Vec::is_empty)
}
