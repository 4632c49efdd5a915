//! One exchange between client and server: which operation it is, whether a defect is about it,
//! and how it reads afterwards.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::edit::apply;
use super::subject::{Act, AnswerEdit, Exchange, RequestEdit};
use super::token::resigned;
use crate::bench::{Headers, Request, Response};

/// The operationId of a request, `control` for the mock's own routes, `unknown` for the rest.
pub(super) fn operation(method: &str, target: &str) -> &'static str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    if path.contains("/__mock/") {
        return "control";
    }
    if path.ends_with("/jwks.json") {
        return "GetJwks";
    }
    if path.ends_with("/healthz") || path.ends_with("/readyz") {
        return "GetHealth";
    }
    let Some(at) = path.find("/v1/") else { return "unknown" };
    let parts: Vec<&str> = path[at + 4..].split('/').collect();
    match (method, parts.as_slice()) {
        ("POST", ["projects", _, "sessions"]) => "IssueSession",
        ("GET", ["projects", _, "sessions"]) => "ListSessions",
        ("POST", ["projects", _, "sessions", _, "revoke"]) => "RevokeSession",
        ("POST", ["projects", _, "sessions", verb])
            if verb.ends_with(":revoke") || verb.to_ascii_lowercase().ends_with("%3arevoke") =>
        {
            "RevokeSessionByVerb"
        }
        ("GET", ["projects", _, "sessions", _]) => "GetSession",
        ("GET", ["projects", _, "sessions", _, "attach"]) => "AttachSession",
        ("POST", ["nodes", _, "sessions", _]) => "PostNodeSessionCallback",
        ("GET", ["auth", "whoami"]) => "Whoami",
        ("GET", ["projects"]) => "ListProjects",
        ("GET", ["projects", _]) => "GetProject",
        ("GET", ["projects", _, "resources"]) => "ListResources",
        ("GET", ["projects", _, "resources", _]) => "GetResource",
        ("POST", ["authz", "check"]) => "CheckAuthorization",
        ("GET", ["version"]) => "GetVersion",
        ("GET", ["openapi.json"]) => "GetOpenApi",
        _ => "unknown",
    }
}

impl Exchange {
    /// Whether the request is one that the defect is about.
    pub(super) fn asks(&self, request: &Request) -> bool {
        let one_of = |wanted: &[String], held: &str| {
            wanted.is_empty() || wanted.iter().any(|text| text == held)
        };
        let operation = operation(&request.method, &request.path);
        let begins = one_of(&self.operation, operation)
            && (operation != "control" || !self.operation.is_empty())
            && one_of(&self.method, &request.method)
            && request.path.contains("/scenarios/") == self.scenario
            && self.path_has.iter().all(|text| request.path.contains(text))
            && !self.path_lacks.iter().any(|text| request.path.contains(text));
        if !begins {
            return false;
        }
        let body = String::from_utf8_lossy(&request.body);
        let fields = fields(&request.headers.0);
        self.request_has.iter().all(|text| body.contains(text))
            && !self.request_lacks.iter().any(|text| body.contains(text))
            && self.header_has.iter().all(|text| fields.iter().any(|field| field.contains(text)))
            && !self.header_lacks.iter().any(|text| fields.iter().any(|field| field.contains(text)))
    }

    /// Whether the answer has to be looked at, too.
    pub(super) fn minds_the_answer(&self) -> bool {
        !(self.status.is_empty()
            && self.code.is_empty()
            && self.answer_has.is_empty()
            && self.answer_lacks.is_empty()
            && self.answer_header_has.is_empty())
    }

    /// Whether the head of the answer fits; the body is not there yet.
    pub(super) fn heard(&self, response: &Response) -> bool {
        let fields = fields(&response.headers.0);
        // What has a code is a problem, and no answer that never ends.
        (self.code.is_empty() || response.status >= 400)
            && (self.status.is_empty() || self.status.contains(&response.status))
            && self
                .answer_header_has
                .iter()
                .all(|text| fields.iter().any(|field| field.contains(text)))
    }

    /// Whether the body of the answer fits.
    pub(super) fn read(&self, response: &Response) -> bool {
        let text = String::from_utf8_lossy(&response.body);
        let code = response.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.code.is_empty() || self.code.contains(&code))
            && (self.answer_has.is_empty() || self.answer_has.iter().any(|one| text.contains(one)))
            && !self.answer_lacks.iter().any(|one| text.contains(one))
    }
}

fn fields(headers: &[(String, String)]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}").to_lowercase()).collect()
}

