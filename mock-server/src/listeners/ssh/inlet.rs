//! What a client sends to a program, between the connection and the program.
//!
//! The connection may not wait for a slow program in general: while it waits
//! it neither takes output nor sees a window change. It waits for long only when
//! much has piled up and no output of the same connection is on its way, so two
//! directions can never block each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::line::Grip;
use crate::listeners::{Ended, end_of};

/// What may pile up before the client is made to wait.
const HIGH: usize = 1024 * 1024;
/// What may pile up at all: a client that sends more and takes nothing is cut.
const MOST: usize = 64 * 1024 * 1024;
/// How often a waiting connection asks whether its client has torn the line. A
/// client that left quietly behind bytes we have not read cannot be noticed
/// before they are; the program's or the session's end settles that.
const LOOK: Duration = Duration::from_millis(250);
/// How long a connection with output on its way is held up, for each `HIGH`.
const TURN: Duration = Duration::from_millis(2);

/// The state of one connection that decides about waiting.
#[derive(Default)]
pub(super) struct Pressure {
    sending: AtomicUsize,
    changed: Notify,
}

impl Pressure {
    /// Marks output as on its way until the mark is dropped.
    pub(super) fn sending(self: &Arc<Self>) -> Sending {
        self.sending.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        Sending(Arc::clone(self))
    }
}

pub(super) struct Sending(Arc<Pressure>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) struct Inlet {
    chunks: Option<mpsc::UnboundedSender<Vec<u8>>>,
    held: Arc<AtomicUsize>,
    pressure: Arc<Pressure>,
}

impl Inlet {
    /// The inlet and the program's end of it.
    pub(super) fn new(
        pressure: &Arc<Pressure>,
    ) -> (Self, mpsc::Receiver<Vec<u8>>, impl Future<Output = ()> + Send + 'static) {
        let (chunks, mut arrived) = mpsc::unbounded_channel::<Vec<u8>>();
        let (taken, program) = mpsc::channel(8);
        let held = Arc::new(AtomicUsize::new(0));
        let inlet =
            Self { chunks: Some(chunks), held: Arc::clone(&held), pressure: Arc::clone(pressure) };
        let pressure = Arc::clone(pressure);
        let carry = async move {
            while let Some(chunk) = arrived.recv().await {
                let size = chunk.len();
                let gone = taken.send(chunk).await.is_err();
                held.fetch_sub(size, Ordering::SeqCst);
                pressure.changed.notify_waiters();
                if gone {
                    // Nobody reads: what still comes is dropped on arrival.
                    return;
                }
            }
        };
        (inlet, program, carry)
    }

    pub(super) fn close(&mut self) {
        self.chunks = None;
    }

    /// Takes bytes in, and waits when that is called for.
    pub(super) async fn push(&self, data: &[u8], grip: &Grip, ended: &Ended) {
        let Some(chunks) = &self.chunks else { return };
        if data.is_empty() {
            return;
        }
        let held = self.held.fetch_add(data.len(), Ordering::SeqCst) + data.len();
        if chunks.send(data.to_vec()).is_err() {
            self.held.store(0, Ordering::SeqCst);
            return;
        }
        if held > MOST {
            grip.cut();
            return;
        }
        if held > HIGH {
            self.wait(grip, ended).await;
        }
    }

    async fn wait(&self, grip: &Grip, ended: &Ended) {
        let mut ended = ended.clone();
        let begun = Instant::now();
        loop {
            let changed = self.pressure.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let held = self.held.load(Ordering::SeqCst);
            let reader_gone = self.chunks.as_ref().is_none_or(mpsc::UnboundedSender::is_closed);
            if held <= HIGH || reader_gone || grip.is_cut() {
                return;
            }
            // With output on its way the connection must get its turn, but
            // later the more has piled up: each turn takes in one packet and
            // sends out several, so the pile shrinks if the client reads.
            let mut patience = LOOK;
            if self.pressure.sending.load(Ordering::SeqCst) > 0 {
                let share = u32::try_from(held / HIGH).unwrap_or(u32::MAX);
                let turn = TURN.saturating_mul(share);
                if begun.elapsed() >= turn {
                    return;
                }
                patience = turn.saturating_sub(begun.elapsed());
            }
            tokio::select! {
                () = changed => {}
                _ = end_of(&mut ended) => return,
                () = tokio::time::sleep(patience) => {
                    if grip.client_has_gone().await {
                        grip.cut();
                        return;
                    }
                }
            }
        }
    }
}
