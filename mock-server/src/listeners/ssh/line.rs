//! The line under a connection: a TCP stream that can be cut, and asked
//! whether anybody is still there. A client that neither reads nor leaves
//! would otherwise hold a session open past its end.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The other hand on a [`Line`].
#[derive(Clone)]
pub(super) struct Grip {
    stream: Arc<TcpStream>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    wakers: Mutex<[Option<Waker>; 2]>,
}

const READING: usize = 0;
const WRITING: usize = 1;

impl Grip {
    /// Cuts the line: every read and write fails from now on.
    pub(super) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        let wakers = {
            let held = self.state.wakers.lock();
            std::mem::take(&mut *held.unwrap_or_else(PoisonError::into_inner))
        };
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state.cut.load(Ordering::SeqCst)
    }

    /// Whether the client has closed its side, even while bytes it sent
    /// before are still unread.
    pub(super) async fn client_has_gone(&self) -> bool {
        let ready = self.stream.ready(Interest::READABLE | Interest::WRITABLE).await;
        ready.is_ok_and(|ready| ready.is_read_closed() || ready.is_write_closed())
    }
}

pub(super) struct Line {
    grip: Grip,
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> (Self, Grip) {
        let grip = Grip { stream: Arc::new(stream), state: Arc::default() };
        (Self { grip: grip.clone() }, grip)
    }

    /// The waker is left before the scissors are looked at, so that a cut in
    /// between wakes this task.
    fn check(&self, cx: &Context<'_>, side: usize) -> io::Result<()> {
        {
            let held = self.grip.state.wakers.lock();
            let mut held = held.unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = held.get_mut(side) {
                *slot = Some(cx.waker().clone());
            }
        }
        if self.grip.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.check(cx, READING)?;
            ready!(self.grip.stream.poll_read_ready(cx))?;
            match self.grip.stream.try_read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            self.check(cx, WRITING)?;
            ready!(self.grip.stream.poll_write_ready(cx))?;
            match self.grip.stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&*self.grip.stream);
        match socket.shutdown(std::net::Shutdown::Write) {
            // The client was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            done => Poll::Ready(done),
        }
    }
}
