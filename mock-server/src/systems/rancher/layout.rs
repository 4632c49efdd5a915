//! From the world to objects: users, clusters, settings, features, and what was there before.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::kinds::{self, CLUSTER, FEATURE, KUBECONFIG, SETTING, TOKEN, USER};
use super::state::{Secret, State, ownership};
use super::tokens::{self, New};
use crate::kube::age::{self, stamp};
use crate::kube::store::Key;
use crate::kube::{Kind, fingerprint};
use crate::world::ids::Ids;
use crate::world::rancher::{Cluster, Kubeconfig};

/// What Rancher brought with it is this old.
const OLD: i64 = 90 * 86_400;

fn before(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

fn heading(kind: &Kind, name: &str, born: Timestamp) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {
            "name": name, "uid": fingerprint::uid(&["rancher", kind.plural, name]),
            "creationTimestamp": stamp(born),
        },
    })
}

fn put(state: &State, kind: &Kind, mut object: Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let key = Key::of(kind, "", name);
    state.store.edit(|store| store.put(key, object));
}

pub(super) fn furnish(state: &State, ids: &Ids, now: Timestamp) {
    let born = before(now, OLD);
    for (name, default) in kinds::SETTINGS {
        let value = state.world.settings.get(*name).cloned().unwrap_or_default();
        let fields = json!({ "value": value, "default": default, "customized": !value.is_empty() });
        put(state, &SETTING, heading(&SETTING, name, born), fields);
    }
    let known = |name: &&String| !kinds::SETTINGS.iter().any(|(own, _)| own == name);
    for name in state.world.settings.keys().filter(known) {
        let fields =
            json!({ "value": state.world.settings[name], "default": "", "customized": true });
        put(state, &SETTING, heading(&SETTING, name, born), fields);
    }
    let mut features: BTreeMap<&str, (bool, &str)> = kinds::features();
    for name in state.world.features.keys() {
        features.entry(name).or_insert((false, ""));
    }
    for (name, (default, description)) in features {
        let fields = json!({
            "spec": { "value": state.world.features.get(name) },
            "status": {
                "default": default, "description": description, "dynamic": false,
                "lockedValue": null,
            },
        });
        put(state, &FEATURE, heading(&FEATURE, name, born), fields);
    }
    for cluster in &state.world.clusters {
        put(state, &CLUSTER, heading(&CLUSTER, &cluster.name, born), described(cluster));
    }
    for user in &state.world.users {
        if user.rancher_user {
            let mut fields = json!({
                "enabled": user.enabled, "principalIds": [format!("local://{}", user.name)],
            });
            for (field, value) in
                [("username", &user.username), ("displayName", &user.display_name)]
            {
                if let Some(value) = value {
                    fields[field] = value.clone().into();
                }
            }
            put(state, &USER, heading(&USER, &user.name, born), fields);
        }
        let Some((name, secret)) = user.token.split_once(':') else { continue };
        let fields = json!({
            "userId": user.name, "authProvider": "local", "isDerived": false, "ttl": 0,
            "description": "",
        });
        put(state, &TOKEN, heading(&TOKEN, name, born), fields);
        let secret = Secret {
            text: secret.to_owned(),
            user: user.name.clone(),
            cluster: None,
            expires: None,
            alive: watch::Sender::new(()),
        };
        state.secrets().insert(name.to_owned(), secret);
    }
    for kept in &state.world.kubeconfigs {
        keep(state, ids, kept, now);
    }
}

fn described(cluster: &Cluster) -> Value {
    let mut spec = json!({
        "displayName": cluster.display_name.as_deref().unwrap_or(&cluster.name),
        "internal": cluster.name == "local",
        "localClusterAuthEndpoint": { "enabled": cluster.ace.is_some() },
    });
    if let Some(ace) = &cluster.ace {
        for (field, value) in [("fqdn", &ace.fqdn), ("caCerts", &ace.ca_certs)] {
            if let Some(value) = value {
                spec["localClusterAuthEndpoint"][field] = value.clone().into();
            }
        }
    }
    json!({ "spec": spec, "status": {
        "conditions": [{ "type": "Ready", "status": "True" }],
        "nodeCount": cluster.nodes.len(),
    }})
}

/// A kubeconfig from before, with its tokens. Nobody knows their secrets any more.
fn keep(state: &State, ids: &Ids, kept: &Kubeconfig, now: Timestamp) {
    let born = before(now, age::parse(&kept.age).unwrap_or_default());
    let ttl = kept.ttl.unwrap_or_else(|| tokens::default_ttl(state));
    let minted: Vec<Value> = (0..kept.tokens)
        .map(|_| {
            let new = New { user: &kept.user, kubeconfig: &kept.name, cluster: None, ttl, born };
            tokens::mint(state, ids, &new).0
        })
        .collect();
    let mut labels = json!(kept.labels);
    labels["cattle.io/user-id"] = kept.user.clone().into();
    let mut object = heading(&KUBECONFIG, &kept.name, born);
    object["metadata"]["generateName"] = "kubeconfig-".into();
    object["metadata"]["labels"] = labels;
    object["metadata"]["ownerReferences"] = minted.iter().map(ownership).collect();
    let mut spec = json!({ "clusters": kept.clusters, "ttl": ttl });
    if let Some(description) = &kept.description {
        spec["description"] = description.clone().into();
    }
    let status = tokens::status("Complete", &minted, born);
    put(state, &KUBECONFIG, object, json!({ "spec": spec, "status": status }));
}
