//! Judges the tokens offered at one session's door: the authority's checks, and whether the
//! session is still live where it was issued.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::log::Log;
use crate::authority::{self, Expected};
use crate::listeners::{Ended, Redeemed, Redeemer, Refusal};
use crate::namespace::Installation;
use crate::world::kind::{Kind, Status};
use crate::world::sessions::{Session, Target};

pub(super) struct Door {
    installation: Weak<Installation>,
    session: Uuid,
    id: String,
    kind: Kind,
    user: Option<String>,
    allowed_commands: Vec<String>,
    log: Log,
    ended: Ended,
    single_use: bool,
    used: AtomicBool,
}

impl Door {
    pub(super) fn new(
        installation: &Arc<Installation>,
        session: &Session,
        log: Log,
        ended: Ended,
    ) -> Self {
        let (user, allowed_commands) = match &*session.target {
            // The session's own list: a long one does not fit into the token.
            Target::Ssh { user, allowed_commands } => {
                (Some(user.to_string()), allowed_commands.clone())
            }
            Target::K8s { user, .. } => (Some(user.to_string()), Vec::new()),
            Target::Tcp { .. } => (None, Vec::new()),
        };
        Self {
            installation: Arc::downgrade(installation),
            session: session.id,
            id: session.id.to_string(),
            kind: session.kind,
            user,
            allowed_commands,
            log,
            ended,
            single_use: installation.directory.file.listeners.single_use,
            used: AtomicBool::new(false),
        }
    }

    fn judge(&self, token: &str, user: &str) -> Result<Redeemed, &'static str> {
        let gone = "session_gone";
        let installation = self.installation.upgrade().ok_or(gone)?;
        let now = installation.clock.now();
        let offered = self.user.as_ref().map(|_| user);
        let expected =
            Expected { session_id: &self.id, kind: self.kind.word(), user: offered, now };
        let keys = [installation.keys.verifying_key()];
        authority::redeem(token, &keys, &expected).map_err(authority::Refusal::name)?;
        let sessions = installation.sessions(now);
        let session = sessions.get(self.session).ok_or(gone)?;
        match session.status {
            Status::Active => {}
            Status::Revoked => return Err("session_revoked"),
            Status::Expired => return Err("session_expired"),
        }
        let expires_at = jiff::Timestamp::from_second(session.expires_at).unwrap_or(now);
        drop(sessions);
        if self.kind == Kind::Ssh {
            self.use_up()?;
        }
        Ok(Redeemed {
            session_id: self.session,
            user: user.to_owned(),
            allowed_commands: self.allowed_commands.clone(),
            expires_at,
            ended: self.ended.clone(),
        })
    }

    fn use_up(&self) -> Result<(), &'static str> {
        let again = self.used.swap(true, Ordering::AcqRel);
        if again && self.single_use { Err("already_used") } else { Ok(()) }
    }

    fn refuse(&self, name: &'static str) -> Refusal {
        self.log.refused(name);
        Refusal { name }
    }
}

impl Redeemer for Door {
    fn redeem(&self, token: &str, user: &str) -> Result<Redeemed, Refusal> {
        self.judge(token, user).map_err(|name| self.refuse(name))
    }

    fn enter(&self) -> Result<(), Refusal> {
        self.use_up().map_err(|name| self.refuse(name))
    }
}
