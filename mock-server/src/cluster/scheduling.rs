//! What happens to pods after they are written: a node takes them, they run, and one that
//! a replica set lost is made again.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::description::PodState;
use super::furnish::pods::{Life, status};
use super::kinds;
use crate::kube::age::stamp;
use crate::kube::fingerprint;
use crate::kube::store::{Key, State};

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Puts a pending pod on a node, where it is running at once.
pub(crate) fn start(state: &mut State, key: &Key, now: Timestamp) {
    let Some(node_kind) = kinds::named("Node") else { return };
    let Some(pod) = state.get(key) else { return };
    let mut pod = (*pod).clone();
    let open = |node: &Value| {
        let cordoned = node.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
        let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().any(|condition| {
            text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
        });
        ready && !cordoned
    };
    let wanted = text(&pod, "/spec/nodeName");
    let nodes: Vec<_> =
        state
            .list(node_kind, "", None)
            .map(|(_, node)| std::sync::Arc::clone(node))
            .filter(|node| {
                if wanted.is_empty() { open(node) } else { text(node, "/metadata/name") == wanted }
            })
            .collect();
    let turn = usize::try_from(state.version()).unwrap_or_default();
    let Some(node) = nodes.get(turn % nodes.len().max(1)) else { return };
    let subnet = text(node, "/spec/podCIDR");
    let subnet = subnet.rsplit_once('.').map_or(subnet, |(head, _)| head);
    let address = format!("{subnet}.{}", turn % 240 + 5);
    let host = node
        .pointer("/status/addresses/0/address")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    pod["spec"]["nodeName"] = text(node, "/metadata/name").into();
    let uid = text(&pod, "/metadata/uid").to_owned();
    let life = Life {
        state: PodState::Running,
        restarts: 0,
        started: now,
        restarted: now,
        uid: &uid,
        host: &host,
        address: &address,
    };
    pod["status"] = status(&pod["spec"], &life);
    state.put(key.clone(), pod);
}

/// The replica set that still wants a pod like the one that is gone makes another.
pub(crate) fn replace(state: &mut State, gone: &Value, now: Timestamp) {
    let owner = gone.pointer("/metadata/ownerReferences/0");
    let Some(owner) = owner.filter(|owner| text(owner, "/kind") == "ReplicaSet") else { return };
    let (Some(set), Some(kind)) = (kinds::named("ReplicaSet"), kinds::named("Pod")) else { return };
    let (namespace, set_name) = (text(gone, "/metadata/namespace"), text(owner, "/name"));
    if state.get(&Key::of(set, namespace, set_name)).is_none() {
        return;
    }
    let salt = state.version().to_string();
    let suffix = fingerprint::suffix(&["replacement", namespace, set_name, &salt], 5);
    let key = Key::of(kind, namespace, &format!("{set_name}-{suffix}"));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": key.name, "namespace": namespace, "creationTimestamp": stamp(now),
            "uid": fingerprint::uid(&["replacement", namespace, &key.name, &salt]),
            "labels": gone.pointer("/metadata/labels"), "ownerReferences": [owner],
        },
        "spec": gone.get("spec"),
        "status": { "phase": "Pending", "qosClass": "BestEffort" },
    });
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.remove("nodeName");
    }
    state.put(key.clone(), pod);
    start(state, &key, now);
}
