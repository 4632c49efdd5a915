//! The clock of one namespace. It may be set, moved and frozen, and everything
//! that depends on time (ids, tokens, expiry, the journal) reads this one.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// A clock runs on from `base` unless it is frozen there.
#[derive(Debug)]
pub struct Clock {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    base: Base,
    frozen: bool,
}

#[derive(Debug, Clone, Copy)]
enum Base {
    /// Follows the machine's clock, shifted by this much.
    Machine(SignedDuration),
    /// Was this time at that moment; immune to the machine's clock being set.
    At(Timestamp, Instant),
}

/// How a clock is to be moved: to a time, from there by whole seconds in either direction, and
/// frozen there or running on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub set: Option<Timestamp>,
    pub advance_seconds: Option<i64>,
    pub freeze: Option<bool>,
}

impl State {
    fn now(self) -> Timestamp {
        let now = match self.base {
            Base::Machine(shift) => Timestamp::now().saturating_add(shift),
            Base::At(time, _) if self.frozen => Ok(time),
            Base::At(time, since) => {
                let elapsed = SignedDuration::try_from(since.elapsed());
                time.saturating_add(elapsed.unwrap_or(SignedDuration::MAX))
            }
        };
        now.unwrap_or(Timestamp::MAX)
    }
}

impl Clock {
    /// A clock that follows the machine's.
    pub fn machine() -> Self {
        Self::with(State { base: Base::Machine(SignedDuration::ZERO), frozen: false })
    }

    /// A clock that stands still, which is what makes two runs answer alike.
    pub fn frozen_at(time: Timestamp) -> Self {
        Self::with(State { base: Base::At(time, Instant::now()), frozen: true })
    }

    fn with(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    pub fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    /// What a clock that stands still writes into answers, so that runs are alike to the byte.
    /// Otherwise the machine's date is true, and already at hand.
    pub fn http_date(&self, now: Timestamp) -> Option<String> {
        self.is_frozen().then(|| now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// All of a move or nothing of it; `None` when it leads out of the calendar. Freezing or
    /// thawing alone makes time neither jump nor catch up.
    pub fn change(&self, change: &Change) -> Option<Timestamp> {
        let mut state = self.lock();
        let from = change.set.unwrap_or_else(|| state.now());
        let step = SignedDuration::from_secs(change.advance_seconds.unwrap_or(0));
        let time = from.checked_add(step).ok()?;
        state.base = Base::At(time, Instant::now());
        state.frozen = change.freeze.unwrap_or(state.frozen);
        Some(time)
    }

    /// A clock of its own that shows what this one was started with.
    pub fn fork(&self) -> Self {
        Self::with(*self.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn by(seconds: i64) -> Change {
        Change { advance_seconds: Some(seconds), ..Change::default() }
    }

    #[test]
    fn a_frozen_clock_stands_still_and_moves_when_told() {
        let clock = Clock::frozen_at(noon());
        assert_eq!(clock.now(), noon());
        assert_eq!(clock.now(), noon());
        clock.change(&by(90));
        assert_eq!(clock.now().to_string(), "2026-06-01T12:01:30Z");
        clock.change(&by(-30));
        assert_eq!(clock.now().to_string(), "2026-06-01T12:01:00Z");
    }

    #[test]
    fn a_thawed_clock_runs_on_from_where_it_stood() {
        let clock = Clock::frozen_at(noon());
        clock.change(&Change { freeze: Some(false), ..Change::default() });
        assert!(!clock.is_frozen());
        assert!(clock.now() >= noon());
        assert!(clock.now() < noon() + SignedDuration::from_secs(60));
    }

    #[test]
    fn a_step_beyond_the_calendar_is_refused_whole() {
        let clock = Clock::frozen_at(noon());
        assert_eq!(clock.change(&by(i64::MAX)), None);
        let set = Some("2027-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(clock.change(&Change { set, freeze: Some(false), ..by(i64::MAX) }), None);
        assert_eq!(clock.now(), noon());
        assert!(clock.is_frozen());
    }

    #[test]
    fn a_fork_is_independent() {
        let clock = Clock::frozen_at(noon());
        let fork = clock.fork();
        fork.change(&by(60));
        assert_eq!(clock.now(), noon());
    }
}
