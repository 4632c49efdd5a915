//! A session as its readers see it.

use jiff::Timestamp;

use super::generation::Generation;
use super::wire::SessionView;
use crate::listeners;
use crate::namespace::Installation;
use crate::world::kind::{RevokeReason, Status};
use crate::world::sessions::Session;

/// The view in the answer to IssueSession, before any node had a chance to report.
pub fn at_issue<'a>(installation: &Installation, session: &'a Session) -> SessionView<'a> {
    let directory = &installation.directory;
    SessionView {
        id: session.id,
        project_id: directory.project(session.project).id,
        domain_id: directory.domain(session.domain).id,
        resource_id: directory.resource(session.resource).id,
        identity_id: directory.identity(session.identity).id,
        kind: session.kind.word(),
        status: session.status.word(),
        issued_at: moment(session.issued_at),
        expires_at: moment(session.expires_at),
        last_active_at: moment(session.last_active_at),
        idle_timeout_seconds: session.idle_timeout,
        revoked_at: session.ended_at.map(moment),
        revoke_reason: session.revoke_reason.map(RevokeReason::word),
        listener_endpoint: None,
        target: &session.target,
    }
}

/// The view in a later read, which in the newest generation names the endpoint once the node
/// has reported it.
pub fn in_read<'a>(
    installation: &Installation,
    generation: Generation,
    session: &'a Session,
    now: Timestamp,
) -> SessionView<'a> {
    let mut view = at_issue(installation, session);
    if !generation.endpoint_at_issue()
        && session.status == Status::Active
        && !is_pending(installation, generation, session, now)
    {
        let said = installation.sessions(now).reported_endpoint(session.id);
        let own = || listeners::endpoint(installation, session);
        view.listener_endpoint = Some(said.map_or_else(own, |said| said.to_string()));
    }
    view
}

/// Whether readers still wait for the node to say where the session listens.
pub fn is_pending(
    installation: &Installation,
    generation: Generation,
    session: &Session,
    now: Timestamp,
) -> bool {
    let due = session.issued_at.saturating_add(i64::from(installation.report_delay()));
    !generation.endpoint_at_issue()
        && now.as_second() < due
        && installation.sessions(now).reported_endpoint(session.id).is_none()
}

/// Moments of sessions are whole seconds within the calendar the clock kept to.
pub fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}
