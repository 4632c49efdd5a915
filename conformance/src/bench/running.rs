//! A plexctl that has been started, and what came of it.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use super::adapter;
use super::evidence::{Evidence, Glimpse, shown};
use super::process;
use super::ran::{Exit, Ran};
use super::sandbox::{Sandbox, Tree};
use crate::verdict::{Outcome, Reason, skip};

/// A run that has been started and not yet judged.
pub struct Running<'b> {
    pub(super) sandbox: &'b Sandbox,
    pub(super) evidence: Evidence,
    pub(super) child: Leash,
    pub(super) line: String,
    pub(super) adapted: bool,
    pub(super) before: Tree,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
}

/// A started process that is not left behind: a rule that fails between start and end drops it.
pub(super) struct Leash(Option<Child>);

impl Leash {
    pub(super) fn new(child: Child) -> Self {
        Self(Some(child))
    }

    fn child(&mut self) -> Outcome<&mut Child> {
        self.0.as_mut().ok_or_else(|| Reason::Broken("the subject has been let go".into()))
    }

    fn take(&mut self) -> Outcome<Child> {
        self.0.take().ok_or_else(|| Reason::Broken("the subject has been let go".into()))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        if matches!(child.try_wait(), Ok(None)) {
            process::kill_group(child);
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running<'_> {
    pub fn pid(&self) -> u32 {
        self.child.0.as_ref().map_or(0, Child::id)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> Outcome<bool> {
        Ok(self.child.child()?.try_wait()?.is_none())
    }

    /// Sends a signal, such as `Signal::INT`, to the subject alone.
    pub fn signal(&self, signal: rustix::process::Signal) -> Outcome {
        match self.child.0.as_ref().and_then(process::pid_of) {
            Some(pid) => {
                Ok(rustix::process::kill_process(pid, signal).map_err(std::io::Error::from)?)
            }
            None => Err(Reason::Broken("the subject has no pid".into())),
        }
    }

    /// Waits for the end and collects what is left.
    pub fn finish(mut self) -> Outcome<Ran> {
        let ended = process::wait_with_deadline(self.child.take()?, self.deadline)?;
        let exit = exit_of(ended.status);
        let ran = Ran {
            exit,
            stdout: ended.stdout,
            stderr: ended.stderr,
            duration: self.started.elapsed(),
            before: self.before,
            after: self.sandbox.snapshot()?,
            line: self.line,
        };
        let (line, exit, took) = (ran.line.clone(), ran.exit, ran.duration.as_millis());
        let (stdout, stderr) = (Glimpse::of(&ran.stdout), Glimpse::of(&ran.stderr));
        let files = ran.file_changes();
        self.evidence.note_later(move || {
            let (stdout, stderr) = (indented(&stdout), indented(&stderr));
            let files = files.join("; ");
            format!(
                "ran: {line}\n  ended: {exit} after {took} ms\n  stdout: {stdout}\n  \
                 stderr: {stderr}\n  files: {files}"
            )
        });
        if self.adapted && ran.exit == Exit::Code(adapter::CANNOT) {
            let said = shown(&ran.stderr);
            let why = said.trim().lines().last().unwrap_or_default().to_owned();
            let what = if why.is_empty() { "what the rule asks".to_owned() } else { why };
            return skip(format!("an adapter that can express: {what}"));
        }
        Ok(ran)
    }
}

pub(super) fn exit_of(status: Option<ExitStatus>) -> Exit {
    match status {
        None => Exit::TimedOut,
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::TimedOut,
        },
    }
}

fn indented(glimpse: &Glimpse) -> String {
    let text = glimpse.shown();
    if text.is_empty() { "(empty)".into() } else { text.trim_end().replace('\n', "\n    ") }
}
