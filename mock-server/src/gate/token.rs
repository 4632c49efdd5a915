//! The token of a session, made from what the session says and from nothing else, so that
//! it can be made again.

use uuid::Uuid;

use super::Denial;
use crate::authority::{Claims, TargetClaims};
use crate::namespace::Installation;
use crate::world::directory::Index;
use crate::world::sessions::{NewSession, Session, Target};

/// What goes into a token, of a session that exists or of one that is about to.
pub(super) struct Facts<'a> {
    id: Uuid,
    domain: Index,
    resource: Index,
    identity: Index,
    issued_at: i64,
    expires_at: i64,
    target: &'a Target,
}

impl<'a> From<&'a NewSession> for Facts<'a> {
    fn from(new: &'a NewSession) -> Self {
        Self {
            id: new.id,
            domain: new.domain,
            resource: new.resource,
            identity: new.identity,
            issued_at: new.issued_at,
            expires_at: new.expires_at,
            target: &new.target,
        }
    }
}

impl<'a> From<&'a Session> for Facts<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.id,
            domain: session.domain,
            resource: session.resource,
            identity: session.identity,
            issued_at: session.issued_at,
            expires_at: session.expires_at,
            target: &session.target,
        }
    }
}

/// The token that `session` was issued with, byte for byte.
pub fn token_of(installation: &Installation, session: &Session) -> Result<String, Denial> {
    mint(installation, &Facts::from(session))
}

pub(super) fn mint(installation: &Installation, facts: &Facts<'_>) -> Result<String, Denial> {
    let directory = &installation.directory;
    let session = facts.id.to_string();
    let claims = |target| Claims {
        iss: directory.domain_uri(facts.domain),
        aud: directory.resource_uri(facts.resource),
        sub: directory.identity_uri(facts.identity),
        jti: &session,
        kind: facts.target.kind().word(),
        target,
        iat: facts.issued_at,
        nbf: facts.issued_at,
        exp: facts.expires_at,
    };
    let keys = &installation.keys;
    keys.mint(&claims(in_full(facts.target)))
        // Sixty-four commands do not fit into a password. The node has the list from the
        // session itself, so the token may go without.
        .or_else(|_| keys.mint(&claims(without_lists(facts.target))))
        .map_err(|_| Denial::TargetTooLong)
}

fn in_full(target: &Target) -> TargetClaims<'_> {
    match target {
        Target::Ssh { user, allowed_commands } => TargetClaims::Ssh { user, allowed_commands },
        Target::K8s { user, impersonate_groups } => TargetClaims::K8s { user, impersonate_groups },
        Target::Tcp { host, port } => TargetClaims::Tcp { host, port: *port },
    }
}

fn without_lists(target: &Target) -> TargetClaims<'_> {
    match target {
        Target::Ssh { user, .. } => TargetClaims::Ssh { user, allowed_commands: &[] },
        Target::K8s { user, .. } => TargetClaims::K8s { user, impersonate_groups: &[] },
        Target::Tcp { host, port } => TargetClaims::Tcp { host, port: *port },
    }
}
