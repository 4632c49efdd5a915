//! One login: a user on the machine, with streams or a terminal.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::Plan;
use super::accounts::Account;
use super::shell::{Outcome, Shared, Shell, Stop};
use super::stream::{Io, WriteError};
use super::terminal::{self, Terminal};
use super::tree::SharedTree;

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A signal that ends a program here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Quit,
    Abort,
    Kill,
    Pipe,
    Alarm,
    Terminate,
}

impl Signal {
    pub(super) const ALL: [Self; 8] = [
        Self::Hangup,
        Self::Interrupt,
        Self::Quit,
        Self::Abort,
        Self::Kill,
        Self::Pipe,
        Self::Alarm,
        Self::Terminate,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "HUP",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Abort => "ABRT",
            Self::Kill => "KILL",
            Self::Pipe => "PIPE",
            Self::Alarm => "ALRM",
            Self::Terminate => "TERM",
        }
    }

    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Abort => 6,
            Self::Kill => 9,
            Self::Pipe => 13,
            Self::Alarm => 14,
            Self::Terminate => 15,
        }
    }
}

/// How what was asked for came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Exit(u8),
    Killed(Signal),
}

/// An open login. Each of its methods runs to the end of the login; dropping
/// the future ends everything that runs in it.
pub struct Login {
    shared: Arc<Shared>,
}

impl Login {
    pub(super) fn new(plan: Arc<Plan>, tree: SharedTree, account: Arc<Account>, pid: u32) -> Self {
        tree.lock().welcome(&account, (plan.clock)());
        Self {
            shared: Arc::new(Shared {
                tree,
                plan,
                account,
                pid,
                signal: watch::Sender::new(None),
                history: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Runs one command line on plain streams.
    pub async fn exec(&self, command: &str, io: Io) -> Ended {
        let mut shell = Shell::new(Arc::clone(&self.shared), None);
        self.until_killed(shell.text_command(command, &io)).await
    }

    /// A shell without a terminal: commands are lines of standard input.
    pub async fn script(&self, io: Io) -> Ended {
        let mut shell = Shell::new(Arc::clone(&self.shared), None);
        self.until_killed(shell.script(&io)).await
    }

    /// Runs one command line on a terminal.
    pub async fn exec_on(&self, command: &str, mut terminal: Terminal) -> Ended {
        let mut shell = self.shell_on(&terminal);
        let running = terminal::run_one(&mut shell, command, &mut terminal);
        self.until_killed(running).await
    }

    /// An interactive shell on a terminal.
    pub async fn interactive(&self, mut terminal: Terminal) -> Ended {
        let mut shell = self.shell_on(&terminal);
        let running = terminal::interactive(&mut shell, &mut terminal);
        self.until_killed(running).await
    }

    fn shell_on(&self, terminal: &Terminal) -> Shell {
        let mut shell = Shell::new(Arc::clone(&self.shared), Some(terminal.size()));
        if !terminal.kind().is_empty() {
            shell.export("TERM", terminal.kind());
        }
        shell
    }

    async fn until_killed(&self, running: impl Future<Output = Outcome>) -> Ended {
        let mut signal = self.shared.signal.subscribe();
        let killed = async {
            match signal.wait_for(Option::is_some).await.map(|seen| *seen) {
                Ok(Some(signal)) => signal,
                // The sender lives in this login, so this is never reached
                // while somebody waits.
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = killed => Ended::Killed(signal),
            outcome = running => match outcome {
                Ok(status) | Err(Stop::Exit(status)) => Ended::Exit(status),
                Err(Stop::Write(WriteError::Closed)) => Ended::Killed(Signal::Pipe),
                Err(Stop::Write(WriteError::NoSpace)) => Ended::Exit(1),
                Err(Stop::Usage) => Ended::Exit(2),
                Err(Stop::Break | Stop::Continue) => Ended::Exit(0),
            },
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.shared.account.name)
            .field("pid", &self.shared.pid)
            .finish_non_exhaustive()
    }
}
