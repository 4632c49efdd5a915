//! The node's end of a tunnel: an HTTP CONNECT to exactly the session's target, or a plain pipe.
//!
//! The token is shown to a listener that has asked for it and to no other. Behind a plain pipe the
//! first bytes reach the target itself, and a token has no business in the log of a database.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::api::problem::Refusal;
use crate::endpoint::Endpoint;
use crate::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the question to the whole answer: the node may have to reach its target first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_BODY: usize = 64 * 1024;
const MOST_HEADERS: usize = 64;

/// Where a tunnel leads, and how the way there is asked for.
pub(crate) struct Node {
    host: String,
    port: u16,
    target: String,
    /// The token, unless the listener is a plain pipe.
    token: Option<Arc<Secret>>,
    /// Whether the listener has asked for the token.
    asks: AtomicBool,
    /// Whether the listener has ever answered a CONNECT.
    speaks: AtomicBool,
}

/// A way to the target.
pub(super) struct Opened {
    pub(super) link: TcpStream,
    /// What the target said at once.
    pub(super) early: Vec<u8>,
}

/// Why there is no way.
pub(super) enum Failure {
    /// The session carries another connection at the moment.
    Busy,
    /// A listener that does speak CONNECT hung up before it answered: most likely it is full.
    HungUp,
    Unreachable(String),
    NoAnswer(&'static str),
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => out.write_str("the session carries another connection"),
            Self::HungUp => out.write_str("the listener hung up before it answered"),
            Self::Unreachable(why) => write!(out, "the listener cannot be reached: {why}"),
            Self::NoAnswer(why) => write!(
                out,
                "the listener does not answer HTTP CONNECT: {why}; if it is a plain pipe, use \
                 --plain-pipe"
            ),
            Self::Refused(why) => write!(out, "the listener refused: {why}"),
        }
    }
}

impl Node {
    /// The listener of a session for `host:port`; without a token, a plain pipe.
    pub(crate) fn new(
        endpoint: &Endpoint,
        host: &str,
        port: u16,
        token: Option<Arc<Secret>>,
    ) -> Self {
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            target: format!("{host}:{port}"),
            token,
            asks: AtomicBool::new(false),
            speaks: AtomicBool::new(false),
        }
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn is_plain(&self) -> bool {
        self.token.is_none()
    }

    pub(super) fn open(&self) -> Result<Opened, Failure> {
        let mut link = self.dial()?;
        let Some(token) = &self.token else { return Ok(Opened { link, early: Vec::new() }) };
        let mut shown = self.asks.load(Ordering::Relaxed);
        loop {
            let (answer, early) = self.ask(&link, shown.then_some(token))?;
            match answer.status {
                200..300 => {
                    link.set_read_timeout(None).map_err(|error| unreachable(&error))?;
                    return Ok(Opened { link, early });
                }
                407 if !shown => {
                    self.asks.store(true, Ordering::Relaxed);
                    shown = true;
                    // Another connection rather than a guess at where this answer ends.
                    if !answer.skip_body(&link, early.len()) {
                        link = self.dial()?;
                    }
                }
                409 => return Err(Failure::Busy),
                _ => return Err(answer.refusal(&link, early, token)),
            }
        }
    }

