//! Watches and followed logs: what they tell, and that they end when they must.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::bench::{Bench, MASTER, VIEWER};
use super::kubectls::kubectls;
use super::squeeze;

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that goes on, and its lines as they come.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn start(bench: &Bench, kubectl: &std::path::Path, args: &[&str]) -> Self {
        let mut command = bench.command(kubectl, VIEWER, args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(squeeze(&line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn expect(&self, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        let mut seen = false;
        while !seen {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            assert!(line.is_ok(), "never saw {wanted:?}");
            seen = line.is_ok_and(|line| line.contains(wanted));
        }
    }

    /// How long it takes for the output to end.
    fn end(mut self) -> Duration {
        let begun = Instant::now();
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let took = begun.elapsed();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        took
    }
}

#[test]
fn a_watch_tells_what_changes_and_ends_with_the_welcome() {
    for kubectl in kubectls() {
        let bench = Bench::start("shop.yaml");
        let watch = Going::start(&bench, &kubectl, &["get", "pods", "-A", "-w"]);
        watch.expect("bank ledger-0 2/2 Running");
        let do_it = |line: &str| {
            let args: Vec<&str> = line.split(' ').collect();
            let ran = bench.kubectl(&kubectl, MASTER, &args);
            assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        };
        do_it("run box --image=busybox");
        watch.expect("default box 0/1 Pending");
        watch.expect("default box 1/1 Running");
        do_it("delete pod box");
        watch.expect("default box 1/1 Terminating");
        let log = Going::start(
            &bench,
            &kubectl,
            &["logs", "-f", "-n", "bank", "ledger-0", "-c", "ledger"],
        );
        log.expect("checkpoint complete");
        bench.revoke();
        let took = watch.end().max(log.end());
        assert!(took < Duration::from_secs(1), "{}: took {took:?}", kubectl.display());
    }
}
