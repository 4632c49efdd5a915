//! A kind of object: its names, its scope, its verbs, its type, and how it is shown. An object
//! enters a store only through its type here, so what comes out is what the type allows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::Resource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::table::{Columns, Row};

pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) categories: &'static [&'static str],
    pub(crate) subresources: &'static [Subresource],
    pub(crate) namespaced: bool,
    pub(crate) verbs: &'static [&'static str],
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) through: fn(Value) -> Result<Value, String>,
    /// The columns of its table, and what fills a row.
    pub(crate) layout: fn(&Kind) -> (Columns, Row),
    /// What a field selector may name, beside name and namespace.
    pub(crate) fields: fn(&Kind) -> &'static [&'static str],
}

/// Something under an object that answers for itself, such as a pod's log.
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) verbs: &'static [&'static str],
}

pub(crate) const READ: &[&str] = &["get", "list", "watch"];
pub(crate) const WRITE: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

fn through<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

impl Kind {
    /// A kind of which Rust has the type.
    pub(crate) const fn of<T>(
        singular: &'static str,
        namespaced: bool,
        layout: fn(&Self) -> (Columns, Row),
        fields: fn(&Self) -> &'static [&'static str],
    ) -> Self
    where
        T: Resource + DeserializeOwned + Serialize + JsonSchema,
    {
        Self {
            group: T::GROUP,
            version: T::VERSION,
            kind: T::KIND,
            plural: T::URL_PATH_SEGMENT,
            singular,
            short: &[],
            categories: &[],
            subresources: &[],
            namespaced,
            verbs: READ,
            schema: SchemaGenerator::subschema_for::<T>,
            through: through::<T>,
            layout,
            fields,
        }
    }

    pub(crate) const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short = names;
        self
    }

    pub(crate) const fn in_all(mut self) -> Self {
        self.categories = &["all"];
        self
    }

    pub(crate) const fn parts(mut self, parts: &'static [Subresource]) -> Self {
        self.subresources = parts;
        self
    }

    pub(crate) const fn writable(mut self) -> Self {
        self.verbs = WRITE;
        self
    }

    pub(crate) fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    /// `v1` or `apps/v1`, as objects spell it.
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `pods` or `deployments.apps`, as sentences spell it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Passes an object through its type: what it holds that the type has no place for is
    /// left out, and named.
    pub(crate) fn admit(&self, object: &Value) -> Result<(Value, Vec<String>), String> {
        let typed = (self.through)(object.clone())?;
        let mut lost = Lost::default();
        lost.note(object, &typed, &mut Vec::new());
        let mut unknown = lost.said;
        let nulls = lost.nulls.into_values().take(NULLS);
        unknown
            .extend(nulls.filter(|path| !self.has_place(object, path)).map(|path| spelled(&path)));
        unknown.sort();
        Ok((typed, unknown))
    }

    /// Whether the type has a place for what is null there. A null leaves no trace either way;
    /// a `true` in its stead is kept where anything is, and refused where something else belongs.
    fn has_place(&self, object: &Value, path: &[Step]) -> bool {
        let mut probe = object.clone();
        let Some(place) = path.iter().try_fold(&mut probe, |value, step| step.into(value)) else {
            return true;
        };
        *place = Value::Bool(true);
        let Ok(typed) = (self.through)(probe) else { return true };
        path.iter().try_fold(&typed, |value, step| step.of(value)).is_some()
    }
}

/// So many places with a null are looked into; each takes another pass through the type.
const NULLS: usize = 32;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Member(String),
    Item(usize),
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Member(name) => value.get(name),
            Self::Item(index) => value.get(index),
        }
    }

    fn into<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        match self {
            Self::Member(name) => value.get_mut(name),
            Self::Item(index) => value.get_mut(index),
        }
    }
}

/// As refusals write it: `spec.containers[0].image`.
fn spelled(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) if text.is_empty() => text.push_str(name),
            Step::Member(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Item(index) => {
                let _ = write!(text, "[{index}]");
            }
        }
    }
    text
}

/// What was present before and is absent after.
#[derive(Debug, Default)]
struct Lost {
    said: Vec<String>,
    /// The nulls, which may mean nothing; of all items of a list, the first that has one there.
    nulls: BTreeMap<Vec<Step>, Vec<Step>>,
}

impl Lost {
    fn note(&mut self, before: &Value, after: &Value, path: &mut Vec<Step>) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                for (key, value) in before {
                    path.push(Step::Member(key.clone()));
                    match after.get(key) {
                        Some(kept) => self.note(value, kept, path),
                        None if value.is_null() => self.note_null(path),
                        None => self.said.push(spelled(path)),
                    }
                    path.pop();
                }
            }
            (Value::Array(before), Value::Array(after)) => {
                for (index, (value, kept)) in before.iter().zip(after).enumerate() {
                    path.push(Step::Item(index));
                    self.note(value, kept, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn note_null(&mut self, path: &[Step]) {
        let any = |step: &Step| match step {
            Step::Item(_) => Step::Item(0),
            member => member.clone(),
        };
        let place = path.iter().map(any).collect();
        self.nulls.entry(place).or_insert_with(|| path.to_vec());
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.qualified())
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::kinds;
    use serde_json::json;

    #[test]
    fn a_field_without_a_place_is_named() {
        let pod = kinds::named("Pod").unwrap();
        let (object, unknown) = pod
            .admit(&json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": "a", "creationTimestamp": null, "colour": "red" },
                "spec": { "containers": [{ "name": "a", "image": "b", "imag": "c" }] },
            }))
            .unwrap();
        assert_eq!(unknown, ["metadata.colour", "spec.containers[0].imag"]);
        assert!(object.pointer("/metadata/colour").is_none());
    }

    /// A null where the type has a place says nothing; elsewhere it is as unknown as anything.
    #[test]
    fn a_null_without_a_place_is_named() {
        let pod = kinds::named("Pod").unwrap();
        let (object, unknown) = pod
            .admit(&json!({
                "apiVersion": "v1", "kind": "Pod", "colour": null,
                "metadata": { "name": "a", "creationTimestamp": null, "labels": null },
                "spec": {
                    "hostNetwork": null, "nodeName": null, "volumes": null, "colour": null,
                    "containers": [
                        { "name": "a", "image": null },
                        { "name": "b", "imag": null, "resources": { "limits": null } },
                        { "name": "c", "imag": null },
                    ],
                },
                "status": null,
            }))
            .unwrap();
        assert_eq!(unknown, ["colour", "spec.colour", "spec.containers[1].imag"]);
        assert_eq!(object.pointer("/spec/containers/2"), Some(&json!({ "name": "c" })));
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let map = kinds::named("ConfigMap").unwrap();
        assert!(map.admit(&json!({ "metadata": {}, "data": { "a": 1 } })).is_err());
    }
}
