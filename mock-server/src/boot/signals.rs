//! What a person or a system sends to end the server.

use std::fs::File;
use std::io::{self, Read as _};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks the server to stop. A terminal that closes does as Ctrl-C does, unless the server was
/// started to outlive it.
#[cfg(unix)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

#[cfg(unix)]
impl Signals {
    pub fn listen() -> io::Result<Self> {
        let hang_up = (!hang_up_is_ignored()).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: hang_up.transpose()?,
        })
    }

    pub async fn next(&mut self) {
        let hung_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// What `nohup` asks for, which taking the signal would undo. Only Linux tells without unsafe code.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    const STATUS: &str = "/proc/self/status";
    // In one piece: it is put together anew for every read. Whoever is in hundreds of groups has a
    // longer one.
    let mut start = [0; 4096];
    let read = File::open(STATUS).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    let ignored = ignored_signals(&String::from_utf8_lossy(&start[..read]))
        .or_else(|| ignored_signals(&std::fs::read_to_string(STATUS).ok()?));
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// The mask of a process's status, where its line is there in full.
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let (_, rest) = status.split_once("\nSigIgn:")?;
    u64::from_str_radix(rest.split_once('\n')?.0.trim(), 16).ok()
}

#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub async fn next(&mut self) {
        // Without the handler the process ends the hard way, which is all that is left then.
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_cut_off_tells_nothing() {
        let whole = "Name:\tmock-server\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000001\n";
        assert_eq!(ignored_signals(whole), Some(1));
        for end in 0..whole.len() {
            assert_eq!(ignored_signals(&whole[..end]), None);
        }
    }
}
