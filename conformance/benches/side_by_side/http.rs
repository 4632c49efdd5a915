//! The least HTTP client that can keep a connection busy: what it costs is the same for both sides.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PROJECT: &str = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
const RESOURCE: &str = "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3";
pub(crate) const TOKEN: &str = "psk_dev_operator";

pub(crate) fn sessions_path() -> String {
    format!("/v1/projects/{PROJECT}/sessions")
}

pub(crate) fn ids() -> [&'static str; 4] {
    ["--project-id", PROJECT, "--resource-id", RESOURCE]
}

pub(crate) fn issue_body() -> String {
    format!(
        r#"{{"resource_id":"{RESOURCE}","kind":"k8s","target":{{"k8s":{{"user":"platform-admin"}}}}}}"#
    )
}

pub(crate) fn issue_request(authority: &str) -> Vec<u8> {
    request(authority, "POST", &sessions_path(), &issue_body())
}

pub(crate) fn request(authority: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(authority: &str) -> Self {
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 64 * 1024] }
    }

    /// Sends one request and reads its answer whole: the status and the body.
    pub(crate) fn send(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).unwrap();
        let (mut filled, mut end) = (0, None);
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(read > 0, "the server hung up");
            filled += read;
            if end.is_none() {
                end = head_and_length(&self.buffer[..filled]);
            }
            if let Some((head, length)) = end
                && filled >= head + length
            {
                let status = std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
                return (status, &self.buffer[head..head + length]);
            }
        }
    }
}

fn head_and_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| value.trim().parse().unwrap());
    Some((head, length))
}

/// 201s a second over `connections` kept-alive connections during `window`.
pub(crate) fn issue_rate(authority: &str, connections: usize, window: Duration) -> f64 {
    let request = issue_request(authority);
    let deadline = Instant::now() + window;
    let done: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(authority);
                    let mut count = 0_u64;
                    while Instant::now() < deadline {
                        assert_eq!(connection.send(&request).0, 201);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    done as f64 / window.as_secs_f64()
}

/// Latencies of `count` requests made one after the other on one connection.
pub(crate) fn latencies(authority: &str, request: &[u8], count: usize, want: u16) -> Vec<Duration> {
    let mut connection = Connection::open(authority);
    (0..count)
        .map(|_| {
            let began = Instant::now();
            let (status, _body) = connection.send(request);
            let took = began.elapsed();
            assert_eq!(status, want);
            took
        })
        .collect()
}
