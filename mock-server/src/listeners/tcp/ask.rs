//! Reading one CONNECT request, byte for byte: what follows it belongs to the target.

use std::io;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A token has at most 8 KiB, and Basic makes a third more of it.
const LONGEST: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// What a client asked for. No `Debug`, because of the token.
pub(super) struct Ask {
    pub method: String,
    pub authority: String,
    pub token: Option<String>,
}

impl Ask {
    /// `None` is a request that cannot be understood. What was read beyond it stays in `buffer`.
    pub(super) async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<Option<Self>>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            if let Some(end) = end_of_head(buffer) {
                let rest = buffer.split_off(end);
                let head = std::mem::replace(buffer, rest);
                return Ok(Self::parse(&head));
            }
            if buffer.len() > LONGEST {
                return Ok(None);
            }
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn parse(head: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        if !request.parse(head).ok()?.is_complete() {
            return None;
        }
        let token = (request.headers.iter())
            .find(|header| header.name.eq_ignore_ascii_case("proxy-authorization"))
            .and_then(|header| credentials(std::str::from_utf8(header.value).ok()?));
        Some(Self {
            method: request.method?.to_owned(),
            authority: request.path?.to_owned(),
            token,
        })
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// The token in `Bearer <token>` or in `Basic <anything:token>`.
fn credentials(value: &str) -> Option<String> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let pair = GeneralPurpose::new(&STANDARD, lenient).decode(rest).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Option<Ask>, Vec<u8>) {
        let (mut stream, mut buffer) = (bytes, Vec::new());
        let ask = Ask::read(&mut stream, &mut buffer).await.unwrap();
        // However much was read along with the request, nothing is lost.
        buffer.extend(stream);
        (ask, buffer)
    }

    #[tokio::test]
    async fn both_ways_to_show_a_token_are_read() {
        for shown in ["Bearer t.o.k", "bearer  t.o.k ", "Basic eDp0Lm8uaw==", "basic eDp0Lm8uaw"] {
            let text = format!("CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: {shown}\r\n\r\nrest");
            let (ask, rest) = read(text.as_bytes()).await;
            let ask = ask.unwrap();
            assert_eq!(ask.token.as_deref(), Some("t.o.k"), "{shown}");
            assert_eq!((ask.method.as_str(), ask.authority.as_str()), ("CONNECT", "a:1"));
            assert_eq!(rest, b"rest");
        }
    }

    #[tokio::test]
    async fn what_is_no_request_is_none() {
        assert!(read(b"\x16\x03\x01\r\n\r\n").await.0.is_none());
        assert!(read(&vec![b'x'; LONGEST + 1]).await.0.is_none());
        let (ask, _) = read(b"CONNECT a:1 HTTP/1.1\r\nproxy-authorization: Digest x\r\n\r\n").await;
        assert!(ask.unwrap().token.is_none());
    }
}
