//! Deployments, and the replica sets and pods that follow from them.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Furnisher, Heading, wrong};
use crate::cluster::description::{
    ContainerDescription, DeploymentDescription, DescriptionError, PodDescription, PodState,
};
use crate::kube::fingerprint;

use super::pods::{container, spec_defaults};

impl Furnisher<'_> {
    pub(super) fn add_deployment(
        &mut self,
        described: &DeploymentDescription,
    ) -> Result<(), DescriptionError> {
        let (namespace, name) = (described.namespace.as_str(), described.name.as_str());
        let replicas = described.replicas;
        let ready = described.ready.unwrap_or(replicas).min(replicas);
        if replicas > 500 {
            return Err(wrong(format!("Deployment {namespace}/{name}: at most 500 replicas")));
        }
        let mut labels = described.labels.clone();
        if labels.is_empty() {
            labels.insert("app".to_owned(), name.to_owned());
        }
        let hash = fingerprint::suffix(&[self.cluster, "template", namespace, name], 10);
        let mut pod_labels = labels.clone();
        pod_labels.insert("pod-template-hash".to_owned(), hash.clone());
        let only = ContainerDescription {
            name: name.to_owned(),
            image: described.image.clone(),
            ports: described.port.into_iter().collect(),
            env: described.env.clone(),
            log: described.log.clone(),
            previous_log: None,
        };
        let template = |labels: &BTreeMap<String, String>| {
            let mut spec = json!({ "containers": [container(&only)] });
            spec_defaults(&mut spec);
            for field in [
                "serviceAccountName",
                "serviceAccount",
                "tolerations",
                "priority",
                "preemptionPolicy",
                "enableServiceLinks",
            ] {
                // Defaults of pods, but not of the templates they are made from.
                if let Some(fields) = spec.as_object_mut() {
                    fields.remove(field);
                }
            }
            json!({ "metadata": { "labels": labels }, "spec": spec })
        };
        let since = self.stamp(Some(self.age_in(namespace, described.age)));
        let available = ready > 0 || replicas == 0;
        let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
            json!({
                "type": kind, "status": if holds { "True" } else { "False" }, "reason": reason,
                "message": message, "lastUpdateTime": since, "lastTransitionTime": since,
            })
        };
        let conditions = if available {
            condition(
                "Available",
                true,
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            condition(
                "Available",
                false,
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        let set = format!("{name}-{hash}");
        let progressed = condition(
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            &format!("ReplicaSet {set:?} has successfully progressed."),
        );
        let revision = json!({ "deployment.kubernetes.io/revision": "1" });
        let heading =
            Heading { kind: "Deployment", namespace, name, age: described.age, labels: &labels };
        self.add(
            &heading,
            json!({
                "metadata": { "annotations": revision, "generation": 1 },
                "spec": {
                    "replicas": replicas, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                    "selector": { "matchLabels": labels }, "template": template(&labels),
                    "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } },
                },
                "status": {
                    "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
                    "readyReplicas": ready, "availableReplicas": ready,
                    "unavailableReplicas": replicas - ready, "conditions": [conditions, progressed],
                },
            }),
        )?;
        let owner = |kind: &str, api: &str, name: &str, uid: String| {
            json!({
                "apiVersion": api, "kind": kind, "name": name, "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            })
        };
        let deployment =
            owner("Deployment", "apps/v1", name, self.uid("Deployment", namespace, name));
        let heading = Heading {
            kind: "ReplicaSet",
            namespace,
            name: &set,
            age: described.age,
            labels: &pod_labels,
        };
        self.add(
            &heading,
            json!({
                "metadata": { "annotations": revision, "generation": 1, "ownerReferences": [deployment] },
                "spec": {
                    "replicas": replicas, "selector": { "matchLabels": pod_labels },
                    "template": template(&pod_labels),
                },
                "status": {
                    "observedGeneration": 1, "replicas": replicas, "fullyLabeledReplicas": replicas,
                    "readyReplicas": ready, "availableReplicas": ready,
                },
            }),
        )?;
        let age = self.age_in(&described.namespace, described.age);
        for index in 0..replicas {
            let salt = index.to_string();
            let suffix = fingerprint::suffix(&[self.cluster, "replica", namespace, &set, &salt], 5);
            let healthy = index < ready;
            let pod = PodDescription {
                name: format!("{set}-{suffix}"),
                namespace: namespace.to_owned(),
                status: if healthy { PodState::Running } else { PodState::CrashLoopBackOff },
                restarts: if healthy { 0 } else { 7 },
                node: None,
                age: Some(age),
                labels: pod_labels.clone(),
                image: None,
                log: String::new(),
                containers: vec![only.clone()],
            };
            let owner =
                owner("ReplicaSet", "apps/v1", &set, self.uid("ReplicaSet", namespace, &set));
            self.add_owned_pod(&pod, Some(owner))?;
        }
        Ok(())
    }
}
