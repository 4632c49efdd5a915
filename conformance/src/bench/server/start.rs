//! How a server comes to be for one rule, and how it ends.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{Server, ServerOptions};
use crate::bench::call::{Call, Endpoint};
use crate::bench::canary::Canary;
use crate::bench::evidence::Evidence;
use crate::bench::guest::Guest;
use crate::bench::{process, room, workers};
use crate::target::{ServerTarget, Target};
use crate::verdict::{Outcome, Reason, broken, fail, skip};

/// How long a server may take to print its ready line, and to end after it was asked to.
pub(super) const READY_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(3);

impl Server {
    pub(crate) fn start(
        target: &Arc<Target>,
        options: &ServerOptions,
        evidence: Evidence,
    ) -> Outcome<Self> {
        match &target.server {
            None => skip("a server to judge"),
            Some(ServerTarget::Spawn(program)) => Self::spawn(target, program, options, evidence),
            Some(ServerTarget::Running(_)) if !options.is_default() => {
                skip("a server the harness starts itself")
            }
            Some(ServerTarget::Running(running)) => {
                let mut url = running.url.trim_end_matches('/').to_owned();
                if running.control {
                    url = format!("{url}/ns/{}", uuid::Uuid::now_v7());
                }
                let mut base = Endpoint::parse(&url, running.ca_file.as_deref())?;
                if !running.control {
                    base.guest = Some(Arc::new(Guest::new(
                        &running.token,
                        &running.without,
                        Arc::clone(&target.patience),
                    )));
                }
                evidence.hide(Canary::new("operator credential", &running.token));
                evidence.note(format!("the server: {url}"));
                Ok(Self {
                    target: Arc::clone(target),
                    evidence,
                    base,
                    https: None,
                    ca_file: running.ca_file.clone(),
                    running: Some(running.clone()),
                    child: None,
                    dir: None,
                })
            }
        }
    }

    fn spawn(
        target: &Arc<Target>,
        program: &Path,
        options: &ServerOptions,
        evidence: Evidence,
    ) -> Outcome<Self> {
        let dir = room::directory("control-plane-")?;
        let mut command = Command::new(program);
        command
            .args(["--port", "0", "--output", "json"])
            .args(&options.args)
            .args(["--contract", options.generation.name()])
            .env_clear()
            .env("TMPDIR", dir.path())
            .env("HOME", dir.path())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("stderr"))?);
        if !options.unseeded && !options.args.iter().any(|arg| arg == "--seed") {
            command.arg("--seed").arg(target.settings.seed.to_string());
        }
        let mut child = process::spawn(&mut command).map_err(|error| {
            Reason::Broken(format!("cannot start {}: {error}", program.display()))
        })?;
        let ready = ready_line(&mut child);
        evidence.note(format!("started: {command:?}"));
        let mut server = Self {
            target: Arc::clone(target),
            evidence,
            base: Endpoint::default(),
            https: None,
            ca_file: None,
            running: None,
            child: Some(child),
            dir: Some(dir),
        };
        let line = ready.or_else(|why| {
            let why = format!("{why}; its stderr: {}", server.stderr());
            let _ = server.target.server_gone.set(why.clone());
            broken(format!("the server did not become ready: {why}"))
        })?;
        let ready: Value = serde_json::from_str(&line).or_else(|error| {
            fail("the ready line", "one JSON document", format!("{error}: {line}"))
        })?;
        let Some(http) = ready["http"].as_str() else {
            return fail("the ready line", "a member `http`", line);
        };
        server.evidence.note(format!("  it answers at {http}"));
        server.base = Endpoint::parse(http, None)?;
        server.base.generation = options.generation;
        server.https = ready["https"].as_str().map(str::to_owned);
        server.ca_file = ready["ca_file"].as_str().map(PathBuf::from);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(guest) = self.base.guest.take() {
            for request in guest.debts() {
                Call::settle(&self.base, &request);
            }
        }
        let Some(mut child) = self.child.take() else { return };
        if self.evidence.lets_stand() {
            let dir = self.dir.take();
            self.evidence.outlive(Box::new(Leftover { child, _dir: dir }));
            return;
        }
        match child.try_wait() {
            Ok(None) => {
                if let Some(pid) = process::pid_of(&child) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
                if !matches!(
                    process::exit_before(&mut child, Instant::now() + STOP_LIMIT),
                    Ok(Some(_))
                ) {
                    let _ = child.kill();
                    let _ = child.wait();
                    self.evidence.note("the server did not end on SIGTERM and was killed");
                }
            }
            ended => self.evidence.note(format!(
                "the server ended before the rule did: {ended:?}; its stderr: {}",
                self.stderr()
            )),
        }
    }
}

/// A server that outlived its rule.
struct Leftover {
    child: Child,
    _dir: Option<TempDir>,
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(pid) = process::pid_of(&self.child) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let ended = process::exit_before(&mut self.child, Instant::now() + STOP_LIMIT);
        if !matches!(ended, Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn ready_line(child: &mut Child) -> Result<String, String> {
    let Some(stdout) = child.stdout.take() else { return Err("it has no stdout".into()) };
    let (send, receive) = mpsc::channel();
    let _ = workers::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        let read = lines.read_line(&mut line);
        let _ = send.send(read.map(|_| line));
        // Keeps the pipe drained, so that a talkative server never blocks on it.
        let _ = std::io::copy(&mut lines, &mut std::io::sink());
    });
    match receive.recv_timeout(READY_LIMIT) {
        Ok(Ok(line)) if !line.trim().is_empty() => Ok(line),
        Ok(Ok(_)) => Err("it closed stdout without a ready line".into()),
        Ok(Err(error)) => Err(format!("its stdout: {error}")),
        Err(_) => Err(format!("no ready line within {} s", READY_LIMIT.as_secs())),
    }
}
