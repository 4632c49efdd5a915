//! What http itself refuses, in the words of everything else that refuses here. Hyper answers what
//! it cannot read as a request with a status and nothing more; on its way out that becomes a
//! problem document.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Transport;

/// A connection whose bare refusals get words.
pub(super) struct Worded<T> {
    stream: T,
    /// What is being written in place of a bare refusal, and how much of it is out.
    words: Option<(Vec<u8>, usize)>,
}

impl<T> Worded<T> {
    pub(super) fn new(stream: T) -> Self {
        Self { stream, words: None }
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }
}

impl<T: Transport> Worded<T> {
    /// Writes the words to their end, and then counts `bare` bytes as written.
    fn poll_words(&mut self, context: &mut Context<'_>, bare: usize) -> Poll<io::Result<usize>> {
        while let Some((words, out)) = &mut self.words {
            if *out == words.len() {
                self.words = None;
                break;
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &words[*out..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *out += written;
        }
        Poll::Ready(Ok(bare))
    }
}

impl<T: Transport> AsyncWrite for Worded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.words.is_none() {
            self.words = words_for(bytes).map(|words| (words, 0));
        }
        if self.words.is_some() {
            return self.poll_words(context, bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare refusal has no body, and so is one piece.
        if let [only] = pieces
            && (self.words.is_some() || words_for(only).is_some())
        {
            return self.poll_write(context, only);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<T: Transport> AsyncRead for Worded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// The problem document in place of a bare refusal. Every answer of our own has at least a content
/// type or an `x-` field, or is no refusal.
fn words_for(bytes: &[u8]) -> Option<Vec<u8>> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 4")?;
    let head = std::str::from_utf8(rest.strip_suffix(b"\r\n\r\n")?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.get(..2)?;
    let bare = lines.all(|line| {
        line.split_once(':').is_some_and(|(name, _)| {
            ["connection", "content-length", "date"].contains(&&*name.to_ascii_lowercase())
        })
    });
    if !bare {
        return None;
    }
    let (status, title, code, detail) = match status {
        "00" => (400, "Bad Request", "malformed_request", "this is not an http request"),
        "14" => (414, "URI Too Long", "uri_too_long", "the path and the query are too long"),
        "31" => (
            431,
            "Request Header Fields Too Large",
            "request_header_fields_too_large",
            "there are too many header fields, or they are too long",
        ),
        _ => return None,
    };
    let kind = code.replace('_', "-");
    let problem = serde_json::json!({
        "type": format!("https://plexsphere.com/errors/{kind}"),
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/",
        "code": code,
    })
    .to_string();
    Some(
        format!(
            "HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{problem}",
            problem.len()
        )
        .into_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_refusals_get_words_and_nothing_else_does() {
        for status in ["400 Bad Request", "414 URI Too Long", "431 Request Header Fields Too Large"]
        {
            let bare = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\ndate: x\r\n\r\n");
            let words = String::from_utf8(words_for(bare.as_bytes()).unwrap()).unwrap();
            assert!(words.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{words}");
            let (_, body) = words.split_once("\r\n\r\n").unwrap();
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["status"].to_string(), status[..3]);
        }
        for other in [
            "HTTP/1.1 400 Bad Request\r\nx-scenario: empty\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "",
        ] {
            assert_eq!(words_for(other.as_bytes()), None, "{other}");
        }
    }
}