    fn dial(&self) -> Result<TcpStream, Failure> {
        let addresses: Vec<SocketAddr> = if self.host.eq_ignore_ascii_case("localhost") {
            vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)]
        } else {
            let found = (self.host.as_str(), self.port).to_socket_addrs();
            found.map_err(|error| unreachable(&error))?.collect()
        };
        let mut last = Failure::Unreachable("its name has no address".to_owned());
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(link) => {
                    link.set_nodelay(true).map_err(|error| unreachable(&error))?;
                    return Ok(link);
                }
                Err(error) => last = unreachable(&error),
            }
        }
        Err(last)
    }

    fn ask(
        &self,
        mut link: &TcpStream,
        token: Option<&Arc<Secret>>,
    ) -> Result<(Answer, Vec<u8>), Failure> {
        let target = &self.target;
        let credentials = Zeroizing::new(token.map_or_else(String::new, |token| {
            format!("Proxy-Authorization: Bearer {}\r\n", token.expose())
        }));
        let question = Zeroizing::new(format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: plexctl/{}\r\n{}\r\n",
            env!("CARGO_PKG_VERSION"),
            credentials.as_str()
        ));
        let said = link.write_all(question.as_bytes()).map_err(|_| Failure::HungUp);
        match said.and_then(|()| Answer::read(link)) {
            Err(Failure::HungUp) if !self.speaks.load(Ordering::Relaxed) => {
                Err(Failure::NoAnswer("it hung up"))
            }
            Ok(answered) => {
                self.speaks.store(true, Ordering::Relaxed);
                Ok(answered)
            }
            Err(failure) => Err(failure),
        }
    }
}

fn unreachable(error: &std::io::Error) -> Failure {
    Failure::Unreachable(error.to_string().to_lowercase())
}

/// The head of an answer to CONNECT.
struct Answer {
    status: u16,
    content_type: String,
    length: Option<usize>,
    stays: bool,
}

impl Answer {
    /// Reads a head; what came with it is handed back, because it belongs to the target or the body.
    fn read(mut link: &TcpStream) -> Result<(Self, Vec<u8>), Failure> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut bytes = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || link.set_read_timeout(Some(left)).is_err() {
                return Err(Failure::NoAnswer("it says nothing"));
            }
            let mut chunk = [0; 2048];
            match link.read(&mut chunk) {
                Ok(0) => return Err(Failure::HungUp),
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => {
                    return Err(Failure::NoAnswer("it says nothing"));
                }
                Err(_) => return Err(Failure::HungUp),
            }
            match Self::parse(&bytes)? {
                Some((answer, head)) => return Ok((answer, bytes.split_off(head))),
                None if bytes.len() > LONGEST_HEAD => {
                    return Err(Failure::NoAnswer("it says too much"));
                }
                None => {}
            }
        }
    }

    /// The answer and the length of its head, once all of it is there.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Failure> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed =
            response.parse(bytes).map_err(|_| Failure::NoAnswer("it speaks something else"))?;
        let httparse::Status::Complete(head) = parsed else { return Ok(None) };
        let header = |name: &str| {
            let mut all = response.headers.iter();
            let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let closes =
            header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"));
        let answer = Self {
            status: response.code.unwrap_or_default(),
            content_type: header("content-type").unwrap_or_default().to_owned(),
            length: header("content-length").and_then(|value| value.trim().parse().ok()),
            stays: !closes && response.version == Some(1),
        };
        Ok(Some((answer, head)))
    }

    /// Passes over the body, of which `read` bytes have been read; false when the connection is of
    /// no more use.
    fn skip_body(&self, link: &TcpStream, read: usize) -> bool {
        let Some(left) = self.length.and_then(|length| length.checked_sub(read)) else {
            return false;
        };
        self.stays && left <= LONGEST_BODY && take(link, left).len() == left
    }

    /// Why the node refused, in its words, without the token should it repeat it.
    fn refusal(&self, link: &TcpStream, early: Vec<u8>, token: &Secret) -> Failure {
        let mut body = early;
        let left = self.length.unwrap_or(0).min(LONGEST_BODY).saturating_sub(body.len());
        body.extend(take(link, left));
        let text = token.redact(String::from_utf8_lossy(&body).into_owned());
        let refusal = Refusal::read(self.status, &self.content_type, &text, None, None);
        Failure::Refused(refusal.to_string())
    }
}

/// Up to that many bytes more.
fn take(link: &TcpStream, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What cannot be read is missing from the message, and that is all.
    link.take(most as u64).read_to_end(&mut bytes).ok();
    bytes
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
