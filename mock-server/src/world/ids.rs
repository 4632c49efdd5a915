//! Identifiers out of the seed and the namespace clock: two servers with the same
//! seed and clock hand out the same ids in the same order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use uuid::Uuid;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A clock seen this much earlier was set back, by whoever wanted ids of that time. Less is two
/// requests that read the clock in one order and came here in the other.
const SET_BACK_MILLIS: u64 = 60_000;

/// What the forty-eight bits of a moment hold.
const MILLIS_MOST: u64 = 0xffff_ffff_ffff;

/// What the twelve bits after the version can count to.
const COUNTER_MOST: u16 = 0x0fff;

#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
    stretch: u64,
    drawn: AtomicU64,
    latest: Mutex<Latest>,
}

/// Where the growing ids stand.
#[derive(Debug, Default)]
struct Latest {
    /// The clock's reading, which the id's own moment may be ahead of.
    clock: u64,
    millis: u64,
    counter: u16,
}

impl Latest {
    /// The moment and the counter of the next id, larger than those of the one before: RFC 9562,
    /// section 6.2, method 1. A millisecond whose counter is used up borrows from the next.
    fn follow(&mut self, clock: u64, fresh: u16) -> (u64, u16) {
        let set_back = clock.saturating_add(SET_BACK_MILLIS) < self.clock;
        if set_back || clock > self.millis {
            // The upper half stays free to be counted through.
            (self.millis, self.counter) = (clock, fresh & (COUNTER_MOST >> 1));
        } else if self.counter < COUNTER_MOST {
            self.counter += 1;
        } else {
            (self.millis, self.counter) = (self.millis + 1, fresh & (COUNTER_MOST >> 1));
        }
        self.clock = if set_back { clock } else { self.clock.max(clock) };
        (self.millis, self.counter)
    }
}

impl Ids {
    /// `stretch` counts the worlds a namespace has seen; each has a seed of its own.
    pub fn new(seed: [u8; 32], stretch: u64) -> Self {
        Self { seed, stretch, drawn: AtomicU64::new(0), latest: Mutex::default() }
    }

    pub fn stretch(&self) -> u64 {
        self.stretch
    }

    /// A UUIDv7 that follows from what it is for, and uses up none of the others.
    pub fn uuid_for(&self, now: Timestamp, what: &[u8]) -> Uuid {
        let input = [self.seed.as_slice(), what].concat();
        let mut tail = [0; 10];
        tail.copy_from_slice(&digest(&SHA256, &input).as_ref()[..10]);
        uuid::Builder::from_unix_timestamp_millis(unix_millis(now), &tail).into_uuid()
    }

    /// Ten bytes nobody can foretell without the seed.
    fn draw(&self) -> [u8; 10] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut input = [0; 40];
        input[..32].copy_from_slice(&self.seed);
        input[32..].copy_from_slice(&count.to_be_bytes());
        let mut out = [0; 10];
        out.copy_from_slice(&digest(&SHA256, &input).as_ref()[..10]);
        out
    }

    /// A UUIDv7, as session ids (and so the `jti` of tokens) are: larger than the one before,
    /// within a millisecond too.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut tail = self.draw();
        let fresh = u16::from_be_bytes([tail[0], tail[1]]);
        let (millis, counter) = self
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .follow(unix_millis(now), fresh);
        // The builder writes the version over the upper four of these sixteen bits.
        tail[..2].copy_from_slice(&counter.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis & MILLIS_MOST, &tail).into_uuid()
    }

    /// Letters out of an alphabet, for ids and secrets that are to be of a shape.
    pub fn letters(&self, alphabet: &[u8], length: usize) -> String {
        let mut out = String::with_capacity(length);
        // Bytes beyond the last whole round of the alphabet would favour its first letters.
        let fair = 256 - 256 % alphabet.len();
        while out.len() < length {
            let fresh = self.draw();
            let fresh = fresh.iter().filter(|byte| usize::from(**byte) < fair);
            let missing = length - out.len();
            out.extend(
                fresh
                    .take(missing)
                    .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])),
            );
        }
        out
    }

    /// A UUIDv4, for those who number their objects so.
    pub fn random_uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..10].copy_from_slice(&self.draw());
        bytes[10..].copy_from_slice(&self.draw()[..6]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Twenty-six characters in the shape of a ULID, for tying an answer to a log line.
    pub fn correlation(&self, now: Timestamp) -> String {
        let mut tail = [0; 16];
        tail[6..].copy_from_slice(&self.draw());
        let value = (u128::from(unix_millis(now)) << 80) | u128::from_be_bytes(tail);
        (0..26)
            .rev()
            .map(|place| char::from(CROCKFORD[((value >> (place * 5)) & 31) as usize]))
            .collect()
    }
}

/// Before 1970 there is no UUIDv7; a clock set there counts as the first moment.
fn unix_millis(now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond()).unwrap_or(0) & MILLIS_MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_of_the_given_moment_and_repeat_with_the_seed() {
        let now: Timestamp = "2026-06-01T12:00:00.5Z".parse().unwrap();
        let (one, two) = (Ids::new([7; 32], 0), Ids::new([7; 32], 0));
        let id = one.uuid(now);
        assert_eq!(id, two.uuid(now));
        assert_ne!(id, one.uuid(now));
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_780_315_200, 500_000_000));
    }

    #[test]
    fn ids_grow_at_one_moment_and_when_requests_overtake_each_other() {
        let noon: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let ids = Ids::new([3; 32], 0);
        let mut latest = Uuid::nil();
        for n in 0..20_000_i64 {
            let jitter = jiff::SignedDuration::from_millis(n / 1_000 - n % 3);
            let id = ids.uuid(noon + jitter);
            assert!(id > latest, "{id} after {latest}");
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            latest = id;
        }
        let (seconds, nanos) = latest.get_timestamp().unwrap().to_unix();
        assert!(seconds == 1_780_315_200 && nanos < 100_000_000, "the moment runs not far ahead");
    }

    #[test]
    fn a_clock_set_back_is_followed() {
        let noon: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let ids = Ids::new([3; 32], 0);
        let first = ids.uuid(noon);
        let second = ids.uuid(noon - jiff::SignedDuration::from_hours(1));
        assert_eq!(second.get_timestamp().unwrap().to_unix(), (1_780_311_600, 0));
        assert_ne!(ids.uuid(noon), first);
    }

    #[test]
    fn letters_are_of_the_alphabet_and_follow_from_the_seed() {
        let (one, two) = (Ids::new([5; 32], 0), Ids::new([5; 32], 0));
        let text = one.letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 40);
        assert_eq!(text.len(), 40);
        assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(text, two.letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 40));
        assert_ne!(text, one.letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 40));
        let all: std::collections::HashSet<char> = one.letters(b"abc", 100).chars().collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn correlation_ids_have_the_shape_of_a_ulid() {
        let id = Ids::new([1; 32], 0).correlation("2026-06-01T12:00:00Z".parse().unwrap());
        assert_eq!(id.len(), 26);
        assert!(id.bytes().all(|byte| CROCKFORD.contains(&byte)), "{id}");
        assert!(id.starts_with("01K"), "{id}");
    }
}
