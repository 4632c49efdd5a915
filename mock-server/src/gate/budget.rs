//! How many at once and how many a minute, and the answer to a key that was seen before.
//! All of it under one short lock, so that two requests cannot take the last place.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Admitted, Ask, Caller, Denial, Seat};
use crate::namespace::Installation;
use crate::world::directory::Index;
use crate::world::file::SessionPolicy;
use crate::world::sessions::{Dimension, NewSession, Sessions};

pub(super) fn take(
    installation: &Arc<Installation>,
    caller: Caller,
    (project, resource): (Index, Index),
    ask: Ask,
    ttl: u32,
    now: Timestamp,
) -> Result<Admitted, Denial> {
    let directory = &installation.directory;
    let (identity, domain) = (caller.identity(), directory.domain_of(project));
    let policy = &directory.domain(domain).session_policy;
    let second = now.as_second();
    let mut sessions = installation.sessions(now);

    if let Some(key) = ask.key {
        let window = policy.idempotency_window_seconds;
        if let Some(session) = sessions.replay(identity, key, window, second) {
            return Ok(Admitted::Replay(session.clone()));
        }
        if sessions.is_in_flight(identity, key) {
            return Err(Denial::InFlight);
        }
    }
    within(&mut sessions, policy, (identity, resource, domain), second)?;

    let rated = policy.issues_per_minute.is_some();
    let reserved = sessions.reserve((identity, resource, domain), ask.key, rated, second);
    drop(sessions);
    let new = NewSession {
        id: installation.ids.uuid(now),
        domain,
        project,
        resource,
        identity,
        issued_at: second,
        expires_at: second.saturating_add(i64::from(ttl)),
        idle_timeout: policy.idle_timeout_seconds,
        target: ask.target,
        port: 0,
    };
    Ok(Admitted::Fresh(Seat::new(Arc::clone(installation), reserved, new)))
}

fn within(
    sessions: &mut Sessions,
    policy: &SessionPolicy,
    (identity, resource, domain): (Index, Index, Index),
    now: i64,
) -> Result<(), Denial> {
    let caps = [
        (Dimension::Identity, identity, policy.max_sessions_per_identity),
        (Dimension::Resource, resource, policy.max_sessions_per_resource),
        (Dimension::Domain, domain, policy.max_sessions_per_domain),
    ];
    for (dimension, index, cap) in caps {
        if let Some(limit) = cap
            && sessions.live(dimension, index) >= limit
        {
            return Err(Denial::Cap { dimension, limit });
        }
    }
    if let Some(limit) = policy.issues_per_minute
        && sessions.recent(identity, now) >= limit as usize
    {
        return Err(Denial::Rate { limit });
    }
    Ok(())
}
