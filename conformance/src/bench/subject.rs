//! Running plexctl: argv, a cleared environment, one sandbox, a deadline; and what came out.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::adapter::{self, Adapter};
use super::evidence::Evidence;
use super::process;
use super::ran::Ran;
use super::running::{Leash, Running};
use super::sandbox::Sandbox;
use crate::verdict::{Outcome, Reason, skip};

/// One run of the subject being put together.
pub struct Run<'b> {
    sandbox: &'b Sandbox,
    pub(super) evidence: Evidence,
    program: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    pub(super) wrapper: Vec<OsString>,
    umask: u32,
    stdin: Feed,
    stdout: Sink,
    stderr: Sink,
    pub(super) timeout: Duration,
    /// The client is driven by an adapter, which may be unable to express what is asked.
    adapter: Option<&'b Adapter>,
}

/// What the subject reads on its standard input.
enum Feed {
    Null,
    File(PathBuf),
}

/// Where one of the subject's output streams goes.
#[derive(Debug, Clone)]
pub enum Sink {
    /// Captured; the usual case.
    Capture,
    /// Opened for writing: `/dev/full`, a FIFO.
    To(PathBuf),
    /// A pipe whose reading end is closed before the subject starts.
    BrokenPipe,
}

impl<'b> Run<'b> {
    pub(crate) fn new(
        sandbox: &'b Sandbox,
        evidence: Evidence,
        program: &Path,
        timeout: Duration,
    ) -> Self {
        let home = sandbox.home();
        let env = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("TMPDIR", sandbox.tmp()),
            ("PATH", sandbox.bin()),
            ("LANG", PathBuf::from("C.UTF-8")),
        ];
        Self {
            sandbox,
            evidence,
            program: program.to_path_buf(),
            args: Vec::new(),
            env: env.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            cwd: sandbox.cwd(),
            wrapper: Vec::new(),
            umask: 0o022,
            stdin: Feed::Null,
            stdout: Sink::Capture,
            stderr: Sink::Capture,
            timeout,
            adapter: None,
        }
    }

    /// The program is an adapter's.
    #[must_use]
    pub(crate) fn through(mut self, adapter: &'b Adapter) -> Self {
        self.env.insert(adapter::VARIABLE.into(), adapter::VERSION.into());
        self.adapter = Some(adapter);
        self
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Replaces the value of a flag already given, or adds the flag.
    #[must_use]
    pub fn flag(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        match self.args.iter().position(|arg| arg == flag) {
            Some(at) if at + 1 < self.args.len() => {
                value.as_ref().clone_into(&mut self.args[at + 1]);
            }
            _ => self.args.extend([flag.into(), value.as_ref().to_owned()]),
        }
        self
    }

    /// Takes a flag and its value away again.
    #[must_use]
    pub fn without(mut self, flag: &str) -> Self {
        if let Some(at) = self.args.iter().position(|arg| arg == flag) {
            self.args.drain(at..(at + 2).min(self.args.len()));
        }
        self
    }

    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.remove(key.as_ref());
        self
    }

    #[must_use]
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = dir.into();
        self
    }

    /// The file creation mask the subject starts with; 022 unless told otherwise.
    #[must_use]
    pub fn umask(mut self, mask: u32) -> Self {
        self.umask = mask;
        self
    }

    /// Runs `wrapper... plexctl args...`; the run as a whole counts as the subject.
    #[must_use]
    pub fn wrapped_in(mut self, wrapper: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.wrapper = wrapper.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    #[must_use]
    pub fn stdin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Feed::File(path.into());
        self
    }

    #[must_use]
    pub fn stdout(mut self, sink: Sink) -> Self {
        self.stdout = sink;
        self
    }

    #[must_use]
    pub fn stderr(mut self, sink: Sink) -> Self {
        self.stderr = sink;
        self
    }

    /// The deadline after which the subject is killed and counts as hung.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs to the end.
    pub fn go(self) -> Outcome<Ran> {
        self.spawn()?.finish()
    }

    /// Starts it and comes back at once, for rules that look at or disturb the running process.
    pub fn spawn(self) -> Outcome<Running<'b>> {
        if let Some(lacking) = self.adapter.and_then(|adapter| adapter.lacks(&self.args)) {
            return skip(format!("a client that has {lacking}"));
        }
        let mut command = self.command();
        command.process_group(0);
        command.stdin(match &self.stdin {
            Feed::Null => Stdio::null(),
            Feed::File(path) => File::open(path)?.into(),
        });
        command.stdout(self.stdout.open()?).stderr(self.stderr.open()?);
        let before = self.sandbox.snapshot()?;
        let line = self.line();
        if self.evidence.lets_stand() {
            self.write_repro(&line)?;
        }
        let started = Instant::now();
        let child = process::spawn(&mut command).map_err(|error| {
            Reason::Broken(format!("cannot start {}: {error}", self.program.display()))
        })?;
        let deadline = started + self.timeout;
        Ok(Running {
            sandbox: self.sandbox,
            evidence: self.evidence,
            child: Leash::new(child),
            line,
            adapted: self.adapter.is_some(),
            before,
            started,
            deadline,
        })
    }

    /// The process about to be started, still without its streams.
    pub(super) fn command(&self) -> Command {
        let mut words = self.wrapper.clone();
        // sh only where the mask differs from our own: one process less for nearly every run.
        if self.umask != super::own_umask() {
            let script = format!("umask {:03o}; exec \"$@\"", self.umask);
            words.extend(["/bin/sh", "-c", &script, "sh"].map(OsString::from));
        }
        words.push(self.program.clone().into_os_string());
        words.extend(self.adapter.iter().flat_map(|adapter| adapter.args.iter().cloned()));
        words.extend(self.args.iter().cloned());
        let mut words = words.into_iter();
        let first = words.next().unwrap_or_default();
        let mut command = Command::new(first);
        command.args(words).env_clear().envs(&self.env).current_dir(&self.cwd);
        command
    }

    /// The run as a script beside the sandbox: with what a report does not show, so that it really
    /// repeats the run.
    fn write_repro(&self, line: &str) -> Outcome {
        let number = fs::read_dir(self.sandbox.records())?.count();
        let path = self.sandbox.records().join(format!("run-{number}.sh"));
        process::write_executable(&path, &format!("#!/bin/sh\n{line}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        self.evidence.note(format!("to run it again while all stands: sh {}", path.display()));
        Ok(())
    }

    /// The run as a line that can be pasted into a shell.
    pub(super) fn line(&self) -> String {
        let mut words =
            vec![format!("cd {}; umask {:03o}; env -i", quote(self.cwd.as_os_str()), self.umask)];
        words.extend(
            self.env.iter().map(|(key, value)| format!("{}={}", key.display(), quote(value))),
        );
        words.extend(self.wrapper.iter().map(|word| quote(word)));
        words.push(quote(self.program.as_os_str()));
        words.extend(self.adapter.iter().flat_map(|one| one.args.iter().map(|word| quote(word))));
        words.extend(self.args.iter().map(|word| quote(word)));
        words.join(" ")
    }
}

impl Sink {
    fn open(&self) -> Outcome<Stdio> {
        Ok(match self {
            Self::Capture => Stdio::piped(),
            Self::To(path) => File::options().write(true).open(path)?.into(),
            Self::BrokenPipe => {
                let (reader, writer) = std::io::pipe()?;
                drop(reader);
                writer.into()
            }
        })
    }
}

pub(crate) fn quote(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
