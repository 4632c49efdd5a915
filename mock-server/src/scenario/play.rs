//! Turning a scenario into an answer: an ordinary one where http can express it, a script where only
//! the bare connection can.

use std::io::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use serde_json::Value;

use super::Scenario;
use super::file::{Answer, Content, Drip, Encoding, Framing, Length, Phase, Wire};
use super::fill::Occasion;
use super::fill::{filled, patched};
use crate::net::{Script, Step};

/// An endless body goes out in blocks of about this size.
const BLOCK: usize = 16 * 1024;

/// The honest answer that some scenarios depart from.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The complete 201 body, with a listener endpoint whatever the contract generation.
    pub body: Value,
    pub location: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the scenario `{name}` cannot be played: {why}")]
pub struct Unplayable {
    pub name: String,
    pub why: String,
}

/// The answer of `scenario` on this occasion; `issued` is only called where one is needed.
pub fn answer(
    scenario: &Scenario,
    occasion: &Occasion<'_>,
    issued: impl FnOnce() -> Issued,
) -> Result<Response, Unplayable> {
    let unplayable = |why: String| Unplayable { name: scenario.name.clone(), why };
    if let Some(raw) = scenario.answer.wire.as_ref().and_then(|wire| wire.raw.as_ref()) {
        return Ok(raw_answer(scenario, raw));
    }
    let draft = Draft::write(scenario, occasion, issued).map_err(unplayable)?;
    let (mut response, sayable) = draft.response();
    if sayable && scenario.answer.is_ordinary() {
        let Payload::Whole(bytes) = draft.payload else {
            return Err(unplayable("an endless body needs a framing".to_owned()));
        };
        *response.body_mut() = Body::from(bytes);
        return Ok(response);
    }
    let script = draft.script(&scenario.answer).map_err(unplayable)?;
    response.extensions_mut().insert(script);
    Ok(response)
}

/// The answer of a scenario that departs from no honest one: all that it says of the request is its
/// path.
pub fn verbatim(scenario: &Scenario, instance: &str) -> Result<Response, Unplayable> {
    let occasion = Occasion { instance, project_id: "", resource_id: "", session_id: "", kind: "" };
    answer(scenario, &occasion, || Issued { body: Value::Null, location: String::new() })
}

/// What is sent instead of http. The response beside it tells a journal what a lenient reader would
/// make of it: its last status line, or a bad gateway where there is none.
fn raw_answer(scenario: &Scenario, raw: &str) -> Response {
    let status = raw
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse::<StatusCode>().ok())
        .unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if let Ok(name) = HeaderValue::from_str(&scenario.name) {
        response.headers_mut().insert("x-scenario", name);
    }
    let script = Script::new(vec![Step::Send(Bytes::copy_from_slice(raw.as_bytes()))]);
    response.extensions_mut().insert(script);
    response
}

enum Payload {
    Whole(Bytes),
    /// Repeated without end.
    Endless(Bytes),
}

/// An answer before it is decided how it travels.
struct Draft {
    status: StatusCode,
    headers: Vec<(String, String)>,
    payload: Payload,
}

impl Draft {
    fn write(
        scenario: &Scenario,
        occasion: &Occasion<'_>,
        issued: impl FnOnce() -> Issued,
    ) -> Result<Self, String> {
        let answer = &scenario.answer;
        let mut headers = Vec::new();
        let mut status = answer.status;
        let payload = match &answer.body {
            None => Payload::Whole(Bytes::new()),
            Some(Content::Issued { patch }) => {
                let issued = issued();
                status = status.or(Some(201));
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                headers.push(("location".to_owned(), issued.location));
                Payload::Whole(patched(issued.body, patch, occasion)?.into())
            }
            Some(Content::Json(document)) => {
                Payload::Whole(filled(document, occasion).to_string().into())
            }
            Some(Content::Text(text)) => Payload::Whole(Bytes::copy_from_slice(text.as_bytes())),
            Some(Content::Base64(text)) => {
                Payload::Whole(STANDARD.decode(text).map_err(|error| error.to_string())?.into())
            }
            Some(Content::Fill { text, .. }) if text.is_empty() => {
                return Err("nothing to fill the body with".to_owned());
            }
            Some(Content::Fill { text, bytes: Some(bytes) })
                if answer.content_encoding.is_some() =>
            {
                return Self::compressed_fill(scenario, status, text, *bytes);
            }
            Some(Content::Fill { text, bytes: Some(bytes) }) => {
                Payload::Whole(text.bytes().cycle().take(*bytes).collect())
            }
            Some(Content::Fill { text, bytes: None }) => {
                Payload::Endless(text.repeat(BLOCK.div_ceil(text.len())).into())
            }
        };
        let payload = match (answer.content_encoding, payload) {
            (Some(Encoding::Gzip), Payload::Whole(bytes)) => Payload::Whole(gzip(&bytes)?.into()),
            (Some(Encoding::Gzip), Payload::Endless(_)) => {
                return Err("an endless body cannot be compressed".to_owned());
            }
            (None, payload) => payload,
        };
        Self::finish(scenario, status, headers, payload)
    }

