//! A pseudo-terminal: a program at it believes that a person sits there.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::evidence::{Evidence, shown};
use super::process;
use super::ran::Exit;
use super::running::exit_of;
use super::subject::Run;
use crate::verdict::{Outcome, Reason, broken, fail};

/// Something that outlives the program may hold the far end open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program at a terminal of its own, and what its screen has shown.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    /// What was expected so far ends here.
    looked: Cell<usize>,
    evidence: Evidence,
    line: String,
    deadline: Instant,
}

#[derive(Default)]
struct Screen {
    shown: Mutex<Shown>,
    changed: Condvar,
}

#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    closed: bool,
}

impl Screen {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Starts it at a terminal of that many columns and rows, as the leader of its session.
    pub fn at_terminal(mut self, columns: u16, rows: u16) -> Outcome<Terminal> {
        let Some(setsid) = crate::runner::find_program("setsid") else {
            return broken("setsid is not on PATH, and gives a program its terminal");
        };
        self.wrapper.splice(0..0, [setsid.into_os_string(), "-c".into()]);
        let (keyboard, slave) = pair(columns, rows).map_err(std::io::Error::from)?;
        let mut command = self.command();
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave)
            .env("TERM", "xterm");
        let line = self.line();
        let child = process::spawn(&mut command)
            .map_err(|error| Reason::Broken(format!("cannot start {line}: {error}")))?;
        // The last copies of the far end go with it, so that the screen closes when the child does.
        drop(command);
        let screen = Arc::new(Screen::default());
        let (mut reader, told) = (keyboard.try_clone()?, Arc::clone(&screen));
        thread::spawn(move || {
            let mut chunk = [0_u8; 4096];
            // A terminal whose far end is gone answers with an error: that is its end.
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                told.lock().bytes.extend_from_slice(&chunk[..read]);
                told.changed.notify_all();
            }
            told.lock().closed = true;
            told.changed.notify_all();
        });
        Ok(Terminal {
            child,
            keyboard,
            screen,
            looked: Cell::new(0),
            evidence: self.evidence,
            line,
            deadline: Instant::now() + self.timeout,
        })
    }
}

fn pair(columns: u16, rows: u16) -> rustix::io::Result<(File, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    tcsetwinsize(&master, size(columns, rows))?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave =
        rustix::fs::open(std::ffi::OsStr::from_bytes(name.to_bytes()), flags, Mode::empty())?;
    Ok((master.into(), slave))
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn type_in(&mut self, keys: &str) -> Outcome {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// The person drags the corner of the window.
    pub fn resize(&self, columns: u16, rows: u16) -> Outcome {
        Ok(tcsetwinsize(&self.keyboard, size(columns, rows)).map_err(std::io::Error::from)?)
    }

    /// Waits for the text to appear behind what was expected before.
    pub fn expect(&self, text: &str) -> Outcome {
        let mut shown_now = self.screen.lock();
        loop {
            let from = self.looked.get();
            let fresh = &shown_now.bytes[from..];
            let needle = text.as_bytes();
            if let Some(at) = memmem::find(fresh, needle) {
                self.looked.set(from + at + needle.len());
                return Ok(());
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if shown_now.closed || left.is_zero() {
                let tail = shown(fresh);
                self.evidence.note(format!("at a terminal: {}\n  shown: {tail}", self.line));
                let end = if shown_now.closed { " (and it ended)" } else { "" };
                return fail("the terminal", format!("{text:?}"), format!("{tail:?}{end}"));
            }
            let waited = self.screen.changed.wait_timeout(shown_now, left);
            shown_now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Everything the screen has shown.
    pub fn screen(&self) -> Vec<u8> {
        self.screen.lock().bytes.clone()
    }

    /// Waits for the end of the program, which must come within that time.
    pub fn end_within(mut self, limit: Duration) -> Outcome<(Exit, Vec<u8>)> {
        let status = process::exit_before(&mut self.child, Instant::now() + limit)?;
        if status.is_some() {
            self.all_shown();
        }
        let screen = self.screen();
        self.evidence.note(format!(
            "at a terminal: {}\n  ended: {}\n  shown: {}",
            self.line,
            exit_of(status),
            shown(&screen)
        ));
        Ok((exit_of(status), screen))
    }

    /// The last words may still be on their way to the screen when their speaker has gone.
    fn all_shown(&self) {
        let deadline = Instant::now() + LAST_WORDS;
        let mut shown_now = self.screen.lock();
        while !shown_now.closed && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited = self.screen.changed.wait_timeout(shown_now, left);
            shown_now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn finish(self) -> Outcome<(Exit, Vec<u8>)> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.end_within(left)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            process::kill_group(&self.child);
            let _ = self.child.wait();
        }
    }
}
