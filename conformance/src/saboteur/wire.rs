//! Bytes that are HTTP messages most of the time: requests read as they pass, answers held back
//! where somebody wants to change them, everything else handed on untouched.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::exchange::After;
use super::message::{Body, Parsed, body, head_of, whole_request};
use super::relay::some;
use super::socket;
use crate::bench::{Request, Response};

/// A request of which the head is there, and perhaps not the whole body.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    head: Option<Request>,
}

impl Inbound {
    /// What was begun, for an answer that does not wait for its end.
    pub(super) fn begun(&self) -> Option<Request> {
        self.head.clone()
    }
}

/// More than this is not held for anybody.
pub(super) const HELD_LIMIT: usize = 1024 * 1024;

/// How long the rest of a head may take.
const PAUSE: Duration = Duration::from_millis(30);

/// Hands bytes on until the stream ends; an error is one that broke off.
pub(super) fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

/// Reads requests from the client. With `held` each is handed over whole, with its bytes;
/// otherwise its bytes go on at once, and it is handed over without them.
pub(super) fn requests(
    client: &TcpStream,
    upstream: &TcpStream,
    held: bool,
    naming: Option<(&str, &str)>,
    (latest, opened): (&Mutex<Inbound>, &AtomicBool),
    mut each: impl FnMut(Request, &[u8]) -> io::Result<()>,
) {
    let mut pending = Vec::new();
    let mut readable = true;
    loop {
        let before = pending.len();
        let ended = !matches!(some(client, &mut pending), Ok(1..));
        if let Some((ours, theirs)) = naming {
            renamed(&mut pending, before, ours.as_bytes(), theirs.as_bytes());
        }
        // Behind an answered CONNECT come somebody else's bytes.
        readable &= !opened.load(Ordering::SeqCst);
        let along = (!held || !readable).then(|| pending[before..].to_vec());
        while readable {
            match whole_request(&pending) {
                Parsed::Whole(request, length) => {
                    latest.lock().unwrap_or_else(PoisonError::into_inner).head = None;
                    let rest = pending.split_off(length);
                    let bytes = std::mem::replace(&mut pending, rest);
                    if each(request, if held { &bytes } else { &[] }).is_err() {
                        return;
                    }
                }
                Parsed::Begun(request) => {
                    latest.lock().unwrap_or_else(PoisonError::into_inner).head = Some(request);
                    if pending.len() < HELD_LIMIT {
                        break;
                    }
                    // Too much to hold, and to read anew with every piece that comes.
                    readable = false;
                    if held && (&*upstream).write_all(&pending).is_err() {
                        return;
                    }
                }
                Parsed::Nothing if pending.len() < HELD_LIMIT => break,
                Parsed::Nothing | Parsed::Noise => {
                    readable = false;
                    if held && (&*upstream).write_all(&pending).is_err() {
                        return;
                    }
                }
            }
        }
        // Only now: an answer must not be there before its request is known.
        if along.is_some_and(|bytes| (&*upstream).write_all(&bytes).is_err()) {
            return;
        }
        if !readable {
            pending.clear();
        }
        if ended {
            if held && readable {
                let _ = (&*upstream).write_all(&pending);
            }
            return;
        }
    }
}

/// Puts the server's name in the place of ours: the client was told ours, and must not be blamed.
fn renamed(bytes: &mut Vec<u8>, from: usize, ours: &[u8], theirs: &[u8]) {
    let found = bytes[from..].windows(ours.len()).position(|window| window == ours);
    if let Some(at) = found {
        bytes.splice(from + at..from + at + ours.len(), theirs.iter().copied());
    }
}

