//! A program at a terminal: it believes that a person sits there.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Terminal {
    pub(crate) child: Child,
    master: File,
    /// Kept open, so that the state of the terminal can be read when the program has ended.
    line: OwnedFd,
    screen: Arc<(Mutex<Vec<u8>>, Condvar)>,
    looked: usize,
}

impl Terminal {
    /// Starts a program as the leader of a terminal of its own.
    pub(crate) fn start(program: &str, args: &[String], environment: &[(String, String)]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let line = rustix::fs::open(name.as_c_str(), open, Mode::empty()).unwrap();
        let far = || line.try_clone().unwrap();
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(program)
            .args(args)
            .env_clear()
            .envs(environment.iter().cloned())
            .env("TERM", "xterm")
            .stdin(far())
            .stdout(far())
            .stderr(far())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let screen: Arc<(Mutex<Vec<u8>>, Condvar)> = Arc::default();
        let (mut reader, told) = (master.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                told.0.lock().unwrap().extend_from_slice(&chunk[..read]);
                told.1.notify_all();
            }
        });
        let mut terminal = Self { child, master, line, screen, looked: 0 };
        terminal.resize(80, 24);
        terminal
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    /// Waits until the screen shows this, behind what was waited for before.
    pub(crate) fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = self.screen.0.lock().unwrap();
        loop {
            let at = bytes[self.looked..].windows(text.len()).position(|w| w == text.as_bytes());
            if let Some(at) = at {
                self.looked += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {text:?} in {:?}", String::from_utf8_lossy(&bytes));
            bytes = self.screen.1.wait_timeout(bytes, left).unwrap().0;
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn mode(&self) -> Termios {
        tcgetattr(&self.line).unwrap()
    }

    /// Everything shown so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.0.lock().unwrap()).into_owned()
    }

    pub(crate) fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on and on: {}", self.text());
            std::thread::yield_now();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
