//! A kind of object: its names, its scope, its verbs, its type, and how it is shown. An object
//! enters a store only through its type here, so what comes out is what the type allows.

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
        let mut unknown = Vec::new();
        lost(object, &typed, "", &mut unknown);
        Ok((typed, unknown))
    }
}

/// The paths present before and absent after. A null counts as absent: it says nothing.
fn lost(before: &Value, after: &Value, path: &str, out: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match after.get(key) {
                    Some(kept) => lost(value, kept, &path, out),
                    None if value.is_null() => {}
                    None => out.push(path),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (index, (value, kept)) in before.iter().zip(after).enumerate() {
                lost(value, kept, &format!("{path}[{index}]"), out);
            }
        }
        _ => {}
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

    #[test]
    fn a_wrong_type_is_refused() {
        let map = kinds::named("ConfigMap").unwrap();
        assert!(map.admit(&json!({ "metadata": {}, "data": { "a": 1 } })).is_err());
    }
}
