//! What nearly every client rule sets up and looks at: a referee, a fake ssh on PATH, and the
//! manners of a run that failed.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::bench::{Answer, Bench, Ending, FakeSsh, Family, Ran, Referee, RefereeScript, Run};
use crate::verdict::{Outcome, expect, expect_eq};

/// One command about to be run against a scripted control plane.
pub(crate) struct Scene<'b> {
    bench: &'b Bench,
    pub(crate) referee: Referee,
    pub(crate) ssh: FakeSsh,
}

impl<'b> Scene<'b> {
    /// The control plane issues honestly and ssh ends well.
    pub(crate) fn honest(bench: &'b Bench) -> Outcome<Self> {
        Self::with(bench, bench.referee()?)
    }

    /// Every IssueSession gets this answer.
    pub(crate) fn answering(bench: &'b Bench, answer: Answer) -> Outcome<Self> {
        Self::with(bench, bench.referee()?.answer(answer))
    }

    pub(crate) fn with(bench: &'b Bench, script: RefereeScript<'_>) -> Outcome<Self> {
        Self::ending(bench, script, Ending::Status(0))
    }

    /// The same with another end of the fake ssh.
    pub(crate) fn ending(
        bench: &'b Bench,
        script: RefereeScript<'_>,
        ending: Ending,
    ) -> Outcome<Self> {
        let ssh = bench.fake_ssh(ending)?;
        Ok(Self { bench, referee: script.start()?, ssh })
    }

    /// The command with its required flags, the referee's address and a private token file.
    pub(crate) fn run(&self, family: Family) -> Outcome<Run<'b>> {
        self.bench.command(family, &self.referee)
    }

    /// Where `--output-file` of the rules usually points, relative to the sandbox.
    pub(crate) fn file(&self, name: &str) -> Outcome<PathBuf> {
        Ok(self.bench.sandbox()?.path(name))
    }

    /// A failure with clean hands: the code, an empty stdout, a word on stderr, no change on disk,
    /// no secret shown, no ssh started.
    pub(crate) fn expect_failure(&self, ran: &Ran, code: i32) -> Outcome {
        ran.expect_exit(code)?;
        ran.expect_stdout_empty()?;
        ran.expect_stderr_says_something()?;
        ran.expect_no_file_changes()?;
        self.expect_silent(ran)?;
        self.ssh.expect_not_started()
    }

    /// A failure found before anything was sent.
    pub(crate) fn expect_unsent(&self, ran: &Ran, code: i32) -> Outcome {
        self.expect_failure(ran, code)?;
        self.referee.expect_untouched()
    }

    /// A failure that the one request was answered with; there is nothing to revoke.
    pub(crate) fn expect_refused(&self, ran: &Ran, code: i32) -> Outcome {
        self.expect_failure(ran, code)?;
        self.expect_requests(1, 0)
    }

    /// A session was issued, could not be used, and was given back.
    pub(crate) fn expect_given_up(&self, ran: &Ran) -> Outcome {
        self.expect_failure(ran, 1)?;
        self.expect_requests(1, 1)?;
        self.referee.expect_one_revoke()
    }

    /// A session was issued and used.
    pub(crate) fn expect_done(&self, ran: &Ran) -> Outcome {
        ran.expect_exit(0)?;
        self.expect_requests(1, 0)
    }

    pub(crate) fn expect_requests(&self, issues: usize, revokes: usize) -> Outcome {
        let seen = self.referee.seen()?;
        for (operation, count) in [("IssueSession", issues), ("RevokeSession", revokes)] {
            let found = seen.iter().filter(|one| one.operation == operation).count();
            let what = format!("the number of {operation} requests the server saw");
            expect_eq(what, &count, &found)?;
        }
        expect_eq("the number of requests of any kind", &(issues + revokes), &seen.len())
    }

    /// The same where a number is not stated, only its bounds.
    pub(crate) fn expect_requests_within(
        &self,
        issues: &RangeInclusive<usize>,
        revokes: &RangeInclusive<usize>,
    ) -> Outcome {
        let seen = self.referee.seen()?;
        let mut all = 0;
        for (operation, bounds) in [("IssueSession", issues), ("RevokeSession", revokes)] {
            let found = seen.iter().filter(|one| one.operation == operation).count();
            let (low, high) = (bounds.start(), bounds.end());
            let due = if low == high { low.to_string() } else { format!("{low} to {high}") };
            let what = format!("the number of {operation} requests the server saw");
            expect(bounds.contains(&found), what, due, found)?;
            all += found;
        }
        expect_eq("the number of requests of any kind", &all, &seen.len())
    }

    /// Neither the operator's credential nor a session token is on a stream.
    pub(crate) fn expect_silent(&self, ran: &Ran) -> Outcome {
        ran.expect_silent_about(&self.bench.credential_canary())?;
        if self.referee.issued().is_empty() {
            return Ok(());
        }
        ran.expect_silent_about(&self.referee.session_canary()?)
    }

    /// The document of `--output json` names the same exit code as the process.
    pub(crate) fn expect_error_document(&self, ran: &Ran, code: i32) -> Outcome<serde_json::Value> {
        let error = ran.error_document()?;
        expect_eq(
            "exit_code in the error document",
            &Some(i64::from(code)),
            &error["exit_code"].as_i64(),
        )?;
        Ok(error)
    }
}