/// An edit in which `{token}` and `{shown}` stand for a session's token and for what a client showed.
pub(super) fn filled<E: Clone + Serialize + DeserializeOwned>(
    edit: &E,
    token: &str,
    shown: &str,
) -> E {
    let Ok(mut text) = serde_json::to_string(edit) else { return edit.clone() };
    for (name, value) in [("{token}", token), ("{shown}", shown)] {
        let quoted = Value::from(value).to_string();
        text = text.replace(name, quoted.trim_matches('"'));
    }
    serde_json::from_str(&text).unwrap_or_else(|_| edit.clone())
}

/// Whether an edit speaks of a session's token.
pub(super) fn mentions_token(edit: &AnswerEdit) -> bool {
    serde_json::to_string(edit).is_ok_and(|text| text.contains("{token}"))
}

/// Sets a field or takes it away. `{was}` is its old value, `{credential}` that without its scheme.
fn change_field(headers: &mut Headers, name: &str, value: Option<&str>) {
    let was = headers.get(name).unwrap_or_default().to_owned();
    headers.remove(name);
    if let Some(value) = value {
        let credential = was.split_once(' ').map_or("", |(_, rest)| rest);
        let value = value.replace("{was}", &was).replace("{credential}", credential);
        headers.push(name.to_owned(), value);
    }
}

impl Act {
    /// Whether requests must be whole before they are passed on.
    pub(super) fn is_about_requests(&self) -> bool {
        matches!(
            self,
            Self::Request(_)
                | Self::Twice
                | Self::Swallowed(_)
                | Self::Before(_)
                | Self::Silent
                | Self::Closed
        )
    }

    /// Whether answers must be whole before they are passed on.
    pub(super) fn is_about_answers(&self) -> bool {
        matches!(
            self,
            Self::Answer(_)
                | Self::AskedAgain(_)
                | Self::Followed
                | Self::Remembered
                | Self::Late(_)
                | Self::Closed
                | Self::ClosedAfterwards
                | Self::ClosedAs(_)
                | Self::Unverified
        )
    }

    /// Whether it acts on connections to the control plane, whatever passes.
    pub(super) fn is_about_connections(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::OddAnswered(_) | Self::OneAtATime)
    }

    /// Whether tokens are signed with a key that takes the place of the server's.
    pub(super) fn signs_anew(&self) -> bool {
        matches!(self, Self::Answer(edit)
            if edit.token.as_ref().is_some_and(|token| !token.spoiled))
    }
}

impl RequestEdit {
    /// Applies the change and says whether there is any.
    pub(super) fn change(&self, request: &mut Request) -> bool {
        let before = (request.method.clone(), request.path.clone(), request.headers.clone());
        let body = request.body.clone();
        if let Some(method) = &self.method {
            request.method.clone_from(method);
        }
        for (from, to) in &self.path {
            request.path = request.path.replace(from, to);
        }
        if let Some(path) = &self.whole_path {
            request.path.clone_from(path);
        }
        for (name, value) in &self.headers {
            change_field(&mut request.headers, name, value.as_deref());
        }
        if let Some(text) = &self.text {
            request.body = text.clone().into_bytes();
        }
        if !self.body.is_empty() {
            let mut document = request.json();
            if apply(&self.body, &mut document) {
                request.body = document.to_string().into_bytes();
            }
        }
        before != (request.method.clone(), request.path.clone(), request.headers.clone())
            || body != request.body
    }
}

impl AnswerEdit {
    /// Applies the change and says whether there is any.
    pub(super) fn change(&self, response: &mut Response) -> bool {
        let before = (response.status, response.headers.clone(), response.body.clone());
        if let Some(status) = self.status {
            response.status = status;
        }
        for (name, value) in &self.headers {
            change_field(&mut response.headers, name, value.as_deref());
        }
        if !self.body.is_empty() || self.token.is_some() {
            let mut document = response.json();
            let mut changed = apply(&self.body, &mut document);
            if let Some(edit) = &self.token {
                let token = document["token"].as_str().and_then(|token| resigned(token, edit));
                if let Some(token) = token {
                    document["token"] = Value::from(token);
                    changed = true;
                }
            }
            if changed {
                response.body = document.to_string().into_bytes();
            }
        }
        if !self.replace.is_empty() {
            let mut text = String::from_utf8_lossy(&response.body).into_owned();
            for (from, to) in &self.replace {
                text = text.replace(from, to);
            }
            response.body = text.into_bytes();
        }
        if let Some(text) = &self.text {
            response.body = text.clone().into_bytes();
        }
        before != (response.status, response.headers.clone(), response.body.clone())
    }

    /// The whole answer, for a request that nobody else answers.
    pub(super) fn alone(&self) -> Response {
        let mut response = Response { status: 200, ..Response::default() };
        if let Some(text) = &self.text {
            response.body = text.clone().into_bytes();
        }
        self.change(&mut response);
        response
    }
}
