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
    // In one piece: it is put together anew for every read.
    let mut status = [0; 4096];
    let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status));
    let status = String::from_utf8_lossy(&status[..read.unwrap_or(0)]);
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
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
