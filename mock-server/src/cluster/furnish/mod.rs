//! From a description to full objects: ids, addresses, ages, statuses, and the objects that
//! follow from others. Every object passes through its type on the way in.

mod events;
mod network;
mod nodes;
pub(crate) mod pods;
mod workloads;

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::admission::is_dns_name;
use super::description::{Age, ClusterDescription, DataDescription, DescriptionError};
use super::kinds::{self, Kind};
use super::logs::Logs;
use crate::kube::age::stamp;
use crate::kube::fingerprint;
use crate::kube::store::{Key, Store};

/// The namespaces no cluster is without.
const ALWAYS: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];

/// The work in progress.
pub(crate) struct Furnisher<'a> {
    cluster: &'a str,
    age: Age,
    now: Timestamp,
    /// By name, how long each has been there.
    namespaces: BTreeMap<String, Age>,
    nodes: Vec<nodes::Place>,
    pods: u32,
    services: u32,
    objects: Vec<(&'static Kind, Value)>,
    seen: HashSet<(&'static str, String, String)>,
    pub(crate) logs: Logs,
}

/// What every object of a description has.
pub(crate) struct Heading<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    age: Option<Age>,
    labels: &'a BTreeMap<String, String>,
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

pub(crate) fn furnish(
    description: &ClusterDescription,
    now: Timestamp,
) -> Result<(Store, Logs), DescriptionError> {
    let mut work = Furnisher {
        cluster: &description.name,
        age: description.age,
        now,
        namespaces: BTreeMap::new(),
        nodes: Vec::new(),
        pods: 0,
        services: 0,
        objects: Vec::new(),
        seen: HashSet::new(),
        logs: Logs::default(),
    };
    work.add_namespaces(description)?;
    work.add_nodes(&description.nodes)?;
    for deployment in &description.deployments {
        work.add_deployment(deployment)?;
    }
    for pod in &description.pods {
        work.add_pod(pod)?;
    }
    for map in &description.configmaps {
        work.add_data("ConfigMap", map)?;
    }
    for secret in &description.secrets {
        work.add_data("Secret", secret)?;
    }
    for object in &description.objects {
        work.add_manifest(object)?;
    }
    work.add_services(&description.services)?;
    for event in &description.events {
        work.add_event(event)?;
    }
    work.finish()
}

fn wrong(message: impl Into<String>) -> DescriptionError {
    DescriptionError(message.into())
}

impl<'a> Furnisher<'a> {
    fn instant(&self, age: Age) -> Timestamp {
        self.now.checked_sub(SignedDuration::from_secs(age.0)).unwrap_or(self.now)
    }

    fn stamp(&self, age: Option<Age>) -> String {
        stamp(self.instant(age.unwrap_or(self.age)))
    }

    /// An age as given, else that of the namespace: nothing is older than where it lives.
    fn age_in(&self, namespace: &str, age: Option<Age>) -> Age {
        age.or_else(|| self.namespaces.get(namespace).copied()).unwrap_or(self.age)
    }

    fn uid(&self, kind: &str, namespace: &str, name: &str) -> String {
        fingerprint::uid(&[self.cluster, kind, namespace, name])
    }

    /// Completes `body` with everything an object has before its own fields begin.
    fn add(&mut self, heading: &Heading<'_>, mut body: Value) -> Result<(), DescriptionError> {
        let Some(kind) = kinds::named(heading.kind) else {
            return Err(wrong(format!("{} is no kind this cluster knows", heading.kind)));
        };
        let place = format!("{} {}/{}", heading.kind, heading.namespace, heading.name);
        let namespace = if kind.namespaced { heading.namespace } else { "" };
        if kind.namespaced && !self.namespaces.contains_key(namespace) {
            return Err(wrong(format!("{place}: there is no namespace {namespace:?}")));
        }
        if !is_dns_name(heading.name) {
            return Err(wrong(format!("{place}: {:?} is no Kubernetes name", heading.name)));
        }
        if !self.seen.insert((kind.kind, namespace.to_owned(), heading.name.to_owned())) {
            return Err(wrong(format!("{place} is described twice")));
        }
        body["apiVersion"] = kind.api_version().into();
        body["kind"] = kind.kind.into();
        let uid = self.uid(kind.kind, namespace, heading.name);
        let born = self.stamp(Some(self.age_in(namespace, heading.age)));
        if !body.get("metadata").is_some_and(Value::is_object) {
            body["metadata"] = json!({});
        }
        let metadata = &mut body["metadata"];
        metadata["name"] = heading.name.into();
        metadata["uid"] = uid.into();
        if metadata.get("creationTimestamp").is_none_or(Value::is_null) {
            metadata["creationTimestamp"] = born.into();
        }
        if kind.namespaced {
            metadata["namespace"] = namespace.into();
        }
        if !heading.labels.is_empty() {
            metadata["labels"] = json!(heading.labels);
        }
        let (object, unknown) =
            kind.admit(&body).map_err(|error| wrong(format!("{place}: {error}")))?;
        if let Some(field) = unknown.first() {
            return Err(wrong(format!("{place}: unknown field {field:?}")));
        }
        self.objects.push((kind, object));
        Ok(())
    }

    fn add_namespaces(&mut self, description: &ClusterDescription) -> Result<(), DescriptionError> {
        let mut wanted: BTreeMap<&str, (Option<Age>, BTreeMap<String, String>)> =
            ALWAYS.iter().map(|name| (*name, (None, BTreeMap::new()))).collect();
        for namespace in &description.namespaces {
            wanted.insert(&namespace.name, (namespace.age, namespace.labels.clone()));
        }
        for (name, (age, mut labels)) in wanted {
            labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
            let heading = Heading { kind: "Namespace", namespace: "", name, age, labels: &labels };
            let body = json!({
                "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
            });
            self.add(&heading, body)?;
            self.namespaces.insert(name.to_owned(), age.unwrap_or(self.age));
            let heading = Heading {
                kind: "ServiceAccount",
                namespace: name,
                name: "default",
                age,
                labels: &NO_LABELS,
            };
            self.add(&heading, json!({}))?;
        }
        Ok(())
    }

    fn add_data(
        &mut self,
        kind: &'static str,
        described: &DataDescription,
    ) -> Result<(), DescriptionError> {
        let heading = Heading {
            kind,
            namespace: &described.namespace,
            name: &described.name,
            age: described.age,
            labels: &NO_LABELS,
        };
        if kind == "ConfigMap" {
            return self.add(&heading, json!({ "data": described.data }));
        }
        let encoded: BTreeMap<&String, String> =
            described.data.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        self.add(&heading, json!({ "type": "Opaque", "data": encoded }))
    }

    fn add_manifest(&mut self, manifest: &Value) -> Result<(), DescriptionError> {
        let text = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = kinds::named(text("/kind")) else {
            return Err(wrong(format!("objects: kind {:?} is not known here", text("/kind"))));
        };
        if text("/apiVersion") != kind.api_version() {
            return Err(wrong(format!("objects: {} is of {}", kind.kind, kind.api_version())));
        }
        let namespace = match text("/metadata/namespace") {
            "" => "default",
            named => named,
        };
        let heading = Heading {
            kind: kind.kind,
            namespace,
            name: text("/metadata/name"),
            age: None,
            labels: &NO_LABELS,
        };
        self.add(&heading, manifest.clone())
    }

    fn finish(self) -> Result<(Store, Logs), DescriptionError> {
        let store = Store::new();
        store.edit(|state| {
            for (kind, object) in self.objects {
                let text = |path: &str| {
                    object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                let key = Key::of(kind, &text("/metadata/namespace"), &text("/metadata/name"));
                state.put(key, object);
            }
        });
        Ok((store, self.logs))
    }
}
