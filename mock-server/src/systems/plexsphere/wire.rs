//! The shapes that travel: what is read from requests and what is written into answers.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::body::{Object, present};
use super::refusal::Refusal;
use crate::listeners::LONGEST_ENDPOINT;
use crate::world::kind::{Kind, RevokeReason};
use crate::world::sessions::Target;

pub const MOST_COMMANDS: usize = 64;
pub const MOST_GROUPS: usize = 32;
pub const LONGEST_KEY: usize = 4096;
/// No source bounds names; this is the mock's own, so that a token always fits.
const LONGEST_NAME: usize = 255;
/// What an ssh endpoint holds besides the user and the host: its scheme, a fingerprint, a port.
const AROUND_USER: usize = 76;

/// Only the hyphenated form, though the parser knows others.
pub fn uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

#[derive(Debug, Clone, Copy)]
pub struct Id(pub Uuid);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        uuid(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a UUID"))
    }
}

#[derive(Debug, Deserialize)]
pub struct IssueSessionRequest {
    pub resource_id: Id,
    pub kind: Kind,
    pub target: Object<TargetRequest>,
    #[serde(default, deserialize_with = "present")]
    pub requested_ttl_seconds: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct TargetRequest {
    #[serde(default, deserialize_with = "present")]
    ssh: Option<Object<SshRequest>>,
    #[serde(default, deserialize_with = "present")]
    k8s: Option<Object<K8sRequest>>,
    #[serde(default, deserialize_with = "present")]
    tcp: Option<Object<TcpRequest>>,
}

#[derive(Debug, Deserialize)]
struct SshRequest {
    user: String,
    #[serde(default)]
    allowed_commands: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct K8sRequest {
    user: String,
    #[serde(default)]
    impersonate_groups: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct TcpRequest {
    host: String,
    port: u64,
}

impl IssueSessionRequest {
    /// The limits on the body that are no matter of its target.
    pub fn checked(self) -> Result<Self, Refusal> {
        if self.requested_ttl_seconds == Some(0) {
            return Err(Refusal::invalid_body("requested_ttl_seconds is at least 1"));
        }
        if let Some(key) = &self.idempotency_key {
            let length = key.chars().count();
            if length == 0 || length > LONGEST_KEY {
                return Err(Refusal::invalid_body("idempotency_key is 1 to 4096 characters"));
            }
        }
        Ok(self)
    }
}

impl TargetRequest {
    /// Exactly one member, the one that `kind` names, inside its limits. `host` is where it listens.
    pub fn checked(self, kind: Kind, host: &str) -> Result<Target, Refusal> {
        let target = match (self.ssh, self.k8s, self.tcp) {
            (Some(Object(ssh)), None, None) => {
                if ssh.allowed_commands.len() > MOST_COMMANDS {
                    return Err(Refusal::invalid_target("at most 64 allowed_commands"));
                }
                let user = name("target.ssh.user", ssh.user)?;
                if encoded_length(&user) + host.len() + AROUND_USER > LONGEST_ENDPOINT {
                    let detail = "target.ssh.user is too long for an endpoint";
                    return Err(Refusal::invalid_target(detail));
                }
                Target::Ssh { user, allowed_commands: ssh.allowed_commands }
            }
            (None, Some(Object(k8s)), None) => {
                if k8s.impersonate_groups.len() > MOST_GROUPS {
                    return Err(Refusal::invalid_target("at most 32 impersonate_groups"));
                }
                let user = name("target.k8s.user", k8s.user)?;
                for group in &k8s.impersonate_groups {
                    check_name("each of target.k8s.impersonate_groups", group)?;
                }
                Target::K8s { user, impersonate_groups: k8s.impersonate_groups }
            }
            (None, None, Some(Object(tcp))) => {
                let port = u16::try_from(tcp.port)
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or_else(|| Refusal::invalid_target("target.tcp.port is 1 to 65535"))?;
                Target::Tcp { host: name("target.tcp.host", tcp.host)?, port }
            }
            _ => {
                let detail = "target has exactly one of ssh, k8s and tcp";
                return Err(Refusal::invalid_target(detail));
            }
        };
        if target.kind() == kind {
            Ok(target)
        } else {
            Err(Refusal::invalid_target("target does not match kind"))
        }
    }
}

fn name(field: &str, value: String) -> Result<Box<str>, Refusal> {
    check_name(field, &value)?;
    Ok(value.into_boxed_str())
}

fn check_name(field: &str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() || value.len() > LONGEST_NAME || value.chars().any(char::is_control) {
        let detail = format!("{field} is 1 to 255 bytes without control characters");
        return Err(Refusal::invalid_target(detail));
    }
    Ok(())
}

fn encoded_length(user: &str) -> usize {
    user.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { 1 } else { 3 })
        .sum()
}

#[derive(Debug, Default, Deserialize)]
pub struct RevokeSessionRequest {
    #[serde(default, deserialize_with = "present")]
    pub revoke_reason: Option<RevokeReason>,
}

#[derive(Debug, Deserialize)]
pub struct AuthorizationCheckRequest {
    pub subject: String,
    pub relation: String,
    pub resource: String,
}

#[derive(Debug, Serialize)]
pub struct IssuedSession<'a> {
    pub session_id: Uuid,
    #[serde(serialize_with = "plain")]
    pub token: &'a str,
    pub expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_endpoint: Option<&'a str>,
    pub session: SessionView<'a>,
}

/// A token has nothing to escape, and looking for it byte by byte is a tenth of what an issue costs
/// beside the signature.
fn plain<S: Serializer>(token: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match RawValue::from_string(format!("\"{token}\"")) {
        Ok(raw) => raw.serialize(serializer),
        Err(_) => token.serialize(serializer),
    }
}

#[derive(Debug, Serialize)]
pub struct SessionView<'a> {
    pub id: Uuid,
    pub project_id: Uuid,
    pub domain_id: Uuid,
    pub resource_id: Uuid,
    pub identity_id: Uuid,
    pub kind: &'static str,
    pub status: &'static str,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_active_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_endpoint: Option<String>,
    pub target: &'a Target,
}

#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
