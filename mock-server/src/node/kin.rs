//! Who descends from a shell of this machine, and the end of all of them.
//!
//! A job of a terminal has a group of its own, `setsid` makes a session, and an orphan gets another
//! parent. So a process belongs to a shell by any of these: it is in the shell's session or group,
//! it carries the shell's mark in its environment, or its parent belongs to it.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// The mark in the environment of all that a shell starts.
pub(super) const MARK: &str = "PLEXMOCK_SHELL";

/// Ends all that was started in a shell when the client or the session goes.
pub(super) struct Kin {
    leader: Option<Pid>,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "it is looked for in /proc"))]
    mark: String,
}

/// A mark that no other shell of this machine has.
pub(super) fn mark() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Kin {
    /// The shell leads a group of its own, and has the mark in its environment.
    pub(super) fn of(shell: &Child, mark: String) -> Self {
        let leader = shell.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { leader, mark }
    }
}

impl Drop for Kin {
    fn drop(&mut self) {
        let Some(leader) = self.leader else { return };
        // It may have ended long since.
        let _ = kill_process_group(leader, Signal::HUP);
        #[cfg(target_os = "linux")]
        proc::end_all(leader, &self.mark);
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

#[cfg(target_os = "linux")]
mod proc {
    use std::collections::HashSet;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

    /// Whoever has not gone by then sleeps where no signal reaches, and goes when it wakes.
    const LONGEST: Duration = Duration::from_millis(500);
    const PAUSE: Duration = Duration::from_millis(1);

    struct Process {
        pid: i32,
        parent: i32,
        group: i32,
        session: i32,
        /// Tells it from a later one of the same number.
        began: u64,
    }

    /// Again and again, because one that is about to end may start another.
    pub(super) fn end_all(leader: Pid, mark: &str) {
        let mark = format!("{}={mark}", super::MARK);
        let deadline = Instant::now() + LONGEST;
        loop {
            let kin = kin_of(leader.as_raw_nonzero().get(), mark.as_bytes());
            if kin.is_empty() || Instant::now() >= deadline {
                return;
            }
            kin.iter().for_each(end);
            std::thread::sleep(PAUSE);
        }
    }

    fn kin_of(leader: i32, mark: &[u8]) -> Vec<Process> {
        let all: Vec<Process> = running().collect();
        let own = |one: &&Process| {
            one.session == leader || one.group == leader || is_marked(one.pid, mark)
        };
        let mut kin: HashSet<i32> = all.iter().filter(own).map(|one| one.pid).collect();
        loop {
            let before = kin.len();
            kin.extend(
                all.iter()
                    .filter(|one| kin.contains(&one.parent))
                    .map(|one| one.pid)
                    .collect::<Vec<_>>(),
            );
            if kin.len() == before {
                return all.into_iter().filter(|one| kin.contains(&one.pid)).collect();
            }
        }
    }

    /// All processes but those that have ended and wait to be asked after.
    fn running() -> impl Iterator<Item = Process> {
        let listed = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        listed.filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?))
    }

    fn read(pid: i32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may hold anything.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        if matches!(fields.first(), Some(&("Z" | "X"))) {
            return None;
        }
        let began = fields.get(19)?.parse().ok()?;
        Some(Process { pid, parent: number(1)?, group: number(2)?, session: number(3)?, began })
    }

    fn is_marked(pid: i32, mark: &[u8]) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark)
    }

    fn end(one: &Process) {
        let Some(pid) = Pid::from_raw(one.pid) else { return };
        let held = pidfd_open(pid, PidfdFlags::empty());
        // Held, the number cannot become another's; before, it may have.
        if read(one.pid).is_none_or(|now| now.began != one.began) {
            return;
        }
        // It may end by itself meanwhile.
        let _ = match held {
            Ok(held) => pidfd_send_signal(held, Signal::KILL),
            Err(_) => kill_process(pid, Signal::KILL),
        };
    }
}
