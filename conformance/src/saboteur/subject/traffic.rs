//! Defects in what passes between client and server: when they act, and what they do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::saboteur::edit::Edit;

/// A change to exchanges between client and server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    #[serde(default)]
    pub when: Exchange,
    /// Exchanges over TLS are changed as well; without this they pass unread.
    #[serde(default)]
    pub https: bool,
    /// Not the control plane is meant but the listeners of the sessions of these kinds.
    #[serde(default)]
    pub listener: Vec<String>,
    pub act: Act,
}

/// Conditions on an exchange; all that are given must hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// One of these operations, by its operationId; `control` is the mock's own routes.
    pub operation: Vec<String>,
    pub method: Vec<String>,
    pub path_has: Vec<String>,
    pub path_lacks: Vec<String>,
    /// Whether the request names a scenario; it must not, unless told.
    pub scenario: bool,
    pub request_has: Vec<String>,
    pub request_lacks: Vec<String>,
    /// Header fields of the request, as `name: value`, in small letters.
    pub header_has: Vec<String>,
    pub header_lacks: Vec<String>,
    pub status: Vec<u16>,
    pub code: Vec<String>,
    pub answer_has: Vec<String>,
    pub answer_lacks: Vec<String>,
    pub answer_header_has: Vec<String>,
    /// Only from the so many-th exchange of its kind on.
    pub after: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// The request arrives otherwise.
    Request(RequestEdit),
    /// The answer arrives otherwise.
    Answer(AnswerEdit),
    /// The server is asked again in another way, and that answer is handed over.
    AskedAgain(RequestEdit),
    /// The request is sent once more, and nobody hears the answer.
    Twice,
    /// The request never arrives; this is the answer.
    Swallowed(AnswerEdit),
    /// An answer is remembered and handed over again to the same request.
    Remembered,
    /// Another request goes first.
    Before(RequestEdit),
    /// A redirect is followed, credential and all.
    Followed,
    /// The connection ends instead of an answer.
    Closed,
    /// There is never an answer.
    Silent,
    /// The certificate of the server is not looked at.
    Unverified,
    /// The server shows another certificate.
    Certificate(String),
    /// The answer waits so many milliseconds.
    Late(u64),
    /// What is no honest HTTP request, or too much of one, gets this answer.
    OddAnswered(AnswerEdit),
    /// A WebSocket is closed with another code.
    ClosedAs(u16),
    /// The connection ends after its first answer.
    ClosedAfterwards,
    /// One connection is served at a time.
    OneAtATime,
    /// A listener's connections, and its port, stay when the session ends.
    Outlives,
    /// Every listener of the kind leads to the newest session.
    Newest,
    /// A connection to a listener ends after so many bytes for the client.
    Cut(u64),
    /// A listener has this many places.
    Places(Places),
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Places {
    /// Whoever comes beside so many is hung up on.
    pub at_once: Option<usize>,
    /// The port closes when so many have come.
    pub in_all: Option<usize>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestEdit {
    pub method: Option<String>,
    /// A text in the path and what stands in its place.
    pub path: Vec<(String, String)>,
    /// The whole path, where that is simpler.
    pub whole_path: Option<String>,
    pub headers: BTreeMap<String, Option<String>>,
    pub body: Vec<Edit>,
    /// The body as a text of its own.
    pub text: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerEdit {
    pub status: Option<u16>,
    /// null takes a header away.
    pub headers: BTreeMap<String, Option<String>>,
    pub body: Vec<Edit>,
    /// Texts in the body and what stands in their place.
    pub replace: Vec<(String, String)>,
    pub text: Option<String>,
    /// The session token of the answer is signed anew, with these claims and this header.
    pub token: Option<TokenEdit>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenEdit {
    pub claims: Vec<Edit>,
    pub header: Vec<Edit>,
    /// The signature is spoiled.
    pub spoiled: bool,
}
