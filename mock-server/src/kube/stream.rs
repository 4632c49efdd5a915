//! Bodies that go on: watches and followed logs. A stream ends when its client leaves, when
//! its time is up, or when whoever let the caller in says that it is over.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Completes when the caller's welcome ends, for example because the session was revoked.
pub type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many pieces may wait for a slow client before the writer waits too.
const WAITING: usize = 64;

struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The end that writes.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Bytes>);

impl Writer {
    /// False when nobody is listening any more.
    pub(crate) async fn write(&self, bytes: impl Into<Bytes>) -> bool {
        self.0.send(bytes.into()).await.is_ok()
    }
}

/// A body that `produce` writes, for as long as `ended` and `limit` let it.
pub(crate) fn body<F>(ended: Ended, limit: Duration, produce: impl FnOnce(Writer) -> F) -> Body
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let producing = produce(Writer(sender.clone()));
    tokio::spawn(async move {
        tokio::select! {
            () = producing => {}
            () = ended => {}
            () = sender.closed() => {}
            () = tokio::time::sleep(limit) => {}
        }
    });
    Body::new(Pieces(receiver))
}
