//! Connections as a client sees them: both schemes, scripts, and the end of the server.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::stand::{Client, Stand};
use super::{Peer, Script, Step};

const SOON: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(60);

/// Plays the script that the path names, and answers every other path with who asked.
async fn handle(request: Request<Incoming>, peer: Peer) -> Response {
    let steps = match request.uri().path() {
        "/reset" => vec![Step::Send(Bytes::from_static(b"some")), Step::Reset],
        "/cut" => vec![Step::Send(Bytes::from_static(b"some")), Step::Cut],
        "/stall" => vec![Step::Send(Bytes::from_static(b"some")), Step::Stall],
        "/end" => vec![Step::Send(Bytes::from_static(b"some"))],
        "/endless" => {
            vec![Step::Repeat { chunk: Bytes::from(vec![b'x'; 16 * 1024]), times: None }]
        }
        "/thrice" => vec![Step::Repeat { chunk: Bytes::from_static(b"ab"), times: Some(3) }],
        path => return Response::new(Body::from(format!("{path} tls={}", peer.tls))),
    };
    let mut response = Response::new(Body::from("never seen"));
    response.extensions_mut().insert(Script::new(steps));
    response
}

async fn ask(client: &mut Client, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    client.flush().await.unwrap();
}

async fn read_until(client: &mut Client, end: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).ends_with(end) {
        let mut byte = [0];
        timeout(SOON, client.read_exact(&mut byte)).await.expect(end).unwrap();
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

async fn read_to_end(client: &mut Client) -> (Vec<u8>, Option<ErrorKind>) {
    let mut seen = Vec::new();
    let ended = timeout(SOON, client.read_to_end(&mut seen)).await.unwrap();
    (seen, ended.err().map(|error| error.kind()))
}

#[tokio::test]
async fn one_port_answers_both_schemes_and_keeps_connections() {
    let stand = Stand::start(handle).await;
    for (mut client, tls) in [
        (stand.connect().await, false),
        (stand.connect_tls("localhost").await, true),
        (stand.connect_tls("127.0.0.1").await, true),
        (stand.connect_tls("::1").await, true),
    ] {
        for path in ["/a", "/b"] {
            ask(&mut client, path).await;
            let seen = read_until(&mut client, &format!("{path} tls={tls}")).await;
            assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
        }
    }
}

#[tokio::test]
async fn scripts_end_a_connection_as_they_say_even_a_kept_one() {
    let stand = Stand::start(handle).await;
    for tls in [false, true] {
        for (path, expected, error) in [
            ("/end", "some", None),
            ("/thrice", "ababab", None),
            // Without a farewell the end of a TLS stream is a truncation, and is told as one.
            ("/cut", "some", tls.then_some(ErrorKind::UnexpectedEof)),
            ("/reset", "some", Some(ErrorKind::ConnectionReset)),
        ] {
            let mut client =
                if tls { stand.connect_tls("localhost").await } else { stand.connect().await };
            ask(&mut client, "/before").await;
            read_until(&mut client, &format!("/before tls={tls}")).await;
            ask(&mut client, path).await;
            let (seen, ended) = read_to_end(&mut client).await;
            assert_eq!((seen.as_slice(), ended), (expected.as_bytes(), error), "{path} {tls}");
        }
    }
}

#[tokio::test]
async fn a_stalled_connection_is_silent_until_the_server_stops() {
    let stand = Stand::start(handle).await;
    let mut client = stand.connect().await;
    ask(&mut client, "/stall").await;
    read_until(&mut client, "some").await;
    let mut byte = [0];
    assert!(timeout(SILENCE, client.read(&mut byte)).await.is_err(), "something came");
    let stopping = Instant::now();
    timeout(SOON, stand.stop()).await.unwrap().unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(4), "the stall outlived the server");
    read_to_end(&mut client).await;
}

#[tokio::test]
async fn an_endless_answer_ends_when_its_client_leaves() {
    let stand = Stand::start(handle).await;
    let mut client = stand.connect().await;
    ask(&mut client, "/endless").await;
    let mut megabyte = vec![0; 1024 * 1024];
    for _ in 0..3 {
        timeout(SOON, client.read_exact(&mut megabyte)).await.unwrap().unwrap();
    }
    assert!(megabyte.iter().all(|byte| *byte == b'x'));
    drop(client);
    let mut other = stand.connect().await;
    ask(&mut other, "/still").await;
    read_until(&mut other, "/still tls=false").await;
    timeout(SOON, stand.stop()).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_under_way_is_finished_when_the_server_stops() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stand = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        Stand::start(move |_, _| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Response::new(Body::from("finished"))
            }
        })
        .await
    };
    let address = stand.address;
    let mut idle = stand.connect().await;
    let mut client = stand.connect().await;
    ask(&mut client, "/").await;
    begun.notified().await;
    let stopped = stand.stop();
    // The idle connection is closed at once: that is when the stop has been noticed.
    read_to_end(&mut idle).await;
    go_on.notify_one();
    let (seen, ended) = read_to_end(&mut client).await;
    assert!(seen.ends_with(b"finished"), "{}", String::from_utf8_lossy(&seen));
    assert_eq!(ended, None);
    timeout(SOON, stopped).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "still accepting");
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let stand = Stand::start(|_, _| async {
        let mut response = Response::new(Body::from("too large"));
        *response.status_mut() = axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        response
    })
    .await;
    let mut client = stand.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 200000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 200_000]).await.unwrap();
    let (seen, ended) = read_to_end(&mut client).await;
    assert!(seen.ends_with(b"too large"), "{}", String::from_utf8_lossy(&seen));
    assert_eq!(ended, None);
}

#[tokio::test]
async fn nonsense_closes_its_own_connection_only() {
    let stand = Stand::start(handle).await;
    let garbage: [&[u8]; 4] =
        [b"\x16\x03\x01\x00\x05hello", b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16"];
    for bytes in garbage {
        let mut client = stand.connect().await;
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        read_to_end(&mut client).await;
    }
    let mut client = stand.connect().await;
    ask(&mut client, "/alive").await;
    read_until(&mut client, "/alive tls=false").await;
}
