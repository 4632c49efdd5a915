//! The accept loop and its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::rustls::ServerConfig;

use super::connection::{self, Peer, Phase};

/// Connections served at one time. More wait in the backlog of the operating system.
const MAX_CONNECTIONS: usize = 4_096;

/// How long an answer that is under way may still take once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// The pause after an accept that failed for want of a resource, such as file descriptors: trying
/// again at once would fail again and burn the processor meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the server presents over TLS, or `None` when there is nothing to present. Asked at each
/// handshake, so that a server nobody greets over TLS need not have made a certificate.
pub type Tls = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// Serves http and https on `listener` until `shutdown` completes, then stops accepting, lets the
/// answers under way finish within a bound, and returns.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Tls,
    handler: H,
    shutdown: impl Future<Output = ()>,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let handler = Arc::new(handler);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (phase, phases) = watch::channel(Phase::Serving);
    // Every connection holds a sender: when the last is dropped, all have ended.
    let (alive, mut all_ended) = mpsc::channel::<()>(1);

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, address, permit)) = accepted else { continue };
        let (tls, handler, phases, alive) =
            (Arc::clone(&tls), Arc::clone(&handler), phases.clone(), alive.clone());
        tokio::spawn(async move {
            connection::run(stream, address, tls, handler, phases).await;
            drop((permit, alive));
        });
    }

    drop(listener);
    drop(alive);
    let _ = phase.send(Phase::Draining);
    if tokio::time::timeout(DRAIN, all_ended.recv()).await.is_err() {
        let _ = phase.send(Phase::Ended);
        all_ended.recv().await;
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, permit)),
        Err(error) => {
            if !is_of_one_connection(&error) {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

/// A client that left before it was accepted says nothing about the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
