//! Every way this surface says no: a status, a code, and an RFC 9457 problem document.

use std::borrow::Cow;

use crate::gate::{Denial, KeyFault};
use crate::rebac::Reason;
use crate::world::sessions::Dimension;

use super::generation::Generation;

/// A refusal, ready to be written down.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub detail: Cow<'static, str>,
    pub shape: Shape,
}

/// What a refusal carries beyond the members all problems have.
#[derive(Debug, Clone)]
pub enum Shape {
    Plain,
    PermissionDenied {
        reason: Reason,
        path: Vec<String>,
    },
    /// RFC 9470: what the next login has to show; nothing named when it is a method.
    StepUp {
        acr_values: Vec<String>,
    },
    /// The methods a path takes.
    Allow(&'static str),
    /// What a connection has to be turned into.
    Upgrade,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), shape: Shape::Plain }
    }

    pub fn invalid_body(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_body", detail)
    }

    pub fn invalid_target(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_target", detail)
    }

    pub fn internal() -> Self {
        Self::new(500, "internal", "the request could not be completed")
    }

    pub fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing at this path")
    }

    pub fn project_not_found() -> Self {
        Self::new(404, "project_not_found", "there is no project with this id")
    }

    pub fn session_not_found() -> Self {
        Self::new(404, "session_not_found", "the project has no session with this id")
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        let shape = Shape::Allow(allow);
        let detail = format!("this path takes {allow}").into();
        Self { status: 405, code: "method_not_allowed", detail, shape }
    }

    /// A denial in this dialect's words.
    pub fn from_denial(denial: Denial, generation: Generation) -> Self {
        match denial {
            Denial::Unauthenticated(why) => Self::new(401, "unauthenticated", why),
            Denial::NodeKey(fault) => {
                let (code, why) = node_key(fault);
                // One code said it all before there were three.
                let code = if generation.tells_node_keys_apart() { code } else { "nsk_revoked" };
                Self::new(401, code, why)
            }
            Denial::NodeMismatch => {
                Self::new(403, "nsk_node_mismatch", "this key is not that node's")
            }
            Denial::Suspended => Self::new(403, "identity_suspended", "this identity is suspended"),
            Denial::NotProvisioned => Self::new(
                501,
                "access_session_not_provisioned",
                "mediated sessions are not provisioned on this installation",
            ),
            Denial::NoSuchProject => Self::project_not_found(),
            Denial::NoSuchResource => {
                Self::new(404, "resource_not_found", "the project has no resource with this id")
            }
            Denial::AuthzUnavailable => Self::new(
                503,
                "authz_unavailable",
                "relations cannot be checked at the moment; nothing was issued, try again",
            ),
            Denial::Relation { reason, path } => Self {
                status: 403,
                code: "rebac_denied",
                detail: denied(reason).into(),
                shape: Shape::PermissionDenied { reason, path },
            },
            Denial::KindNotServed => {
                Self::invalid_target("this resource serves no sessions of this kind")
            }
            Denial::TargetTooLong => {
                Self::invalid_target("the target does not fit into a session token")
            }
            Denial::StepUp { acr_values } => Self {
                status: 401,
                code: "step_up_required",
                detail: "this kind of session asks for a stronger login; log in again".into(),
                shape: Shape::StepUp { acr_values },
            },
            Denial::InFlight => Self::new(
                409,
                "idempotent_replay",
                "a request with this idempotency_key is still being worked on",
            ),
            Denial::Cap { dimension, limit } => Self::new(
                generation.budget_status(),
                "session_limit_exceeded",
                format!("{limit} sessions are active for this {}", counted_by(dimension)),
            ),
            Denial::Rate { limit } => Self::new(
                generation.budget_status(),
                "session_limit_exceeded",
                format!("the rate of {limit} sessions a minute for this identity is used up"),
            ),
            Denial::NoListener => Self::internal(),
            Denial::SigningUnavailable => Self::new(
                503,
                "signing_unavailable",
                "tokens cannot be signed at the moment; nothing was issued, try again",
            ),
        }
    }

    /// A title: the code in words, but for the one that is jargon.
    pub fn title(&self) -> String {
        if self.code == "rebac_denied" {
            return "Permission denied".to_owned();
        }
        let mut title = self.code.replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }
}

const fn node_key(fault: KeyFault) -> (&'static str, &'static str) {
    match fault {
        KeyFault::Missing => ("unauthorized", "a node key is required"),
        KeyFault::Unknown => ("nsk_invalid", "the node key is not known"),
        KeyFault::Revoked => ("nsk_revoked", "the node key was revoked"),
    }
}

const fn counted_by(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Identity => "identity",
        Dimension::Resource => "resource",
        Dimension::Domain => "domain",
    }
}

const fn denied(reason: Reason) -> &'static str {
    match reason {
        Reason::OutOfScope => "the identity has no relation to this object",
        Reason::InsufficientRelation => {
            "the identity's relations to this object do not permit this"
        }
        Reason::CaveatViolation => "the relation that would permit this holds under a caveat only",
    }
}
