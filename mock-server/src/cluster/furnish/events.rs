//! Events: what happened to an object, as kubelets and controllers report it.

use serde_json::{Value, json};

use super::{Furnisher, Heading, NO_LABELS, wrong};
use crate::cluster::description::{Age, DescriptionError, EventDescription};
use crate::cluster::kinds;
use crate::kube::fingerprint;

impl Furnisher<'_> {
    pub(super) fn add_event(&mut self, event: &EventDescription) -> Result<(), DescriptionError> {
        let place = format!("events: {} of {:?}", event.reason, event.object);
        let known =
            event.object.split_once('/').and_then(|(kind, name)| Some((kinds::named(kind)?, name)));
        let Some((kind, name)) = known else {
            return Err(wrong(format!("{place}: write the object as Pod/name or Node/name")));
        };
        let namespace = if kind.namespaced { event.namespace.as_str() } else { "" };
        let about = self.objects.iter().find(|(known, object)| {
            let text =
                |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
            known.kind == kind.kind
                && text("/metadata/name") == name
                && text("/metadata/namespace") == namespace
        });
        let Some((_, about)) = about else {
            return Err(wrong(format!("{place}: there is no such object")));
        };
        let mut involved = json!({
            "kind": kind.kind, "apiVersion": kind.api_version(), "name": name,
            "uid": about.pointer("/metadata/uid"),
        });
        if kind.namespaced {
            involved["namespace"] = namespace.into();
        }
        let mut source = json!({ "component": event.source });
        let host = match kind.kind {
            "Node" => Some(name),
            _ => about.pointer("/spec/nodeName").and_then(Value::as_str),
        };
        if let (Some(host), "kubelet") = (host, event.source.as_str()) {
            source["host"] = host.into();
        }
        // An event seen often was first seen a while before it was last seen.
        let spread = i64::from(event.count.saturating_sub(1)).saturating_mul(60);
        let first = self.stamp(Some(Age(event.age.0.saturating_add(spread))));
        let body = json!({
            "involvedObject": involved, "reason": event.reason, "message": event.message,
            "type": event.kind, "count": event.count, "source": source,
            "firstTimestamp": first, "lastTimestamp": self.stamp(Some(event.age)),
            "reportingComponent": event.source, "reportingInstance": source.get("host").cloned().unwrap_or_else(|| "".into()),
        });
        let parts = [self.cluster, &event.object, &event.reason, &event.message];
        let full = format!("{name}.{}", fingerprint::hex(&parts, 8));
        let age = Some(Age(event.age.0.saturating_add(spread)));
        let home = if kind.namespaced { namespace } else { "default" };
        let heading =
            Heading { kind: "Event", namespace: home, name: &full, age, labels: &NO_LABELS };
        self.add(&heading, body)
    }
}
