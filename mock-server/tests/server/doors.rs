//! What the tests of the doors stand on: sessions of a running server, and raw clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;

/// What has nothing promised for it, and does not take long.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// After this long nothing comes any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// The second in which something is promised to happen, counted from now: and as much more as one
/// who only sleeps comes late meanwhile, because a busy machine is late for everybody.
pub(crate) struct Second {
    begun: Instant,
    late: Arc<AtomicU64>,
}

impl Second {
    pub(crate) fn begin() -> Self {
        const NAP: Duration = Duration::from_millis(5);
        let late = Arc::new(AtomicU64::new(0));
        let second = Self { begun: Instant::now(), late: Arc::clone(&late) };
        // Until nobody asks any more.
        std::thread::spawn(move || {
            while Arc::strong_count(&late) > 1 {
                let nap = Instant::now();
                std::thread::sleep(NAP);
                let over = nap.elapsed().saturating_sub(NAP).as_micros();
                late.fetch_add(u64::try_from(over).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        second
    }

    pub(crate) fn holds(self) {
        let taken = self.begun.elapsed();
        let late = Duration::from_micros(self.late.load(Ordering::Relaxed));
        assert!(taken < Duration::from_secs(1) + late, "it took {taken:?}, of which {late:?} late");
    }
}

/// A session as it was issued.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) id: Value,
    pub(crate) token: String,
    pub(crate) endpoint: String,
}

impl Issued {
    pub(crate) fn new(client: &Client, body: &Value) -> Self {
        let issued = client.issued(body);
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        Self {
            id: issued["session_id"].clone(),
            token: text("token"),
            endpoint: text("listener_endpoint"),
        }
    }

    /// `host:port`, whatever else the endpoint says.
    pub(crate) fn address(&self) -> &str {
        self.endpoint.rsplit('@').next().unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A CONNECT to `target` with this token, and the head of the answer to it.
    pub(crate) fn ask(&self, target: &str, token: &str) -> (TcpStream, String) {
        let header = format!("Proxy-Authorization: Bearer {token}\r\n");
        self.ask_with(&format!("CONNECT {target} HTTP/1.1\r\n{header}\r\n"))
    }

    pub(crate) fn ask_with(&self, request: &str) -> (TcpStream, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            answer.push(byte[0]);
        }
        (stream, String::from_utf8(answer).unwrap())
    }
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads to the end, which must come within a second from now.
pub(crate) fn ends_soon(stream: &mut TcpStream) {
    let second = Second::begin();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A reset is an end as well.
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    let ended =
        read.as_ref().map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, |_| true);
    assert!(ended, "still open: {read:?}");
    second.holds();
}

/// The names of the refusals of tokens that the journal tells of.
pub(crate) fn refusals(client: &Client) -> Vec<String> {
    codes(client, "RedeemToken")
}

/// The codes of the journal's entries of one operation.
pub(crate) fn codes(client: &Client, operation: &str) -> Vec<String> {
    let journal = client.journal();
    let entries = journal["requests"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["operation"] == operation)
        .map(|entry| entry["code"].as_str().unwrap().to_owned())
        .collect()
}

/// A program on the PATH, or beside the binary under test. Its absence is told loudly, and is
/// a failure where the surroundings promise every tool.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_BIN_EXE_mock-server")).with_file_name(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found =
        places.find(|place| place.is_file()).or(Some(beside)).filter(|place| place.is_file());
    if found.is_none() {
        let required = std::env::var("CI_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!required, "{name} is required and not installed");
        let notice = format!("SKIPPED: {name} is not there\n");
        let _ = std::io::stderr().write_all(notice.as_bytes());
    }
    found
}

/// A program that is ended when the test is.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Waits for its end, which must come within a second from now.
    pub(crate) fn ends_soon(&mut self) {
        let second = Second::begin();
        until("the program's end", || self.0.try_wait().unwrap().is_some());
        second.holds();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs to the end, with this on stdin.
pub(crate) fn run(command: &mut Command, stdin: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
