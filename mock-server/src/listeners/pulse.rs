//! How often traffic is told of: it puts idleness off, which is counted in seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most.
const EVERY: Duration = Duration::from_secs(1);

/// The traffic of one connection, in whichever direction.
#[derive(Default)]
pub(super) struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    /// Whether bytes that go now have to be told of.
    pub(super) fn is_due(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            *told = Some(Instant::now());
        }
        due
    }
}
