//! What a world says of k0rdent: regions, the projects in them, who belongs to a project,
//! and its clusters. `issued` keeps what was handed out for them.

mod issued;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub use issued::{Kubeconfig, Kubeconfigs, New, TooMany};

use super::file::{WorldError, WorldFile};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct K0rdent {
    #[serde(default)]
    pub regions: Vec<Region>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    pub id: String,
    #[serde(default)]
    pub projects: Vec<Project>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    pub id: String,
    /// Names of identities, and what each may do here. Nobody else learns that the project exists.
    #[serde(default)]
    pub members: BTreeMap<String, Rank>,
    /// What a kubeconfig may be issued for: a role, and the Kubernetes groups that it means.
    #[serde(default = "roles")]
    pub roles: BTreeMap<String, Vec<String>>,
    /// The role of a kubeconfig whose request names none.
    #[serde(default = "viewer")]
    pub default_role: String,
    #[serde(default)]
    pub kubeconfigs: Policy,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// May look, not issue.
    Viewer,
    /// May issue, and sees what is its own.
    Editor,
    /// Sees and deletes what is anybody's.
    Administrator,
}

/// A number that is null does not apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub default_ttl_seconds: Option<u32>,
    pub max_ttl_seconds: Option<u32>,
    pub most_per_cluster: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            default_ttl_seconds: Some(86_400),
            max_ttl_seconds: Some(2_592_000),
            most_per_cluster: 1000,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The simulated cluster behind it, of the world's `clusters`; without one, the embedded shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

fn roles() -> BTreeMap<String, Vec<String>> {
    [("cluster-admin", vec!["system:masters".to_owned()]), ("viewer", Vec::new())]
        .map(|(role, groups)| (role.to_owned(), groups))
        .into()
}

fn viewer() -> String {
    "viewer".to_owned()
}

/// Where a cluster stands in the lists of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site {
    pub region: usize,
    pub project: usize,
    pub cluster: usize,
}

impl K0rdent {
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// The project of a site that was found before.
    pub fn project(&self, site: Site) -> &Project {
        &self.regions[site.region].projects[site.project]
    }

    pub fn cluster(&self, site: Site) -> &Cluster {
        &self.project(site).clusters[site.cluster]
    }
}

/// Whether everything that is referred to is there, and every id is one.
pub fn check(world: &WorldFile) -> Result<(), WorldError> {
    let wrong =
        |place: String, what: &str| Err(WorldError::Content { place, what: what.to_owned() });
    let regions = &world.k0rdent.regions;
    distinct("k0rdent.regions", regions.iter().map(|one| &one.id))?;
    for (r, region) in regions.iter().enumerate() {
        let place = format!("k0rdent.regions[{r}].projects");
        distinct(&place, region.projects.iter().map(|one| &one.id))?;
        for (p, project) in region.projects.iter().enumerate() {
            let place = |field: &str| format!("{place}[{p}].{field}");
            distinct(&place("clusters"), project.clusters.iter().map(|one| &one.id))?;
            for member in project.members.keys() {
                if !world.identities.iter().any(|identity| identity.name == *member) {
                    return wrong(place("members"), &format!("there is no identity `{member}`"));
                }
            }
            if !project.roles.contains_key(&project.default_role) {
                return wrong(place("default_role"), "is one of the roles");
            }
            let policy = &project.kubeconfigs;
            let unfit = match (policy.default_ttl_seconds, policy.max_ttl_seconds) {
                (Some(0), _) => true,
                (Some(default), Some(most)) => most < default,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if unfit {
                let what = "default_ttl_seconds is 1 to max_ttl_seconds; without a default there is no maximum";
                return wrong(place("kubeconfigs"), what);
            }
            for (c, cluster) in project.clusters.iter().enumerate() {
                if let Some(name) = &cluster.cluster
                    && !world.clusters.contains_key(name)
                {
                    let place = place(&format!("clusters[{c}].cluster"));
                    return wrong(place, &format!("there is no cluster `{name}`"));
                }
            }
        }
    }
    Ok(())
}

fn distinct<'i>(place: &str, ids: impl Iterator<Item = &'i String>) -> Result<(), WorldError> {
    let mut seen = HashSet::new();
    for (n, id) in ids.enumerate() {
        let wrong = |what| Err(WorldError::Content { place: format!("{place}[{n}].id"), what });
        if !is_id(id) {
            return wrong(format!(
                "`{id}` is no id: 1 to 63 lowercase letters, digits and hyphens, a letter first, no hyphen last"
            ));
        }
        if !seen.insert(id) {
            return wrong(format!("{id} is there twice"));
        }
    }
    Ok(())
}

/// `^[a-z]([-a-z0-9]*[a-z0-9])?$`, at most 63 of them.
pub fn is_id(id: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    id.len() <= 63
        && id.bytes().all(known)
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && !id.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namespace::Scene;

    #[test]
    fn ids_are_what_the_page_s_pattern_allows() {
        for good in ["a", "a1", "address-j1k2l3", "a--b", &"a".repeat(63)] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a_b", "a.b", "ä", "a\n", &"a".repeat(64)] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    fn refused(k0rdent: &str) -> String {
        let text = format!(
            "{{name: w, domains: [], identities: [{{id: 0190a8b8-1d00-7000-8000-000000000001, name: kim}}], k0rdent: {k0rdent}}}"
        );
        WorldFile::parse(&text).and_then(Scene::prepare).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        for (k0rdent, place) in [
            ("{regions: [{id: R}]}", "k0rdent.regions[0].id"),
            ("{regions: [{id: r}, {id: r}]}", "k0rdent.regions[1].id"),
            ("{regions: [{id: r, projects: [{id: p-}]}]}", "k0rdent.regions[0].projects[0].id"),
            (
                "{regions: [{id: r, projects: [{id: p, members: {lee: editor}}]}]}",
                "k0rdent.regions[0].projects[0].members",
            ),
            (
                "{regions: [{id: r, projects: [{id: p, default_role: x}]}]}",
                "k0rdent.regions[0].projects[0].default_role",
            ),
            (
                "{regions: [{id: r, projects: [{id: p, kubeconfigs: {max_ttl_seconds: 5}}]}]}",
                "k0rdent.regions[0].projects[0].kubeconfigs",
            ),
            (
                "{regions: [{id: r, projects: [{id: p, clusters: [{id: c, cluster: x}]}]}]}",
                "k0rdent.regions[0].projects[0].clusters[0].cluster",
            ),
        ] {
            let said = refused(k0rdent);
            assert!(said.starts_with(&format!("{place}: ")), "{k0rdent}: {said}");
        }
        assert!(refused("{regionen: []}").contains("regionen"));
    }
}
