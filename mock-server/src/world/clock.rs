//! The clock of one namespace. It may be set, moved and frozen, and everything
//! that depends on time (ids, tokens, expiry, the journal) reads this one.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

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

    /// Jumps to `time`, and stays there if the clock is frozen.
    pub fn set(&self, time: Timestamp) {
        self.lock().base = Base::At(time, Instant::now());
    }

    /// Moves by whole seconds, in either direction; `None` when that leaves the calendar.
    pub fn advance(&self, seconds: i64) -> Option<Timestamp> {
        let mut state = self.lock();
        let time = state.now().checked_add(SignedDuration::from_secs(seconds)).ok()?;
        state.base = Base::At(time, Instant::now());
        Some(time)
    }

    /// Freezes or thaws; time neither jumps nor is made up for.
    pub fn freeze(&self, frozen: bool) {
        let mut state = self.lock();
        state.base = Base::At(state.now(), Instant::now());
        state.frozen = frozen;
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

    #[test]
    fn a_frozen_clock_stands_still_and_moves_when_told() {
        let clock = Clock::frozen_at(noon());
        assert_eq!(clock.now(), noon());
        assert_eq!(clock.now(), noon());
        clock.advance(90);
        assert_eq!(clock.now().to_string(), "2026-06-01T12:01:30Z");
        clock.advance(-30);
        assert_eq!(clock.now().to_string(), "2026-06-01T12:01:00Z");
    }

    #[test]
    fn a_thawed_clock_runs_on_from_where_it_stood() {
        let clock = Clock::frozen_at(noon());
        clock.freeze(false);
        assert!(!clock.is_frozen());
        assert!(clock.now() >= noon());
        assert!(clock.now() < noon() + SignedDuration::from_secs(60));
    }

    #[test]
    fn a_step_beyond_the_calendar_is_refused() {
        let clock = Clock::frozen_at(noon());
        assert_eq!(clock.advance(i64::MAX), None);
        assert_eq!(clock.now(), noon());
    }

    #[test]
    fn a_fork_is_independent() {
        let clock = Clock::frozen_at(noon());
        let fork = clock.fork();
        fork.advance(60);
        assert_eq!(clock.now(), noon());
    }
}