    /// A stretch of the same text is compressed once and repeated, as members of one gzip stream:
    /// a bomb must not be more work for the server than for its victim.
    fn compressed_fill(
        scenario: &Scenario,
        status: Option<u16>,
        text: &str,
        bytes: usize,
    ) -> Result<Self, String> {
        let whole = text.repeat((256 * 1024_usize).div_ceil(text.len()));
        let member = gzip(whole.as_bytes())?;
        let mut body = member.repeat(bytes / whole.len());
        body.extend(gzip(&whole.as_bytes()[..bytes % whole.len()])?);
        Self::finish(scenario, status, Vec::new(), Payload::Whole(body.into()))
    }

    fn finish(
        scenario: &Scenario,
        status: Option<u16>,
        mut headers: Vec<(String, String)>,
        payload: Payload,
    ) -> Result<Self, String> {
        let answer = &scenario.answer;
        for (name, values) in &answer.headers {
            headers.retain(|(known, _)| known != name);
            headers.extend(values.values().iter().map(|value| (name.clone(), value.clone())));
        }
        if answer.content_encoding.is_some() {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        }
        headers.push(("x-scenario".to_owned(), scenario.name.clone()));
        let status = status.ok_or("it names no status")?;
        let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
        Ok(Self { status, headers, payload })
    }

    /// The answer without its body, and whether every header of it could be said in http.
    fn response(&self) -> (Response, bool) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let mut complete = true;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            match (name, HeaderValue::from_bytes(value.as_bytes())) {
                (Ok(name), Ok(value)) => {
                    response.headers_mut().append(name, value);
                }
                _ => complete = false,
            }
        }
        (response, complete)
    }

    fn script(self, answer: &Answer) -> Result<Script, String> {
        let framing = match answer.content_length {
            Some(Length::Framed(framing)) => Some(framing),
            _ => None,
        };
        let head = self.head(answer);
        let untouched = Wire::default();
        let wire = answer.wire.as_ref().unwrap_or(&untouched);
        let mut steps = Vec::new();
        if let Some(delay) = wire.delay_before_ms {
            steps.push(Step::Wait(Duration::from_millis(delay)));
        }
        let body = match self.payload {
            Payload::Whole(bytes) if framing == Some(Framing::Chunked) => {
                let mut body = if bytes.is_empty() { Vec::new() } else { chunk(&bytes) };
                body.extend_from_slice(b"0\r\n\r\n");
                Bytes::from(body)
            }
            Payload::Whole(bytes) => bytes,
            Payload::Endless(_) if framing.is_none() => {
                return Err("an endless body needs a framing".to_owned());
            }
            Payload::Endless(_) if wire.drip.is_some() => {
                return Err("an endless body does not drip".to_owned());
            }
            Payload::Endless(block) => {
                let chunked = framing == Some(Framing::Chunked);
                let chunk = if chunked { chunk(&block).into() } else { block };
                steps.push(Step::Send(head.into()));
                steps.push(Step::Repeat { chunk, times: None });
                return Ok(Script::new(steps));
            }
        };
        let (end, phase) = match (wire.stall, wire.reset, wire.close) {
            (Some(phase), ..) => (Some(Step::Stall), Some(phase)),
            (_, Some(phase), _) => (Some(Step::Reset), Some(phase)),
            (_, _, Some(phase)) => (Some(Step::Cut), Some(phase)),
            _ => (None, None),
        };
        let (head_bytes, body_bytes) = match phase {
            None => (head.len(), body.len()),
            Some(Phase::BeforeHeaders) => (0, 0),
            Some(Phase::MidHeaders) => (head.len() / 2, 0),
            Some(Phase::MidBody) => (head.len(), body.len() / 2),
        };
        send(&mut steps, &head[..head_bytes], &body.slice(..body_bytes), wire.drip);
        steps.extend(end);
        Ok(Script::new(steps))
    }

    fn head(&self, answer: &Answer) -> Vec<u8> {
        let reason =
            answer.reason_phrase.as_deref().or(self.status.canonical_reason()).unwrap_or_default();
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16());
        let mut line = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        let bodiless = matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (answer.content_length, &self.payload) {
            (Some(Length::Declared(bytes)), _) => line("content-length", &bytes.to_string()),
            (Some(Length::Framed(Framing::Chunked)), _) => line("transfer-encoding", "chunked"),
            (None, Payload::Whole(bytes)) if !bodiless => {
                line("content-length", &bytes.len().to_string());
            }
            _ => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn send(steps: &mut Vec<Step>, head: &[u8], body: &Bytes, drip: Option<Drip>) {
    let Some(drip) = drip else {
        let together = [head, body.as_ref()].concat();
        if !together.is_empty() {
            steps.push(Step::Send(together.into()));
        }
        return;
    };
    steps.push(Step::Send(Bytes::copy_from_slice(head)));
    let size = drip.bytes.max(1);
    for start in (0..body.len()).step_by(size) {
        steps.push(Step::Send(body.slice(start..body.len().min(start + size))));
        steps.push(Step::Wait(Duration::from_millis(drip.every_ms)));
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| error.to_string())
}
