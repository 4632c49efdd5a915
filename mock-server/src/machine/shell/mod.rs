//! The shell: its state, and the running of what was parsed.

mod arithmetic;
mod expand;
mod glob;
mod run;

pub(super) use run::settle;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Plan;
use super::accounts::Account;
use super::login::Signal;
use super::stream::WriteError;
use super::terminal::Size;
use super::tree::{Actor, SharedTree};

/// `sh -c` in scripts in substitutions: how deep one may stand in the other.
const MAX_DEPTH: u32 = 24;
/// The longest value a variable may have.
const MAX_VALUE: usize = 1024 * 1024;
const MAX_VARIABLES: usize = 4096;
const MAX_HISTORY: usize = 500;

/// Why a program or a list ends before its last command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// `exit`.
    Exit(u8),
    /// A write failed.
    Write(WriteError),
    /// A program was called wrongly; it has said so.
    Usage,
    /// `break` and `continue`, as far as a loop has not yet caught them.
    Break,
    Continue,
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

pub(super) type Outcome = Result<u8, Stop>;

/// What the shells of one login share: subshells are clones of the shell, and
/// this is what they do not get a copy of.
pub(super) struct Shared {
    pub(super) plan: Arc<Plan>,
    pub(super) account: Arc<Account>,
    pub(super) tree: SharedTree,
    pub(super) pid: u32,
    pub(super) signal: watch::Sender<Option<Signal>>,
    pub(super) history: Mutex<Vec<String>>,
}

impl Shared {
    pub(super) fn history(&self) -> Vec<String> {
        let history = self.history.lock();
        history.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn remember(&self, line: &str) {
        let history = self.history.lock();
        let mut history = history.unwrap_or_else(PoisonError::into_inner);
        if line.trim().is_empty() || history.last().is_some_and(|last| last == line) {
            return;
        }
        if history.len() >= MAX_HISTORY {
            history.remove(0);
        }
        history.push(line.to_owned());
    }
}

#[derive(Clone)]
struct Variable {
    value: String,
    exported: bool,
}

#[derive(Clone)]
pub(super) struct Shell {
    pub(super) shared: Arc<Shared>,
    variables: BTreeMap<String, Variable>,
    pub(super) cwd: String,
    pub(super) status: u8,
    /// `$0` and the positional parameters.
    pub(super) parameters: Vec<String>,
    /// The number of the line being run, for messages.
    pub(super) line: u32,
    depth: u32,
    /// Set where the streams are a terminal.
    pub(super) terminal: Option<watch::Receiver<Size>>,
}

impl Shell {
    pub(super) fn new(shared: Arc<Shared>, terminal: Option<watch::Receiver<Size>>) -> Self {
        let account = Arc::clone(&shared.account);
        let mut shell = Self {
            cwd: "/".into(),
            variables: BTreeMap::new(),
            status: 0,
            parameters: vec!["sh".into()],
            line: 1,
            depth: 0,
            terminal,
            shared,
        };
        for (name, value) in [
            ("HOME", account.home.as_str()),
            ("LOGNAME", account.name.as_str()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("SHELL", account.shell.as_str()),
            ("USER", account.name.as_str()),
        ] {
            shell.export(name, value);
        }
        let described = shell.shared.plan.description.env.clone();
        for (name, value) in described {
            shell.export(&name, &value);
        }
        let at_home = shell.tree().find(&account, &account.home).is_ok();
        if at_home {
            shell.cwd.clone_from(&account.home);
        }
        let cwd = shell.cwd.clone();
        shell.export("PWD", &cwd);
        shell
    }

    pub(super) fn tree(&self) -> std::sync::MutexGuard<'_, super::tree::Tree> {
        self.shared.tree.lock()
    }

    pub(super) fn account(&self) -> &Account {
        &self.shared.account
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        (self.shared.plan.clock)()
    }

    pub(super) fn actor(&self) -> Actor<'_> {
        Actor { account: &self.shared.account, now: self.now() }
    }

    pub(super) fn path(&self, path: &str) -> String {
        super::tree::resolve(&self.cwd, path)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|v| v.value.as_str())
    }

    /// Sets a variable; one that would not fit stays as it was.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        let room = self.variables.len() < MAX_VARIABLES || self.variables.contains_key(name);
        if value.len() > MAX_VALUE || !room {
            return false;
        }
        let exported = self.variables.get(name).is_some_and(|v| v.exported);
        let value = value.to_owned();
        let variable = Variable { value, exported };
        self.variables.insert(name.to_owned(), variable);
        true
    }

    pub(super) fn export(&mut self, name: &str, value: &str) -> bool {
        let fits = self.set(name, value);
        self.mark_exported(name);
        fits
    }

    pub(super) fn mark_exported(&mut self, name: &str) {
        if let Some(variable) = self.variables.get_mut(name) {
            variable.exported = true;
        }
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Name, value, exported: sorted by name.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.variables.iter().map(|(name, v)| (name.as_str(), v.value.as_str(), v.exported))
    }

    /// A child's shell: what it changes stays its own.
    pub(super) fn child(&self) -> Option<Self> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let mut child = self.clone();
        child.depth += 1;
        Some(child)
    }

    /// Gives a shell what this one, made from it, has become.
    pub(super) fn back_into(self, parent: &mut Self) {
        let depth = parent.depth;
        *parent = self;
        parent.depth = depth;
    }
}
