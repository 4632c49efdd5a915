//! What a server sends over one connection, byte by byte, and how the connection ends.

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind, Read};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use memchr::memmem;

use crate::verdict::{Outcome, fail};

/// As much as is read at a time.
const CHUNK: usize = 16 * 1024;
/// As much as is compared at a time.
const PART: u64 = 64 * 1024;

/// How the listening ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// In good order.
    Closed,
    /// By a reset.
    Reset,
    /// Nothing came for as long as the connection waits.
    Silent,
    /// We have heard as much as we wanted.
    Enough,
}

#[derive(Debug)]
pub(super) struct Heard {
    pub(super) bytes: Vec<u8>,
    pub(super) end: End,
    /// From the start of listening to the first byte.
    pub(super) silence: Option<Duration>,
    pub(super) took: Duration,
}

/// How much we want to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enough {
    Everything,
    Bytes(usize),
    /// The head, and so many bytes of the body.
    OfBody(usize),
}

impl Enough {
    /// As far as it is known, how much will be heard.
    fn at_most(self) -> usize {
        match self {
            Self::Bytes(count) => count + CHUNK,
            Self::Everything | Self::OfBody(_) => 0,
        }
    }

    fn is(self, heard: &[u8]) -> bool {
        match self {
            Self::Everything => false,
            Self::Bytes(count) => heard.len() >= count,
            Self::OfBody(count) => {
                let head = memmem::find(heard, b"\r\n\r\n");
                head.is_some_and(|at| heard.len() >= at + 4 + count)
            }
        }
    }
}

/// Listens until the end, or until there was enough.
pub(super) fn listen(connection: &mut dyn Read, enough: Enough) -> Heard {
    let started = Instant::now();
    let mut bytes = Vec::with_capacity(enough.at_most());
    let mut silence = None;
    let mut chunk = [0_u8; CHUNK];
    let end = loop {
        if enough.is(&bytes) {
            break End::Enough;
        }
        match connection.read(&mut chunk) {
            Ok(0) => break End::Closed,
            Ok(read) => {
                silence.get_or_insert_with(|| started.elapsed());
                bytes.extend_from_slice(&chunk[..read]);
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock | ErrorKind::TimedOut => break End::Silent,
                // TLS without a close_notify: the stream below it has ended.
                ErrorKind::UnexpectedEof => break End::Closed,
                _ => break End::Reset,
            },
        }
    };
    Heard { bytes, end, silence, took: started.elapsed() }
}

/// One HTTP answer taken apart, as leniently as its scenario may need.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) status_line: Vec<u8>,
    fields: Vec<(String, Vec<u8>)>,
    /// As it came, chunks and all.
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn parse(mut bytes: Vec<u8>) -> Outcome<Self> {
        let Some(end) = memmem::find(&bytes, b"\r\n\r\n") else {
            return fail(
                "the answer",
                "a whole head",
                format!("{} bytes without one", bytes.len()),
            );
        };
        let mut lines = split(&bytes[..end], b"\r\n").into_iter();
        let status_line = lines.next().unwrap_or_default().to_vec();
        let fields = lines
            .filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
                Some((name, line[colon + 1..].trim_ascii().to_vec()))
            })
            .collect();
        bytes.drain(..end + 4);
        Ok(Self { status_line, fields, body: bytes })
    }

    /// The values of a field, in the order they came.
    pub(super) fn values(&self, name: &str) -> Vec<&[u8]> {
        let of = |(field, value): &'_ &(String, Vec<u8>)| field == name && !value.is_empty();
        self.fields.iter().filter(of).map(|(_, value)| value.as_slice()).collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The body without its chunks and its compression.
    pub(super) fn content(&self) -> Outcome<Vec<u8>> {
        let mut content = Vec::new();
        match self.reader()?.read_to_end(&mut content) {
            Ok(_) => Ok(content),
            Err(error) => not_packed(error),
        }
    }

    /// Whether the content is that of the other message. Neither is ever whole in memory: what
    /// takes no room on the wire may take very much of it unpacked.
    pub(super) fn says_as(&self, other: &Self) -> Outcome<bool> {
        let (mut ours, mut theirs) = (self.reader()?, other.reader()?);
        let (mut our_part, mut their_part) = (Vec::new(), Vec::new());
        loop {
            for (reader, part) in [(&mut ours, &mut our_part), (&mut theirs, &mut their_part)] {
                part.clear();
                reader.take(PART).read_to_end(part).or_else(not_packed)?;
            }
            if our_part != their_part {
                return Ok(false);
            }
            if our_part.is_empty() {
                return Ok(true);
            }
        }
    }

    fn reader(&self) -> Outcome<Box<dyn Read + '_>> {
        let chunked = self.values("transfer-encoding").contains(&&b"chunked"[..]);
        let body = if chunked { unchunked(&self.body)?.into() } else { Cow::Borrowed(&*self.body) };
        let packed = self.values("content-encoding") == [&b"gzip"[..]];
        let body = Cursor::new(body);
        Ok(if packed { Box::new(MultiGzDecoder::new(body)) } else { Box::new(body) })
    }
}

fn not_packed<T>(error: std::io::Error) -> Outcome<T> {
    fail("the body", "gzip, as its head says", error)
}

fn unchunked(mut rest: &[u8]) -> Outcome<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let line = split(rest, b"\r\n").first().copied().unwrap_or_default();
        let size = std::str::from_utf8(line).ok().and_then(|it| usize::from_str_radix(it, 16).ok());
        let (Some(size), true) = (size, rest.len() > line.len() + 2) else {
            return fail("the body", "whole chunks", String::from_utf8_lossy(line));
        };
        rest = &rest[line.len() + 2..];
        if size == 0 {
            return Ok(content);
        }
        let Some(chunk) = rest.get(..size) else {
            return fail("a chunk", format!("{size} bytes"), rest.len());
        };
        content.extend_from_slice(chunk);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
}

fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}
