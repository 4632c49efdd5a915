//! Request bodies: bounded, JSON or YAML, and for a few kinds protobuf.

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::Kind;
use super::protobuf;
use super::status::Refusal;
use super::strict;

/// As much as a real server takes, which is what its own store takes.
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;

/// A body read, with the media type it said it had.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) media: String,
    pub(crate) value: Value,
    /// The fields that were there more than once.
    pub(crate) duplicates: Vec<String>,
}

fn media(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

fn parse(bytes: &[u8], yaml: bool) -> Result<(Value, Vec<String>), Refusal> {
    if yaml {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Refusal::bad_request("the body is not UTF-8"))?;
        let value = serde_saphyr::from_str(text).map_err(|_| {
            Refusal::bad_request("error converting YAML to JSON: the body is no YAML")
        })?;
        return Ok((value, Vec::new()));
    }
    strict::read(bytes).map_err(|error| {
        Refusal::bad_request(format!("the object provided is unrecognized: {error}"))
    })
}

/// The body of a create or an update: an object.
pub(crate) fn object(kind: &Kind, headers: &HeaderMap, bytes: &[u8]) -> Result<Written, Refusal> {
    let media = media(headers);
    if media == "application/vnd.kubernetes.protobuf"
        && let Some(value) = protobuf::object(kind.kind, bytes)
    {
        return Ok(Written { media, value, duplicates: Vec::new() });
    }
    plain(headers, bytes)
}

fn plain(headers: &HeaderMap, bytes: &[u8]) -> Result<Written, Refusal> {
    let media = media(headers);
    let (value, duplicates) = match media.as_str() {
        "" | "application/json" => parse(bytes, false)?,
        "application/yaml" => parse(bytes, true)?,
        other => {
            return Err(Refusal::unsupported_media(other, "application/json, application/yaml"));
        }
    };
    Ok(Written { media, value, duplicates })
}

/// The body of a patch, whose media type says what kind of patch it is.
pub(crate) fn patch(headers: &HeaderMap, bytes: &[u8]) -> Result<Written, Refusal> {
    let media = media(headers);
    // Refused before it is read: what a foreign type holds is nobody's business here.
    super::patch::Patch::of(&media)?;
    let (value, duplicates) = parse(bytes, media.ends_with("yaml"))?;
    Ok(Written { media, value, duplicates })
}

/// Options that may come with a deletion; some clients send them without saying what they are.
pub(crate) fn options(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    plain(headers, bytes).map(|written| written.value)
}
