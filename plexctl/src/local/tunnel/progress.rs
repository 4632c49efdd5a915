//! One line about a running tunnel, kept up to date on a terminal and nowhere else.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::room::Tally;
use crate::env;
use crate::output::{Format, Output};
use crate::untrusted::shown;

const BEAT: Duration = Duration::from_secs(1);
/// How long to sleep when there is nothing to show.
const SLEEP: Duration = Duration::from_secs(3600);

pub(super) struct Progress {
    /// `None` where nobody looks.
    way: Option<String>,
    expires: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new(local: SocketAddr, target: &str, expires: Instant, output: &Output) -> Self {
        let watched = output.format() == Format::Text
            && std::io::stderr().is_terminal()
            && env::text(env::TERM).is_some_and(|term| term != "dumb");
        let way = watched.then(|| format!("{local} -> {}", shown(target)));
        Self { way, expires, drawn: None }
    }

    /// How long until the line is due again.
    pub(super) fn beat(&self) -> Duration {
        if self.way.is_some() { BEAT } else { SLEEP }
    }

    pub(super) fn show(&mut self, tally: &Tally, output: &Output) {
        let Some(way) = &self.way else { return };
        if self.drawn.is_some_and(|at| at.elapsed() < BEAT / 2) {
            return;
        }
        let left = self.expires.saturating_duration_since(Instant::now());
        self.drawn = Some(Instant::now());
        output.progress(&cut(line(way, tally, left), columns()));
    }

    /// Takes the line away, for what has to be said or for good.
    pub(super) fn clear(&mut self, output: &Output) {
        if self.drawn.take().is_some() {
            output.progress("");
        }
    }
}

fn line(way: &str, tally: &Tally, left: Duration) -> String {
    let (up, down) = (size(tally.up), size(tally.down));
    let mut line = format!("{way}  {up} up, {down} down  {} open", tally.open);
    if tally.waiting > 0 {
        line.push_str(&format!(", {} waiting", tally.waiting));
    }
    line.push_str(&format!(", {} done  expires in {}", tally.served, clock(left)));
    line
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut amount, mut unit) = (bytes, 0);
    while amount >= 1024 * 1024 && unit + 1 < UNITS.len() {
        amount /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", amount / 1024, amount % 1024 * 10 / 1024, UNITS[unit])
}

fn clock(left: Duration) -> String {
    // Rounded up: a line that says 0:00 while bytes still flow would be wrong.
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// A line as wide as the window would wrap, and could not be taken away again.
fn cut(line: String, columns: usize) -> String {
    if line.chars().count() < columns {
        return line;
    }
    line.chars().take(columns.saturating_sub(1)).collect()
}

#[cfg(unix)]
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map_or(80, |size| if size.ws_col == 0 { 80 } else { usize::from(size.ws_col) })
}

#[cfg(not(unix))]
fn columns() -> usize {
    80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_it_all() {
        let tally = Tally { open: 1, waiting: 2, served: 3, up: 1023, down: 1_572_864 };
        assert_eq!(
            line("127.0.0.1:1 -> db:5432", &tally, Duration::from_millis(61_001)),
            "127.0.0.1:1 -> db:5432  1023 B up, 1.5 MiB down  1 open, 2 waiting, 3 done  \
             expires in 1:02"
        );
    }

    #[test]
    fn sizes_and_clocks() {
        for (bytes, text) in [
            (0, "0 B"),
            (1024, "1.0 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(clock(Duration::from_secs(3_661)), "1:01:01");
        assert_eq!(clock(Duration::ZERO), "0:00");
    }

    #[test]
    fn a_line_is_shorter_than_the_window() {
        assert_eq!(cut("abcdef".into(), 6), "abcde");
        assert_eq!(cut("abcde".into(), 6), "abcde");
    }
}
