//! Where a target leads: something built in, or an address on this machine. Nothing else is
//! ever dialled.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

/// Bytes on their way at once, each direction.
const BUFFER: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Says back what it is told.
    Echo,
    /// Answers every HTTP request with a greeting.
    Hello,
    Address(SocketAddr),
}

/// A lead that has been followed as far as it goes without a byte.
pub(super) enum Way {
    Echo,
    Hello,
    Stream(TcpStream),
}

impl Lead {
    pub(super) async fn begin(self) -> io::Result<Way> {
        match self {
            Self::Echo => Ok(Way::Echo),
            Self::Hello => Ok(Way::Hello),
            Self::Address(address) if address.ip().is_loopback() => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Way::Stream(stream))
            }
            Self::Address(_) => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl Way {
    /// Carries until both directions have ended. `early` came before there was a way.
    pub(super) async fn carry<S>(self, stream: &mut S, early: Vec<u8>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self {
            Self::Echo => {
                stream.write_all(&early).await?;
                let mut buffer = vec![0; BUFFER];
                loop {
                    let read = stream.read(&mut buffer).await?;
                    if read == 0 {
                        return stream.shutdown().await;
                    }
                    stream.write_all(&buffer[..read]).await?;
                }
            }
            Self::Hello => {
                let service = service_fn(|request: Request<Incoming>| async move {
                    let text = format!("hello from the far end: {}\n", request.uri().path());
                    Ok::<_, Infallible>(Response::new(text))
                });
                let io = TokioIo::new(Resumed { early, stream });
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(io, service).await.map_err(io::Error::other)
            }
            Self::Stream(mut far) => {
                far.write_all(&early).await?;
                tokio::io::copy_bidirectional_with_sizes(stream, &mut far, BUFFER, BUFFER).await?;
                Ok(())
            }
        }
    }
}

/// A stream whose first bytes have been read already.
struct Resumed<'s, S> {
    early: Vec<u8>,
    stream: &'s mut S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Resumed<'_, S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if self.early.is_empty() {
            return std::pin::Pin::new(&mut *self.stream).poll_read(context, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.drain(..count);
        std::task::Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Resumed<'_, S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut *self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}
