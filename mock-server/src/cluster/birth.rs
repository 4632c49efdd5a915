//! What a new object is given before it is stored, and what comes into being with it.

use serde_json::{Value, json};

use super::furnish::pods::spec_defaults;
use super::kinds;
use super::write::Writing;
use crate::kube::age::stamp;
use crate::kube::fingerprint;
use crate::kube::status::Refusal;
use crate::kube::store::{Key, State};
use crate::kube::write::text;

impl Writing<'_> {
    /// Name, namespace, id, age and defaults.
    pub(crate) fn place(&self, state: &State, object: &mut Value) -> Result<(), Refusal> {
        let (kind, namespace) = (self.kind, self.asked.namespace.as_str());
        let version = state.version().to_string();
        let prefix = text(object, "/metadata/generateName").to_owned();
        if text(object, "/metadata/name").is_empty() && !prefix.is_empty() {
            let suffix = fingerprint::suffix(&["generated", &prefix, namespace, &version], 5);
            object["metadata"]["name"] = format!("{prefix}{suffix}").into();
        }
        let name = text(object, "/metadata/name").to_owned();
        if kind.namespaced {
            let own = text(object, "/metadata/namespace");
            if !own.is_empty() && own != namespace {
                return Err(Refusal::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
            let home = kinds::named("Namespace");
            if let Some(home) = home
                && state.get(&Key::of(home, "", namespace)).is_none()
            {
                return Err(Refusal::not_found(home, namespace));
            }
            object["metadata"]["namespace"] = namespace.into();
        }
        let metadata = &mut object["metadata"];
        metadata["uid"] =
            fingerprint::uid(&["created", kind.plural, namespace, &name, &version]).into();
        metadata["creationTimestamp"] = stamp(self.now).into();
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("managedFields");
            metadata.remove("deletionTimestamp");
        }
        match kind.kind {
            "Pod" => {
                spec_defaults(&mut object["spec"]);
                object["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" });
            }
            "Namespace" => {
                object["spec"] = json!({ "finalizers": ["kubernetes"] });
                object["status"] = json!({ "phase": "Active" });
                if !object["metadata"]["labels"].is_object() {
                    object["metadata"]["labels"] = json!({});
                }
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.into();
            }
            _ => {}
        }
        Ok(())
    }

    /// What every new namespace is given.
    pub(crate) fn settle(&self, state: &mut State, namespace: &str) {
        let Some(kind) = kinds::named("ServiceAccount") else { return };
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {
                "name": "default", "namespace": namespace, "creationTimestamp": stamp(self.now),
                "uid": fingerprint::uid(&["account", namespace, &state.version().to_string()]),
            },
        });
        state.put(Key::of(kind, namespace, "default"), account);
    }
}
