//! Answers that go wrong so many times and no more: which operation, how, in which phase, and how
//! often that has happened. Nothing here is left to chance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// A bound on what a client can make the server keep.
pub const MOST: usize = 1_000;

/// When the answer goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Instead of doing anything.
    #[default]
    Before,
    /// Once everything was done: only the answer is lost. A refusal passes, and is no hit.
    After,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub id: u32,
    pub operation: &'static str,
    pub scenario: String,
    pub phase: Phase,
    pub times: u32,
    pub hits: u32,
}

/// The faults of one namespace, used up in the order in which they were asked for.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether any has hits left, so that requests need not take turns to learn that none has.
    armed: AtomicBool,
    list: Mutex<Vec<Fault>>,
}

impl Faults {
    fn list(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; `None` when there are as many as can be kept.
    pub fn add(
        &self,
        operation: &'static str,
        scenario: String,
        phase: Phase,
        times: u32,
    ) -> Option<Fault> {
        let mut list = self.list();
        if list.len() >= MOST {
            return None;
        }
        let id = u32::try_from(list.len()).unwrap_or(u32::MAX) + 1;
        let fault = Fault { id, operation, scenario, phase, times, hits: 0 };
        list.push(fault.clone());
        self.armed.store(true, Ordering::Release);
        Some(fault)
    }

    /// The fault that the next request for this operation meets.
    pub fn due(&self, operation: &str) -> Option<Fault> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        let list = self.list();
        list.iter().find(|fault| fault.operation == operation && fault.hits < fault.times).cloned()
    }

    /// Uses the fault up by one; false when somebody else was faster.
    pub fn hit(&self, id: u32) -> bool {
        let mut list = self.list();
        let Some(fault) = list.iter_mut().find(|fault| fault.id == id) else { return false };
        if fault.hits >= fault.times {
            return false;
        }
        fault.hits += 1;
        let armed = list.iter().any(|fault| fault.hits < fault.times);
        self.armed.store(armed, Ordering::Release);
        true
    }

    pub fn all(&self) -> Vec<Fault> {
        self.list().clone()
    }

    pub fn clear(&self) {
        let mut list = self.list();
        list.clear();
        self.armed.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up_in_their_order_and_then_are_no_more() {
        let faults = Faults::default();
        assert_eq!(faults.due("IssueSession"), None);
        let add = |scenario: &str, times| {
            faults.add("IssueSession", scenario.to_owned(), Phase::Before, times).unwrap().id
        };
        let (first, second) = (add("a", 2), add("b", 1));
        for expected in ["a", "a", "b"] {
            let due = faults.due("IssueSession").unwrap();
            assert_eq!(due.scenario, expected);
            assert_eq!(faults.due("GetSession"), None);
            assert!(faults.hit(due.id));
        }
        assert_eq!(faults.due("IssueSession"), None);
        assert!(!faults.hit(first) && !faults.hit(second));
        let hits: Vec<u32> = faults.all().iter().map(|fault| fault.hits).collect();
        assert_eq!(hits, [2, 1]);
        faults.clear();
        assert!(faults.all().is_empty());
    }

    #[test]
    fn they_are_bounded() {
        let faults = Faults::default();
        for _ in 0..MOST {
            assert!(faults.add("Whoami", "a".into(), Phase::After, 1).is_some());
        }
        assert_eq!(faults.add("Whoami", "a".into(), Phase::After, 1), None);
    }
}
