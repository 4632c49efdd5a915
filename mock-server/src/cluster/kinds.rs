//! Every kind of object the cluster knows: its names, its scope, and its type.

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, Pod, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::table;
pub(crate) use crate::kube::Kind;
use crate::kube::Subresource;
use crate::kube::discovery::{Group, Offered};

const POD_PARTS: &[Subresource] = &[
    Subresource { name: "attach", kind: "PodAttachOptions", verbs: &["create", "get"] },
    Subresource { name: "exec", kind: "PodExecOptions", verbs: &["create", "get"] },
    Subresource { name: "log", kind: "Pod", verbs: &["get"] },
    Subresource { name: "portforward", kind: "PodPortForwardOptions", verbs: &["create", "get"] },
];

/// In the order discovery lists them: by group, then by name.
pub(crate) static KINDS: &[Kind] = &[
    of::<ConfigMap>("configmap", true).short(&["cm"]).writable(),
    of::<Endpoints>("endpoints", true).short(&["ep"]),
    of::<Event>("event", true).short(&["ev"]),
    of::<LimitRange>("limitrange", true).short(&["limits"]),
    of::<Namespace>("namespace", false).short(&["ns"]).writable(),
    of::<Node>("node", false).short(&["no"]),
    of::<Pod>("pod", true).short(&["po"]).in_all().parts(POD_PARTS).writable(),
    of::<ResourceQuota>("resourcequota", true).short(&["quota"]),
    of::<Secret>("secret", true),
    of::<ServiceAccount>("serviceaccount", true).short(&["sa"]),
    of::<Service>("service", true).short(&["svc"]).in_all(),
    of::<DaemonSet>("daemonset", true).short(&["ds"]).in_all(),
    of::<Deployment>("deployment", true).short(&["deploy"]).in_all(),
    of::<ReplicaSet>("replicaset", true).short(&["rs"]).in_all(),
    of::<StatefulSet>("statefulset", true).short(&["sts"]).in_all(),
    of::<Lease>("lease", true),
    of::<EndpointSlice>("endpointslice", true),
];

const fn of<T>(singular: &'static str, namespaced: bool) -> Kind
where
    T: Resource + DeserializeOwned + Serialize + JsonSchema,
{
    Kind::of::<T>(singular, namespaced, table::of, selectable)
}

/// Groups other than the core, in the order they are listed.
pub(crate) const GROUPS: &[Group] = &[
    ("apps", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
];

/// All of it, as discovery tells of it.
pub(crate) fn offered() -> Offered {
    Offered { kinds: KINDS.iter().collect(), groups: GROUPS.to_vec() }
}

pub(crate) fn named(kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|known| known.kind == kind)
}

pub(crate) fn at(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

/// What field selectors may name.
fn selectable(kind: &Kind) -> &'static [&'static str] {
    match kind.kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Namespace" => &["status.phase"],
        "Node" => &["spec.unschedulable"],
        "Secret" => &["type"],
        "Service" => &["spec.clusterIP", "spec.type"],
        "ReplicaSet" => &["status.replicas"],
        _ => &[],
    }
}
