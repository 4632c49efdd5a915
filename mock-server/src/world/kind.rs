//! The small closed vocabularies of the access surface, each spelled once.

use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $word)] $variant),+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

vocabulary! {
    /// What a mediated session speaks.
    Kind { Ssh = "ssh", K8s = "k8s", Tcp = "tcp" }
}

vocabulary! {
    /// Where a session is in its life.
    Status { Active = "active", Revoked = "revoked", Expired = "expired" }
}

vocabulary! {
    /// Why a session ended. The last two are the sweeper's own: no caller may claim them.
    RevokeReason {
        OperatorRequest = "operator_request",
        PolicyViolation = "policy_violation",
        IdentityCompromise = "identity_compromise",
        ResourceDecommissioned = "resource_decommissioned",
        TtlExpired = "ttl_expired",
        IdleTimeout = "idle_timeout",
    }
}

impl RevokeReason {
    /// Whether a caller may give this reason.
    pub const fn is_callers(self) -> bool {
        !matches!(self, Self::TtlExpired | Self::IdleTimeout)
    }
}
