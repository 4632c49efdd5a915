//! What one Rancher holds: its objects, the secrets of its tokens, and the clusters behind it.
//! Laid out from the world when somebody first asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::{self, CLUSTER, FEATURE, KUBECONFIG, SETTING, TOKEN, USER};
use super::{layout, rules};
use crate::cluster::Cluster;
use crate::kube::store::{Key, Store};
use crate::kube::{Kind, Rule};
use crate::namespace::Installation;
use crate::world::annex::Kept;
use crate::world::ids::Ids;
use crate::world::rancher::{Rancher, User};

/// The label by which a token names its kubeconfig.
pub(super) const KUBECONFIG_ID: &str = "authn.management.cattle.io/kubeconfig-id";

/// What stands behind one token. Dropping it ends whatever was let in by it.
pub(super) struct Secret {
    pub(super) text: String,
    /// By the name it has as a user of Kubernetes.
    pub(super) user: String,
    /// The only cluster it is good for; without one, it is good for all.
    pub(super) cluster: Option<String>,
    /// In seconds; without one, it never ends.
    pub(super) expires: Option<i64>,
    pub(super) alive: tokio::sync::watch::Sender<()>,
}

pub(super) struct State {
    pub(super) world: Rancher,
    pub(super) rules: Vec<Rule>,
    pub(super) store: Arc<Store>,
    /// By the token's name.
    secrets: Mutex<HashMap<String, Secret>>,
}

impl State {
    /// The Rancher of an installation.
    pub(super) fn of(installation: &Installation, now: Timestamp) -> Arc<Self> {
        installation.annex.room(|| {
            let file = &installation.directory.file;
            let world = file.rancher.as_deref().cloned().unwrap_or_else(Rancher::standard);
            Self::new(world, &installation.ids, now)
        })
    }

    pub(super) fn new(world: Rancher, ids: &Ids, now: Timestamp) -> Self {
        let state = Self {
            rules: rules::of(&world),
            world,
            store: Arc::new(Store::new()),
            secrets: Mutex::default(),
        };
        layout::furnish(&state, ids, now);
        state
    }

    /// Whether somebody may still be here: users of Rancher while they are there and enabled.
    pub(super) fn welcome(&self, name: &str) -> bool {
        if self.login(name).is_some_and(|login| !login.rancher_user) {
            return true;
        }
        let user = self.user(name);
        user.is_some_and(|user| user.get("enabled").and_then(Value::as_bool) != Some(false))
    }

    pub(super) fn secrets(&self) -> MutexGuard<'_, HashMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn object(&self, kind: &Kind, name: &str) -> Option<Arc<Value>> {
        self.store.read(|state| state.get(&Key::of(kind, "", name)))
    }

    /// A user of Rancher, as opposed to somebody who can only log in.
    pub(super) fn user(&self, name: &str) -> Option<Arc<Value>> {
        self.object(&USER, name).filter(|_| !name.contains(':'))
    }

    pub(super) fn login(&self, name: &str) -> Option<&User> {
        self.world.users.iter().find(|user| user.name == name)
    }

    /// What a setting says; an empty one says its default.
    pub(super) fn setting(&self, name: &str) -> String {
        let Some(setting) = self.object(&SETTING, name) else { return String::new() };
        let text = |field: &str| setting.get(field).and_then(Value::as_str).unwrap_or_default();
        match text("value") {
            "" => text("default").to_owned(),
            value => value.to_owned(),
        }
    }

    /// A setting in minutes; what cannot be read counts as its default.
    pub(super) fn minutes(&self, name: &str) -> i64 {
        let known = kinds::SETTINGS.iter().find(|(known, _)| *known == name);
        let default: i64 = known.and_then(|(_, default)| default.parse().ok()).unwrap_or_default();
        self.setting(name).trim().parse().unwrap_or(default).max(0)
    }

    /// Whether a feature is on.
    pub(super) fn feature(&self, name: &str) -> bool {
        let Some(feature) = self.object(&FEATURE, name) else { return true };
        let value = feature.pointer("/spec/value").and_then(Value::as_bool);
        value
            .or_else(|| feature.pointer("/status/default").and_then(Value::as_bool))
            .unwrap_or(true)
    }

    /// The names of all clusters, in order.
    pub(super) fn cluster_names(&self) -> Vec<String> {
        self.store
            .read(|state| state.list(&CLUSTER, "", None).map(|(key, _)| key.name.clone()).collect())
    }

    /// The simulated cluster behind a name, which the first call makes.
    pub(super) fn cluster(
        &self,
        installation: &Installation,
        name: &str,
        now: Timestamp,
    ) -> Option<Cluster> {
        let cluster = self.world.clusters.iter().find(|cluster| cluster.name == name)?;
        let described = &installation.directory.file.clusters;
        let described = cluster.cluster.as_ref().and_then(|name| described.get(name));
        installation.clusters.of(format!("rancher/{name}"), described, now)
    }

    /// Takes tokens away that own nothing any more.
    pub(super) fn drop_tokens(&self, names: &[String]) {
        let ended: Vec<Secret> = {
            let mut secrets = self.secrets();
            names.iter().filter_map(|name| secrets.remove(name)).collect()
        };
        self.store.edit(|state| {
            for name in names {
                state.remove(&Key::of(&TOKEN, "", name));
            }
        });
        drop(ended);
    }

    /// Takes tokens away, whoever had them: what they owned they no longer do, and a kubeconfig
    /// that nothing owns any more goes too.
    pub(super) fn forget_tokens(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.store.edit(|state| {
            for name in names {
                let owned = state.get(&Key::of(&TOKEN, "", name)).and_then(|token| {
                    let labels = token.pointer("/metadata/labels")?;
                    let owned = labels.get(KUBECONFIG_ID)?.as_str()?;
                    Some(Key::of(&KUBECONFIG, "", owned))
                });
                let Some(key) = owned else { continue };
                let Some(object) = state.get(&key) else { continue };
                let mut left = (*object).clone();
                let owners = left.pointer_mut("/metadata/ownerReferences");
                let Some(owners) = owners.and_then(Value::as_array_mut) else { continue };
                owners.retain(|owner| owner.get("name").and_then(Value::as_str) != Some(name));
                if owners.is_empty() {
                    state.remove(&key);
                } else {
                    state.put(key, left);
                }
            }
        });
        self.drop_tokens(names);
    }
}

impl Kept for State {
    /// Tokens whose time is up are gone.
    fn settle(&self, now: Timestamp) {
        let due: Vec<String> = self
            .secrets()
            .iter()
            .filter(|(_, secret)| secret.expires.is_some_and(|end| end <= now.as_second()))
            .map(|(name, _)| name.clone())
            .collect();
        self.forget_tokens(&due);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Rancher")
    }
}

/// The reference by which a token owns a kubeconfig.
pub(super) fn ownership(token: &Value) -> Value {
    json!({
        "apiVersion": TOKEN.api_version(), "kind": TOKEN.kind,
        "name": token.pointer("/metadata/name"), "uid": token.pointer("/metadata/uid"),
    })
}
