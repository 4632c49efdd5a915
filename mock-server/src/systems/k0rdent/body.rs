//! The body of a request for a kubeconfig: bounded in bytes and time, and judged field by field.

use std::fmt;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::refusal::{Detail, Refusal};
use crate::net::intake::{self, Lost};
use crate::world::journal::Open;

/// Three short fields fit many times over.
pub const MOST: usize = 8 * 1024;

const LONGEST_USER: usize = 255;

pub async fn take(body: Incoming, limit: usize, patience: Duration) -> Result<Bytes, Refusal> {
    intake::take(body, limit, patience).await.map_err(|lost| match lost {
        Lost::Late => Refusal::new(408, "request_timeout", "the body did not arrive in time"),
        Lost::Large(limit) => {
            let message = format!("the body is larger than {limit} bytes");
            Refusal::new(413, "body_too_large", message)
        }
        Lost::Broken => Refusal::malformed("the body ended too early"),
    })
}

/// What is asked for. Fields nobody reads are noted, not refused.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    pub user: Option<String>,
    pub role: Option<String>,
    pub ttl: Option<u64>,
}

impl Wish {
    /// No field is required, and so neither is the body.
    pub fn read(headers: &HeaderMap, bytes: &[u8], trail: &mut Open) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        check_type(headers)?;
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| {
            // Without the value that caused it, which may be what nobody should repeat.
            let (line, column) = (error.line(), error.column());
            Refusal::malformed(format!(
                "this is not the JSON of one object, each member once: line {line} column {column}"
            ))
        })?;
        for name in &raw.unread {
            trail.note_unread(name);
        }
        let mut wrong = Vec::new();
        let wish = Self {
            user: raw.user.and_then(|value| user(&value).map_err(|one| wrong.push(one)).ok()),
            role: raw.role.and_then(|value| role(&value).map_err(|one| wrong.push(one)).ok()),
            ttl: raw.ttl.and_then(|value| ttl(&value).map_err(|one| wrong.push(one)).ok()),
        };
        if wrong.is_empty() { Ok(wish) } else { Err(Refusal::values(wrong)) }
    }
}

pub fn wrong(reason: &'static str, field: &'static str, description: impl Into<String>) -> Detail {
    Detail { reason, field: Some(field), description: Some(description.into()) }
}

fn user(value: &Value) -> Result<String, Detail> {
    let no = |what: &str| Err(wrong("invalid_user", "user", what));
    let Some(user) = value.as_str() else { return no("a string") };
    if user.is_empty() || user.chars().count() > LONGEST_USER {
        return no("1 to 255 characters");
    }
    if user.chars().any(char::is_control) || user.trim() != user {
        return no("no control characters, and no space at either end");
    }
    // Those are the cluster's own.
    if user.starts_with("system:") {
        return no("names that begin with system: are reserved");
    }
    Ok(user.to_owned())
}

fn role(value: &Value) -> Result<String, Detail> {
    match value.as_str() {
        Some(role) if !role.is_empty() => Ok(role.to_owned()),
        _ => Err(wrong("invalid_role", "role", "a string that is not empty")),
    }
}

/// Whole seconds; JSON Schema's integer is any number without a fraction.
fn ttl(value: &Value) -> Result<u64, Detail> {
    let no = || wrong("invalid_ttl", "ttl", "whole seconds, at least 1");
    let seconds = match value.as_u64() {
        Some(seconds) => seconds,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        None => match value.as_f64() {
            Some(number) if number >= 1.0 && number.fract() == 0.0 => number as u64,
            _ => return Err(no()),
        },
    };
    if seconds == 0 { Err(no()) } else { Ok(seconds) }
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let encoded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if essence.as_deref() != Some("application/json") || encoded {
        let message = "send application/json, without a content coding";
        return Err(Refusal::new(415, "unsupported_media_type", message));
    }
    Ok(())
}

/// The members as they came.
#[derive(Default)]
struct Raw {
    user: Option<Value>,
    role: Option<Value>,
    ttl: Option<Value>,
    unread: Vec<String>,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<Value>()?;
                    let place = match name.as_str() {
                        "user" => &mut raw.user,
                        "role" => &mut raw.role,
                        "ttl" => &mut raw.ttl,
                        _ if raw.unread.contains(&name) => {
                            return Err(A::Error::custom("a member is there twice"));
                        }
                        _ => {
                            raw.unread.push(name);
                            continue;
                        }
                    };
                    if place.replace(value).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                Ok(raw)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
