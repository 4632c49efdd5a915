//! Whom we judge: a plexctl on some path, a control plane we start or one that already runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::bench::{Adapter, Patience};

/// Everything the runner needs to know about the subjects. One target serves all threads.
#[derive(Default)]
pub struct Target {
    pub plexctl: Option<PathBuf>,
    /// The client is not run itself; `plexctl` is the adapter's program.
    pub adapter: Option<Adapter>,
    pub server: Option<ServerTarget>,
    pub settings: Settings,
    /// Set once the server has died for good; the rules that need it are then not run.
    pub(crate) server_gone: OnceLock<String>,
    /// Set once the client cannot be started at all.
    pub(crate) client_gone: OnceLock<String>,
    /// Set once a rule failed and `fail_fast` is on.
    pub(crate) stopped: OnceLock<String>,
    /// What is known of the limits of a server that is not ours.
    pub(crate) patience: Arc<Patience>,
    /// Every token that was issued, for the last look at the report.
    pub(crate) tokens: Mutex<BTreeSet<String>>,
    /// What `keep` left standing; it falls with the target.
    pub(crate) standing: Mutex<Vec<Box<dyn Send>>>,
    /// What plexctl's commands say to `--help`, asked once.
    pub(crate) help: OnceLock<String>,
}

impl Target {
    pub(crate) fn keep(&self, things: Vec<Box<dyn Send>>) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).extend(things);
    }

    pub(crate) fn remember(&self, secrets: Vec<String>) {
        // Words are found everywhere; a rule may well have one for a token.
        let long = secrets.into_iter().filter(|secret| secret.len() >= 16);
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).extend(long);
    }

    /// The tokens that were issued so far.
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many servers still run for somebody to look at.
    pub fn standing(&self) -> usize {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[derive(Debug, Clone)]
pub enum ServerTarget {
    /// A `mock-server` binary: a fresh process for each rule.
    Spawn(PathBuf),
    /// A server that already runs, and the credential to ask it with.
    Running(RunningServer),
}

#[derive(Debug, Clone)]
pub struct RunningServer {
    /// Base URL without the `/v1`.
    pub url: String,
    pub token: String,
    pub ca_file: Option<PathBuf>,
    /// Operations, by their ids in the contract, that it does not claim to have.
    pub without: Vec<String>,
    /// Whether it answers the mock's control routes, so that journal, clock and namespaces work.
    pub control: bool,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest one run of the subject may take before it is killed.
    pub timeout: Duration,
    /// Given to every server we start, so that a failing run can be repeated exactly.
    pub seed: u64,
    /// Leave the sandboxes on disk and name them in the evidence.
    pub keep: bool,
    /// Keep what happened also for rules that passed.
    pub trace: bool,
    /// After the first failure the rest is not run.
    pub fail_fast: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            seed: 1,
            keep: false,
            trace: false,
            fail_fast: false,
        }
    }
}
