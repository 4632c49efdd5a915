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
    match asked.path.split('/').nth(1) {
        Some("api" | "apis") => "DiscoverApi",
        Some("openapi") => "ReadOpenApi",
        Some("version") => "GetKubernetesVersion",
        _ => "unknown",
    }
}
