//! Just enough HTTP/1.1 to referee with: whole messages read from and written to any stream.

use std::io::{self, Read, Write};

use memchr::memmem;

/// Header fields in the order they came, names as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first field of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    /// The request target as sent: path and query.
    pub path: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Request {
    /// The body as JSON, or null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn write_to(&self, stream: &mut impl Write) -> io::Result<()> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        write_fields(&mut bytes, &self.headers, Some(self.body.len()));
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

impl Response {
    /// The body as JSON, or null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn write_to(&self, stream: &mut impl Write) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} .\r\n", self.status).into_bytes();
        let bodiless = self.status == 204 || self.status == 304;
        write_fields(&mut bytes, &self.headers, (!bodiless).then_some(self.body.len()));
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

/// Writes the fields with framing of our own: the body is in hand, so its length is known.
fn write_fields(bytes: &mut Vec<u8>, headers: &Headers, length: Option<usize>) {
    for (name, value) in &headers.0 {
        let framing = ["content-length", "transfer-encoding"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own));
        if !framing {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    if let Some(length) = length {
        bytes.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
}

/// A stream with what has been read from it and not yet used.
pub struct Wire<S> {
    pub stream: S,
    buffer: Vec<u8>,
}

/// Larger heads and bodies are refused; no honest message comes near.
const HEAD_LIMIT: usize = 256 * 1024;
const BODY_LIMIT: usize = 64 * 1024 * 1024;

impl<S: Read> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// One request head; `None` when the peer closed before a byte of it.
    pub fn read_request_head(&mut self) -> io::Result<Option<Request>> {
        let Some(head) = self.read_head()? else { return Ok(None) };
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Request::new(&mut fields);
        parsed.parse(&head).map_err(|error| malformed(&error.to_string()))?;
        Ok(Some(Request {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: parsed.path.unwrap_or_default().to_owned(),
            headers: owned(parsed.headers),
            body: Vec::new(),
        }))
    }

    /// The body that goes with a request head.
    pub fn read_request_body(&mut self, request: &mut Request) -> io::Result<()> {
        request.body = match framing(&request.headers)? {
            Framing::Length(length) => self.read_exactly(length)?,
            Framing::Chunked => self.read_chunked()?,
            Framing::Unsaid => Vec::new(),
        };
        Ok(())
    }

    /// One final response to a request with that method; interim 1xx answers are passed over.
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let Some(head) = self.read_head()? else {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed without an answer",
                ));
            };
            let mut fields = [httparse::EMPTY_HEADER; 128];
            let mut parsed = httparse::Response::new(&mut fields);
            parsed.parse(&head).map_err(|error| malformed(&error.to_string()))?;
            let status = parsed.code.unwrap_or_default();
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let headers = owned(parsed.headers);
            let body = if method == "HEAD" || matches!(status, 101 | 204 | 304) {
                Vec::new()
            } else {
                match framing(&headers)? {
                    Framing::Length(length) => self.read_exactly(length)?,
                    Framing::Chunked => self.read_chunked()?,
                    Framing::Unsaid => self.read_rest()?,
                }
            };
            return Ok(Response { status, headers, body });
        }
    }

    /// Reads until the peer closes.
    pub fn read_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        (&mut self.stream).take(BODY_LIMIT as u64).read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn read_head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                let rest = self.buffer.split_off(end + 4);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(malformed("a head without an end"));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(malformed("closed inside the head"))
                };
            }
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_LIMIT {
            return Err(malformed("a body beyond all measure"));
        }
        // Once, and not by doubling: most of what a body costs is the memory it is read into.
        self.buffer.reserve_exact(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            if self.fill()? == 0 {
                return Err(malformed("closed inside the body"));
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn read_chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size =
                usize::from_str_radix(digits, 16).map_err(|_| malformed("a bad chunk size"))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.read_exactly(size)?);
            self.read_exactly(2)?;
            if body.len() > BODY_LIMIT {
                return Err(malformed("a body beyond all measure"));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                let line = self.read_exactly(end + 2)?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill()? == 0 {
                return Err(malformed("closed inside a line"));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0_u8; 16 * 1024];
        let read = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}

enum Framing {
    Length(usize),
    Chunked,
    Unsaid,
}

fn framing(headers: &Headers) -> io::Result<Framing> {
    if headers.all("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"))
    {
        return Ok(Framing::Chunked);
    }
    match headers.get("content-length") {
        None => Ok(Framing::Unsaid),
        Some(text) => {
            text.trim().parse().map(Framing::Length).map_err(|_| malformed("a bad content-length"))
        }
    }
}

fn owned(fields: &[httparse::Header<'_>]) -> Headers {
    let pair = |field: &httparse::Header<'_>| {
        (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())
    };
    Headers(fields.iter().map(pair).collect())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed HTTP: {what}"))
}
