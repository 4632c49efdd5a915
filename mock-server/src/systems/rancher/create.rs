//! Creating a kubeconfig: the checks in their documented order, then tokens, then the text that
//! is shown once.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Asking;
use super::kinds::{EXT, KUBECONFIG, TOKEN};
use super::render::{Kubeconfig, Login};
use super::rules;
use super::state::{State, ownership};
use super::tokens::{self, NAME_LETTERS, New, condition};
use super::visit::TOKEN_ID;
use crate::kube::age::stamp;
use crate::kube::body::Written;
use crate::kube::status::Refusal;
use crate::kube::store::Key;
use crate::kube::write::{Done, admit, dry, metadata_causes, text};
use crate::world::rancher::Cluster;

/// As many as anybody needs, so that the memory of the machine is not one client's.
const MOST: usize = 20_000;

const UID: &str = "/metadata/uid";
const NAME: &str = "/metadata/name";

fn forbidden(why: &str) -> Refusal {
    Refusal::forbidden(KUBECONFIG.plural, EXT, "", why)
}

pub(super) fn answer(asking: &Asking<'_>, written: Written) -> Result<Done, Refusal> {
    let dry = dry(asking.query)?;
    let (object, warnings) = admit(&KUBECONFIG, asking.query, written.value, &written.duplicates)?;
    let caller = &asking.caller;
    let state = asking.state;
    let user = caller.user.as_str();
    if state.user(user).is_none() {
        return Err(forbidden(&format!("user {user} is not a Rancher user")));
    }
    let token = caller.extra.iter().find(|(key, _)| key == TOKEN_ID);
    let Some(token) = token.and_then(|(_, values)| values.first()) else {
        return Err(forbidden("the request token ID is missing"));
    };
    if state.object(&TOKEN, token).is_none() {
        let why = format!(
            "cannot get the request token {token}: {} {token:?} not found",
            TOKEN.qualified()
        );
        return Err(forbidden(&why));
    }
    let causes = {
        let mut causes = Vec::new();
        metadata_causes(&object, &mut causes);
        causes
    };
    if !causes.is_empty() {
        return Err(Refusal::invalid(&KUBECONFIG, text(&object, "/metadata/name"), &causes));
    }
    let wanted: Vec<&str> = object
        .pointer("/spec/clusters")
        .and_then(Value::as_array)
        .map(|clusters| clusters.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if wanted.iter().collect::<HashSet<_>>().len() != wanted.len() {
        return Err(Refusal::bad_request("spec.clusters must be unique"));
    }
    let ttl = ttl(asking, &object)?;
    let host = host(asking)?;
    let clusters = clusters(asking, &wanted)?;
    let current = match text(&object, "/spec/currentContext") {
        "" => clusters.first().map(|cluster| cluster.name.clone()),
        named if clusters.iter().any(|cluster| cluster.name == named) => Some(named.to_owned()),
        named => {
            return Err(Refusal::bad_request(format!("invalid spec.currentContext {named}")));
        }
    };
    let making = Making { asking, clusters, current, ttl, host };
    let object = if dry { making.rehearse(object) } else { making.perform(object)? };
    Ok(Done { object: Arc::new(object), created: true, warnings })
}

fn ttl(asking: &Asking<'_>, object: &Value) -> Result<i64, Refusal> {
    let most = tokens::default_ttl(asking.state);
    match object.pointer("/spec/ttl").and_then(Value::as_i64).unwrap_or_default() {
        ttl if ttl < 0 => Err(Refusal::bad_request("spec.ttl can't be negative")),
        0 => Ok(most),
        ttl if most > 0 && ttl > most => {
            Err(Refusal::bad_request(format!("spec.ttl {ttl} exceeds max ttl {most} (seconds)")))
        }
        ttl => Ok(ttl),
    }
}

/// The host of the setting, or else the one that was asked.
fn host(asking: &Asking<'_>) -> Result<String, Refusal> {
    let setting = asking.state.setting("server-url");
    let named = setting.split_once("://").map_or(setting.as_str(), |(_, rest)| rest);
    let named = named.split('/').next().unwrap_or_default();
    match (named, asking.host) {
        ("", "") => Err(Refusal::internal("cannot tell the server's host")),
        ("", host) => Ok(host.to_owned()),
        (named, _) => Ok(named.to_owned()),
    }
}

fn clusters<'a>(asking: &Asking<'a>, wanted: &[&str]) -> Result<Vec<&'a Cluster>, Refusal> {
    let (rules, caller) = (&asking.state.rules, &asking.caller);
    let find = |name: &str| asking.state.world.clusters.iter().find(|one| one.name == name);
    let permitted = |cluster: &Cluster| rules::may_get_cluster(rules, caller, &cluster.name);
    if find("local").is_none() {
        return Err(Refusal::internal("cannot get the local cluster"));
    }
    if wanted.first() == Some(&"*") {
        let names = asking.state.cluster_names();
        let all = names.iter().filter_map(|name| find(name));
        return Ok(all.filter(|cluster| permitted(cluster)).collect());
    }
    wanted
        .iter()
        .map(|name| {
            let cluster = find(name)
                .ok_or_else(|| Refusal::bad_request(format!("cluster {name} not found")))?;
            if permitted(cluster) {
                return Ok(cluster);
            }
            let why = format!("user {} is not allowed to access cluster {name}", caller.user);
            Err(forbidden(&why))
        })
        .collect()
}

