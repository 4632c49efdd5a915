//! HTTP messages at the beginning of bytes that may hold less than one, or something else.

use std::ops::Range;

use crate::bench::{Headers, Request, Response};

pub(super) enum Parsed {
    Whole(Request, usize),
    Begun(Request),
    Nothing,
    Noise,
}

pub(super) fn whole_request(bytes: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut fields);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if begins_a_request(bytes) => return Parsed::Nothing,
        Ok(httparse::Status::Partial) | Err(_) => return Parsed::Noise,
    };
    let headers = owned(parsed.headers);
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    };
    match body(&request.headers, &bytes[head..], Vec::new()) {
        Body::Whole(body, length) => {
            request.body = body;
            Parsed::Whole(request, head + length)
        }
        Body::Part => {
            request.body = bytes[head..].to_vec();
            Parsed::Begun(request)
        }
        Body::UntilTheEnd => Parsed::Whole(request, head),
        Body::Noise => Parsed::Noise,
    }
}

/// Whether what is there may become a request: all methods of ours are capital letters. Whoever
/// waited for the rest of anything else would keep what a plain pipe has to carry.
fn begins_a_request(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    method.iter().all(u8::is_ascii_uppercase)
}

pub(super) enum Body {
    Whole(Vec<u8>, usize),
    Part,
    UntilTheEnd,
    Noise,
}

/// The body at the beginning of these bytes, and how many of them it takes.
pub(super) fn body(headers: &Headers, bytes: &[u8], mut whole: Vec<u8>) -> Body {
    if headers.all("transfer-encoding").any(|value| value.to_lowercase().contains("chunked")) {
        let mut at = 0;
        loop {
            let Ok(status) = httparse::parse_chunk_size(&bytes[at..]) else { return Body::Noise };
            let httparse::Status::Complete((line, size)) = status else { return Body::Part };
            let Ok(size) = usize::try_from(size) else { return Body::Noise };
            at += line;
            if size == 0 {
                let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") else {
                    return Body::Part;
                };
                return Body::Whole(whole, at + end + 2);
            }
            let Some(end) = at.checked_add(size).and_then(|end| end.checked_add(2)) else {
                return Body::Noise;
            };
            if bytes.len() < end {
                return Body::Part;
            }
            whole.extend_from_slice(&bytes[at..at + size]);
            at = end;
        }
    }
    match headers.get("content-length") {
        None => Body::UntilTheEnd,
        Some(text) => match text.trim().parse::<usize>() {
            Ok(length) if bytes.len() >= length => Body::Whole(bytes[..length].to_vec(), length),
            Ok(_) => Body::Part,
            Err(_) => Body::Noise,
        },
    }
}

fn owned(fields: &[httparse::Header<'_>]) -> Headers {
    let pair = |field: &httparse::Header<'_>| {
        (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())
    };
    Headers(fields.iter().map(pair).collect())
}

/// The head of an answer, and how many bytes it takes.
pub(super) fn head_of(bytes: &[u8]) -> Result<Option<(Response, usize)>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut fields);
    match parsed.parse(bytes)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let status = parsed.code.unwrap_or_default();
            Ok(Some((
                Response { status, headers: owned(parsed.headers), body: Vec::new() },
                length,
            )))
        }
    }
}

/// A request that says the version of HTTP that another one said.
pub(super) fn in_the_version_of(said: &[u8], mut request: Vec<u8>) -> Vec<u8> {
    if let (Some(theirs), Some(ours)) = (version(said), version(&request)) {
        request.splice(ours, said[theirs].iter().copied());
    }
    request
}

/// Where the version stands in a request: behind the last blank of the first line.
fn version(request: &[u8]) -> Option<Range<usize>> {
    let line = request.iter().position(|byte| *byte == b'\r')?;
    let blank = request[..line].iter().rposition(|byte| *byte == b' ')?;
    Some(blank + 1..line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_not_waited_for() {
        assert!(matches!(whole_request(b"CONN"), Parsed::Nothing));
        assert!(matches!(whole_request(b"GET / HTTP/1.1\r\nhost"), Parsed::Nothing));
        assert!(matches!(whole_request(b"hello"), Parsed::Noise));
    }

    #[test]
    fn a_changed_request_is_of_the_version_that_the_client_speaks() {
        let changed = || b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        for (said, due) in [("HTTP/1.0", "HTTP/1.0"), ("HTTP/1.1", "HTTP/1.1")] {
            let told = in_the_version_of(format!("GET /a {said}\r\n\r\n").as_bytes(), changed());
            let due = format!("GET /b {due}\r\nhost: x\r\n\r\n");
            assert_eq!(String::from_utf8(told).unwrap(), due);
        }
        assert_eq!(in_the_version_of(b"noise", changed()), changed());
    }
}
