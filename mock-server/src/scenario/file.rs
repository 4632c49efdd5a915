//! The scenario format, read strictly: a key that nobody reads would be a promise that nobody keeps.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One file below `fixtures/scenarios`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(rename = "$schema")]
    pub schema: String,
    pub name: String,
    pub title: String,
    pub why: String,
    pub source: Vec<Source>,
    /// Which parts of the expectations are a habit only; that is for the judges of clients.
    #[serde(default)]
    pub decided: Vec<Decided>,
    pub tags: Vec<String>,
    /// The operationId that is answered so; every other operation is answered properly.
    pub operation: String,
    pub(super) answer: Answer,
    /// What clients must do with it is not this server's business, only that it is well-formed.
    #[serde(default)]
    pub expect: BTreeMap<String, Expectation>,
    /// The same where no session is asked for, and any client may be meant.
    pub conclude: Option<Conclusion>,
}

impl Scenario {
    /// Whether it is this operation that is answered so.
    pub fn is_about(&self, operation: &str) -> bool {
        self.operation == operation
    }

    /// Whether it departs from the honest answer to IssueSession.
    pub fn tells_of_a_session(&self) -> bool {
        matches!(self.answer.body, Some(Content::Issued { .. }))
    }

    /// The word for programs in the refusal that it answers with, if that is what it does: where
    /// that stands is each system's own.
    pub fn code(&self) -> Option<&str> {
        let Some(Content::Json(document)) = &self.answer.body else { return None };
        ["/code", "/error/details/0/reason", "/reason"]
            .iter()
            .find_map(|place| document.pointer(place)?.as_str())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    pub members: Vec<String>,
    pub page: String,
    pub fact: String,
}

/// Where an expectation comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub page: String,
    pub fact: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub exit_code: u8,
    pub requests: u32,
    pub revokes: u32,
    pub client_started: Option<bool>,
    pub stdout: Stdout,
    #[serde(default)]
    pub stderr_has: Vec<String>,
    #[serde(default)]
    pub stderr_lacks: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdout {
    Empty,
    Payload,
}

/// What a client may conclude from an answer about kubeconfigs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    pub created: Option<Created>,
    pub usable: Option<bool>,
    pub again: Again,
    pub then: String,
    pub kubectl: Option<Kubectl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Created {
    No,
    Yes,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    No,
    Later,
    AfterALook,
}

/// How a stock kubectl takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubectl {
    #[serde(default)]
    pub args: Vec<String>,
    pub exit_code: i32,
    pub requests: u64,
    pub stdout: Shown,
    #[serde(default)]
    pub stderr_has: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    Empty,
    Value,
    Rows,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub status: Option<u16>,
    pub reason_phrase: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, OneOrMany>,
    pub body: Option<Content>,
    pub content_encoding: Option<Encoding>,
    pub content_length: Option<Length>,
    pub wire: Option<Wire>,
}

impl Answer {
    /// Whether any http server could send it, as far as its keys tell.
    pub(super) fn is_ordinary(&self) -> bool {
        self.reason_phrase.is_none() && self.content_length.is_none() && self.wire.is_none()
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Content {
    /// The honest answer to the request at hand, after these RFC 6902 operations. They are kept as
    /// data, because placeholders are filled in before they are operations.
    Issued {
        patch: Vec<Value>,
    },
    Json(Value),
    Text(String),
    Base64(String),
    /// The text again and again; without a number of bytes, for ever.
    Fill {
        text: String,
        bytes: Option<usize>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    Gzip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Length {
    /// Declared, whatever is sent.
    Declared(u64),
    Framed(Framing),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Framing {
    Chunked,
    /// The end of the connection is the end of the body.
    None,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    pub delay_before_ms: Option<u64>,
    pub stall: Option<Phase>,
    pub reset: Option<Phase>,
    pub close: Option<Phase>,
    pub drip: Option<Drip>,
    pub raw: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    BeforeHeaders,
    MidHeaders,
    MidBody,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drip {
    pub bytes: usize,
    pub every_ms: u64,
}
