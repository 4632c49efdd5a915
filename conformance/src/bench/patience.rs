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
    let mut pause = Duration::from_micros(200);
    loop {
        let seen = match holds()? {
            Ok(()) => return Ok(()),
            Err(seen) => seen,
        };
        if Instant::now() >= deadline {
            return fail(what, format!("within {} ms", within.as_millis()), seen);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
