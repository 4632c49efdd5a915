//! What there is: the aggregated lists that kubectl asks for, the plain ones that older
//! clients and `auth can-i` ask for, and the list of paths at the root.

use serde_json::{Value, json};

use super::kinds::{KINDS, Kind};
use super::review::REVIEWS;

/// Groups other than the core, in the order they are listed; each has one version, `v1`.
pub(crate) const GROUPS: &[&str] = &[
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
];

fn kinds_of(group: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.group == group)
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

/// `APIGroupDiscoveryList`, in v2 or v2beta1, which differ in nothing else.
pub(crate) fn aggregated(core: bool, version: &str) -> Value {
    let groups: Vec<&str> = if core { vec![""] } else { GROUPS.to_vec() };
    let items: Vec<Value> = groups.into_iter().map(group_discovery).collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    })
}

fn group_discovery(group: &str) -> Value {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let response = |kind: &str| json!({ "group": group, "version": "v1", "kind": kind });
    let mut resources: Vec<Value> = kinds_of(group)
        .map(|kind| {
            let mut resource = json!({
                "resource": kind.plural, "responseKind": response(kind.kind),
                "scope": scope(kind.namespaced), "singularResource": kind.singular,
                "verbs": kind.verbs(),
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
        "versions": [{ "version": "v1", "freshness": "Current", "resources": resources }],
    })
}

/// `/api` without aggregation.
pub(crate) fn versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// `/apis` without aggregation.
pub(crate) fn groups() -> Value {
    let groups: Vec<Value> = GROUPS.iter().filter_map(|group| self::group(group)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/<group>`.
pub(crate) fn group(name: &str) -> Option<Value> {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    GROUPS.contains(&name).then(|| {
        json!({
            "kind": "APIGroup", "apiVersion": "v1", "name": name,
            "versions": [version], "preferredVersion": version,
        })
    })
}

/// `/api/v1` and `/apis/<group>/v1`.
pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    if version != "v1" || !(group.is_empty() || GROUPS.contains(&group)) {
        return None;
    }
    let mut resources = Vec::new();
    for kind in kinds_of(group) {
        let resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": kind.verbs(),
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
    let group_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": resources,
    }))
}

/// `/`.
pub(crate) fn root() -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for group in GROUPS {
        paths.extend([format!("/apis/{group}"), format!("/apis/{group}/v1")]);
    }
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
    json!({ "paths": paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_a_listed_group_and_in_both_forms() {
        for kind in KINDS {
            assert!(kind.group.is_empty() || GROUPS.contains(&kind.group), "{kind:?}");
            let plain = resources(kind.group, "v1").unwrap().to_string();
            let aggregated = aggregated(kind.group.is_empty(), "v2").to_string();
            assert!(plain.contains(&format!("\"name\":\"{}\"", kind.plural)), "{kind:?}");
            assert!(aggregated.contains(&format!("\"resource\":\"{}\"", kind.plural)), "{kind:?}");
        }
        assert!(resources("nope", "v1").is_none());
        assert!(resources("apps", "v1beta1").is_none());
    }
}