/// A kubeconfig that nothing is wrong with.
struct Making<'m, 'a> {
    asking: &'m Asking<'a>,
    clusters: Vec<&'a Cluster>,
    current: Option<String>,
    ttl: i64,
    host: String,
}

impl Making<'_, '_> {
    /// The object as it is stored, without what its tokens add.
    fn placed(&self, mut object: Value) -> Value {
        let ids = &self.asking.installation.ids;
        let name = loop {
            let name = format!("kubeconfig-{}", ids.letters(NAME_LETTERS, 5));
            if self.asking.state.object(&KUBECONFIG, &name).is_none() {
                break name;
            }
        };
        let mut metadata = json!({
            "name": name, "generateName": "kubeconfig-", "uid": ids.random_uuid(),
            "creationTimestamp": stamp(self.asking.now),
            "labels": object.pointer("/metadata/labels").filter(|l| l.is_object()).cloned()
                .unwrap_or_else(|| json!({})),
        });
        metadata["labels"]["cattle.io/user-id"] = self.asking.caller.user.clone().into();
        if let Some(annotations) = object.pointer("/metadata/annotations") {
            metadata["annotations"] = annotations.clone();
        }
        object["metadata"] = metadata;
        object["spec"]["ttl"] = self.ttl.into();
        if let Some(current) = &self.current {
            object["spec"]["currentContext"] = current.clone().into();
        }
        object["status"] = json!({ "summary": "Pending" });
        object
    }

    fn text(&self, object: &Value, shared: Login, own: Vec<Option<Login>>) -> String {
        let authority = match self.asking.state.setting("cacerts") {
            setting if setting.is_empty() => self.asking.authority.to_owned(),
            setting => setting,
        };
        Kubeconfig {
            name: text(object, "/metadata/name"),
            created: text(object, "/metadata/creationTimestamp"),
            ttl: self.ttl,
            server: &format!("https://{}{}", self.host, self.asking.base),
            host: &self.host,
            authority: &authority,
            shared,
            clusters: self.clusters.iter().copied().zip(own).collect(),
            current: self.current.as_deref(),
        }
        .text()
    }

    /// Logins that ask a program, where there are no tokens.
    fn asking_logins(&self) -> (Login, Vec<Option<Login>>) {
        let user = self.asking.caller.user.as_str();
        let ask = |cluster: Option<&str>| Login::Ask {
            user: user.to_owned(),
            cluster: cluster.map(str::to_owned),
        };
        let own = self.clusters.iter().map(|one| one.ace.is_some().then(|| ask(Some(&one.name))));
        (ask(None), own.collect())
    }

    /// What would be answered. Nothing is kept, and there are no tokens.
    fn rehearse(&self, object: Value) -> Value {
        let mut object = self.placed(object);
        let (shared, own) = self.asking_logins();
        let value = self.text(&object, shared, own);
        object["status"] = tokens::status("Complete", &[], self.asking.now);
        object["status"]["value"] = value.into();
        object
    }

