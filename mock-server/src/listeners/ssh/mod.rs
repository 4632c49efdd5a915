//! The ssh listener: one session, one loopback port, stock clients.
//!
//! Limits are the node's: three tries, four connections, ten channels, thirty
//! seconds to log in, commands of at most 1024 bytes.

mod channel;
mod connection;
mod handler;
mod host_key;
mod inlet;
mod line;
mod shell;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Activity, EndReason, Ended, Event, Redeemer, end_of};

pub use host_key::HostKey;
pub use shell::{Answer, Backend, Request, Task};

/// What the server calls itself.
const BANNER: &str = "SSH-2.0-plexmock";
const MAX_CONNECTIONS: usize = 4;
/// How long an ended session's connections get to say goodbye.
const GOODBYE: Duration = Duration::from_millis(600);
/// Waiting after an accept that failed, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one session's listener is given.
#[derive(Clone)]
pub struct Door {
    /// The one user who may log in.
    pub user: String,
    pub redeemer: Arc<dyn Redeemer>,
    pub activity: Arc<dyn Activity>,
    /// What answers: the simulated machine, or another backend.
    pub backend: Arc<dyn Backend>,
    pub ended: Ended,
}

/// A port that is taken and not yet served.
pub struct Bound {
    listener: TcpListener,
    key: HostKey,
    port: u16,
}

/// Takes an ephemeral loopback port.
///
/// # Errors
/// When there is none.
pub async fn bind(key: &HostKey) -> io::Result<Bound> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok(Bound { listener, key: key.clone(), port })
}

/// Counters and switches the connections of one listener share.
struct Ledger {
    started: AtomicBool,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Bound {
    /// A listener somebody else has bound.
    ///
    /// # Errors
    /// When it has no port.
    pub fn over(listener: TcpListener, key: &HostKey) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        Ok(Self { listener, key: key.clone(), port })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// What an ssh client can dial as it is, with the host key's pin in it:
    /// `ssh://<user>;fingerprint=SHA256:...@127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self, user: &str) -> String {
        let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
        let user = user.to_string().replace("%2E", ".").replace("%2D", "-").replace("%5F", "_");
        let fingerprint = self.key.fingerprint();
        format!("ssh://{user};fingerprint={fingerprint}@127.0.0.1:{}", self.port)
    }

    /// Serves until the session ends. When this returns, every connection is
    /// closed and nothing of the session runs any more. Dropping the future
    /// has the same effect, at once and without a goodbye.
    pub async fn serve(self, door: Door) -> EndReason {
        let door = Arc::new(door);
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let ledger = Arc::new(Ledger {
            started: AtomicBool::new(false),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        });
        let mut connections = JoinSet::new();
        let mut next = 0_u64;
        let mut ended = door.ended.clone();
        let reason = loop {
            tokio::select! {
                biased;
                reason = end_of(&mut ended) => break reason,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    };
                    next += 1;
                    // A fifth connection is closed before a byte is spent on it.
                    let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                        door.activity.report(Event::too_many(next));
                        continue;
                    };
                    let (number, config) = (next, self.key.config());
                    let (door, ledger) = (Arc::clone(&door), Arc::clone(&ledger));
                    connections.spawn(async move {
                        connection::serve(number, config, stream, door, ledger).await;
                        drop(slot);
                    });
                }
            }
        };
        drop(self.listener);
        // Each connection has seen the same end and is saying goodbye.
        let all_gone = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOODBYE, all_gone).await;
        connections.shutdown().await;
        door.activity.report(Event::SessionEnded {
            reason,
            bytes_in: ledger.bytes_in.load(Ordering::Relaxed),
            bytes_out: ledger.bytes_out.load(Ordering::Relaxed),
        });
        reason
    }
}
