//! Taking a place before a session exists, so that two requests cannot share the last one,
//! and giving it back or filling it.

use ring::digest::{SHA256, digest};

use super::lives::{next_due, places};
use super::{NewSession, Session, Sessions, bucket};
use crate::world::directory::Index;

/// What sessions are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    Identity,
    Resource,
    Domain,
}

/// An idempotency key as it is kept: up to 4,096 characters become sixteen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    pub fn of(key: &str) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&digest(&SHA256, key.as_bytes()).as_ref()[..16]);
        Self(short)
    }

    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// A place taken. Give it to [`Sessions::commit`] or to [`Sessions::abandon`].
#[derive(Debug)]
pub struct Reserved {
    places: [(Dimension, Index); 3],
    identity: Index,
    key: Option<KeyDigest>,
    at: i64,
}

const RATE_WINDOW: i64 = 60;

impl Sessions {
    /// How many sessions are active there, those being issued among them.
    pub fn live(&self, dimension: Dimension, index: Index) -> u32 {
        self.live.get(&(dimension, index)).copied().unwrap_or(0)
    }

    /// How many this identity was issued in the last sixty seconds.
    pub fn recent(&mut self, identity: Index, now: i64) -> usize {
        let Some(log) = self.rates.get_mut(&identity) else { return 0 };
        // A clock set back would otherwise leave entries that never grow old.
        log.retain(|&at| at > now.saturating_sub(RATE_WINDOW) && at <= now);
        log.len()
    }

    /// The session that this key was answered with, inside its window.
    pub fn replay(
        &self,
        identity: Index,
        key: KeyDigest,
        window: u32,
        now: i64,
    ) -> Option<&Session> {
        let session = self.at(*self.replays.get(&(identity, key))?)?;
        (now < session.issued_at.saturating_add(i64::from(window))).then_some(session)
    }

    pub fn is_in_flight(&self, identity: Index, key: KeyDigest) -> bool {
        self.in_flight.contains(&(identity, key))
    }

    /// Takes a place; whether there is one is the gate's to judge. A rate is only logged
    /// where one applies, so that an unlimited world keeps nothing.
    pub fn reserve(
        &mut self,
        (identity, resource, domain): (Index, Index, Index),
        key: Option<KeyDigest>,
        rated: bool,
        now: i64,
    ) -> Reserved {
        let places = [
            (Dimension::Identity, identity),
            (Dimension::Resource, resource),
            (Dimension::Domain, domain),
        ];
        for place in places {
            *self.live.entry(place).or_default() += 1;
        }
        if let Some(key) = key {
            self.in_flight.insert((identity, key));
        }
        if rated {
            self.rates.entry(identity).or_default().push_back(now);
        }
        Reserved { places, identity, key, at: now }
    }

    /// The session exists from here on.
    pub fn commit(&mut self, reserved: &Reserved, new: &NewSession) -> Session {
        let seq = self.next_seq;
        self.next_seq += 1;
        let target = self.intern(&new.target);
        let session = Session::begin(new, seq, target, reserved.key);
        debug_assert_eq!(places(&session), reserved.places);
        let (due, listed, id) = (next_due(&session), bucket(&session), session.id);
        let slot = self.store(session.clone());
        self.due.insert((due, slot));
        self.by_id.insert(id, slot);
        self.buckets.entry(listed).or_default().insert(seq, slot);
        if let Some(key) = reserved.key {
            self.in_flight.remove(&(reserved.identity, key));
            self.replays.insert((reserved.identity, key), slot);
        }
        session
    }

    /// The session will not come to be.
    pub fn abandon(&mut self, reserved: &Reserved) {
        self.release(&reserved.places);
        if let Some(key) = reserved.key {
            self.in_flight.remove(&(reserved.identity, key));
        }
        if let Some(log) = self.rates.get_mut(&reserved.identity)
            && let Some(place) = log.iter().rposition(|&at| at == reserved.at)
        {
            log.remove(place);
        }
    }

    pub(super) fn release(&mut self, places: &[(Dimension, Index); 3]) {
        for place in places {
            if let Some(count) = self.live.get_mut(place) {
                *count -= 1;
                if *count == 0 {
                    self.live.remove(place);
                }
            }
        }
    }
}
