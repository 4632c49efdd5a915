//! A running `plexctl tcp-forward --listen`: what it said when it was bound, and its end.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::tcp_client::{echoed, reach};
use super::text_of;
use crate::bench::{Address, Bench, Family, Ran, Run, Running, Sink, until};
use crate::verdict::{Outcome, Reason, expect, fail};

/// An end is noticed with the connection that it drops; without one, by asking now and then.
pub(super) const NOTICED: Duration = Duration::from_secs(10);
const BOUND: Duration = Duration::from_secs(15);

pub(super) struct Tunnel<'b> {
    running: Running<'b>,
    stdout: PathBuf,
    pub(super) said: Value,
}

/// The command line of a tunnel to a port of the examples' host.
pub(super) fn command<'b>(bench: &'b Bench, at: &impl Address, port: &str) -> Outcome<Run<'b>> {
    let run = bench.command(Family::TcpForward, at)?.flag("--port", port);
    Ok(run.flag("--output", "json").arg("--listen"))
}

impl<'b> Tunnel<'b> {
    /// To the echo of the default world.
    pub(super) fn open(bench: &'b Bench, at: &impl Address) -> Outcome<Self> {
        Self::start(bench, command(bench, at, "5432")?)
    }

    pub(super) fn start(bench: &'b Bench, run: Run<'b>) -> Outcome<Self> {
        let stdout = bench.sandbox()?.write("tmp/tunnel", "", 0o600)?;
        let running = run.stdout(Sink::To(stdout.clone())).spawn()?;
        let mut tunnel = Self { running, stdout, said: Value::Null };
        until("the line of a bound tunnel", BOUND, || {
            let said = tunnel.stdout()?;
            let alive = tunnel.running.is_alive()?;
            match said.ends_with('\n') {
                true => Ok(Ok(())),
                false if alive => Ok(Err(format!("{said:?}"))),
                false => fail("plexctl tcp-forward --listen", "a tunnel", "an end without a word"),
            }
        })?;
        let said = tunnel.stdout()?;
        let document = serde_json::from_str(said.trim_end());
        tunnel.said = document.map_err(|error| {
            let seen = format!("{error} in {said:?}");
            Reason::Failure(crate::verdict::Failure::new("stdout", "one JSON document", seen))
        })?;
        Ok(tunnel)
    }

    /// All of it until now.
    pub(super) fn stdout(&self) -> Outcome<String> {
        Ok(std::fs::read_to_string(&self.stdout)?)
    }

    pub(super) fn local_addr(&self) -> &str {
        text_of(&self.said, "local_addr")
    }

    pub(super) fn connect(&self) -> Outcome<TcpStream> {
        let stream = reach(self.local_addr())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(BOUND))?;
        Ok(stream)
    }

    /// A client of its own, answered by an echo.
    pub(super) fn says_back(&self, text: &[u8]) -> Outcome<TcpStream> {
        let mut stream = self.connect()?;
        echoed(&mut stream, text)?;
        Ok(stream)
    }

    pub(super) fn signal(&self, signal: Signal) -> Outcome {
        self.running.signal(signal)
    }

    /// It comes to its end, with success and a line on stderr that holds one of the words.
    pub(super) fn expect_end(mut self, words: &[&str]) -> Outcome<Ran> {
        until("the end of the tunnel", NOTICED, || {
            let alive = self.running.is_alive()?;
            Ok(if alive { Err("it still runs".into()) } else { Ok(()) })
        })?;
        let ran = self.running.finish()?;
        ran.expect_exit(0)?;
        let said = ran.stderr_text();
        let told = said.lines().filter(|line| words.iter().any(|word| line.contains(word))).count();
        expect(told == 1, "stderr", format!("one line with one of {words:?}"), said)?;
        Ok(ran)
    }
}
