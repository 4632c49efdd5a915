//! Reading a request body: bounded in bytes, depth and time, and watched for fields that
//! nobody reads.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::refusal::Refusal;
use crate::net::intake::{self, Lost};
use crate::world::journal::Open;

pub const SESSION_BODY: usize = 64 * 1024;
pub const SMALL_BODY: usize = 8 * 1024;

/// A body as it came: the bytes, or why there are none.
pub type Taken = Result<Bytes, Refusal>;

pub async fn take(body: Incoming, limit: usize, patience: Duration) -> Taken {
    intake::take(body, limit, patience).await.map_err(|lost| match lost {
        Lost::Late => Refusal::new(408, "request_timeout", "the body did not arrive in time"),
        Lost::Large(limit) => {
            let detail = format!("the body is larger than {limit} bytes");
            Refusal::new(413, "request_body_too_large", detail)
        }
        Lost::Broken => Refusal::invalid_body("the body ended too early"),
    })
}

/// A body that must be a JSON object. Fields nobody reads are noted, not refused; whether to
/// send them is the client's part of the contract.
pub fn json<T: for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    taken: Taken,
    trail: &mut Open,
) -> Result<T, Refusal> {
    let bytes = taken?;
    check_type(headers)?;
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let object: Object<T> =
        serde_ignored::deserialize(&mut reader, |path| trail.note_unread(&path.to_string()))
            .map_err(|error| Refusal::invalid_body(wrong(&error, place_in::<T>(&error, &bytes))))?;
    reader.end().map_err(|error| Refusal::invalid_body(wrong(&error, None)))?;
    Ok(object.0)
}

/// As [`json`], but the body may be left out.
pub fn optional_json<T: Default + for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    taken: Taken,
    trail: &mut Open,
) -> Result<T, Refusal> {
    if taken.as_ref().is_ok_and(Bytes::is_empty) {
        return Ok(T::default());
    }
    json(headers, taken, trail)
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let is_json = essence.is_some_and(|essence| {
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    if !is_json {
        return Err(Refusal::new(415, "unsupported_media_type", "send application/json"));
    }
    let encoded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if encoded {
        let detail = "send the body as it is, without a content coding";
        return Err(Refusal::new(415, "unsupported_media_type", detail));
    }
    Ok(())
}

/// Where in the document the reading stopped, such as `target.tcp.port`. The body is read once more
/// for it, which nobody pays for whose body is right.
fn place_in<T: for<'de> Deserialize<'de>>(
    error: &serde_json::Error,
    bytes: &[u8],
) -> Option<String> {
    // What is no JSON breaks off in members of any name; what is wrong is in members of ours.
    if !error.is_data() {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(&mut reader);
    let path = read.err()?.path().to_string();
    // Names of the client's, such as those in a map, may be anything.
    let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.[]".contains(c);
    (path != "." && path.len() <= 64 && path.chars().all(ours)).then_some(path)
}

/// The complaint without the value that caused it: a body may hold what nobody should repeat.
fn wrong(error: &serde_json::Error, within: Option<String>) -> String {
    let place = match within {
        Some(path) => format!("in {path}, at line {} column {}", error.line(), error.column()),
        None => format!("at line {} column {}", error.line(), error.column()),
    };
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let known = ["missing field `", "duplicate field `"];
            known
                .iter()
                .find(|start| text.starts_with(**start))
                .and_then(|_| text.split(" at line").next())
                .map_or_else(
                    || format!("a value of the wrong type or form {place}"),
                    |what| format!("{what} {place}"),
                )
        }
        serde_json::error::Category::Eof => format!("the JSON ends too early, {place}"),
        _ => format!("this is not JSON, {place}"),
    }
}

/// A struct that is read from an object only: serde would take an array for it too.
#[derive(Debug, Default)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyMap(PhantomData))
    }
}

/// For an optional field that may be absent, but not null.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// JSON whatever the content type says, for the control API, which people call by hand.
pub fn plain_json(taken: Taken) -> Result<serde_json::Value, Refusal> {
    serde_json::from_slice(&taken?).map_err(|error| Refusal::invalid_body(wrong(&error, None)))
}
