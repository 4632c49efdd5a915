//! Reading both output streams of a child at once, on the thread that waits for it anyway.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What has been read of stdout and stderr, and the pipes that are still open.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

#[derive(Default)]
pub(super) struct Stream {
    pipe: Option<File>,
    pub(super) bytes: Vec<u8>,
}

impl Streams {
    /// Takes the pipes of the child; a stream that is not captured counts as closed.
    pub(super) fn of(child: &mut Child) -> io::Result<Self> {
        Ok(Self {
            stdout: Stream::new(child.stdout.take().map(OwnedFd::from))?,
            stderr: Stream::new(child.stderr.take().map(OwnedFd::from))?,
        })
    }

    pub(super) fn are_open(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }

    /// Reads until both have ended or the moment has come.
    pub(super) fn read_until(&mut self, deadline: Instant) -> io::Result<()> {
        while self.are_open() {
            let left = deadline.saturating_duration_since(Instant::now());
            let (out, err) = (self.stdout.pipe.as_ref(), self.stderr.pipe.as_ref());
            let mut ready: Vec<PollFd<'_>> =
                out.into_iter().chain(err).map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
            let timeout = Timespec::try_from(left).map_err(|_| ErrorKind::InvalidInput)?;
            match poll(&mut ready, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            self.stdout.read_what_is_there();
            self.stderr.read_what_is_there();
            // After a last look: a child that never stops talking must not keep us either.
            if left.is_zero() {
                break;
            }
        }
        Ok(())
    }
}

impl Stream {
    fn new(pipe: Option<OwnedFd>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe: pipe.map(File::from), bytes: Vec::new() })
    }

    fn read_what_is_there(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut chunk = [0_u8; 16 * 1024];
        match pipe.read(&mut chunk) {
            Ok(read) if read > 0 => self.bytes.extend_from_slice(&chunk[..read]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // A read error ends the stream as its end does; what came before it still counts.
            Ok(_) | Err(_) => self.pipe = None,
        }
    }
}
