//! Waiting for something to become true, by a deadline and not by a guess.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Outcome, expect, fail};

/// How long to wait for what is promised within a second. How long it took is judged afterwards, by
/// a [`Second`].
pub const SOON: Duration = Duration::from_secs(10);

/// The second in which something is promised to happen, counted from now: and as much more as one
/// who only sleeps comes late meanwhile, because a busy machine is late for everybody.
pub struct Second {
    begun: Instant,
    late: Arc<AtomicU64>,
}

impl Second {
    #[must_use]
    pub fn begin() -> Self {
        const NAP: Duration = Duration::from_millis(5);
        let late = Arc::new(AtomicU64::new(0));
        let second = Self { begun: Instant::now(), late: Arc::clone(&late) };
        // Until nobody asks any more.
        thread::spawn(move || {
            while Arc::strong_count(&late) > 1 {
                let nap = Instant::now();
                thread::sleep(NAP);
                let over = nap.elapsed().saturating_sub(NAP).as_micros();
                late.fetch_add(u64::try_from(over).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        second
    }

    /// It is over: what was promised has happened in time.
    pub fn expect_kept(self, what: &str) -> Outcome {
        let taken = self.begun.elapsed();
        let late = Duration::from_micros(self.late.load(Ordering::Relaxed));
        let seen = format!("{} ms, {} of them late", taken.as_millis(), late.as_millis());
        expect(taken < Duration::from_secs(1) + late, what, "within a second", seen)
    }
}

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
