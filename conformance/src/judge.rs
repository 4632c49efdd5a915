//! The catalogue for Rust projects: judge a client or a server from a test of your own.
//!
//! ```
//! use conformance::Judge;
//!
//! let report = Judge::client("/bin/false").rules(["kubeconfig.exit.77.*"]).must_only().run()?;
//! assert!(!report.conforms(), "{report}");
//! # Ok::<(), String>(())
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bench::{self, Adapter};
use crate::catalogue;
use crate::report::text::{self, Detail};
use crate::report::{About, Report, model};
use crate::rule::Level;
use crate::runner;
use crate::target::{RunningServer, ServerTarget, Target};
use crate::verdict::Reason;

/// A judgement being put together.
pub struct Judge {
    target: Target,
    subjects: model::Subjects,
    globs: Vec<String>,
    must_only: bool,
}

impl Judge {
    /// A plexctl, by the path of its binary.
    pub fn client(path: impl Into<PathBuf>) -> Self {
        let mut judge = Self::nobody();
        let path = path.into();
        judge.subjects.plexctl = Some(path.display().to_string());
        judge.target.plexctl = Some(path);
        judge
    }

    /// A control plane that runs, by its base URL and a credential for it.
    pub fn server(url: impl Into<String>, token: impl Into<String>) -> Self {
        let mut judge = Self::nobody();
        let url = url.into();
        judge.subjects.server = Some(url.clone());
        judge.target.server = Some(ServerTarget::Running(RunningServer {
            url,
            token: token.into(),
            ca_file: None,
            without: Vec::new(),
            control: false,
        }));
        judge
    }

    /// A client with another command line, driven by an adapter: `/usr/bin/python3 my_adapter.py`.
    pub fn adapter(command: &str) -> Result<Self, String> {
        let mut judge = Self::nobody();
        let adapter = Adapter::ask(command, judge.target.settings.timeout).map_err(why)?;
        judge.subjects.adapter = Some(command.to_owned());
        judge.target.plexctl = Some(adapter.program.clone());
        judge.target.adapter = Some(adapter);
        Ok(judge)
    }

    /// A mock server, by the path of its binary: one is started for each rule.
    pub fn started_server(path: impl Into<PathBuf>) -> Self {
        Self::nobody().against(path)
    }

    /// Adds a mock server that is started for each rule, so that the rules about client and server
    /// together are judged as well.
    #[must_use]
    pub fn against(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.subjects.mock_server = Some(path.display().to_string());
        self.target.server = Some(ServerTarget::Spawn(path));
        self
    }

    /// The CA to trust for a server over https, as a PEM file.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        if let Some(ServerTarget::Running(running)) = &mut self.target.server {
            running.ca_file = Some(path.into());
        }
        self
    }

    fn nobody() -> Self {
        Self {
            target: Target::default(),
            subjects: model::Subjects::default(),
            globs: Vec::new(),
            must_only: false,
        }
    }

    /// Only rules whose id matches one of the globs.
    #[must_use]
    pub fn rules(mut self, globs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.globs.extend(globs.into_iter().map(Into::into));
        self
    }

    /// Leaves the SHOULD rules out.
    #[must_use]
    pub fn must_only(mut self) -> Self {
        self.must_only = true;
        self
    }

    /// An operation, by its id in the contract, that the server does not have.
    #[must_use]
    pub fn without(mut self, operation: impl Into<String>) -> Self {
        if let Some(ServerTarget::Running(running)) = &mut self.target.server {
            running.without.push(operation.into());
        }
        self
    }

    /// Judges. `Err` is a fault of the set-up; what is wrong with the subject is in the report.
    pub fn run(mut self) -> Result<Report, String> {
        if let Some(ServerTarget::Running(running)) = &mut self.target.server {
            running.control =
                bench::has_control_routes(&running.url, running.ca_file.as_deref()).map_err(why)?;
        }
        let all = catalogue::all().map_err(why)?;
        let mut rules =
            catalogue::matching(&all, &self.globs).map_err(|error| error.to_string())?;
        if self.must_only {
            rules.retain(|rule| rule.level == Level::Must);
        }
        let target = Arc::new(self.target);
        let judged = runner::run_all(&rules, &target, runner::usual_jobs(&target), |_| {});
        let level = if self.must_only { "must" } else { "should" };
        let run = model::Run {
            rules: self.globs,
            level: level.to_owned(),
            seed: target.settings.seed,
            ..model::Run::default()
        };
        let about = About { subjects: self.subjects, run, ..About::default() };
        Ok(Report::new(&judged, &rules, Vec::new(), about))
    }
}

impl Report {
    /// Whether every rule that ran passed, and at least one ran.
    pub fn conforms(&self) -> bool {
        self.exit_code == 0
    }
}

/// The report for a person.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::report(self, Detail::Usual))
    }
}

fn why(reason: Reason) -> String {
    match reason {
        Reason::Failure(failure) => failure.to_string(),
        Reason::Skip(why) | Reason::Broken(why) => why,
    }
}
