//! Pods: what is asked of them, and the status that tells how they are doing.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Furnisher, Heading, wrong};
use crate::cluster::description::{
    Age, ContainerDescription, DescriptionError, PodDescription, PodState,
};
use crate::kube::age::stamp;
use crate::kube::fingerprint;

/// Where a pod runs and since when: all that its status depends on besides its spec.
pub(crate) struct Life<'a> {
    pub(crate) state: PodState,
    pub(crate) restarts: u32,
    pub(crate) started: Timestamp,
    pub(crate) restarted: Timestamp,
    pub(crate) uid: &'a str,
    pub(crate) host: &'a str,
    pub(crate) address: &'a str,
}

/// The fields a scheduler-ready pod spec has even when nobody wrote them.
pub(crate) fn spec_defaults(spec: &mut Value) {
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("serviceAccountName", json!("default")),
        ("serviceAccount", json!("default")),
        ("securityContext", json!({})),
        ("schedulerName", json!("default-scheduler")),
        ("enableServiceLinks", json!(true)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("priority", json!(0)),
        (
            "tolerations",
            json!(["not-ready", "unreachable"].map(|what| json!({
                "key": format!("node.kubernetes.io/{what}"), "operator": "Exists",
                "effect": "NoExecute", "tolerationSeconds": 300,
            }))),
        ),
    ] {
        if spec.get(key).is_none() {
            spec[key] = value;
        }
    }
    let containers = ["containers", "initContainers"];
    for list in containers {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
            let latest = image.ends_with(":latest")
                || !image.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
            for (key, value) in [
                ("imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" })),
                ("resources", json!({})),
                ("terminationMessagePath", json!("/dev/termination-log")),
                ("terminationMessagePolicy", json!("File")),
            ] {
                if container.get(key).is_none() {
                    container[key] = value;
                }
            }
            for port in
                container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten()
            {
                if port.get("protocol").is_none() {
                    port["protocol"] = "TCP".into();
                }
            }
        }
    }
}

/// The status of a pod with that spec and that life.
pub(crate) fn status(spec: &Value, life: &Life<'_>) -> Value {
    let started = stamp(life.started);
    let phase = match life.state {
        PodState::Running | PodState::CrashLoopBackOff => "Running",
        PodState::Completed => "Succeeded",
        PodState::Failed => "Failed",
        PodState::Pending | PodState::ContainerCreating | PodState::ImagePullBackOff => "Pending",
    };
    if life.state == PodState::Pending {
        return json!({ "phase": phase, "qosClass": "BestEffort", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0 nodes are available: no node fits the pod.",
            "lastTransitionTime": started, "lastProbeTime": null,
        }]});
    }
    let ready = life.state == PodState::Running;
    let condition = |kind: &str, holds: bool| {
        let mut condition = json!({
            "type": kind, "status": if holds { "True" } else { "False" },
            "lastTransitionTime": started,
        });
        if !holds {
            let done = life.state == PodState::Completed;
            let reason = if done { "PodCompleted" } else { "ContainersNotReady" };
            condition["reason"] = reason.into();
        }
        condition
    };
    let containers = spec.get("containers").and_then(Value::as_array);
    let statuses: Vec<Value> = containers
        .into_iter()
        .flatten()
        .map(|container| container_status(container, life, ready))
        .collect();
    let mut status = json!({
        "phase": phase, "qosClass": "BestEffort", "startTime": started,
        "hostIP": life.host, "hostIPs": [{ "ip": life.host }],
        "conditions": [
            condition("PodReadyToStartContainers", true),
            condition("Initialized", true),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", true),
        ],
        "containerStatuses": statuses,
    });
    if life.state != PodState::ContainerCreating {
        status["podIP"] = life.address.into();
        status["podIPs"] = json!([{ "ip": life.address }]);
    }
    status
}

fn container_status(container: &Value, life: &Life<'_>, ready: bool) -> Value {
    let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, image) = (text("name"), text("image"));
    let id = |run: u32| {
        format!("containerd://{}", fingerprint::hex(&[life.uid, name, &run.to_string()], 32))
    };
    let ended = |code: i32, reason: &str, run: u32| {
        json!({ "terminated": {
            "exitCode": code, "reason": reason, "containerID": id(run),
            "startedAt": stamp(life.started), "finishedAt": stamp(life.restarted),
        }})
    };
    let waiting = |reason: &str, message: String| {
        let mut waiting = json!({ "waiting": { "reason": reason } });
        if !message.is_empty() {
            waiting["waiting"]["message"] = message.into();
        }
        waiting
    };
    let since = if life.restarts > 0 { life.restarted } else { life.started };
    let state = match life.state {
        PodState::Running => json!({ "running": { "startedAt": stamp(since) } }),
        PodState::Completed => ended(0, "Completed", life.restarts),
        PodState::Failed => ended(1, "Error", life.restarts),
        PodState::CrashLoopBackOff => {
            waiting("CrashLoopBackOff", format!("back-off 5m0s restarting failed container={name}"))
        }
        PodState::ImagePullBackOff => {
            waiting("ImagePullBackOff", format!("Back-off pulling image {image:?}"))
        }
        PodState::ContainerCreating | PodState::Pending => {
            waiting("ContainerCreating", String::new())
        }
    };
    let mut status = json!({
        "name": name, "image": image, "imageID": "", "ready": ready, "started": ready,
        "restartCount": life.restarts, "state": state, "lastState": {},
    });
    let pulled = !matches!(
        life.state,
        PodState::ImagePullBackOff | PodState::ContainerCreating | PodState::Pending
    );
    if pulled {
        status["imageID"] =
            format!("{image}@sha256:{}", fingerprint::hex(&["image", image], 32)).into();
        status["containerID"] = id(life.restarts).into();
    }
    if life.restarts > 0 {
        status["lastState"] = ended(1, "Error", life.restarts - 1);
    }
    status
}

