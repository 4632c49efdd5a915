//! What a cluster holds, as an author writes it: short, with everything obvious left out.
//! `furnish` turns it into full objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::kube::age;
use crate::kube::rbac::Rule;

/// Why a description is no cluster.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptionError(pub(crate) String);

/// One cluster. Only the name is required.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterDescription {
    /// For editors.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    pub name: String,
    /// What the server says it is. kubectl's own minor versions look at it.
    #[serde(default = "version")]
    pub version: String,
    #[serde(default = "old")]
    pub age: Age,
    #[serde(default)]
    pub nodes: Vec<NodeDescription>,
    #[serde(default)]
    pub namespaces: Vec<NamespaceDescription>,
    #[serde(default)]
    pub deployments: Vec<DeploymentDescription>,
    #[serde(default)]
    pub pods: Vec<PodDescription>,
    #[serde(default)]
    pub services: Vec<ServiceDescription>,
    #[serde(default)]
    pub configmaps: Vec<DataDescription>,
    #[serde(default)]
    pub secrets: Vec<DataDescription>,
    #[serde(default)]
    pub events: Vec<EventDescription>,
    /// Absent: whoever is authenticated may look at everything but secrets.
    #[serde(default)]
    pub rbac: Option<Vec<Rule>>,
    /// Anything else, as the manifests Kubernetes itself takes.
    #[serde(default)]
    pub objects: Vec<Value>,
}

/// A span before now, in seconds: `90s`, `5m`, `3d12h`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age(pub(crate) i64);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        age::parse(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is no age; write 90s, 5m, 3d12h or 1y"))
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeDescription {
    pub name: String,
    #[serde(default)]
    pub roles: Vec<String>,
    pub age: Option<Age>,
    #[serde(default = "yes")]
    pub ready: bool,
    #[serde(default)]
    pub unschedulable: bool,
    #[serde(default = "four")]
    pub cpu: String,
    #[serde(default = "sixteen_gib")]
    pub memory: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespaceDescription {
    pub name: String,
    pub age: Option<Age>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A deployment, from which its replica set and its running pods follow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentDescription {
    pub name: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    pub image: String,
    #[serde(default = "one")]
    pub replicas: u32,
    /// Fewer than `replicas` leaves the rest crash-looping.
    pub ready: Option<u32>,
    pub port: Option<u16>,
    pub age: Option<Age>,
    /// Absent: `app: <name>`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub log: String,
}

/// What a pod is doing, in the words kubectl shows.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub enum PodState {
    Running,
    Completed,
    Failed,
    Pending,
    ContainerCreating,
    CrashLoopBackOff,
    ImagePullBackOff,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodDescription {
    pub name: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    #[serde(default = "running")]
    pub status: PodState,
    #[serde(default)]
    pub restarts: u32,
    pub node: Option<String>,
    pub age: Option<Age>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// A pod of one container may name just the image.
    pub image: Option<String>,
    #[serde(default)]
    pub log: String,
    #[serde(default)]
    pub containers: Vec<ContainerDescription>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerDescription {
    pub name: String,
    pub image: String,
    #[serde(default)]
    pub ports: Vec<u16>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub log: String,
    /// What the container that ran before this one had to say.
    pub previous_log: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDescription {
    pub name: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    #[serde(default = "cluster_ip", rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub headless: bool,
    /// `80`, `53/UDP`, `http:80->8080`.
    pub ports: Vec<PortDescription>,
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    pub external_ip: Option<String>,
    pub age: Option<Age>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum PortDescription {
    Number(u16),
    Text(String),
}

/// A config map or a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDescription {
    pub name: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    pub age: Option<Age>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDescription {
    /// `Pod/web-1`, `Node/worker-1`: kind and name.
    pub object: String,
    #[serde(default = "default_namespace")]
    pub namespace: String,
    #[serde(default = "normal", rename = "type")]
    pub kind: String,
    pub reason: String,
    pub message: String,
    #[serde(default = "kubelet")]
    pub source: String,
    #[serde(default = "one")]
    pub count: u32,
    #[serde(default = "recent")]
    pub age: Age,
}

fn version() -> String {
    "v1.32.4".to_owned()
}
fn old() -> Age {
    Age(90 * 86_400)
}
fn recent() -> Age {
    Age(300)
}
fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn four() -> String {
    "4".to_owned()
}
fn sixteen_gib() -> String {
    "16Gi".to_owned()
}
fn default_namespace() -> String {
    "default".to_owned()
}
fn running() -> PodState {
    PodState::Running
}
fn cluster_ip() -> String {
    "ClusterIP".to_owned()
}
fn normal() -> String {
    "Normal".to_owned()
}
fn kubelet() -> String {
    "kubelet".to_owned()
}
