//! Every scenario, played over a bare connection and the odd ones over TLS too, looked at byte by byte.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::file::{Content, Framing, Length, Phase, Wire};
use super::{Issued, Occasion, Scenario, answer, find, names};
use crate::net::Peer;
use crate::net::stand::{Client, Stand};

const SOON: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(50);
/// An answer that takes longer by design is only watched for a while.
const PATIENCE: Duration = Duration::from_millis(600);

const OCCASION: Occasion<'static> = Occasion {
    instance: "/v1/projects/p/sessions",
    project_id: "p",
    resource_id: "r",
    session_id: "0190a8b8-5e55-7e55-8e55-000000000001",
    kind: "tcp",
};

fn honest() -> Issued {
    Issued {
        body: json!({
            "session_id": OCCASION.session_id,
            "token": "a.b.c",
            "expires_at": "2026-01-01T00:30:00Z",
            "listener_endpoint": "127.0.0.1:2200",
            "session": {"id": OCCASION.session_id, "kind": "tcp", "target": {}},
        }),
        location: "/v1/projects/p/sessions/1".to_owned(),
    }
}

async fn handle(request: Request<Incoming>, _: Peer) -> Response {
    let scenario = find(request.uri().path().trim_start_matches('/')).unwrap();
    answer(&scenario, &OCCASION, honest).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_is_what_it_says() {
    let stand = Stand::start(handle).await;
    for name in names() {
        let scenario = find(&name).unwrap();
        // Below http the schemes differ; what hyper writes is the same over both.
        let scripted = scenario.answer.wire.is_some();
        for tls in [false, true].into_iter().take(1 + usize::from(scripted)) {
            let mut client =
                if tls { stand.connect_tls("localhost").await } else { stand.connect().await };
            let request =
                format!("POST /{name} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
            // The server may be at it before this task goes on.
            let asked = Instant::now();
            client.write_all(request.as_bytes()).await.unwrap();
            client.flush().await.unwrap();
            timeout(SOON, judge(&scenario, &mut client, tls, asked)).await.expect(&name);
        }
    }
    timeout(SOON, stand.stop()).await.unwrap().unwrap();
}

async fn judge(scenario: &Scenario, client: &mut Client, tls: bool, asked: Instant) {
    let name = &scenario.name;
    let wire = &wire(scenario);
    if wire.delay_before_ms.is_some_and(|delay| Duration::from_millis(delay) > PATIENCE) {
        return assert_silent(client, name).await;
    }
    if let Some(raw) = &wire.raw {
        let (seen, ended) = read_to_end(client).await;
        assert_eq!((seen.as_slice(), ended), (raw.as_bytes(), None), "{name}");
        return;
    }
    let stop = wire.stall.or(wire.reset).or(wire.close);
    if stop == Some(Phase::BeforeHeaders) {
        return assert_ends(scenario, client, tls, b"").await;
    }
    if stop == Some(Phase::MidHeaders) {
        let mut start = [0; 24];
        client.read_exact(&mut start).await.unwrap();
        assert!(start.starts_with(b"HTTP/1.1 201 Created\r\n"), "{name}");
        return assert_ends(scenario, client, tls, b"\r\n\r\n").await;
    }

    let head = read_head(client).await;
    if let Some(delay) = wire.delay_before_ms {
        assert!(asked.elapsed() >= Duration::from_millis(delay), "{name} was early");
    }
    judge_head(scenario, &head);
    if matches!(&scenario.answer.body, Some(Content::Fill { bytes: None, .. })) {
        let mut plenty = vec![0; 2 * 1024 * 1024];
        client.read_exact(&mut plenty).await.unwrap();
        return;
    }
    if let Some(drip) = wire.drip {
        let pieces = 1_000 / u64::try_from(drip.bytes).unwrap();
        if Duration::from_millis(pieces * drip.every_ms) > PATIENCE {
            let mut two = vec![0; drip.bytes + 1];
            client.read_exact(&mut two).await.unwrap();
            assert!(asked.elapsed() >= Duration::from_millis(drip.every_ms), "{name} was early");
            return;
        }
    }
    let declared = header(&head, "content-length").map(|length| length.parse::<usize>().unwrap());
    match (stop, declared, scenario.answer.content_length) {
        (Some(_), Some(declared), _) => {
            let mut half = vec![0; declared / 2];
            client.read_exact(&mut half).await.unwrap();
            assert_ends(scenario, client, tls, b"").await;
        }
        (None, Some(declared), None) => {
            let mut body = vec![0; declared];
            client.read_exact(&mut body).await.unwrap();
            judge_body(scenario, &body);
        }
        (None, None, None) => {
            assert!(matches!(scenario.answer.status, Some(204 | 304)), "{name} has no length");
        }
        (_, _, Some(Length::Framed(Framing::Chunked))) => {
            let (seen, ended) = read_to_end(client).await;
            assert_eq!(ended, None, "{name}");
            judge_body(scenario, &dechunked(&seen));
        }
        (_, _, Some(length)) => {
            let (seen, ended) = read_to_end(client).await;
            assert_eq!(ended, None, "{name}");
            assert_ne!(length, Length::Declared(seen.len() as u64), "{name} does not lie");
            judge_body(scenario, &seen);
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn wire(scenario: &Scenario) -> Wire {
    scenario.answer.wire.clone().unwrap_or_default()
}

/// After what has been read, the connection ends as the scenario says, and `never` did not come.
async fn assert_ends(scenario: &Scenario, client: &mut Client, tls: bool, never: &[u8]) {
    let (name, wire) = (&scenario.name, wire(scenario));
    let (seen, ended) = if wire.stall.is_some() {
        let mut seen = Vec::new();
        let reading = client.read_to_end(&mut seen);
        assert!(timeout(SILENCE, reading).await.is_err(), "{name} ended instead of falling silent");
        (seen, None)
    } else {
        let (seen, ended) = read_to_end(client).await;
        let expected = match (wire.reset, tls) {
            (Some(_), _) => Some(ErrorKind::ConnectionReset),
            (None, true) => Some(ErrorKind::UnexpectedEof),
            (None, false) => None,
        };
        assert_eq!(ended, expected, "{name}");
        (seen, ended)
    };
    if never.is_empty() {
        assert_eq!(seen, b"", "{name} went on, then {ended:?}");
    } else {
        assert!(!seen.windows(never.len()).any(|part| part == never), "{name} sent too much");
    }
}

async fn assert_silent(client: &mut Client, name: &str) {
    let mut byte = [0];
    assert!(timeout(SILENCE, client.read(&mut byte)).await.is_err(), "{name} was early");
}

fn judge_head(scenario: &Scenario, head: &str) {
    let name = &scenario.name;
    let status = scenario.answer.status.unwrap_or(201);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {head}");
    if let Some(reason) = &scenario.answer.reason_phrase {
        assert!(head.lines().next().unwrap().ends_with(reason.as_str()), "{name}: {head}");
    }
    assert_eq!(header(head, "x-scenario"), Some(name.as_str()));
    for (header, values) in &scenario.answer.headers {
        let sent: Vec<&str> = headers(head, header).collect();
        assert_eq!(sent, values.values(), "{name}: {header}");
    }
    let issued = matches!(scenario.answer.body, Some(Content::Issued { .. }));
    assert_eq!(
        header(head, "location").is_some(),
        issued || scenario.answer.headers.contains_key("location"),
        "{name}"
    );
    match scenario.answer.content_length {
        Some(Length::Declared(bytes)) => {
            assert_eq!(header(head, "content-length"), Some(bytes.to_string().as_str()), "{name}");
        }
        Some(Length::Framed(Framing::Chunked)) => {
            assert_eq!(header(head, "transfer-encoding"), Some("chunked"), "{name}");
        }
        Some(Length::Framed(Framing::None)) => {
            assert_eq!(header(head, "content-length"), None, "{name}");
            assert_eq!(header(head, "transfer-encoding"), None, "{name}");
        }
        None => {}
    }
    let gzip = scenario.answer.content_encoding.is_some();
    assert_eq!(header(head, "content-encoding") == Some("gzip"), gzip, "{name}");
}

fn judge_body(scenario: &Scenario, sent: &[u8]) {
    let name = &scenario.name;
    let unpacked;
    let body = if scenario.answer.content_encoding.is_some() {
        let mut bytes = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(sent);
        std::io::Read::read_to_end(&mut decoder, &mut bytes).unwrap();
        assert!(bytes.len() > sent.len(), "{name} is not compressed");
        unpacked = bytes;
        unpacked.as_slice()
    } else {
        sent
    };
    match &scenario.answer.body {
        None => assert_eq!(body, b"", "{name}"),
        Some(Content::Text(text)) => assert_eq!(body, text.as_bytes(), "{name}"),
        Some(Content::Base64(text)) => assert_eq!(body, STANDARD.decode(text).unwrap(), "{name}"),
        Some(Content::Fill { text, bytes }) => {
            assert_eq!(Some(body.len()), *bytes, "{name}");
            assert!(text.bytes().cycle().zip(body).all(|(a, b)| a == *b), "{name}");
        }
        Some(Content::Json(document)) => {
            let filled = document.to_string();
            let filled = filled
                .replace("{instance}", OCCASION.instance)
                .replace("{session_id}", OCCASION.session_id)
                .replace("{resource_id}", OCCASION.resource_id);
            let body: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(body, serde_json::from_str::<Value>(&filled).unwrap(), "{name}");
        }
        Some(Content::Issued { patch }) => {
            let body: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(body == honest().body, patch.is_empty(), "{name}: {body}");
            for operation in patch {
                let path = operation["path"].as_str().unwrap();
                match operation["op"].as_str().unwrap() {
                    "remove" => assert_eq!(body.pointer(path), None, "{name}"),
                    "add" => assert_eq!(body.pointer(path), operation.get("value"), "{name}"),
                    _ => assert!(body.pointer(path).is_some(), "{name}"),
                }
            }
        }
    }
}

async fn read_head(client: &mut Client) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn read_to_end(client: &mut Client) -> (Vec<u8>, Option<ErrorKind>) {
    let mut seen = Vec::new();
    let ended = client.read_to_end(&mut seen).await;
    (seen, ended.err().map(|error| error.kind()))
}

fn headers<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.split("\r\n").filter_map(move |line| {
        let (known, value) = line.split_once(": ")?;
        (known == name).then_some(value)
    })
}

fn header<'a>(head: &'a str, name: &'a str) -> Option<&'a str> {
    headers(head, name).next()
}

fn dechunked(mut sent: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = sent.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&sent[..line]).unwrap(), 16).unwrap();
        sent = &sent[line + 2..];
        if size == 0 {
            assert_eq!(sent, b"\r\n");
            return body;
        }
        body.extend_from_slice(&sent[..size]);
        assert_eq!(&sent[size..size + 2], b"\r\n");
        sent = &sent[size + 2..];
    }
}