/// Reads answers from the server and hands them on; those that somebody `wants` are held until
/// they are whole and go through `change`. An error is a connection that broke off.
pub(super) fn answers(
    upstream: &TcpStream,
    client: &TcpStream,
    opened: &AtomicBool,
    mut next: impl FnMut() -> Option<Request>,
    mut wants: impl FnMut(&Request, &Response) -> bool,
    mut change: impl FnMut(&Request, &mut Response) -> After,
) -> io::Result<()> {
    let mut pending = Vec::new();
    loop {
        // A head, or whatever else comes.
        let (mut response, head) = loop {
            match head_of(&pending) {
                Ok(Some(found)) => break found,
                Ok(None) if pending.len() < HELD_LIMIT => {}
                _ => return rest(upstream, client, &pending),
            }
            // A head that was begun and does not go on is passed on as far as it came.
            let patience = (!pending.is_empty()).then_some(PAUSE);
            upstream.set_read_timeout(patience)?;
            match some(upstream, &mut pending) {
                Ok(0) => return (&*client).write_all(&pending),
                Ok(_) => {}
                Err(error) if patience.is_some() && paused(&error) => {
                    upstream.set_read_timeout(None)?;
                    return rest(upstream, client, &pending);
                }
                Err(error) => {
                    let _ = (&*client).write_all(&pending);
                    return Err(error);
                }
            }
        };
        upstream.set_read_timeout(None)?;
        let interim = (100..200).contains(&response.status) && response.status != 101;
        let request = if interim { None } else { next() };
        let connected = request.as_ref().is_some_and(|request| request.method == "CONNECT")
            && (200..300).contains(&response.status);
        let opens = response.status == 101 || connected;
        opened.store(opens, Ordering::SeqCst);
        let Some(request) = request.filter(|request| wants(request, &response)) else {
            if interim {
                (&*client).write_all(&pending[..head])?;
                pending.drain(..head);
                continue;
            }
            // Not ours to change: what is left of this connection passes as it is, unless its end
            // can be told.
            if opens {
                return rest(upstream, client, &pending);
            }
            match untouched(upstream, client, &mut pending, head, &response)? {
                true => continue,
                false => return Ok(()),
            }
        };
        let bodiless = opens || request.method == "HEAD" || matches!(response.status, 204 | 304);
        let length = loop {
            if bodiless {
                break Some(head);
            }
            match body(&response.headers, &pending[head..], Vec::new()) {
                Body::Whole(whole, length) => {
                    response.body = whole;
                    break Some(head + length);
                }
                Body::Noise => return rest(upstream, client, &pending),
                Body::Part | Body::UntilTheEnd if pending.len() >= HELD_LIMIT => {
                    return rest(upstream, client, &pending);
                }
                Body::Part | Body::UntilTheEnd => {}
            }
            match some(upstream, &mut pending) {
                Ok(0)
                    if response.headers.get("content-length").is_none()
                        && response.headers.get("transfer-encoding").is_none() =>
                {
                    response.body = pending[head..].to_vec();
                    break None;
                }
                Ok(0) => return (&*client).write_all(&pending),
                Ok(_) => {}
                Err(error) => {
                    let _ = (&*client).write_all(&pending);
                    return Err(error);
                }
            }
        };
        match change(&request, &mut response) {
            After::Unchanged => {
                let end = length.unwrap_or(pending.len());
                (&*client).write_all(&pending[..end])?;
            }
            After::Changed => response.write_to(&mut &*client)?,
            After::Over => return Ok(()),
            After::Last => return response.write_to(&mut &*client),
            After::ClosedAs(code) => {
                (&*client).write_all(&pending[..head])?;
                return socket::closed_as(code, &pending[head..], upstream, client);
            }
        }
        if opens {
            return rest(upstream, client, pending.get(head..).unwrap_or_default());
        }
        match length {
            Some(length) => drop(pending.drain(..length)),
            None => return Ok(()),
        }
    }
}

fn paused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Passes one answer on as it comes; false when the connection ended with it.
fn untouched(
    upstream: &TcpStream,
    client: &TcpStream,
    pending: &mut Vec<u8>,
    head: usize,
    response: &Response,
) -> io::Result<bool> {
    let length = response.headers.get("content-length").and_then(|text| text.parse::<usize>().ok());
    let bodiless = matches!(response.status, 204 | 304);
    let Some(length) = length.or(bodiless.then_some(0)) else {
        return rest(upstream, client, pending).map(|()| false);
    };
    let Some(end) = head.checked_add(length) else {
        return rest(upstream, client, pending).map(|()| false);
    };
    let mut left = end;
    loop {
        let now = left.min(pending.len());
        (&*client).write_all(&pending[..now])?;
        pending.drain(..now);
        left -= now;
        // An answer to HEAD declares a length that never comes; then the next head is what follows,
        // and passing bytes on as they are is right all the same.
        if left == 0 {
            return Ok(true);
        }
        if some(upstream, pending)? == 0 {
            return Ok(false);
        }
    }
}

/// Everything from here on, unread.
fn rest(mut upstream: &TcpStream, mut client: &TcpStream, pending: &[u8]) -> io::Result<()> {
    client.write_all(pending)?;
    let mut chunk = [0_u8; 16 * 1024];
    loop {
        let read = upstream.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        client.write_all(&chunk[..read])?;
    }
}
