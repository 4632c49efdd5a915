//! The simulated cluster, judged by stock kubectls and by requests no kubectl would send.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod kubectls;
mod reads;
mod requests;
mod watches;
mod writes;

use std::path::Path;

use bench::{Bench, MASTER, Ran, VIEWER};

/// One command line and what must come of it.
struct Case {
    who: &'static str,
    line: &'static str,
    code: i32,
    stdout: &'static [&'static str],
    stderr: &'static str,
}

/// A command of the viewer's that succeeds and prints these.
const fn shows(line: &'static str, stdout: &'static [&'static str]) -> Case {
    Case { who: VIEWER, line, code: 0, stdout, stderr: "" }
}

/// A command of the viewer's that fails and says this.
const fn refused(line: &'static str, stderr: &'static str) -> Case {
    Case { who: VIEWER, line, code: 1, stdout: &[], stderr }
}

impl Case {
    const fn by_master(mut self) -> Self {
        self.who = MASTER;
        self
    }

    fn judge(&self, kubectl: &Path, ran: &Ran) {
        let Ran { code, stdout, stderr } = ran;
        let told = format!(
            "{} {}\ncode {code:?}\nstdout: {stdout}\nstderr: {stderr}",
            kubectl.display(),
            self.line
        );
        assert_eq!(*code, Some(self.code), "{told}");
        for expected in self.stdout {
            // Columns are as wide as their widest cell, which is none of this test's business.
            let squeezed: Vec<String> = stdout.lines().map(squeeze).collect();
            assert!(squeezed.join("\n").contains(expected), "missing {expected:?}: {told}");
        }
        assert!(stderr.contains(self.stderr), "missing {:?}: {told}", self.stderr);
    }

    fn run(&self, bench: &Bench, kubectl: &Path) {
        let args: Vec<&str> = self.line.split(' ').collect();
        self.judge(kubectl, &bench.kubectl(kubectl, self.who, &args));
    }
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
