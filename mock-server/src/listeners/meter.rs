//! Counting what a connection carries, and telling that it is alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pulse::Pulse;
use super::{Activity, Event};

/// What one connection has carried. The connection's end is told when this is dropped.
pub(super) struct Meter {
    connection: u64,
    activity: Arc<dyn Activity>,
    totals: Arc<Totals>,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    pulse: Pulse,
}

/// What all connections of a listener have carried.
#[derive(Default)]
pub(super) struct Totals {
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub connections: AtomicU64,
}

impl Meter {
    /// A client is in.
    pub(super) fn begin(
        connection: u64,
        activity: &Arc<dyn Activity>,
        totals: &Arc<Totals>,
    ) -> Arc<Self> {
        if totals.connections.fetch_add(1, Ordering::Relaxed) == 0 {
            activity.report(Event::SessionStarted);
        }
        activity.report(Event::ConnectionOpened { connection });
        Arc::new(Self {
            connection,
            activity: Arc::clone(activity),
            totals: Arc::clone(totals),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            pulse: Pulse::default(),
        })
    }

    fn arrived(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell();
    }

    fn left(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        if self.pulse.is_due() {
            self.activity.report(Event::Traffic { connection: self.connection });
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let (bytes_in, bytes_out) = (*self.bytes_in.get_mut(), *self.bytes_out.get_mut());
        self.totals.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        self.totals.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        let connection = self.connection;
        self.activity.report(Event::ConnectionClosed { connection, bytes_in, bytes_out });
    }
}

/// A stream under a meter. Before the client is let in there is none, and nothing counts.
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<std::sync::OnceLock<Arc<Meter>>>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<std::sync::OnceLock<Arc<Meter>>>) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if read > 0
            && let Some(meter) = self.meter.get()
        {
            meter.arrived(read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let (Poll::Ready(Ok(written)), Some(meter)) = (&polled, self.meter.get()) {
            meter.left(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
