//! Noticing that a session is over: the node only hangs up, the control plane knows why.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Event;
use crate::api::Client;
use crate::api::wire::SessionRead;

/// How often the control plane is asked when nothing happens.
const ROUND: Duration = Duration::from_secs(5);
/// How often at most, when connections end one after the other.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a tunnel ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Interrupted,
    Terminated,
    HungUp,
    Expired,
    Idle,
    /// With the reason the control plane gives.
    Revoked(Option<String>),
    Gone,
}

impl End {
    /// Whether the session lives on without us, so that it is ours to end.
    pub(crate) fn leaves_session(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated | Self::HungUp)
    }

    fn of(session: &SessionRead) -> Option<Self> {
        match (session.status.as_str(), session.revoke_reason.as_deref()) {
            ("expired", _) | ("revoked", Some("ttl_expired")) => Some(Self::Expired),
            ("revoked", Some("idle_timeout")) => Some(Self::Idle),
            ("revoked", reason) => Some(Self::Revoked(reason.map(str::to_owned))),
            _ => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => out.write_str("interrupted"),
            Self::Terminated => out.write_str("terminated"),
            Self::HungUp => out.write_str("the terminal is gone"),
            Self::Expired => out.write_str("the session expired"),
            Self::Idle => out.write_str("the session was idle for too long"),
            Self::Revoked(None) => out.write_str("the session was revoked"),
            Self::Revoked(Some(reason)) => write!(out, "the session was revoked ({reason})"),
            Self::Gone => out.write_str("the session is no longer known to the server"),
        }
    }
}

/// Asks now and then, and soon after a nudge, until the session has ended.
pub(super) fn begin(
    client: Arc<Client>,
    project_id: Uuid,
    session_id: Uuid,
    events: Sender<Event>,
    nudges: Receiver<()>,
) {
    std::thread::spawn(move || {
        let mut asked: Option<Instant> = None;
        loop {
            match nudges.recv_timeout(ROUND) {
                Ok(()) => {
                    let since = asked.map_or(PAUSE, |at| at.elapsed());
                    std::thread::sleep(PAUSE.saturating_sub(since));
                    while nudges.try_recv().is_ok() {}
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            asked = Some(Instant::now());
            let end = match client.read_session(project_id, session_id, None) {
                Ok(session) => End::of(&session),
                Err(error) if error.is_unknown_session() => Some(End::Gone),
                // The tunnel needs the node and not the control plane, which may be away.
                Err(_) => None,
            };
            if let Some(end) = end {
                events.send(Event::Ended(end)).ok();
                return;
            }
        }
    });
}
