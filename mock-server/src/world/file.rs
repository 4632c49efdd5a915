//! The world file: what a person writes to say who exists and what is allowed.
//! `fixtures/schema/world.schema.json` describes the same format for editors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::k0rdent::K0rdent;
use super::kind::Kind;
pub use super::nodes::{BuiltIn, LeadsTo, Listeners, Node, NodeKey, TcpAuth, TcpTarget};
use super::rancher::Rancher;
use crate::rebac::{Permissions, Relation};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldFile {
    /// For editors; nothing here reads it.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub domains: Vec<Domain>,
    #[serde(default)]
    pub projects: Vec<Project>,
    #[serde(default)]
    pub resources: Vec<Resource>,
    #[serde(default)]
    pub identities: Vec<Identity>,
    #[serde(default)]
    pub permissions: Permissions,
    #[serde(default)]
    pub relations: Vec<Relation>,
    #[serde(default)]
    pub signer: Signer,
    #[serde(default)]
    pub authz: Authz,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub listeners: Listeners,
    /// Who may report on sessions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub sessions: Retention,
    /// Machines that ssh sessions land on, by name; the node room reads them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<String, serde_json::Value>,
    /// Clusters that k8s sessions land on, by name; the node room reads them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, serde_json::Value>,
    /// The Rancher that is served beside; a world without one has the embedded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rancher: Option<Box<Rancher>>,
    /// Where the targets of tcp sessions lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp_targets: Vec<TcpTarget>,
    /// What the k0rdent surface serves.
    #[serde(default, skip_serializing_if = "K0rdent::is_empty")]
    pub k0rdent: K0rdent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    #[serde(default)]
    pub session_policy: SessionPolicy,
    #[serde(default)]
    pub step_up: StepUpMatrix,
}

/// A number that is left out has its default; one that is null does not apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionPolicy {
    pub default_ttl_seconds: u32,
    pub max_ttl_seconds: u32,
    pub idle_timeout_seconds: Option<u32>,
    pub idempotency_window_seconds: u32,
    pub max_sessions_per_identity: Option<u32>,
    pub max_sessions_per_resource: Option<u32>,
    pub max_sessions_per_domain: Option<u32>,
    pub issues_per_minute: Option<u32>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            default_ttl_seconds: 1800,
            max_ttl_seconds: 3600,
            idle_timeout_seconds: Some(900),
            idempotency_window_seconds: 600,
            max_sessions_per_identity: Some(100),
            max_sessions_per_resource: Some(200),
            max_sessions_per_domain: Some(500),
            issues_per_minute: Some(600),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUpMatrix {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Assurance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k8s: Option<Assurance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Assurance>,
}

impl StepUpMatrix {
    pub fn of(&self, kind: Kind) -> Option<&Assurance> {
        match kind {
            Kind::Ssh => self.ssh.as_ref(),
            Kind::K8s => self.k8s.as_ref(),
            Kind::Tcp => self.tcp.as_ref(),
        }
    }
}

/// What a login must have shown: one of these contexts, and one of these methods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assurance {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    pub id: Uuid,
    /// The slug of its domain.
    pub domain: String,
    pub slug: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub id: Uuid,
    /// The slug of its project.
    pub project: String,
    pub name: String,
    #[serde(rename = "type")]
    pub resource_type: ResourceType,
    /// The session kinds it serves.
    pub kinds: Vec<Kind>,
    /// The machine its ssh sessions land on; without one, the standard machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The cluster its k8s sessions land on; without one, the embedded shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The node its sessions listen on; without one, the first that the world names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    Host,
    Cluster,
    Database,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub id: Uuid,
    pub name: String,
    /// The slug of its domain; without one it belongs to the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default)]
    pub principal_type: PrincipalType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default)]
    pub status: IdentityStatus,
    #[serde(default)]
    pub tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalType {
    #[default]
    User,
    Service,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityStatus {
    #[default]
    Active,
    Suspended,
}

/// One login of an identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// What its holder gets, for the table shown at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signer {
    pub available: bool,
    pub delay_ms: u32,
}

impl Default for Signer {
    fn default() -> Self {
        Self { available: true, delay_ms: 0 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authz {
    pub available: bool,
}

impl Default for Authz {
    fn default() -> Self {
        Self { available: true }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    pub provisioned: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self { provisioned: true }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub retention_seconds: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { retention_seconds: 3600 }
    }
}

/// Worlds are written by hand; a megabyte of one is a mistake.
pub const MOST_WORLD: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("{0}")]
    Syntax(String),
    #[error("{place}: {what}")]
    Content { place: String, what: String },
}

impl WorldFile {
    /// Reads YAML, and so JSON too.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        serde_saphyr::from_str(text).map_err(|error| WorldError::Syntax(error.to_string()))
    }
}
