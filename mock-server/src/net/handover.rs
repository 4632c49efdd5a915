//! A connection that leaves http: after a 101 it belongs to whoever answered so.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::connection::Phase;

/// Any stream of bytes.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Taker = Box<dyn FnOnce(Box<dyn Duplex>, Bytes) -> Task + Send>;

/// Attached to a 101 as an extension, this gets the connection once the answer is out.
#[derive(Clone)]
pub struct Handover(Arc<Mutex<Option<Taker>>>);

impl Handover {
    /// `taker` is given the stream, and what the client has sent beyond its request.
    pub fn to<F>(taker: impl FnOnce(Box<dyn Duplex>, Bytes) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let taker: Taker = Box::new(|stream, early| Box::pin(taker(stream, early)));
        Self(Arc::new(Mutex::new(Some(taker))))
    }

    pub(super) async fn carry_out(
        self,
        stream: Box<dyn Duplex>,
        early: Bytes,
        mut phases: watch::Receiver<Phase>,
    ) {
        let taker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(taker) = taker else { return };
        tokio::select! {
            () = taker(stream, early) => {}
            _ = phases.wait_for(|phase| *phase > Phase::Serving) => {}
        }
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover")
    }
}
