//! The Rancher of the embedded world: who is there, and the requests that are made of it.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::{Call, Exchange, Server, yaml};
use crate::fixture;
use crate::verdict::{Outcome, expect, expect_eq, skip};

pub(super) const KUBECONFIGS: &str = "/apis/ext.cattle.io/v1/kubeconfigs";
pub(super) const MANAGEMENT: &str = "/apis/management.cattle.io/v3";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(super) const PATCH: &str = "application/json-patch+json";

/// Clusters: one that all may use, one with an endpoint of a name, one with an endpoint per node.
pub(super) const PLAIN: &str = "c-m-p66cdvlj";
pub(super) const NAMED: &str = "c-m-fcd3g5h";
pub(super) const NODES: &str = "c-m-9xk4tq7w";
/// What a kubeconfig without a ttl lives, and the longest ttl, in seconds.
pub(super) const LIFE: i64 = 2_592_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// An ordinary one. On a Rancher that is not ours: whoever we were given the token of.
    Wanda,
    Kemal,
    Admin,
    Disabled,
    /// Allowed everything, and no Rancher user.
    System,
}

impl User {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wanda => "u-w7drc",
            Self::Kemal => "u-k2mzq",
            Self::Admin => "user-w5gcf",
            Self::Disabled => "u-d5k7z",
            Self::System => "system:admin",
        }
    }

    pub(super) fn token(self, server: &Server) -> Outcome<String> {
        if let Some(token) = server.foreign_token() {
            return match self {
                Self::Wanda => Ok(token.to_owned()),
                Self::Kemal => skip("a second ordinary user of Rancher"),
                Self::Admin => skip("an admin of Rancher"),
                Self::Disabled => skip("a disabled user of Rancher"),
                Self::System => skip("somebody who is no user of Rancher"),
            };
        }
        let world = world()?;
        let users = world["users"].as_array().into_iter().flatten();
        let own = users
            .filter(|user| user["name"] == self.name())
            .find_map(|user| user["token"].as_str());
        Ok(own.unwrap_or_default().to_owned())
    }
}

/// The Rancher of the embedded world, read once.
fn world() -> Outcome<&'static Value> {
    static WORLD: OnceLock<Value> = OnceLock::new();
    if let Some(world) = WORLD.get() {
        return Ok(world);
    }
    let read =
        yaml(&fixture::bytes("worlds/rancher/standard.yaml")?, "worlds/rancher/standard.yaml")?;
    Ok(WORLD.get_or_init(|| read))
}

pub(super) fn call(server: &Server, user: User, method: &str, path: &str) -> Outcome<Call> {
    Ok(server.call(method, path).bearer(&user.token(server)?))
}

pub(super) fn get(server: &Server, user: User, path: &str) -> Outcome<Exchange> {
    call(server, user, "GET", path)?.send()
}

pub(super) fn manifest(spec: &Value) -> Value {
    json!({"apiVersion": "ext.cattle.io/v1", "kind": "Kubeconfig", "spec": spec})
}

pub(super) fn create(server: &Server, user: User, spec: &Value) -> Outcome<Exchange> {
    call(server, user, "POST", KUBECONFIGS)?.json(&manifest(spec)).send()
}

/// One that was created. On a Rancher that is not ours it does not stay behind.
pub(super) struct Made<'s> {
    server: &'s Server,
    user: User,
    pub(super) object: Value,
}

impl<'s> Made<'s> {
    pub(super) fn of(server: &'s Server, user: User, exchange: &Exchange) -> Outcome<Self> {
        Ok(Self { server, user, object: exchange.expect(201)? })
    }

    pub(super) fn new(server: &'s Server, user: User, spec: &Value) -> Outcome<Self> {
        Self::of(server, user, &create(server, user, spec)?)
    }

    pub(super) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn path(&self) -> String {
        format!("{KUBECONFIGS}/{}", self.name())
    }

    pub(super) fn value(&self) -> &str {
        self.object["status"]["value"].as_str().unwrap_or_default()
    }

    /// As it reads now.
    pub(super) fn read(&self) -> Outcome<Value> {
        get(self.server, self.user, &self.path())?.expect(200)
    }

    pub(super) fn patch(&self, media: &str, patch: &Value) -> Outcome<Exchange> {
        let call = call(self.server, self.user, "PATCH", &self.path())?;
        call.json(patch).header("content-type", media).send()
    }

    /// The kubeconfig text as a document.
    pub(super) fn document(&self) -> Outcome<Value> {
        yaml(self.value().as_bytes(), "status.value")
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        if self.server.foreign_token().is_some()
            && let Ok(call) = call(self.server, self.user, "DELETE", &self.path())
        {
            // It may be gone already.
            let _ = call.quietly().send();
        }
    }
}

/// A Status with that code and reason, whose message has that in it.
pub(super) fn expect_status(exchange: &Exchange, code: u16, reason: &str, says: &str) -> Outcome {
    let said = exchange.expect_problem(code, reason)?;
    expect_eq("the code in the Status", &json!(code), &said["code"])?;
    expect_eq("the status of the Status", &json!("Failure"), &said["status"])?;
    let message = said["message"].as_str().unwrap_or_default();
    expect(message.contains(says), "the message", says, message)
}

/// The names in a list that the user gets.
pub(super) fn names(server: &Server, user: User, query: &str) -> Outcome<Vec<String>> {
    let list = get(server, user, &format!("{KUBECONFIGS}{query}"))?.expect(200)?;
    Ok(named(&list))
}

pub(super) fn named(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(|one| one["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

/// Nothing the user sees was added, seen from before. Elsewhere others are at work meanwhile.
pub(super) fn expect_unchanged(before: &[String], server: &Server, user: User) -> Outcome {
    if server.foreign_token().is_some() {
        return Ok(());
    }
    expect_eq("the kubeconfigs", &before.to_vec(), &names(server, user, "")?)
}

/// Changes a setting of ours.
pub(super) fn set(server: &Server, setting: &str, value: &str) -> Outcome {
    let path = format!("{MANAGEMENT}/settings/{setting}");
    let call = call(server, User::Admin, "PATCH", &path)?.json(&json!({"value": value}));
    call.header("content-type", MERGE).send()?.expect(200).map(drop)
}

pub(super) fn switch(server: &Server, on: bool) -> Outcome {
    let path = format!("{MANAGEMENT}/features/ext-kubeconfigs");
    let call = call(server, User::Admin, "PATCH", &path)?.json(&json!({"spec": {"value": on}}));
    call.header("content-type", STRATEGIC).send()?.expect(200).map(drop)
}
