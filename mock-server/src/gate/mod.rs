//! May this call pass? The order in which that is asked is part of the contract
//! (`docs/decisions/0025-gate-order.md`), and reads top to bottom in [`admit`].

mod budget;
mod denial;
mod node;
mod seat;
mod token;

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::namespace::Installation;
use crate::rebac::CheckContext;
use crate::world::directory::{Index, Login};
use crate::world::file::IdentityStatus;
use crate::world::sessions::{KeyDigest, Session, Target};

pub use denial::Denial;
pub use node::{KeyFault, authenticate_node, is_node};
pub use seat::Seat;
pub use token::token_of;

/// Who calls, once that is known.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub login: Login,
}

impl Caller {
    pub fn identity(self) -> Index {
        self.login.identity
    }
}

/// What is asked for.
#[derive(Debug)]
pub struct Ask {
    pub project: Uuid,
    pub resource: Uuid,
    pub target: Target,
    pub ttl_seconds: Option<u32>,
    pub key: Option<KeyDigest>,
}

#[derive(Debug)]
pub enum Admitted {
    /// A place is taken; the session is still to be made.
    Fresh(Seat),
    /// The key was answered before, with this session.
    Replay(Session),
}

/// The bearer of a token, if it is good now.
pub fn authenticate(
    installation: &Installation,
    bearer: Option<&str>,
    now: Timestamp,
) -> Result<Caller, Denial> {
    let directory = &installation.directory;
    let bearer = bearer.ok_or(Denial::Unauthenticated("a bearer token is required"))?;
    let login =
        directory.login(bearer).ok_or(Denial::Unauthenticated("the bearer token is not known"))?;
    let token = directory.token(login);
    if token.revoked {
        return Err(Denial::Unauthenticated("the bearer token was revoked"));
    }
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(Denial::Unauthenticated("the bearer token has expired"));
    }
    Ok(Caller { login })
}

/// Suspension is asked apart, so that the journal can name whom it turned away.
pub fn in_good_standing(installation: &Installation, caller: Caller) -> Result<(), Denial> {
    match installation.directory.identity(caller.identity()).status {
        IdentityStatus::Active => Ok(()),
        IdentityStatus::Suspended => Err(Denial::Suspended),
    }
}

pub fn provisioned(installation: &Installation) -> Result<(), Denial> {
    let there = installation.directory.file.access.provisioned;
    if there { Ok(()) } else { Err(Denial::NotProvisioned) }
}

/// Whether a session may be issued, and the place for it.
pub fn admit(
    installation: &Arc<Installation>,
    caller: Caller,
    ask: Ask,
    now: Timestamp,
) -> Result<Admitted, Denial> {
    let (project, resource) = locate(installation, &ask)?;
    let object = installation.directory.resource_object(resource);
    relation(installation, caller, "act", object, now)?;
    served(installation, resource, &ask.target)?;
    step_up(installation, caller, project, &ask.target)?;
    let ttl = clamp(installation, project, ask.ttl_seconds);
    budget::take(installation, caller, (project, resource), ask, ttl, now)
}

fn locate(installation: &Installation, ask: &Ask) -> Result<(Index, Index), Denial> {
    let directory = &installation.directory;
    let project = directory.find_project(ask.project).ok_or(Denial::NoSuchProject)?;
    let resource = directory
        .find_resource(ask.resource)
        .filter(|resource| directory.project_of(*resource) == project)
        .ok_or(Denial::NoSuchResource)?;
    Ok((project, resource))
}

/// Does the caller's identity hold `permission` on `object`, which is `type:<id>`?
pub fn relation(
    installation: &Installation,
    caller: Caller,
    permission: &str,
    object: &str,
    now: Timestamp,
) -> Result<(), Denial> {
    if !installation.directory.file.authz.available {
        return Err(Denial::AuthzUnavailable);
    }
    let subject = installation.directory.identity_object(caller.identity());
    let decision = installation.model.check(subject, permission, object, &CheckContext { now });
    match decision.reason {
        _ if decision.allowed => Ok(()),
        Some(reason) => Err(Denial::Relation { reason, path: decision.path }),
        None => Err(Denial::AuthzUnavailable),
    }
}

fn served(installation: &Installation, resource: Index, target: &Target) -> Result<(), Denial> {
    let kinds = &installation.directory.resource(resource).kinds;
    if kinds.contains(&target.kind()) { Ok(()) } else { Err(Denial::KindNotServed) }
}

fn step_up(
    installation: &Installation,
    caller: Caller,
    project: Index,
    target: &Target,
) -> Result<(), Denial> {
    let directory = &installation.directory;
    let domain = directory.domain(directory.domain_of(project));
    let Some(asked) = domain.step_up.of(target.kind()) else { return Ok(()) };
    let login = directory.token(caller.login);
    let context_met = asked.acr_values.is_empty()
        || login.acr.as_ref().is_some_and(|acr| asked.acr_values.contains(acr));
    if !context_met {
        return Err(Denial::StepUp { acr_values: asked.acr_values.clone() });
    }
    let method_met = asked.amr.is_empty() || login.amr.iter().any(|amr| asked.amr.contains(amr));
    if method_met { Ok(()) } else { Err(Denial::StepUp { acr_values: Vec::new() }) }
}

fn clamp(installation: &Installation, project: Index, wish: Option<u32>) -> u32 {
    let directory = &installation.directory;
    let policy = &directory.domain(directory.domain_of(project)).session_policy;
    wish.unwrap_or(policy.default_ttl_seconds).min(policy.max_ttl_seconds)
}
