//! Why a call may not pass, in the domain's words. Each system says it in its own way.

use super::node::KeyFault;
use crate::rebac::Reason;
use crate::world::sessions::Dimension;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// No token, or one that is unknown, expired or revoked.
    Unauthenticated(&'static str),
    /// A node's key is missing, unknown or revoked.
    NodeKey(KeyFault),
    /// The key is another node's.
    NodeMismatch,
    /// The token is good, its identity is barred.
    Suspended,
    /// This installation has no mediated sessions.
    NotProvisioned,
    NoSuchProject,
    NoSuchResource,
    /// The relations cannot be evaluated.
    AuthzUnavailable,
    /// The relations do not permit it.
    Relation {
        reason: Reason,
        path: Vec<String>,
    },
    /// The resource serves no sessions of this kind.
    KindNotServed,
    /// The target does not fit into a token that every client can carry, or into an endpoint.
    TargetTooLong,
    /// The login is too weak: by its context, which is named, or by its methods.
    StepUp {
        acr_values: Vec<String>,
    },
    /// The same idempotency key is being worked on.
    InFlight,
    /// A cap on active sessions is reached.
    Cap {
        dimension: Dimension,
        limit: u32,
    },
    /// Too many were issued in the last minute.
    Rate {
        limit: u32,
    },
    /// No port could be had for the session. Nothing was issued.
    NoListener,
    /// The signer is away. Nothing was issued.
    SigningUnavailable,
}
