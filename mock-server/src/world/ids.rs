//! Identifiers out of the seed and the namespace clock: two servers with the same
//! seed and clock hand out the same ids in the same order.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use uuid::Uuid;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[derive(Debug)]
pub struct Ids {
    seed: [u8; 32],
    stretch: u64,
    drawn: AtomicU64,
}

impl Ids {
    /// `stretch` counts the worlds a namespace has seen; each has a seed of its own.
    pub fn new(seed: [u8; 32], stretch: u64) -> Self {
        Self { seed, stretch, drawn: AtomicU64::new(0) }
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

    /// A UUIDv7, as session ids (and so the `jti` of tokens) are.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(unix_millis(now), &self.draw()).into_uuid()
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
    u64::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff
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
    fn correlation_ids_have_the_shape_of_a_ulid() {
        let id = Ids::new([1; 32], 0).correlation("2026-06-01T12:00:00Z".parse().unwrap());
        assert_eq!(id.len(), 26);
        assert!(id.bytes().all(|byte| CROCKFORD.contains(&byte)), "{id}");
        assert!(id.starts_with("01K"), "{id}");
    }
}
