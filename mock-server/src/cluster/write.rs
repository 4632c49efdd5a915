//! Creating, replacing, patching and deleting, for those who may: in memory, at once, and
//! with the checks a client could trip over on a real server.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admission;
use super::body::Written;
use super::furnish::pods::spec_defaults;
use super::kinds::Kind;
use super::patch::Patch;
use super::request::{Query, RequestInfo};
use super::scheduling;
use super::status::Refusal;
use super::store::{CAPACITY, Key, Store};

/// One write as it was asked for.
pub(crate) struct Writing<'a> {
    pub(crate) store: &'a Store,
    pub(crate) kind: &'static Kind,
    pub(crate) asked: &'a RequestInfo,
    pub(crate) query: &'a Query,
    pub(crate) now: Timestamp,
}

/// What a write left behind, and what is to be said about it beside.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) object: Arc<Value>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

impl Writing<'_> {
    fn dry(&self) -> Result<bool, Refusal> {
        match self.query.text("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Refusal::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
        }
    }

    pub(crate) fn key(&self, name: &str) -> Key {
        Key::of(self.kind, &self.asked.namespace, name)
    }

    /// Through the type, and through what the client wants done with unknown fields.
    fn admit(&self, mut object: Value) -> Result<(Value, Vec<String>), Refusal> {
        let kind = self.kind;
        if !object.is_object() {
            return Err(Refusal::bad_request("the object provided is unrecognized"));
        }
        for (field, expected) in
            [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())]
        {
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
        let named: Vec<String> =
            unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
        match self.query.text("fieldValidation") {
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

    pub(crate) fn create(&self, body: Value) -> Result<Done, Refusal> {
        let (kind, dry) = (self.kind, self.dry()?);
        let (mut object, warnings) = self.admit(body)?;
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

    pub(crate) fn update(&self, body: Value) -> Result<Done, Refusal> {
        self.rewrite(|_| Ok(body))
    }

    pub(crate) fn patch(&self, written: Written) -> Result<Done, Refusal> {
        let patch = Patch::of(&written.media)?;
        let exists = self.store.read(|state| state.get(&self.key(&self.asked.name)).is_some());
        if patch == Patch::Apply && !exists {
            let mut object = written.value;
            if object.is_object() {
                if !object["metadata"].is_object() {
                    object["metadata"] = json!({});
                }
                object["metadata"]["name"] = self.asked.name.clone().into();
            }
            return self.create(object);
        }
        self.rewrite(|before| {
            let mut after = patch.onto(before, written.value.clone())?;
            // Unless the patch itself names a version, it is meant for whichever there is.
            if after.pointer("/metadata/resourceVersion")
                == before.pointer("/metadata/resourceVersion")
                && let Some(metadata) = after.get_mut("metadata").and_then(Value::as_object_mut)
            {
                metadata.remove("resourceVersion");
            }
            Ok(after)
        })
    }

    /// Reads, changes, checks and writes in one step, so that no other write comes between.
    fn rewrite(
        &self,
        change: impl FnOnce(&Value) -> Result<Value, Refusal>,
    ) -> Result<Done, Refusal> {
        let (kind, name, dry) = (self.kind, self.asked.name.as_str(), self.dry()?);
        let key = self.key(name);
        let (object, warnings) = self.store.edit(|state| {
            let before = state.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?;
            let (mut after, warnings) = self.admit(change(&before)?)?;
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
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
        for field in [
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "deletionTimestamp",
        ] {
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
