//! The Rancher of a world: its users, clusters, settings and features, and the kubeconfigs that
//! were there before. A world that says nothing of it has the embedded one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::file::WorldError;
use crate::kube::age;

/// The Rancher of worlds that describe none, turned into JSON by the build.
const STANDARD: &str = include_str!(concat!(env!("OUT_DIR"), "/rancher.json"));

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rancher {
    /// For editors; nothing here reads it.
    #[serde(rename = "$schema", default, skip_serializing)]
    pub schema: Option<String>,
    /// Who may log in; each has one token.
    #[serde(default)]
    pub users: Vec<User>,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
    /// By name, where they differ from Rancher's defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// By name, where they differ from Rancher's defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubeconfigs: Vec<Kubeconfig>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The id, such as `u-w7drc`.
    pub name: String,
    /// `<name of the token>:<secret>`, as a bearer token.
    pub token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub admin: bool,
    /// False: it can log in, and Rancher knows no such user.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub rancher_user: bool,
    /// Groups beside those that everybody is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The clusters it may use, by id; `*` means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The id, such as `c-m-p66cdvlj`; the one Rancher runs on is `local`.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ace: Option<Ace>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    /// The certificate authority of its own API, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<String>,
    /// Which of the world's `clusters` answers for it; without one, the embedded shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// An authorized cluster endpoint: a way to the cluster that does not lead through Rancher.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ace {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certs: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub hostname: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ip: Option<String>,
    #[serde(default, skip_serializing_if = "is_no")]
    pub control_plane: bool,
}

/// A kubeconfig that was created before the world began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubeconfig {
    pub name: String,
    pub user: String,
    /// How long ago: `18d`, `3h`.
    pub age: String,
    #[serde(default)]
    pub clusters: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// In seconds; without one, what the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// How many tokens it was given.
    #[serde(default = "one")]
    pub tokens: u8,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references out")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references out")]
fn is_no(value: &bool) -> bool {
    !*value
}

impl Rancher {
    /// The embedded one.
    pub fn standard() -> Self {
        // It is in the program, and a test reads it.
        serde_json::from_str(STANDARD).unwrap_or_default()
    }

    /// Whether everything that is named is there, once. `described` are the clusters that the
    /// world describes.
    pub fn check(&self, described: impl Fn(&str) -> bool) -> Result<(), WorldError> {
        let wrong = |place: String, what: String| WorldError::Content { place, what };
        let mut clusters = BTreeSet::new();
        for (n, cluster) in self.clusters.iter().enumerate() {
            let place = |field: &str| format!("rancher.clusters[{n}].{field}");
            if !is_name(&cluster.name) || !clusters.insert(cluster.name.as_str()) {
                let what = format!("`{}` is no name, or is there twice", cluster.name);
                return Err(wrong(place("name"), what));
            }
            if let Some(name) = cluster.cluster.as_deref().filter(|name| !described(name)) {
                return Err(wrong(place("cluster"), format!("there is no cluster `{name}`")));
            }
        }
        let (mut users, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        for (n, user) in self.users.iter().enumerate() {
            let place = |field: &str| format!("rancher.users[{n}].{field}");
            let legal = |name: &str| is_name(name) || !user.rancher_user && !name.is_empty();
            if !legal(&user.name) || !users.insert(user.name.as_str()) {
                let what = format!("`{}` is no name, or is there twice", user.name);
                return Err(wrong(place("name"), what));
            }
            let (token, secret) = user.token.split_once(':').unwrap_or_default();
            if !is_name(token) || secret.is_empty() || !tokens.insert(token) {
                let what = "a token is `<name>:<secret>`, and its name is there once".to_owned();
                return Err(wrong(place("token"), what));
            }
            let known = |name: &&String| *name == "*" || clusters.contains(name.as_str());
            if let Some(name) = user.clusters.iter().find(|name| !known(name)) {
                return Err(wrong(place("clusters"), format!("there is no cluster `{name}`")));
            }
        }
        let mut names = BTreeSet::new();
        for (n, kept) in self.kubeconfigs.iter().enumerate() {
            let place = |field: &str| format!("rancher.kubeconfigs[{n}].{field}");
            if !is_name(&kept.name) || !names.insert(kept.name.as_str()) {
                let what = format!("`{}` is no name, or is there twice", kept.name);
                return Err(wrong(place("name"), what));
            }
            if !users.contains(kept.user.as_str()) {
                return Err(wrong(place("user"), format!("there is no user `{}`", kept.user)));
            }
            if age::parse(&kept.age).is_none() {
                let what = format!("`{}` is no age; write 90s, 5m, 3d12h or 1y", kept.age);
                return Err(wrong(place("age"), what));
            }
        }
        Ok(())
    }
}

/// A name of Kubernetes, short enough for every use it is put to here.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=48).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_one_can_be_read_and_nothing_is_wrong_with_it() {
        let standard: Rancher = serde_json::from_str(STANDARD).unwrap();
        standard.check(|_| false).unwrap();
        let ordinary = |user: &&User| user.enabled && !user.admin && user.rancher_user;
        assert_eq!(standard.users.iter().filter(ordinary).count(), 2);
        assert_eq!(standard.users.iter().filter(|user| user.admin).count(), 1);
        assert_eq!(standard.users.iter().filter(|user| !user.enabled).count(), 1);
        assert!(standard.users.iter().any(|user| user.name == "system:admin"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place) in [
            (r#"{"clusters":[{"name":"A"}]}"#, "rancher.clusters[0].name"),
            (r#"{"clusters":[{"name":"a"},{"name":"a"}]}"#, "rancher.clusters[1].name"),
            (r#"{"clusters":[{"name":"a","cluster":"x"}]}"#, "rancher.clusters[0].cluster"),
            (r#"{"users":[{"name":"u","token":"t"}]}"#, "rancher.users[0].token"),
            (r#"{"users":[{"name":"system:x","token":"t:s"}]}"#, "rancher.users[0].name"),
            (
                r#"{"users":[{"name":"u","token":"t:s","clusters":["c"]}]}"#,
                "rancher.users[0].clusters",
            ),
            (
                r#"{"kubeconfigs":[{"name":"k","user":"u","age":"1d"}]}"#,
                "rancher.kubeconfigs[0].user",
            ),
            (
                r#"{"users":[{"name":"u","token":"t:s"}],"kubeconfigs":[{"name":"k","user":"u","age":"1"}]}"#,
                "rancher.kubeconfigs[0].age",
            ),
        ] {
            let rancher: Rancher = serde_json::from_str(text).unwrap();
            let error = rancher.check(|_| false).unwrap_err().to_string();
            assert!(error.starts_with(place), "{text}: {error}");
        }
    }
}
