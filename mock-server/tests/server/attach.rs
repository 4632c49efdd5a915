//! The WebSocket beside the ssh listener: a whole login through it, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mock_server::MockServer;
use russh::ChannelMsg;
use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::client::{Client, PROJECT, ssh};
use crate::doors::{Issued, SOON};

pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// What a command wrote, and its status.
pub(crate) async fn exec(handle: &Handle<Trusting>, command: &str) -> (String, Option<u32>) {
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    let (mut said, mut status) = (String::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => said.push_str(&String::from_utf8_lossy(&data)),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            _ => {}
        }
    }
    (said, status)
}

async fn attach(client: &Client, issued: &Issued) -> WebSocketStream<TcpStream> {
    let address = client.address();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let id = issued.id.as_str().unwrap();
    let request = format!(
        "GET /v1/projects/{PROJECT}/sessions/{id}/attach HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer psk_dev_operator\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

/// A stream of bytes over the socket, and the code that it is closed with.
fn bytes_over(socket: WebSocketStream<TcpStream>) -> (DuplexStream, JoinHandle<Option<u16>>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut sink, mut source) = socket.split();
    let (mut from, mut to) = tokio::io::split(far);
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if sink.send(Message::binary(buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    });
    let closed = tokio::spawn(async move {
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(bytes) => drop(to.write_all(&bytes).await),
                Message::Close(frame) => return frame.map(|frame| u16::from(frame.code)),
                _ => {}
            }
        }
        None
    });
    (near, closed)
}

fn start() -> (MockServer, Client) {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    (server, client)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it took too long")
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_goes_through_and_the_end_of_the_session_closes_it_as_policy() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &ssh());
    let (stream, closed) = bytes_over(attach(&client, &issued).await);
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect_stream(config, stream, Trusting).await.unwrap();
    let login = handle.authenticate_password("ops", issued.token.as_str()).await.unwrap();
    assert!(matches!(login, AuthResult::Success), "{login:?}");
    assert_eq!(exec(&handle, "id -un; exit 4").await, ("ops\n".to_owned(), Some(4)));
    // More than any buffer on the way holds.
    let (said, status) = exec(&handle, "seq 100000").await;
    assert_eq!((said.lines().count(), status), (100_000, Some(0)));
    client.revoke(&issued.id);
    assert_eq!(soon(closed).await.unwrap(), Some(1008));
    let entry = client.journal()["requests"].to_string();
    assert!(entry.contains("AttachSession") && !entry.contains("eyJ"), "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_nothing_is_let_go_of_with_the_session() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &ssh());
    let mut socket = attach(&client, &issued).await;
    // Nothing is read, until there is nothing more to read.
    client.revoke(&issued.id);
    let ended = async {
        let mut code = None;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(frame)) = message {
                code = Some(u16::from(frame.code));
            }
        }
        code
    };
    assert_eq!(soon(ended).await, Some(1008));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_no_ssh_and_too_much_at_once_is_refused() {
    let (_server, client) = start();
    for (message, due) in
        [(Message::text("hello"), 1003), (Message::binary(vec![0; 100 * 1024]), 1009)]
    {
        let issued = Issued::new(&client, &ssh());
        let mut socket = attach(&client, &issued).await;
        socket.send(message).await.unwrap();
        let code = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|one| u16::from(one.code)),
                    Some(Ok(_)) => {}
                    _ => return None,
                }
            }
        };
        assert_eq!(soon(code).await, Some(due));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_waits_for_no_socket() {
    let (server, client) = start();
    let issued = Issued::new(&client, &ssh());
    let mut socket = attach(&client, &issued).await;
    let begun = std::time::Instant::now();
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    soon(async { while let Some(Ok(_)) = socket.next().await {} }).await;
}
