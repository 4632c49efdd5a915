//! The scenario format as this crate reads it, and answers built by a rule in the same words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::bench::contract::System;
use crate::fixture;
use crate::verdict::{Outcome, broken};

const FOLDER: &str = "scenarios/";

/// One file below `fixtures/scenarios`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    pub name: String,
    pub title: String,
    pub why: String,
    pub source: Vec<ScenarioSource>,
    #[serde(default)]
    pub decided: Vec<Decided>,
    pub tags: Vec<String>,
    pub operation: String,
    pub answer: Answer,
    /// What each command must do with it, where a session is asked for.
    #[serde(default)]
    pub expect: BTreeMap<String, Expectation>,
    /// What any client may conclude, where a kubeconfig is.
    pub conclude: Option<Conclusion>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSource {
    pub page: String,
    pub fact: String,
}

/// Parts of the expectations that only a decision record states.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    pub members: Vec<Part>,
    pub page: String,
    pub fact: String,
}

/// A part of an expectation, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    ExitCode,
    Requests,
    Revokes,
    StderrHas,
    StderrLacks,
}

/// What one command must do when it meets the scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub exit_code: i32,
    /// IssueSession requests the server must see.
    pub requests: usize,
    pub revokes: usize,
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
#[serde(rename_all = "lowercase")]
pub enum Stdout {
    Empty,
    Payload,
}

/// What an answer about kubeconfigs means to whoever asked.
#[derive(Debug, Clone, Deserialize)]
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

/// What a stock kubectl does with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubectl {
    #[serde(default)]
    pub args: Vec<String>,
    pub exit_code: i32,
    pub requests: u64,
    pub stdout: String,
    #[serde(default)]
    pub stderr_has: Vec<String>,
}

/// What the server sends, down to the wire.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    pub status: Option<u16>,
    pub reason_phrase: Option<String>,
    pub headers: BTreeMap<String, OneOrMany>,
    pub body: Option<Body>,
    pub content_encoding: Option<String>,
    pub content_length: Option<ContentLength>,
    pub wire: Option<WireScript>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Body {
    /// The honest 201 for the request at hand, then patched.
    Issued {
        #[serde(default)]
        patch: Value,
    },
    Json(Value),
    Text(String),
    Base64(String),
    Fill {
        text: String,
        /// `None` never ends.
        bytes: Option<usize>,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ContentLength {
    Declared(usize),
    /// `chunked` or `none`.
    Word(String),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WireScript {
    pub delay_before_ms: Option<u64>,
    pub stall: Option<Phase>,
    pub reset: Option<Phase>,
    pub close: Option<Phase>,
    pub drip: Option<Drip>,
    pub raw: Option<String>,
}

/// How far the answer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    BeforeHeaders,
    MidHeaders,
    MidBody,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drip {
    pub bytes: usize,
    pub every_ms: u64,
}

impl Scenario {
    pub fn load(name: &str) -> Outcome<Self> {
        Self::read(&format!("{FOLDER}{name}.json"))
    }

    fn read(path: &str) -> Outcome<Self> {
        match serde_json::from_slice(&fixture::bytes(path)?) {
            Ok(scenario) => Ok(scenario),
            Err(error) => broken(format!("{path}: {error}")),
        }
    }

    /// The names of all answers to IssueSession, sorted.
    pub fn names() -> Vec<String> {
        fixture::list(FOLDER)
            .iter()
            .filter_map(|path| path.strip_prefix(FOLDER)?.strip_suffix(".json"))
            // Those about kubeconfigs have a folder for each system.
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    /// The answers about the kubeconfigs of another system, by name.
    pub fn of(system: System) -> Outcome<Vec<Self>> {
        let folder = format!("{FOLDER}{}/", system.name());
        fixture::list(&folder).iter().map(|path| Self::read(path)).collect()
    }
}

impl Answer {
    /// The honest 201.
    pub fn issued() -> Self {
        Self { body: Some(Body::Issued { patch: Value::Null }), ..Self::default() }
    }

    /// The honest 201 with RFC 6902 operations applied to its body.
    pub fn issued_with(patch: Value) -> Self {
        Self { body: Some(Body::Issued { patch }), ..Self::default() }
    }

    pub fn scenario(name: &str) -> Outcome<Self> {
        Ok(Scenario::load(name)?.answer)
    }

    pub fn json(status: u16, body: Value) -> Self {
        Self { status: Some(status), body: Some(Body::Json(body)), ..Self::default() }
            .header("content-type", "application/json")
    }

    /// A problem document with that code.
    pub fn problem(status: u16, code: &str) -> Self {
        let mut answer = Self::json(
            status,
            serde_json::json!({
                "type": format!("https://plexsphere.com/errors/{}", code.replace('_', "-")),
                "title": code,
                "status": status,
                "detail": "The referee was told to answer so.",
                "instance": "{instance}",
                "code": code,
            }),
        );
        answer.headers.clear();
        answer.header("content-type", "application/problem+json")
    }

    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status: Some(status), body: Some(Body::Text(text.into())), ..Self::default() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), OneOrMany::One(value.into()));
        self
    }

    #[must_use]
    pub fn wire(mut self, wire: WireScript) -> Self {
        self.wire = Some(wire);
        self
    }

    /// Breaks the connection with a TCP reset at that point.
    #[must_use]
    pub fn reset(self, phase: Phase) -> Self {
        self.wire(WireScript { reset: Some(phase), ..WireScript::default() })
    }

    /// Falls silent at that point.
    #[must_use]
    pub fn stall(self, phase: Phase) -> Self {
        self.wire(WireScript { stall: Some(phase), ..WireScript::default() })
    }
}
