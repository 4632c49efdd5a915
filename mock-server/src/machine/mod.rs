//! A simulated machine: what a mediated shell session lands on.
//!
//! Everything here is a description and a copy of it in memory. No program is
//! started, no file of the host is read, and no input makes it panic. A session
//! gets its own copy of the file tree, so sessions cannot see each other.

mod accounts;
mod description;
mod login;
mod programs;
mod shell;
mod stream;
mod syntax;
mod terminal;
mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub use accounts::Account;
pub use description::{MachineDescription, MachineError};
pub use login::{Ended, Login, Signal};
pub use stream::{Input, Io, Output, Writer, pipe};
pub use terminal::{Size, Terminal};

/// The time the machine shows. Injected, so that a settable clock can be used.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// One machine. Cloning shares it.
#[derive(Clone)]
pub struct Machine {
    plan: Arc<Plan>,
    /// The tree all logins share; without one each gets its own copy.
    tree: Option<tree::SharedTree>,
}

/// What all logins of one machine have in common.
struct Plan {
    description: MachineDescription,
    accounts: accounts::Accounts,
    tree: tree::Tree,
    clock: Clock,
    booted: jiff::Timestamp,
    next_pid: AtomicU32,
}

impl Machine {
    /// Builds the machine a description speaks of.
    ///
    /// # Errors
    /// When the description contradicts itself: an unknown owner, a file below
    /// a file, a relative path, a mode that is not octal.
    pub fn new(description: MachineDescription, clock: Clock) -> Result<Self, MachineError> {
        description.check()?;
        let accounts = accounts::Accounts::new(&description)?;
        let booted = clock()
            .checked_sub(jiff::SignedDuration::from_secs(i64::from(description.up_seconds)))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let tree = tree::Tree::build(&description, &accounts, booted)?;
        Ok(Self {
            plan: Arc::new(Plan {
                description,
                accounts,
                tree,
                clock,
                booted,
                next_pid: AtomicU32::new(1200),
            }),
            tree: None,
        })
    }

    /// This machine for one session: all logins through the answer share one
    /// fresh copy of the file tree, as connections to one host would.
    #[must_use]
    pub fn for_session(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            tree: Some(tree::SharedTree::new(self.plan.tree.clone())),
        }
    }

    /// The machine that comes with the mock, built when first asked for.
    ///
    /// # Errors
    /// When the embedded description is damaged, which a test rules out.
    pub fn standard(clock: Clock) -> Result<Self, MachineError> {
        Self::new(MachineDescription::standard()?, clock)
    }

    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.plan.description.hostname
    }

    /// Logs a user in. An unknown user is made on the spot where the
    /// description allows guests.
    #[must_use]
    pub fn login(&self, user: &str) -> Option<Login> {
        let account = self.plan.accounts.find(user).or_else(|| self.plan.accounts.guest(user))?;
        let pid = self.plan.next_pid.fetch_add(7, Ordering::Relaxed);
        let fresh = || tree::SharedTree::new(self.plan.tree.clone());
        let tree = self.tree.clone().unwrap_or_else(fresh);
        Some(Login::new(Arc::clone(&self.plan), tree, Arc::new(account), pid))
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("hostname", &self.hostname()).finish_non_exhaustive()
    }
}
