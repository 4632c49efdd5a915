//! Telling somebody, once, that a session has ended.

use uuid::Uuid;

use super::Sessions;
use crate::world::kind::{RevokeReason, Status};

/// Rung with the reason when its session ends; dropped unrung when the whole store goes.
pub struct Bell(Box<dyn FnOnce(RevokeReason) + Send>);

impl Bell {
    pub fn new(ring: impl FnOnce(RevokeReason) + Send + 'static) -> Self {
        Self(Box::new(ring))
    }

    pub(super) fn ring(self, reason: RevokeReason) {
        (self.0)(reason);
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bell")
    }
}

impl Sessions {
    /// Hangs a bell on a session. On one that is not active there is nothing to wait for.
    pub fn hang(&mut self, id: Uuid, bell: Bell) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        match self.at(slot) {
            Some(session) if session.status == Status::Active => {
                self.bells.insert(slot, bell);
            }
            Some(session) => bell.ring(session.revoke_reason.unwrap_or(RevokeReason::TtlExpired)),
            None => {}
        }
    }
}
