//! What a session reaches.

use serde::Serialize;

use crate::world::kind::Kind;

/// Serialises as the API has it: one member, named like the kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Ssh {
        user: Box<str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        allowed_commands: Vec<String>,
    },
    K8s {
        user: Box<str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        impersonate_groups: Vec<String>,
    },
    Tcp {
        host: Box<str>,
        port: u16,
    },
}

impl Target {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ssh { .. } => Kind::Ssh,
            Self::K8s { .. } => Kind::K8s,
            Self::Tcp { .. } => Kind::Tcp,
        }
    }
}
