//! The sessions of one namespace. Issuing, reading, ending and listing cost the same
//! at a hundred and at a million: nothing here walks over sessions it was not asked for.

mod admission;
mod bell;
mod listing;
mod lives;
mod target;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::directory::Index;
use super::kind::{Kind, RevokeReason, Status};

pub use admission::{Dimension, KeyDigest, Reserved};
pub use bell::Bell;
pub use listing::Filter;
pub use target::Target;

/// One mediated session. The token is not in here: it can be minted again from this, to
/// the same bytes, and is therefore never kept.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: Uuid,
    /// The place in the order of issue, never reused.
    pub seq: u64,
    pub domain: Index,
    pub project: Index,
    pub resource: Index,
    pub identity: Index,
    pub kind: Kind,
    pub status: Status,
    pub revoke_reason: Option<RevokeReason>,
    /// Whole seconds since 1970, as all moments of a session are.
    pub issued_at: i64,
    pub expires_at: i64,
    pub last_active_at: i64,
    pub ended_at: Option<i64>,
    pub idle_timeout: Option<u32>,
    pub target: Arc<Target>,
    /// Where it listens.
    pub port: u16,
    key: Option<KeyDigest>,
}

/// What is known of a session before it exists.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: Uuid,
    pub domain: Index,
    pub project: Index,
    pub resource: Index,
    pub identity: Index,
    pub issued_at: i64,
    pub expires_at: i64,
    pub idle_timeout: Option<u32>,
    pub target: Target,
    pub port: u16,
}

impl Session {
    /// A session that is only told of: a scenario's, which nobody keeps.
    pub fn imagined(new: &NewSession) -> Self {
        let target = Arc::new(new.target.clone());
        Self::begin(new, 0, target, None)
    }

    fn begin(new: &NewSession, seq: u64, target: Arc<Target>, key: Option<KeyDigest>) -> Self {
        Self {
            id: new.id,
            seq,
            domain: new.domain,
            project: new.project,
            resource: new.resource,
            identity: new.identity,
            kind: target.kind(),
            status: Status::Active,
            revoke_reason: None,
            issued_at: new.issued_at,
            expires_at: new.expires_at,
            last_active_at: new.issued_at,
            ended_at: None,
            idle_timeout: new.idle_timeout,
            target,
            port: new.port,
            key,
        }
    }
}

/// Position in the slab.
type Slot = u32;

/// `(project, identity, kind, status)`: what a list may be filtered by.
type Bucket = (Index, Index, Kind, Status);

#[derive(Debug)]
pub struct Sessions {
    retention: i64,
    next_seq: u64,
    slots: Vec<Option<Session>>,
    free: Vec<Slot>,
    by_id: HashMap<Uuid, Slot>,
    buckets: BTreeMap<Bucket, BTreeMap<u64, Slot>>,
    /// When something is next due for a session: its end, or its being forgotten.
    due: BTreeSet<(i64, Slot)>,
    /// Equal targets are kept once.
    targets: HashSet<Arc<Target>>,
    live: HashMap<(Dimension, Index), u32>,
    rates: HashMap<Index, VecDeque<i64>>,
    replays: HashMap<(Index, KeyDigest), Slot>,
    in_flight: HashSet<(Index, KeyDigest)>,
    /// Who wants to know when an active session ends.
    bells: HashMap<Slot, Bell>,
    /// Where nodes said that sessions listen, when they said so themselves.
    reported: HashMap<Slot, Arc<str>>,
}

impl Sessions {
    pub fn new(retention_seconds: u32) -> Self {
        Self {
            retention: i64::from(retention_seconds),
            next_seq: 1,
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            buckets: BTreeMap::new(),
            due: BTreeSet::new(),
            targets: HashSet::new(),
            live: HashMap::new(),
            rates: HashMap::new(),
            replays: HashMap::new(),
            in_flight: HashSet::new(),
            bells: HashMap::new(),
            reported: HashMap::new(),
        }
    }

    /// How many sessions are kept, ended ones among them.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn get(&self, id: Uuid) -> Option<&Session> {
        self.at(*self.by_id.get(&id)?)
    }

    /// Notes where a node says that an active session listens; the last word counts.
    pub fn report_endpoint(&mut self, id: Uuid, endpoint: &str) {
        if let Some(&slot) = self.by_id.get(&id) {
            self.reported.insert(slot, endpoint.into());
        }
    }

    pub fn reported_endpoint(&self, id: Uuid) -> Option<Arc<str>> {
        self.reported.get(self.by_id.get(&id)?).cloned()
    }

    fn at(&self, slot: Slot) -> Option<&Session> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn store(&mut self, session: Session) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(session);
            return slot;
        }
        self.slots.push(Some(session));
        Slot::try_from(self.slots.len() - 1).unwrap_or(Slot::MAX)
    }

    fn intern(&mut self, target: &Target) -> Arc<Target> {
        if let Some(known) = self.targets.get(target) {
            return Arc::clone(known);
        }
        let target = Arc::new(target.clone());
        self.targets.insert(Arc::clone(&target));
        target
    }
}

fn bucket(session: &Session) -> Bucket {
    (session.project, session.identity, session.kind, session.status)
}

#[cfg(test)]
mod tests;