    fn perform(&self, object: Value) -> Result<Value, Refusal> {
        let (state, now) = (self.asking.state, self.asking.now);
        let object = self.placed(object);
        let name = text(&object, "/metadata/name").to_owned();
        let key = Key::of(&KUBECONFIG, "", &name);
        let pending = state.store.edit(|store| {
            if store.len() >= MOST {
                let why = format!("exceeded quota: this Rancher holds {MOST} objects");
                return Err(forbidden(&why));
            }
            Ok(store.put(key.clone(), object))
        })?;
        let mut minted = Vec::new();
        let (shared, own) = if state.setting("kubeconfig-generate-token") == "false" {
            self.asking_logins()
        } else {
            let mut mint = |cluster: Option<&str>| {
                let new = New {
                    user: &self.asking.caller.user,
                    kubeconfig: &name,
                    cluster,
                    ttl: self.ttl,
                    born: now,
                };
                let (token, shown) = tokens::mint(state, &self.asking.installation.ids, &new);
                minted.push(token);
                Login::Token(shown)
            };
            let shared = mint(None);
            let own =
                self.clusters.iter().map(|one| one.ace.is_some().then(|| mint(Some(&one.name))));
            (shared, own.collect())
        };
        let stored = complete(state, &key, &pending, &minted, now)?;
        let mut shown = (*stored).clone();
        shown["status"]["value"] = self.text(&stored, shared, own).into();
        Ok(shown)
    }
}

/// Puts the tokens on what is pending, if that is still there: who deleted it meanwhile could
/// not know of its tokens, and they must not outlive it.
fn complete(
    state: &State,
    key: &Key,
    pending: &Value,
    minted: &[Value],
    now: Timestamp,
) -> Result<Arc<Value>, Refusal> {
    let stored = state.store.edit(|store| {
        let found = store.get(key).filter(|found| text(found, UID) == text(pending, UID))?;
        let lives = |token: &Value| store.get(&Key::of(&TOKEN, "", text(token, NAME))).is_some();
        if !minted.iter().all(lives) {
            store.remove(key);
            return None;
        }
        let mut complete = (*found).clone();
        if !minted.is_empty() {
            complete["metadata"]["ownerReferences"] = minted.iter().map(ownership).collect();
        }
        complete["status"] = tokens::status("Complete", minted, now);
        Some(store.put(key.clone(), complete))
    });
    stored.ok_or_else(|| {
        let names: Vec<String> = minted.iter().map(|token| text(token, NAME).to_owned()).collect();
        state.drop_tokens(&names);
        Refusal::internal(&format!("kubeconfig {} was deleted while it was being made", key.name))
    })
}

/// Says on the object that it was changed, once, however often.
pub(super) fn mark_updated(object: &mut Value, now: Timestamp) {
    if !object["status"].is_object() {
        object["status"] = json!({});
    }
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.retain(|one| one.get("type").and_then(Value::as_str) != Some("Updated"));
        conditions.push(condition("Updated", None, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::ids::Ids;
    use crate::world::rancher::Rancher;

    /// What is in between pending and complete, and what is left of it.
    fn left_after(between: impl FnOnce(&State, &Key, &Value)) -> (bool, usize, usize) {
        let (ids, now) = (Ids::new([7; 32], 0), Timestamp::UNIX_EPOCH);
        let state = State::new(Rancher::standard(), &ids, now);
        let (objects, secrets) =
            (state.store.read(crate::kube::store::State::len), state.secrets().len());
        let key = Key::of(&KUBECONFIG, "", "kubeconfig-abcde");
        let pending = json!({"metadata": {"name": key.name, "uid": "1"}});
        let pending = state.store.edit(|store| store.put(key.clone(), pending));
        let new = New { user: "u-w7drc", kubeconfig: &key.name, cluster: None, ttl: 60, born: now };
        let (token, _) = tokens::mint(&state, &ids, &new);
        between(&state, &key, &token);
        let done = complete(&state, &key, &pending, &[token], now).is_ok();
        let objects = state.store.read(crate::kube::store::State::len) - objects;
        (done, objects, state.secrets().len() - secrets)
    }

    #[test]
    fn what_is_deleted_while_it_is_made_leaves_nothing() {
        assert_eq!(left_after(|_, _, _| ()), (true, 2, 1));
        let deleted = left_after(|state, key, _| {
            state.store.edit(|store| store.remove(key));
        });
        assert_eq!(deleted, (false, 0, 0));
        let without_token = left_after(|state, _, token| {
            state.drop_tokens(&[text(token, NAME).to_owned()]);
        });
        assert_eq!(without_token, (false, 0, 0));
    }
}
