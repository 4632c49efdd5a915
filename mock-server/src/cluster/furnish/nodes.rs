//! Nodes, and the leases by which they say they are alive.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Furnisher, Heading, NO_LABELS, wrong};
use crate::cluster::description::{Age, DescriptionError, NodeDescription};
use crate::kube::fingerprint;

/// Where pods can be put.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) address: String,
    /// The first three numbers of the addresses of its pods.
    pub(crate) subnet: String,
    pub(crate) schedulable: bool,
}

/// What kubelets on these nodes report, whatever the server's own version.
const KERNEL: &str = "6.8.0-60-generic";
const SYSTEM: &str = "Ubuntu 24.04.2 LTS";
const RUNTIME: &str = "containerd://1.7.27";

impl Furnisher<'_> {
    pub(super) fn add_nodes(&mut self, nodes: &[NodeDescription]) -> Result<(), DescriptionError> {
        let alone = [NodeDescription {
            name: "node-1".to_owned(),
            roles: vec!["control-plane".to_owned()],
            age: None,
            ready: true,
            unschedulable: false,
            cpu: "4".to_owned(),
            memory: "16Gi".to_owned(),
            labels: BTreeMap::new(),
        }];
        let nodes = if nodes.is_empty() { &alone } else { nodes };
        if nodes.len() > 200 {
            return Err(wrong("nodes: at most 200 have addresses here"));
        }
        for (index, node) in nodes.iter().enumerate() {
            self.add_node(index, node)?;
        }
        Ok(())
    }

    fn add_node(&mut self, index: usize, node: &NodeDescription) -> Result<(), DescriptionError> {
        let name = node.name.as_str();
        let place = Place {
            name: name.to_owned(),
            address: format!("10.0.0.{}", index + 11),
            subnet: format!("10.244.{index}"),
            schedulable: node.ready && !node.unschedulable,
        };
        let mut labels = node.labels.clone();
        for (key, value) in [
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", "amd64"),
        ] {
            labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
        for role in &node.roles {
            labels.insert(format!("node-role.kubernetes.io/{role}"), String::new());
        }
        let control = node.roles.iter().any(|role| role == "control-plane");
        let mut spec = json!({
            "podCIDR": format!("{}.0/24", place.subnet),
            "podCIDRs": [format!("{}.0/24", place.subnet)],
            "providerID": format!("simulated://{}/{name}", self.cluster),
        });
        let mut taints = Vec::new();
        if control {
            taints.push(
                json!({ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }),
            );
        }
        if node.unschedulable {
            spec["unschedulable"] = true.into();
            taints
                .push(json!({ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }));
        }
        if !node.ready {
            for effect in ["NoSchedule", "NoExecute"] {
                taints.push(json!({ "key": "node.kubernetes.io/unreachable", "effect": effect }));
            }
        }
        if !taints.is_empty() {
            spec["taints"] = taints.into();
        }
        let room = json!({
            "cpu": node.cpu, "memory": node.memory, "pods": "110",
            "ephemeral-storage": "98Gi", "hugepages-2Mi": "0",
        });
        let machine = |what: &str| fingerprint::hex(&[self.cluster, what, name], 16);
        let version = "v1.32.4";
        let status = json!({
            "addresses": [
                { "type": "InternalIP", "address": place.address },
                { "type": "Hostname", "address": name },
            ],
            "capacity": room, "allocatable": room,
            "conditions": self.conditions(node),
            "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
            "nodeInfo": {
                "architecture": "amd64", "bootID": self.uid("boot", "", name),
                "containerRuntimeVersion": RUNTIME, "kernelVersion": KERNEL,
                "kubeProxyVersion": version, "kubeletVersion": version,
                "machineID": machine("machine"), "operatingSystem": "linux",
                "osImage": SYSTEM, "systemUUID": self.uid("system", "", name),
            },
        });
        self.add(
            &Heading { kind: "Node", namespace: "", name, age: node.age, labels: &labels },
            json!({ "spec": spec, "status": status }),
        )?;
        let heading = Heading {
            kind: "Lease",
            namespace: "kube-node-lease",
            name,
            age: node.age,
            labels: &NO_LABELS,
        };
        let renewed = self.stamp(Some(Age(if node.ready { 4 } else { 1800 })));
        let lease = json!({ "spec": {
            "holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed,
        }});
        self.add(&heading, lease)?;
        self.nodes.push(place);
        Ok(())
    }

    fn conditions(&self, node: &NodeDescription) -> Vec<Value> {
        let beat = self.stamp(Some(Age(if node.ready { 60 } else { 1860 })));
        let since = self.stamp(node.age);
        let healthy = [
            (
                "MemoryPressure",
                "False",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            (
                "PIDPressure",
                "False",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ];
        let condition = |(kind, status, reason, message): (&str, &str, &str, &str)| {
            let (status, reason, message) = if node.ready {
                (status, reason, message)
            } else {
                ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            };
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": beat,
                "lastTransitionTime": if node.ready { &since } else { &beat },
            })
        };
        healthy.into_iter().map(condition).collect()
    }
}