pub(crate) fn container(described: &ContainerDescription) -> Value {
    let mut container = json!({ "name": described.name, "image": described.image });
    if !described.ports.is_empty() {
        let ports = described.ports.iter().map(|port| json!({ "containerPort": port }));
        container["ports"] = ports.collect();
    }
    if !described.env.is_empty() {
        let env = described.env.iter().map(|(name, value)| json!({ "name": name, "value": value }));
        container["env"] = env.collect();
    }
    container
}

impl Furnisher<'_> {
    pub(super) fn add_pod(&mut self, pod: &PodDescription) -> Result<(), DescriptionError> {
        self.add_owned_pod(pod, None)
    }

    pub(super) fn add_owned_pod(
        &mut self,
        pod: &PodDescription,
        owner: Option<Value>,
    ) -> Result<(), DescriptionError> {
        let place = format!("Pod {}/{}", pod.namespace, pod.name);
        let mut containers = pod.containers.clone();
        if let Some(image) = &pod.image {
            containers.push(ContainerDescription {
                name: pod.name.clone(),
                image: image.clone(),
                ports: Vec::new(),
                env: Default::default(),
                log: pod.log.clone(),
                previous_log: None,
            });
        }
        if containers.is_empty() {
            return Err(wrong(format!("{place}: give it an image or containers")));
        }
        let containers_json: Vec<Value> = containers.iter().map(container).collect();
        let mut spec = json!({ "containers": containers_json });
        if matches!(pod.status, PodState::Completed | PodState::Failed) {
            spec["restartPolicy"] = "Never".into();
        }
        spec_defaults(&mut spec);
        let (host, address) = if pod.status == PodState::Pending {
            (String::new(), String::new())
        } else {
            let node = self.place_for(pod)?;
            let found = &self.nodes[node];
            spec["nodeName"] = found.name.clone().into();
            let last = self.pods % 240 + 5;
            (found.address.clone(), format!("{}.{last}", found.subnet))
        };
        self.pods += 1;
        let age = self.age_in(&pod.namespace, pod.age);
        let started = self.instant(age);
        // A pod that restarted did so lately; one that ended, ended a little after it began.
        let restarted = match pod.status {
            PodState::Completed | PodState::Failed => {
                self.instant(Age(age.0 - (age.0 / 10).min(45)))
            }
            _ => self.instant(Age((age.0 / 4).min(240))),
        };
        let uid = self.uid("Pod", &pod.namespace, &pod.name);
        let life = Life {
            state: pod.status,
            restarts: pod.restarts,
            started,
            restarted,
            uid: &uid,
            host: &host,
            address: &address,
        };
        let status = status(&spec, &life);
        let mut body = json!({ "spec": spec, "status": status });
        if let Some(owner) = owner {
            body["metadata"] = json!({ "ownerReferences": [owner] });
        }
        for described in &containers {
            let key = (pod.namespace.as_str(), pod.name.as_str(), described.name.as_str());
            let previous = described.previous_log.as_deref();
            self.logs.add(key, &described.log, previous, started, self.now);
        }
        let (namespace, name) = (pod.namespace.as_str(), pod.name.as_str());
        let heading = Heading { kind: "Pod", namespace, name, age: Some(age), labels: &pod.labels };
        self.add(&heading, body)
    }

    /// The node asked for, or the next in turn.
    fn place_for(&self, pod: &PodDescription) -> Result<usize, DescriptionError> {
        if let Some(wanted) = &pod.node {
            let found = self.nodes.iter().position(|node| node.name == *wanted);
            return found.ok_or_else(|| {
                wrong(format!("Pod {}/{}: there is no node {wanted:?}", pod.namespace, pod.name))
            });
        }
        let open: Vec<usize> =
            (0..self.nodes.len()).filter(|index| self.nodes[*index].schedulable).collect();
        let turn = usize::try_from(self.pods).unwrap_or_default();
        Ok(open.get(turn % open.len().max(1)).copied().unwrap_or_default())
    }
}
