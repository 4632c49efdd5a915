//! The tokens behind kubeconfigs: how long they live, and how they come into being.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::kinds::TOKEN;
use super::state::{KUBECONFIG_ID, Secret, State};
use crate::kube::age::stamp;
use crate::kube::store::Key;
use crate::world::ids::Ids;

/// What Kubernetes makes the ends of generated names of.
pub(super) const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SECRET_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SECRET_LENGTH: usize = 54;

/// What a kubeconfig lives that does not say, in seconds, which is also the most that one may
/// say; 0 is for ever.
pub(super) fn default_ttl(state: &State) -> i64 {
    let default = state.minutes("kubeconfig-default-token-ttl-minutes");
    let most = state.minutes("auth-token-max-ttl-minutes");
    let minutes = match (default, most) {
        (0, most) => most,
        (default, 0) => default,
        (default, most) => default.min(most),
    };
    minutes.saturating_mul(60)
}

/// A token about to be.
pub(super) struct New<'a> {
    pub(super) user: &'a str,
    pub(super) kubeconfig: &'a str,
    pub(super) cluster: Option<&'a str>,
    pub(super) ttl: i64,
    pub(super) born: Timestamp,
}

/// Makes a token: the object that stands for it, and what its holder shows.
pub(super) fn mint(state: &State, ids: &Ids, new: &New<'_>) -> (Value, String) {
    let name = format!("kubeconfig-{}{}", new.user, ids.letters(NAME_LETTERS, 5));
    let secret = ids.letters(SECRET_LETTERS, SECRET_LENGTH);
    let expires = (new.ttl > 0)
        .then(|| new.born.checked_add(SignedDuration::from_secs(new.ttl)).ok())
        .flatten();
    let mut object = json!({
        "apiVersion": TOKEN.api_version(), "kind": TOKEN.kind,
        "metadata": {
            "name": name, "uid": ids.random_uuid(), "creationTimestamp": stamp(new.born),
            "labels": {
                "authn.management.cattle.io/token-userId": new.user,
                "authn.management.cattle.io/kind": "kubeconfig",
                KUBECONFIG_ID: new.kubeconfig,
            },
        },
        "userId": new.user, "authProvider": "local", "isDerived": true,
        "description": "Kubeconfig token",
        // Tokens count in milliseconds.
        "ttl": new.ttl.saturating_mul(1000),
        "expiresAt": expires.map(stamp),
    });
    if let Some(cluster) = new.cluster {
        object["clusterName"] = cluster.into();
    }
    let shown = format!("{name}:{secret}");
    let kept = Secret {
        text: secret,
        user: new.user.to_owned(),
        cluster: new.cluster.map(str::to_owned),
        expires: expires.map(Timestamp::as_second),
        alive: watch::Sender::new(()),
    };
    state.secrets().insert(name.clone(), kept);
    let object = state.store.edit(|store| store.put(Key::of(&TOKEN, "", &name), object));
    ((*object).clone(), shown)
}

/// The status of a kubeconfig that has these tokens.
pub(super) fn status(summary: &str, tokens: &[Value], now: Timestamp) -> Value {
    let names: Vec<&Value> =
        tokens.iter().filter_map(|token| token.pointer("/metadata/name")).collect();
    let conditions: Vec<Value> =
        names.iter().map(|name| condition("TokenCreated", name.as_str(), now)).collect();
    json!({ "summary": summary, "conditions": conditions, "tokens": names })
}

/// A condition that holds since now, with the same word for its type and its reason.
pub(super) fn condition(word: &str, message: Option<&str>, now: Timestamp) -> Value {
    json!({
        "type": word, "status": "True", "reason": word,
        "message": message.unwrap_or_default(), "lastTransitionTime": stamp(now),
    })
}
