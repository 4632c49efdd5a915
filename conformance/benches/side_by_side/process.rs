//! Starting the programs under measurement, and what the kernel says of them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A server process that has printed its ready line; ended when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) authority: String,
    pub(crate) https: Option<String>,
    pub(crate) ca_file: Option<String>,
}

impl Server {
    pub(crate) fn start(program: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}", program.display()));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| ready.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let authority = text("http").unwrap().trim_start_matches("http://").to_owned();
        Self { child, stdout, authority, https: text("https"), ca_file: text("ca_file") }
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The first line is all a server prints; reading on would block until it ends.
        let _unread = self.stdout.buffer();
        // Asked, not killed, so that its temporary directory goes with it.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _status = self.child.wait();
    }
}

/// Wall-clock time of one run of `command`, which must succeed.
pub(crate) fn time(command: &mut Command) -> Duration {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let took = began.elapsed();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

/// Runs `ours` and `theirs` in turn, so that both see the same weather, and returns the medians.
pub(crate) fn in_turn(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    ours();
    theirs();
    for _ in 0..rounds {
        a.push(ours());
        b.push(theirs());
    }
    (median(&mut a), median(&mut b))
}

pub(crate) fn median(samples: &mut [Duration]) -> Duration {
    percentile(samples, 50)
}

pub(crate) fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() - 1) * percent / 100]
}
