//! The line that lives while a run goes on, on a terminal: how far it is, and what failed so far.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::runner::Judged;
use crate::verdict::Verdict;

/// Not more often than an eye can follow; a terminal is slow.
const EVERY: Duration = Duration::from_millis(80);
const WIDTH: usize = 79;

/// Where the line goes; nothing is written where there is no terminal.
pub struct Progress<'w> {
    terminal: Option<&'w mut dyn Write>,
    all: usize,
    done: usize,
    failed: usize,
    last: Option<Instant>,
}

impl<'w> Progress<'w> {
    pub fn new(terminal: Option<&'w mut dyn Write>, all: usize) -> Self {
        Self { terminal, all, done: 0, failed: 0, last: None }
    }

    pub fn step(&mut self, judged: &Judged) {
        let failed = matches!(judged.verdict, Verdict::Fail { .. } | Verdict::Broken { .. });
        self.came(&judged.id, failed.then(|| judged.verdict.word()));
    }

    /// One more is done; `failed` is the word for what went wrong with it.
    pub fn came(&mut self, id: &str, failed: Option<&str>) {
        self.done += 1;
        self.failed += usize::from(failed.is_some());
        let Some(terminal) = &mut self.terminal else { return };
        if let Some(word) = failed {
            // What fails is told at once and stays; the report has the details.
            let _ = writeln!(terminal, "\r\x1b[K{word:<7} {id}");
        } else if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let failed =
            if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        let line = format!("{} of {}{failed}  {id}", self.done, self.all);
        let line: String = line.chars().take(WIDTH).collect();
        let _ = write!(terminal, "\r\x1b[K{line}");
        let _ = terminal.flush();
    }

    /// Takes the line away again.
    pub fn end(mut self) {
        if self.last.is_some()
            && let Some(terminal) = &mut self.terminal
        {
            let _ = write!(terminal, "\r\x1b[K");
            let _ = terminal.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Failure;

    #[test]
    fn failures_stay_and_the_line_goes() {
        let mut written = Vec::new();
        let mut progress = Progress::new(Some(&mut written), 2);
        let judged = |id: &str, verdict| Judged {
            id: id.into(),
            verdict,
            took: Duration::ZERO,
            evidence: Vec::new(),
        };
        progress.step(&judged("a.passes", Verdict::Pass));
        progress.step(&judged("b.fails", Verdict::Fail { failure: Failure::new("x", 1, 2) }));
        progress.end();
        let text = String::from_utf8(written).unwrap();
        assert!(text.contains("\r\x1b[K1 of 2  a.passes"), "{text:?}");
        assert!(text.contains("\r\x1b[Kfail    b.fails\n\r\x1b[K2 of 2, 1 failed  b.fails"));
        assert!(text.ends_with("\r\x1b[K"), "{text:?}");
    }
}
