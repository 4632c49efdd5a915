//! Starting processes from many threads without handing them each other's open files.
//!
//! A script that is open for writing in one thread at the moment another thread forks cannot be
//! executed until that child has exec'ed (ETXTBSY). Writers of executables therefore hold the
//! lock that every spawn holds shared.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

static SPAWNING: RwLock<()> = RwLock::new(());

pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _shared = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
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
    let (done, ended) = mpsc::channel();
    let out = child.stdout.take().map(|pipe| drain(pipe, true, done.clone()));
    let err = child.stderr.take().map(|pipe| drain(pipe, false, done.clone()));
    drop(done);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut open = usize::from(out.is_some()) + usize::from(err.is_some());
    while open > 0 {
        match ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((true, bytes)) => stdout = bytes,
            Ok((false, bytes)) => stderr = bytes,
            Err(_) => break,
        }
        open -= 1;
    }
    let mut status = exit_before(&mut child, deadline)?;
    if status.is_none() {
        kill_group(&child);
        child.kill()?;
        child.wait()?;
    } else if open > 0 {
        // The subject ended, but something it started still holds its streams.
        kill_group(&child);
        status = child.try_wait()?;
    }
    while open > 0 {
        match ended.recv_timeout(Duration::from_secs(2)) {
            Ok((true, bytes)) => stdout = bytes,
            Ok((false, bytes)) => stderr = bytes,
            Err(_) => break,
        }
        open -= 1;
    }
    Ok(Ended { status, stdout, stderr })
}

/// Polls for the exit with a growing pause; the streams are closed by now, so it is near.
pub(crate) fn exit_before(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

fn drain(
    mut pipe: impl Read + Send + 'static,
    is_stdout: bool,
    done: mpsc::Sender<(bool, Vec<u8>)>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A read error ends the stream as its end would; what came before it still counts.
        let _ = pipe.read_to_end(&mut bytes);
        let _ = done.send((is_stdout, bytes));
    })
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
