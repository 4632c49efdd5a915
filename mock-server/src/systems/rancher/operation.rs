//! What a request is called in the journal: the `operationId` of the contract.

use crate::kube::{Kind, RequestInfo};

/// Of a request for one of Rancher's own kinds.
pub(super) fn of(kind: &Kind, verb: &str) -> &'static str {
    match (kind.kind, verb) {
        ("Kubeconfig", "create") => "CreateRancherKubeconfig",
        ("Kubeconfig", "list") => "ListRancherKubeconfigs",
        ("Kubeconfig", "watch") => "WatchRancherKubeconfigs",
        ("Kubeconfig", "get") => "GetRancherKubeconfig",
        ("Kubeconfig", "update") => "UpdateRancherKubeconfig",
        ("Kubeconfig", "patch") => "PatchRancherKubeconfig",
        ("Kubeconfig", "delete") => "DeleteRancherKubeconfig",
        ("Kubeconfig", "deletecollection") => "DeleteRancherKubeconfigs",
        ("Cluster", "list") => "ListRancherClusters",
        ("Cluster", "watch") => "WatchRancherClusters",
        ("Cluster", "get") => "GetRancherCluster",
        ("Feature", "list") => "ListRancherFeatures",
        ("Feature", "watch") => "WatchRancherFeatures",
        ("Feature", "get") => "GetRancherFeature",
        ("Feature", "update") => "UpdateRancherFeature",
        ("Feature", "patch") => "PatchRancherFeature",
        ("Setting", "list") => "ListRancherSettings",
        ("Setting", "watch") => "WatchRancherSettings",
        ("Setting", "get") => "GetRancherSetting",
        ("Setting", "update") => "UpdateRancherSetting",
        ("Setting", "patch") => "PatchRancherSetting",
        ("Token", "list") => "ListRancherTokens",
        ("Token", "watch") => "WatchRancherTokens",
        ("Token", "get") => "GetRancherToken",
        ("Token", "delete") => "DeleteRancherToken",
        ("User", "list") => "ListRancherUsers",
        ("User", "watch") => "WatchRancherUsers",
        ("User", "get") => "GetRancherUser",
        ("User", "update") => "UpdateRancherUser",
        ("User", "patch") => "PatchRancherUser",
        _ => "unknown",
    }
}

/// Of a request for what is no kind of Rancher's.
pub(super) fn elsewhere(asked: &RequestInfo) -> &'static str {
    if asked.is_resource {
        return match asked.resource.as_str() {
            "selfsubjectreviews" => "CreateSelfSubjectReview",
            "selfsubjectaccessreviews" => "CreateSelfSubjectAccessReview",
            "selfsubjectrulesreviews" => "CreateSelfSubjectRulesReview",
            _ => "CallRancherCluster",
        };
    }
    let parts: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["api"] => "DiscoverCore",
        ["api", _] => "DiscoverCoreResources",
        ["apis"] => "DiscoverApi",
        ["apis", _] => "DiscoverGroup",
        ["apis", _, _] => "DiscoverResources",
        ["openapi", "v2"] => "ReadOpenApi2",
        ["openapi", "v3"] => "ReadOpenApi",
        ["openapi", "v3", ..] => "ReadOpenApiGroup",
        ["version"] => "GetKubernetesVersion",
        ["healthz" | "livez" | "readyz", ..] => "GetRancherHealth",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::{Method, Uri};
    use serde_json::Value;

    use super::*;
    use crate::kube::request::Query;
    use crate::systems::rancher::kinds::KINDS;

    /// The ids that the contract lists, those of watches beside those of their lists.
    fn listed() -> BTreeSet<String> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/contract/rancher.json");
        let document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let items = document["paths"].as_object().unwrap().values();
        items
            .flat_map(|item| item.as_object().unwrap().values())
            .flat_map(|one| [&one["operationId"], &one["x-watch-operation-id"]])
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect()
    }

    /// What the journal can write, by everything that can be asked.
    fn written() -> BTreeSet<String> {
        let own = KINDS.iter().flat_map(|kind| kind.verbs.iter().map(|verb| of(kind, verb)));
        let paths = [
            "/api",
            "/api/v1",
            "/apis",
            "/apis/a",
            "/apis/a/v1",
            "/openapi/v2",
            "/openapi/v3",
            "/openapi/v3/apis/a/v1",
            "/version",
            "/livez",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            "/api/v1/pods",
        ];
        let read = |path: &str| {
            let uri: Uri = path.parse().unwrap();
            elsewhere(&RequestInfo::read(&Method::GET, &uri, &Query::default()))
        };
        own.chain(paths.map(read)).map(str::to_owned).collect()
    }

    #[test]
    fn the_journal_and_the_contract_use_the_same_names() {
        assert_eq!(written(), listed());
    }
}
