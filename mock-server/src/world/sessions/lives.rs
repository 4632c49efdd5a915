//! How sessions end: by a caller, by their time, by idleness; and how they are forgotten.

use std::sync::Arc;

use uuid::Uuid;

use super::{Dimension, Session, Sessions, Slot, bucket};
use crate::world::kind::{RevokeReason, Status};

impl Sessions {
    /// Does everything that was due by now. Every access calls it first, so that a moved
    /// clock takes effect at once.
    pub fn sweep(&mut self, now: i64) {
        while let Some(&(due, slot)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let Some(session) = self.at(slot) else { continue };
            if session.status != Status::Active {
                self.forget(slot);
            } else if session.expires_at <= due {
                self.end(slot, Status::Expired, RevokeReason::TtlExpired, due);
            } else {
                self.end(slot, Status::Revoked, RevokeReason::IdleTimeout, due);
            }
        }
    }

    /// Ends a session at a caller's wish. One that has ended stays as it is.
    pub fn revoke(&mut self, id: Uuid, reason: RevokeReason, now: i64) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(session) = self.at(slot) else { return };
        if session.status == Status::Active {
            let due = next_due(session);
            self.due.remove(&(due, slot));
            self.end(slot, Status::Revoked, reason, now);
        }
    }

    /// Notes activity, which puts idleness off.
    pub fn touch(&mut self, id: Uuid, now: i64) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(session) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        if session.status == Status::Active && now > session.last_active_at {
            self.due.remove(&(next_due(session), slot));
            session.last_active_at = now;
            self.due.insert((next_due(session), slot));
        }
    }

    /// `slot` has an active session, and its entry in `due` is gone already.
    fn end(&mut self, slot: Slot, status: Status, reason: RevokeReason, at: i64) {
        let Some(session) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let (before, seq) = (bucket(session), session.seq);
        session.status = status;
        session.revoke_reason = Some(reason);
        session.ended_at = Some(at);
        let after = bucket(session);
        let places = places(session);
        self.unlist(before, seq);
        self.buckets.entry(after).or_default().insert(seq, slot);
        self.due.insert((at.saturating_add(self.retention), slot));
        self.release(&places);
        if let Some(bell) = self.bells.remove(&slot) {
            bell.ring(reason);
        }
    }

    fn forget(&mut self, slot: Slot) {
        let Some(session) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(slot);
        self.by_id.remove(&session.id);
        self.reported.remove(&slot);
        self.unlist(bucket(&session), session.seq);
        if let Some(key) = session.key
            && self.replays.get(&(session.identity, key)) == Some(&slot)
        {
            self.replays.remove(&(session.identity, key));
        }
        // The set itself holds one; this session holds the other.
        if Arc::strong_count(&session.target) == 2 {
            self.targets.remove(&session.target);
        }
    }

    fn unlist(&mut self, from: super::Bucket, seq: u64) {
        if let Some(list) = self.buckets.get_mut(&from) {
            list.remove(&seq);
            if list.is_empty() {
                self.buckets.remove(&from);
            }
        }
    }
}

/// When an active session ends by itself.
pub(super) fn next_due(session: &Session) -> i64 {
    session.idle_timeout.map_or(session.expires_at, |idle| {
        session.expires_at.min(session.last_active_at.saturating_add(i64::from(idle)))
    })
}

pub(super) fn places(session: &Session) -> [(Dimension, u32); 3] {
    [
        (Dimension::Identity, session.identity),
        (Dimension::Resource, session.resource),
        (Dimension::Domain, session.domain),
    ]
}
