//! The ids and tokens that every control plane of this project seeds, and the three commands.

use serde::Serialize;

/// The project of the published examples.
pub const PROJECT_ID: &str = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
/// The resource of the published examples; it serves all three kinds.
pub const RESOURCE_ID: &str = "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3";

/// A seeded identity and what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// Allowed everything, strong login.
    Operator,
    /// Allowed, but logged in by password only: `step_up` on ssh and k8s.
    Basic,
    /// Holds no relation: `rebac_denied`.
    Outsider,
    /// A plain 403.
    Suspended,
    /// 401: the token's time is over.
    Expired,
    /// 401: the token was withdrawn.
    Revoked,
    Admin,
}

impl Identity {
    pub fn token(self) -> &'static str {
        match self {
            Self::Operator => "psk_dev_operator",
            Self::Basic => "psk_dev_basic",
            Self::Outsider => "psk_dev_outsider",
            Self::Suspended => "psk_dev_suspended",
            Self::Expired => "psk_dev_expired",
            Self::Revoked => "psk_dev_revoked",
            Self::Admin => "psk_dev_admin",
        }
    }
}

/// One of the three commands that issue a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    Kubeconfig,
    Ssh,
    TcpForward,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::Kubeconfig, Self::Ssh, Self::TcpForward];

    /// The subcommand, as typed and as the fixtures key it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubeconfig => "kubeconfig",
            Self::Ssh => "ssh",
            Self::TcpForward => "tcp-forward",
        }
    }

    /// The name as a part of a rule id.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Kubeconfig => "kubeconfig",
            Self::Ssh => "ssh",
            Self::TcpForward => "tcp_forward",
        }
    }

    /// The session kind the command asks for.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Kubeconfig => "k8s",
            Self::Ssh => "ssh",
            Self::TcpForward => "tcp",
        }
    }

    pub fn page(self) -> &'static str {
        match self {
            Self::Kubeconfig => "plexctl kubeconfig page",
            Self::Ssh => "plexctl ssh page",
            Self::TcpForward => "plexctl tcp-forward page",
        }
    }

    /// The flags without which the command is a usage error, with honest values.
    pub fn required(self) -> Vec<(&'static str, &'static str)> {
        let mut flags = vec![("--project-id", PROJECT_ID), ("--resource-id", RESOURCE_ID)];
        flags.extend_from_slice(match self {
            Self::Kubeconfig => &[("--impersonate-user", "platform-admin")],
            Self::Ssh => &[("--login-user", "ops")],
            Self::TcpForward => &[("--host", "10.0.0.5"), ("--port", "5432")],
        });
        flags
    }

    /// The `target` of the request that the required flags must produce.
    pub fn target(self) -> serde_json::Value {
        match self {
            Self::Kubeconfig => serde_json::json!({"k8s": {"user": "platform-admin"}}),
            Self::Ssh => serde_json::json!({"ssh": {"user": "ops"}}),
            Self::TcpForward => serde_json::json!({"tcp": {"host": "10.0.0.5", "port": 5432}}),
        }
    }
}
