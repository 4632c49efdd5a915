//! What SIGINT, SIGTERM and SIGHUP do to a run: nothing more begins, what runs is ended, and what
//! was seen so far is reported. The second signal ends everything at once.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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
            // Before anybody acts upon it, and ends a child whose own children go on.
            adopt_orphans();
            let first = HEARD.swap(signal, Ordering::SeqCst) == 0;
            if !first || OVER.load(Ordering::SeqCst) {
                die(signal);
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

/// Dies of the signal, so that whoever started us sees what happened; the children first.
pub fn die(signal: i32) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while end_children() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    let _ = emulate_default_handler(signal);
}

/// What a child starts while we look for it comes to us when the child is gone.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
}

/// Kills what we started, what that started, and so on: groups and sessions are left on the way.
/// Says whether anything still lived.
fn end_children() -> bool {
    let Ok(table) = fs::read_dir("/proc") else { return false };
    let ids = table.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok());
    let parents: Vec<(Pid, Pid)> =
        ids.filter_map(Pid::from_raw).filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut ended = vec![getpid()];
    let mut next = 0;
    while let Some(parent) = ended.get(next).copied() {
        ended.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    for child in &ended[1..] {
        let _ = kill_process_group(*child, Signal::KILL);
        let _ = kill_process(*child, Signal::KILL);
    }
    ended.len() > 1
}

/// The dead that nobody has asked after yet have none.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, behind) = stat.rsplit_once(") ")?;
    let (state, rest) = behind.split_once(' ')?;
    if state == "Z" {
        return None;
    }
    Pid::from_raw(rest.split(' ').next()?.parse().ok()?)
}
