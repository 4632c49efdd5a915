//! The columns of each kind, and what fills them.

use serde_json::Value;

use super::pods;
use super::rows::{
    born, count, daemon_set, endpoint_slice, endpoints, entries, event, fraction, name, node,
    quota, read, service, with_template,
};
use crate::kube::Kind;
use crate::kube::table::{Columns, Row};

pub(crate) fn of(kind: &Kind) -> (Columns, Row) {
    match kind.kind {
        "Pod" => (pods::COLUMNS, pods::row),
        "Node" => (
            &[
                "Name",
                "Status",
                "Roles",
                "Age",
                "Version",
                "+Internal-IP",
                "+External-IP",
                "+OS-Image",
                "+Kernel-Version",
                "+Container-Runtime",
            ],
            node,
        ),
        "Namespace" => (&["Name", "Status", "Age"], |object, now| {
            vec![name(object), read(object, "/status/phase"), born(object, now)]
        }),
        "Service" => {
            (&["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"], service)
        }
        "Deployment" => (
            &[
                "Name",
                "Ready",
                "#Up-to-date",
                "#Available",
                "Age",
                "+Containers",
                "+Images",
                "+Selector",
            ],
            |object, now| {
                let ready = fraction(object, "/status/readyReplicas", "/spec/replicas");
                let (updated, available) = (
                    count(object, "/status/updatedReplicas"),
                    count(object, "/status/availableReplicas"),
                );
                with_template(
                    vec![name(object), ready, updated, available, born(object, now)],
                    object,
                )
            },
        ),
        "ReplicaSet" => (
            &[
                "Name",
                "#Desired",
                "#Current",
                "#Ready",
                "Age",
                "+Containers",
                "+Images",
                "+Selector",
            ],
            |object, now| {
                let counts = ["/spec/replicas", "/status/replicas", "/status/readyReplicas"];
                let [desired, current, ready] = counts.map(|path| count(object, path));
                with_template(
                    vec![name(object), desired, current, ready, born(object, now)],
                    object,
                )
            },
        ),
        "StatefulSet" => (&["Name", "Ready", "Age", "+Containers", "+Images"], |object, now| {
            let ready = fraction(object, "/status/readyReplicas", "/spec/replicas");
            let mut row = with_template(vec![name(object), ready, born(object, now)], object);
            row.pop();
            row
        }),
        "DaemonSet" => (
            &[
                "Name",
                "#Desired",
                "#Current",
                "#Ready",
                "#Up-to-date",
                "#Available",
                "Node Selector",
                "Age",
                "+Containers",
                "+Images",
                "+Selector",
            ],
            daemon_set,
        ),
        "ConfigMap" => (&["Name", "#Data", "Age"], |object, now| {
            vec![name(object), entries(object), born(object, now)]
        }),
        "Secret" => (&["Name", "Type", "#Data", "Age"], |object, now| {
            vec![name(object), read(object, "/type"), entries(object), born(object, now)]
        }),
        "ServiceAccount" => (&["Name", "#Secrets", "Age"], |object, now| {
            let secrets = object.get("secrets").and_then(Value::as_array).map_or(0, Vec::len);
            vec![name(object), secrets.into(), born(object, now)]
        }),
        "Event" => (
            &[
                "Last Seen",
                "Type",
                "Reason",
                "Object",
                "+Subobject",
                "+Source",
                "Message",
                "+First Seen",
                "+Count",
                "+Name",
            ],
            event,
        ),
        "Endpoints" => (&["Name", "Endpoints", "Age"], endpoints),
        "EndpointSlice" => (&["Name", "AddressType", "Ports", "Endpoints", "Age"], endpoint_slice),
        "Lease" => (&["Name", "Holder", "Age"], |object, now| {
            vec![name(object), read(object, "/spec/holderIdentity"), born(object, now)]
        }),
        "ResourceQuota" => (&["Name", "Request", "Limit", "Age"], |object, now| {
            vec![name(object), quota(object, false), quota(object, true), born(object, now)]
        }),
        _ => (&["Name", "Created At"], |object, _| {
            vec![name(object), read(object, "/metadata/creationTimestamp")]
        }),
    }
}
