//! Waiting for something to become true, by a deadline and not by a guess.

use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Outcome, fail};

/// What is promised within a second; as much again for a machine that is busy with other rules.
pub const SOON: Duration = Duration::from_secs(2);

/// Asks until the answer is yes; the failure says what was waited for, and what was seen last.
pub fn until(
    what: &str,
    within: Duration,
    mut holds: impl FnMut() -> Outcome<Result<(), String>>,
) -> Outcome {
    let deadline = Instant::now() + within;
    let mut pauses = Pauses::new();
    loop {
        let seen = match holds()? {
            Ok(()) => return Ok(()),
            Err(seen) => seen,
        };
        if Instant::now() >= deadline {
            return fail(what, format!("within {} ms", within.as_millis()), seen);
        }
        pauses.rest();
    }
}

/// Pauses between looks at what tells nobody when it happens: they begin short and grow, so that
/// no processor is kept busy by waiting.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(Duration::from_micros(50))
    }

    pub(crate) fn rest(&mut self) {
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(Duration::from_millis(5));
    }
}
