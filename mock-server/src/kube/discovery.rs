//! What there is: the aggregated lists that kubectl asks for, the plain ones that older
//! clients and `auth can-i` ask for, and the list of paths at the root.

use serde_json::{Value, json};

use super::Kind;
use super::review::REVIEWS;

/// A group and its one version.
pub(crate) type Group = (&'static str, &'static str);

/// What a server offers. The core group is always there, and is not among `groups`.
pub(crate) struct Offered {
    pub(crate) kinds: Vec<&'static Kind>,
    /// In the order they are listed.
    pub(crate) groups: Vec<Group>,
}

fn reviews_of(
    group: &str,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    REVIEWS.iter().filter(move |review| review.0 == group)
}

fn with_names(mut resource: Value, kind: &Kind) -> Value {
    if !kind.short.is_empty() {
        resource["shortNames"] = json!(kind.short);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
    resource
}

impl Offered {
    fn kinds_of(&self, group: &str) -> impl Iterator<Item = &'static Kind> {
        self.kinds.iter().copied().filter(move |kind| kind.group == group)
    }

    fn version_of(&self, group: &str) -> Option<&'static str> {
        if group.is_empty() {
            return Some("v1");
        }
        self.groups.iter().find(|known| known.0 == group).map(|known| known.1)
    }

    /// `APIGroupDiscoveryList`, in v2 or v2beta1, which differ in nothing else.
    pub(crate) fn aggregated(&self, core: bool, version: &str) -> Value {
        let groups = if core { vec![("", "v1")] } else { self.groups.clone() };
        let items: Vec<Value> =
            groups.into_iter().map(|group| self.aggregated_group(group)).collect();
        json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": format!("apidiscovery.k8s.io/{version}"),
            "metadata": {}, "items": items,
        })
    }

    fn aggregated_group(&self, (group, version): Group) -> Value {
        let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
        let response = |kind: &str| json!({ "group": group, "version": version, "kind": kind });
        let mut resources: Vec<Value> = self
            .kinds_of(group)
            .map(|kind| {
                let mut resource = json!({
                    "resource": kind.plural, "responseKind": response(kind.kind),
                    "scope": scope(kind.namespaced), "singularResource": kind.singular,
                    "verbs": kind.verbs,
                });
                if !kind.subresources.is_empty() {
                    let parts = kind.subresources.iter().map(|part| {
                        json!({
                            "subresource": part.name, "responseKind": response(part.kind),
                            "verbs": part.verbs,
                        })
                    });
                    resource["subresources"] = parts.collect();
                }
                with_names(resource, kind)
            })
            .collect();
        resources.extend(reviews_of(group).map(|(_, plural, kind)| {
            json!({
                "resource": plural, "responseKind": response(kind), "scope": "Cluster",
                "singularResource": kind.to_lowercase(), "verbs": ["create"],
            })
        }));
        let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
        json!({
            "metadata": metadata,
            "versions": [{ "version": version, "freshness": "Current", "resources": resources }],
        })
    }

    /// `/api` without aggregation.
    pub(crate) fn versions() -> Value {
        json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
    }

    /// `/apis` without aggregation.
    pub(crate) fn groups(&self) -> Value {
        let groups: Vec<Value> =
            self.groups.iter().filter_map(|(group, _)| self.group(group)).collect();
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
    }

    /// `/apis/<group>`.
    pub(crate) fn group(&self, name: &str) -> Option<Value> {
        let version = self.version_of(name).filter(|_| !name.is_empty())?;
        let version = json!({ "groupVersion": format!("{name}/{version}"), "version": version });
        Some(json!({
            "kind": "APIGroup", "apiVersion": "v1", "name": name,
            "versions": [version], "preferredVersion": version,
        }))
    }

    /// `/api/v1` and `/apis/<group>/<version>`.
    pub(crate) fn resources(&self, group: &str, version: &str) -> Option<Value> {
        if self.version_of(group) != Some(version) {
            return None;
        }
        let mut resources = Vec::new();
        for kind in self.kinds_of(group) {
            let resource = json!({
                "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": kind.verbs,
            });
            resources.push(with_names(resource, kind));
            resources.extend(kind.subresources.iter().map(|part| {
                json!({
                    "name": format!("{}/{}", kind.plural, part.name), "singularName": "",
                    "namespaced": kind.namespaced, "kind": part.kind, "verbs": part.verbs,
                })
            }));
        }
        resources.extend(reviews_of(group).map(|(_, plural, kind)| {
            json!({
                "name": plural, "singularName": kind.to_lowercase(), "namespaced": false,
                "kind": kind, "verbs": ["create"],
            })
        }));
        let group_version =
            if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Some(json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
            "resources": resources,
        }))
    }

    /// `/`.
    pub(crate) fn root(&self) -> Value {
        let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
        for (group, version) in &self.groups {
            paths.extend([format!("/apis/{group}"), format!("/apis/{group}/{version}")]);
        }
        paths.extend(
            ["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned),
        );
        json!({ "paths": paths })
    }
}

#[cfg(test)]
mod tests {
    use crate::cluster::kinds::offered;

    #[test]
    fn every_kind_is_in_a_listed_group_and_in_both_forms() {
        let offered = offered();
        for kind in &offered.kinds {
            let plain = offered.resources(kind.group, kind.version).unwrap().to_string();
            let aggregated = offered.aggregated(kind.group.is_empty(), "v2").to_string();
            assert!(plain.contains(&format!("\"name\":\"{}\"", kind.plural)), "{kind:?}");
            assert!(aggregated.contains(&format!("\"resource\":\"{}\"", kind.plural)), "{kind:?}");
        }
        assert!(offered.resources("nope", "v1").is_none());
        assert!(offered.resources("apps", "v1beta1").is_none());
    }
}
