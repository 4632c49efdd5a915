//! The bridge between a WebSocket and a session's ssh listener: whatever bytes come on the one
//! go out on the other. It knows nothing of ssh, and of the session only when it ends.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{EndReason, Ended, end_of};
use crate::net::Duplex;

type Socket = WebSocketStream<Box<dyn Duplex>>;

/// More in one message than an ssh packet can hold is no ssh.
const LARGEST_MESSAGE: usize = 64 * 1024;
const BUFFER: usize = 16 * 1024;
/// How long the listener's goodbye may take, and then the socket's own.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Why a bridge came down, when its client did not simply leave.
struct Down(CloseCode, &'static str);

/// Carries until either side or the session ends. `early` came before there was a socket.
pub async fn bridge(stream: Box<dyn Duplex>, early: Bytes, listener: SocketAddr, mut ended: Ended) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * LARGEST_MESSAGE)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let early = early.to_vec();
    let socket =
        WebSocketStream::from_partially_read(stream, early, Role::Server, Some(config)).await;
    let (mut sink, source) = socket.split();
    let down = match TcpStream::connect(listener).await {
        Err(_) => Some(Down(CloseCode::Error, "the listener does not answer")),
        Ok(stream) => {
            let _ = stream.set_nodelay(true);
            let (from, to) = stream.into_split();
            let mut carried = std::pin::pin!(carry(&mut sink, source, from, to));
            tokio::select! {
                down = &mut carried => down,
                // The listener has seen the same end, and is saying goodbye.
                reason = end_of(&mut ended) => {
                    let _ = tokio::time::timeout(LAST_WORDS, carried).await;
                    Some(over(reason))
                }
            }
        }
    };
    let down = match *ended.borrow() {
        Some(reason) => Some(over(reason)),
        None => down,
    };
    if let Some(Down(code, reason)) = down {
        let frame = CloseFrame { code, reason: reason.into() };
        let closing = sink.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(LAST_WORDS, closing).await;
    }
}

/// The session, and not the client, decided: that is a matter of policy.
fn over(reason: EndReason) -> Down {
    match reason {
        EndReason::Shutdown => Down(CloseCode::Away, reason.words()),
        _ => Down(CloseCode::Policy, reason.words()),
    }
}

async fn carry(
    sink: &mut SplitSink<Socket, Message>,
    source: SplitStream<Socket>,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
) -> Option<Down> {
    tokio::select! {
        down = outward(sink, from) => down,
        down = inward(source, to) => down,
    }
}

/// From the listener to the client.
async fn outward(sink: &mut SplitSink<Socket, Message>, mut from: OwnedReadHalf) -> Option<Down> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return Some(Down(CloseCode::Normal, "the connection was closed")),
            Ok(read) => {
                let bytes = Bytes::copy_from_slice(&buffer[..read]);
                sink.send(Message::Binary(bytes)).await.ok()?;
            }
        }
    }
}

/// From the client to the listener.
async fn inward(mut source: SplitStream<Socket>, mut to: OwnedWriteHalf) -> Option<Down> {
    loop {
        match source.next().await {
            Some(Ok(Message::Binary(bytes))) => to.write_all(&bytes).await.ok()?,
            Some(Ok(Message::Text(_))) => {
                return Some(Down(CloseCode::Unsupported, "send binary messages"));
            }
            // Pings are answered below this.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(Error::Capacity(_))) => {
                return Some(Down(CloseCode::Size, "send smaller messages"));
            }
            Some(Err(_)) => return None,
        }
    }
}
