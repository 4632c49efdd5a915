//! Making one answer ready for the request at hand: status line, header fields, body.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Body, ContentLength};
use crate::bench::evidence::{Glimpse, shown};
use crate::bench::http::{Headers, Request};
use crate::bench::issued::{self, Issued};
use crate::verdict::{Outcome, broken};

/// An answer made ready for one request.
pub(crate) struct Prepared {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// Repeated without end after the body.
    pub(super) endless: Option<Vec<u8>>,
    pub(super) chunked: bool,
    pub(super) close: bool,
    pub(super) answer: Arc<Answer>,
    /// What was handed out, where the body is an issued session.
    pub(crate) issued: Option<Issued>,
}

impl Prepared {
    /// What is about to be answered, for the one who has to understand what came of it.
    pub(crate) fn told(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let answer = Arc::clone(&self.answer);
        let (head, body) = (Glimpse::of(&self.head), Glimpse::of(&self.body));
        move || {
            if let Some(raw) = answer.wire.as_ref().and_then(|wire| wire.raw.as_ref()) {
                return format!("  the referee answered, raw: {}", shown(raw.as_bytes()));
            }
            let head = head.shown().trim_end().replace('\n', "\n    ");
            let how = match &answer.wire {
                Some(wire) => format!(" (on the wire: {wire:?})"),
                None => String::new(),
            };
            format!("  the referee answered{how}: {head}\n\n    {}", body.shown())
        }
    }
}

pub(crate) fn prepare(
    answer: &Arc<Answer>,
    request: &Request,
    scenario: Option<&str>,
) -> Outcome<Prepared> {
    let project_id = request.path.split('/').skip_while(|part| *part != "projects").nth(1);
    let project_id = project_id.unwrap_or_default();
    let asked = request.json();
    let mut headers = Headers::default();
    let mut issued = None;
    let mut endless = None;
    let mut status = answer.status.unwrap_or(200);
    let mut body = match &answer.body {
        None => Vec::new(),
        Some(Body::Issued { patch }) => {
            let mut made = issued::issue(project_id, &asked, Timestamp::now())?;
            status = answer.status.unwrap_or(201);
            headers.push("content-type", "application/json");
            headers.push("location", made.location.clone());
            let filled = fill(patch.clone(), request, &asked, project_id, &made.session_id);
            if !filled.is_null() {
                let operations: Vec<json_patch::PatchOperation> = serde_json::from_value(filled)?;
                if let Err(error) = json_patch::patch(&mut made.body, &operations) {
                    return broken(format!("the scenario's patch does not apply: {error}"));
                }
            }
            if let Some(token) = made.body["token"].as_str() {
                token.clone_into(&mut made.token);
            }
            let bytes = made.body.to_string().into_bytes();
            issued = Some(made);
            bytes
        }
        Some(Body::Json(value)) => {
            let session_id = uuid::Uuid::now_v7().to_string();
            fill(value.clone(), request, &asked, project_id, &session_id).to_string().into_bytes()
        }
        Some(Body::Text(text)) => text.clone().into_bytes(),
        Some(Body::Base64(text)) => match STANDARD.decode(text) {
            Ok(bytes) => bytes,
            Err(error) => return broken(format!("the scenario's base64: {error}")),
        },
        Some(Body::Fill { text, bytes: Some(bytes) }) if answer.content_encoding.is_none() => {
            filled(text, *bytes)
        }
        // Packed below, and never whole in memory again once it has been.
        Some(Body::Fill { bytes: Some(_), .. }) => Vec::new(),
        Some(Body::Fill { text, bytes: None }) => {
            endless = Some(text.repeat(1 + 16 * 1024 / text.len().max(1)).into_bytes());
            Vec::new()
        }
    };
    for (name, values) in &answer.headers {
        headers.remove(name);
        for value in values.values() {
            headers.push(name.clone(), value.clone());
        }
    }
    if let Some(encoding) = &answer.content_encoding {
        if encoding != "gzip" {
            return broken(format!("no encoder for {encoding}"));
        }
        body = match &answer.body {
            Some(Body::Fill { text, bytes: Some(bytes) }) => packed_fill(text, *bytes)?,
            _ => packed(&body)?,
        };
        headers.remove("content-encoding");
        headers.push("content-encoding", "gzip");
    }
    if let Some(name) = scenario {
        headers.push("x-scenario", name);
    }
    let mut close =
        headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let mut chunked = false;
    match &answer.content_length {
        Some(ContentLength::Declared(length)) => {
            headers.push("content-length", length.to_string());
            close = true;
        }
        Some(ContentLength::Word(word)) if word == "chunked" => {
            headers.push("transfer-encoding", "chunked");
            chunked = true;
        }
        Some(ContentLength::Word(_)) => close = true,
        None if endless.is_some() => close = true,
        None if matches!(status, 204 | 304) => {}
        None => headers.push("content-length", body.len().to_string()),
    }
    let reason = answer.reason_phrase.clone().unwrap_or_else(|| reason_phrase(status).to_owned());
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
    for (name, value) in &headers.0 {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    if chunked && endless.is_none() {
        body = in_chunks(&body);
    }
    Ok(Prepared { head, body, endless, chunked, close, answer: Arc::clone(answer), issued })
}

impl Prepared {
    /// The status line and the header fields, as they go out.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The body as it goes out; of an endless one, what is repeated.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.endless.unwrap_or(self.body)
    }

    pub(crate) fn is_endless(&self) -> bool {
        self.endless.is_some()
    }
}

fn filled(text: &str, bytes: usize) -> Vec<u8> {
    let mut whole = text.repeat(bytes.div_ceil(text.len().max(1))).into_bytes();
    whole.truncate(bytes);
    whole
}

fn packed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// A bomb takes long to pack and is played to many: it is packed once.
fn packed_fill(text: &str, bytes: usize) -> std::io::Result<Vec<u8>> {
    static PACKED: Mutex<BTreeMap<(String, usize), Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut held = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (text.to_owned(), bytes);
    if let Some(body) = held.get(&key) {
        return Ok(body.clone());
    }
    let body = packed(&filled(text, bytes))?;
    held.insert(key, body.clone());
    Ok(body)
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut bytes = if body.is_empty() { Vec::new() } else { in_one_chunk(body) };
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

pub(super) fn in_one_chunk(block: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", block.len()).as_bytes(), block, b"\r\n"].concat()
}

/// Fills the placeholders in every string of a JSON value.
fn fill(
    value: Value,
    request: &Request,
    asked: &Value,
    project_id: &str,
    session_id: &str,
) -> Value {
    match value {
        Value::String(text) if text.contains('{') => Value::String(
            text.replace("{instance}", &request.path)
                .replace("{project_id}", project_id)
                .replace("{resource_id}", asked["resource_id"].as_str().unwrap_or_default())
                .replace("{session_id}", session_id)
                .replace("{kind}", asked["kind"].as_str().unwrap_or_default()),
        ),
        Value::Array(items) => {
            let each = |item| fill(item, request, asked, project_id, session_id);
            Value::Array(items.into_iter().map(each).collect())
        }
        Value::Object(fields) => {
            let each = |(key, item)| (key, fill(item, request, asked, project_id, session_id));
            Value::Object(fields.into_iter().map(each).collect())
        }
        other => other,
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Answer",
    }
}
