//! Starting processes from many threads without handing them each other's open files.
//!
//! A script that is open for writing in one thread at the moment another thread forks cannot be
//! executed until that child has exec'ed (ETXTBSY). Writers of executables therefore hold the
//! lock that every spawn holds shared.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Once, PoisonError, RwLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::patience::Pauses;
use super::streams::Streams;
use crate::interrupt;

/// How long the streams of a dead subject may take to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

static SPAWNING: RwLock<()> = RwLock::new(());

pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    static ONCE: Once = Once::new();
    ONCE.call_once(heed_signals);
    if interrupt::heard().is_some() {
        return Err(io::Error::other(interrupt::WHY));
    }
    let _shared = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// A shell starts what it puts in the background with SIGINT ignored, `nohup` does so with SIGHUP,
/// and every child would ignore them too. What has a handler instead starts anew in a child; ours
/// does nothing, which to us is as before.
fn heed_signals() {
    let ignored = ignored_signals();
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        if ignored & (1 << (signal - 1)) != 0 {
            let _ = signal_hook::flag::register(signal, Arc::default());
        }
    }
}

/// As Linux tells it; elsewhere nobody does without unsafe code.
pub(crate) fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

pub(crate) fn write_executable(path: &Path, text: &str) -> io::Result<()> {
    let _alone = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

/// What a child left behind when it ended, or when it was killed at the deadline.
pub(crate) struct Ended {
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Reads both streams to their end and waits; `status` is `None` when the deadline came first.
pub(crate) fn wait_with_deadline(mut child: Child, deadline: Instant) -> io::Result<Ended> {
    let mut streams = Streams::of(&mut child)?;
    streams.read_until(deadline)?;
    let mut status = exit_before(&mut child, deadline)?;
    if status.is_none() {
        kill_group(&child);
        child.kill()?;
        child.wait()?;
    } else if streams.are_open() {
        // The subject ended, but something it started still holds its streams.
        kill_group(&child);
        status = child.try_wait()?;
    }
    streams.read_until(Instant::now() + LAST_WORDS)?;
    Ok(Ended { status, stdout: streams.stdout.bytes, stderr: streams.stderr.bytes })
}

/// Waits for the exit, until the deadline at the latest.
pub(crate) fn exit_before(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pauses = Pauses::new();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        if !sleep_until_exit(child, left) {
            pauses.rest();
        }
    }
}

/// Lets the kernel wake us at the exit of the child; false where it cannot.
#[cfg(target_os = "linux")]
fn sleep_until_exit(child: &Child, longest: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};

    let Some(Ok(exit)) = pid_of(child).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
        return false;
    };
    let Ok(timeout) = Timespec::try_from(longest) else { return false };
    poll(&mut [PollFd::new(&exit, PollFlags::IN)], Some(&timeout)).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn sleep_until_exit(_: &Child, _: Duration) -> bool {
    false
}

/// Every child leads its own process group, so that its helpers end with it.
pub(crate) fn kill_group(child: &Child) {
    if let Some(pid) = pid_of(child) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

pub(crate) fn pid_of(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}
