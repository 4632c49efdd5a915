//! One connection, from its first byte, which tells TLS from http, to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handover::Handover;
use super::script::{self, Script};
use super::serve::Tls;
use super::wording::Worded;

/// A client that connects owes its first byte, its handshake and each request's headers within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first byte of every TLS handshake record, and of no http request.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who is at the other end, and how.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: SocketAddr,
    pub tls: bool,
}

/// What the connections are asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Finish the answer under way and close.
    Draining,
    /// Close now.
    Ended,
}

/// The stream below http: TCP itself, or TLS over it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

pub(super) async fn run<H, F>(
    stream: TcpStream,
    address: SocketAddr,
    tls: Tls,
    handler: Arc<H>,
    mut phases: watch::Receiver<Phase>,
) where
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Without this the second small write of an answer waits for the client's delayed ACK.
    let _ = stream.set_nodelay(true);

    let opening = async {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1..) => Some(first[0] == TLS_HANDSHAKE),
            _ => None,
        }
    };
    let opened = tokio::select! {
        opened = tokio::time::timeout(PATIENCE, opening) => opened,
        _ = phases.wait_for(|phase| *phase > Phase::Serving) => return,
    };
    let Ok(Some(is_tls)) = opened else { return };
    if !is_tls {
        return serve(stream, Peer { address, tls: false }, handler, phases).await;
    }
    let Some(config) = tls() else { return };
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)) => accepted,
        _ = phases.wait_for(|phase| *phase == Phase::Ended) => return,
    };
    if let Ok(Ok(stream)) = accepted {
        serve(stream, Peer { address, tls: true }, handler, phases).await;
    }
}

async fn serve<T, H, F>(stream: T, peer: Peer, handler: Arc<H>, mut phases: watch::Receiver<Phase>)
where
    T: Transport + 'static,
    H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // A stop that came during the handshake: nobody has asked anything yet.
    if *phases.borrow_and_update() > Phase::Serving {
        return;
    }
    let scripted = Arc::new(Mutex::new(None::<Script>));
    let handed_over = Arc::new(Mutex::new(None::<Handover>));
    let service = {
        let (scripted, handed_over) = (Arc::clone(&scripted), Arc::clone(&handed_over));
        service_fn(move |request| {
            let answer = handler(request, peer);
            let (scripted, handed_over) = (Arc::clone(&scripted), Arc::clone(&handed_over));
            // Boxed, because a connection can only be taken back from hyper while its parts may move.
            Box::pin(async move {
                let mut response = answer.await;
                if let Some(script) = response.extensions_mut().remove::<Script>() {
                    *scripted.lock().unwrap_or_else(PoisonError::into_inner) = Some(script);
                    // Hyper must not write: whoever polls the connection takes the stream away from it.
                    std::future::pending::<()>().await;
                }
                if let Some(handover) = response.extensions_mut().remove::<Handover>() {
                    *handed_over.lock().unwrap_or_else(PoisonError::into_inner) = Some(handover);
                }
                Ok::<_, Infallible>(response)
            })
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(Worded::new(stream)), service);

    loop {
        let next = {
            let mut change = pin!(phases.changed());
            poll_fn(|context| {
                if let Poll::Ready(ended) = connection.poll_without_shutdown(context) {
                    return Poll::Ready(Next::Ended { well: ended.is_ok() });
                }
                if let Some(script) = scripted.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    return Poll::Ready(Next::Play(script));
                }
                change.as_mut().poll(context).map(|_| Next::PhaseChanged)
            })
            .await
        };
        match next {
            Next::Ended { well: true } => {
                let parts = connection.into_parts();
                let stream = parts.io.into_inner().into_inner();
                let handover = handed_over.lock().unwrap_or_else(PoisonError::into_inner).take();
                return match handover {
                    Some(handover) => {
                        handover.carry_out(Box::new(stream), parts.read_buf, phases).await;
                    }
                    None => script::close_gently(stream).await,
                };
            }
            Next::Ended { well: false } => return,
            Next::Play(script) => {
                let stream = connection.into_parts().io.into_inner().into_inner();
                return script.play(stream, phases).await;
            }
            Next::PhaseChanged if *phases.borrow() == Phase::Draining => {
                Pin::new(&mut connection).graceful_shutdown();
            }
            Next::PhaseChanged => return,
        }
    }
}

enum Next {
    Ended { well: bool },
    Play(Script),
    PhaseChanged,
}
