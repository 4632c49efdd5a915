//! What SIGINT, SIGTERM and SIGHUP do to a run: nothing more begins, what runs is ended, and what
//! was seen so far is reported. The second signal ends everything at once.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::bench::process::ignored_signals;

/// Why a rule was not judged to its end.
pub(crate) const WHY: &str = "the run was interrupted";

static HEARD: AtomicI32 = AtomicI32::new(0);
/// Nothing is left to be reported.
static OVER: AtomicBool = AtomicBool::new(false);

/// From now on signals are heard. What is ignored by the wish of whoever started us stays so.
pub(crate) fn heed() -> io::Result<()> {
    let ignored = ignored_signals();
    let heeded =
        [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|one| ignored & (1 << (one - 1)) == 0);
    let mut signals = Signals::new(heeded)?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let first = HEARD.swap(signal, Ordering::SeqCst) == 0;
            if !first || OVER.load(Ordering::SeqCst) {
                end_children();
                let _ = emulate_default_handler(signal);
            }
            // A rule that goes on for a moment may have been starting something just now.
            thread::spawn(|| {
                loop {
                    end_children();
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    Ok(())
}

/// The signal that interrupted the run.
pub fn heard() -> Option<i32> {
    Some(HEARD.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// All has been reported: from now on the first signal is the last.
pub(crate) fn is_over() {
    OVER.store(true, Ordering::SeqCst);
}

/// Dies of the signal, so that whoever started us sees what happened.
pub fn die(signal: i32) {
    let _ = emulate_default_handler(signal);
}

/// Kills what we started and what that started: children lead process groups of their own.
fn end_children() {
    let us = getpid();
    let Ok(table) = fs::read_dir("/proc") else { return };
    let ids = table.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok());
    for child in ids.filter_map(Pid::from_raw).filter(|pid| parent_of(*pid) == Some(us)) {
        let _ = kill_process_group(child, Signal::KILL);
        let _ = kill_process(child, Signal::KILL);
    }
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, behind) = stat.rsplit_once(") ")?;
    Pid::from_raw(behind.split(' ').nth(1)?.parse().ok()?)
}
