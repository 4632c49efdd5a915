//! Every kind of object the cluster knows: its names, its scope, and its type. An object
//! enters the store only through its type here, so what comes out is what the type allows.

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, Pod, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    pub(crate) writable: bool,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    through: fn(Value) -> Result<Value, String>,
}

/// Something under an object that answers for itself, such as a pod's log.
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) verbs: &'static [&'static str],
}

const POD_PARTS: &[Subresource] = &[
    Subresource { name: "attach", kind: "PodAttachOptions", verbs: &["create", "get"] },
    Subresource { name: "exec", kind: "PodExecOptions", verbs: &["create", "get"] },
    Subresource { name: "log", kind: "Pod", verbs: &["get"] },
    Subresource { name: "portforward", kind: "PodPortForwardOptions", verbs: &["create", "get"] },
];

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// In the order discovery lists them: by group, then by name.
pub(crate) static KINDS: &[Kind] = &[
    Kind::of::<ConfigMap>("configmap", true).short(&["cm"]).writable(),
    Kind::of::<Endpoints>("endpoints", true).short(&["ep"]),
    Kind::of::<Event>("event", true).short(&["ev"]),
    Kind::of::<LimitRange>("limitrange", true).short(&["limits"]),
    Kind::of::<Namespace>("namespace", false).short(&["ns"]).writable(),
    Kind::of::<Node>("node", false).short(&["no"]),
    Kind::of::<Pod>("pod", true).short(&["po"]).in_all().parts(POD_PARTS).writable(),
    Kind::of::<ResourceQuota>("resourcequota", true).short(&["quota"]),
    Kind::of::<Secret>("secret", true),
    Kind::of::<ServiceAccount>("serviceaccount", true).short(&["sa"]),
    Kind::of::<Service>("service", true).short(&["svc"]).in_all(),
    Kind::of::<DaemonSet>("daemonset", true).short(&["ds"]).in_all(),
    Kind::of::<Deployment>("deployment", true).short(&["deploy"]).in_all(),
    Kind::of::<ReplicaSet>("replicaset", true).short(&["rs"]).in_all(),
    Kind::of::<StatefulSet>("statefulset", true).short(&["sts"]).in_all(),
    Kind::of::<Lease>("lease", true),
    Kind::of::<EndpointSlice>("endpointslice", true),
];

fn through<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

impl Kind {
    const fn of<T>(singular: &'static str, namespaced: bool) -> Self
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
            writable: false,
            schema: SchemaGenerator::subschema_for::<T>,
            through: through::<T>,
        }
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short = names;
        self
    }

    const fn in_all(mut self) -> Self {
        self.categories = &["all"];
        self
    }

    const fn parts(mut self, parts: &'static [Subresource]) -> Self {
        self.subresources = parts;
        self
    }

    const fn writable(mut self) -> Self {
        self.writable = true;
        self
    }

    pub(crate) fn named(kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.kind == kind)
    }

    pub(crate) fn at(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        KINDS
            .iter()
            .find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        if self.writable { WRITE } else { READ }
    }

    /// `v1` or `apps/v1`, as objects spell it.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
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
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_without_a_place_is_named() {
        let pod = Kind::named("Pod").unwrap();
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
        let map = Kind::named("ConfigMap").unwrap();
        assert!(map.admit(&json!({ "metadata": {}, "data": { "a": 1 } })).is_err());
    }
}
