//! A refusal's status and body to a cause: the one place that knows `step_up_required` and
//! `rebac_denied` (docs/decisions/0001-*.md and 0002-*.md).

use std::fmt;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::untrusted::shown;

/// The code that alone makes a 403 a relation denial (each page, Exit codes, 77).
const REBAC_DENIED: &str = "rebac_denied";
const STEP_UP_REQUIRED: &str = "step_up_required";

/// What a server said when it refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What was asked for.
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    /// The problem document, when the body was one.
    pub(crate) problem: Option<Map<String, Value>>,
    pub(crate) correlation_id: Option<String>,
    /// The authentication classes a step-up asks for.
    pub(crate) acr_values: Option<String>,
}

impl Refusal {
    /// Reads an answer other than the expected one.
    pub(crate) fn read(
        status: u16,
        content_type: &str,
        body: &str,
        challenge: Option<&str>,
        correlation_id: Option<&str>,
    ) -> Self {
        let problem = is_json(content_type)
            .then(|| serde_json::from_str::<Map<String, Value>>(body).ok())
            .flatten();
        let named = problem.as_ref().and_then(|p| p.get("correlation_id")?.as_str());
        Self {
            operation: super::ISSUE,
            status,
            correlation_id: named.or(correlation_id).map(str::to_owned),
            acr_values: challenge.and_then(acr_values),
            problem,
        }
    }

    /// The same, said to another operation than IssueSession.
    pub(crate) fn during(self, operation: &'static str) -> Self {
        Self { operation, ..self }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.problem.as_ref()?.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// The machine-readable code of the problem.
    pub(crate) fn code(&self) -> Option<&str> {
        self.text("code")
    }

    /// The cause this refusal is.
    pub(crate) fn into_error(self, challenged: bool) -> Error {
        let refusal = Box::new(self);
        match (refusal.status, refusal.code()) {
            (401, Some(STEP_UP_REQUIRED)) => Error::StepUp(refusal),
            (401, None) if challenged => Error::StepUp(refusal),
            (401, _) => Error::Unauthorized(refusal),
            (403, Some(REBAC_DENIED)) => Error::RebacDenied(refusal),
            (403, _) => Error::Forbidden(refusal),
            (_, _) => Error::Api(refusal),
        }
    }

    /// What can be done about an answer that has no cause of its own.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.status {
            404 => Some("check --project-id, --resource-id and --server"),
            409 => Some("the same request is already being answered; try again"),
            429 => Some("a session limit is reached: wait until a session expires, or revoke one"),
            500 | 502..=504 => Some("nothing was handed out; it is safe to try again"),
            501 => Some("this installation does not offer mediated sessions"),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.text("detail").or_else(|| self.text("title"));
        out.write_str(&said.map_or_else(|| "no reason given".to_owned(), shown))?;
        write!(out, " (http {}", self.status)?;
        for member in ["code", "reason"] {
            if let Some(text) = self.text(member) {
                write!(out, ", {member} {}", shown(text))?;
            }
        }
        if let Some(id) = &self.correlation_id {
            write!(out, ", correlation_id {}", shown(id))?;
        }
        if let Some(Value::Array(path)) = self.problem.as_ref().and_then(|p| p.get("relation_path"))
        {
            let steps: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
            if !steps.is_empty() {
                write!(out, ", relation_path {}", shown(&steps.join(" -> ")))?;
            }
        }
        out.write_str(")")
    }
}

/// `application/json` or a type with the `+json` suffix, whatever its case and parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json" || subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty())
    })
}

/// Whether a challenge asks for a stronger login (RFC 9470).
pub(crate) fn asks_step_up(challenge: &str) -> bool {
    challenge.contains("insufficient_user_authentication")
}

/// The `acr_values` parameter of a challenge.
fn acr_values(challenge: &str) -> Option<String> {
    let rest = challenge.split_once("acr_values=\"")?.1;
    Some(shown(rest.split_once('"')?.0)).filter(|values| !values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = "application/problem+json";

    fn kind(status: u16, content_type: &str, body: &str, challenge: Option<&str>) -> &'static str {
        Refusal::read(status, content_type, body, challenge, None)
            .into_error(challenge.is_some_and(asks_step_up))
            .kind()
    }

    #[test]
    fn statuses_and_codes_to_causes() {
        let rebac = r#"{"code":"rebac_denied","reason":"insufficient_relation"}"#;
        let step_up = r#"{"code":"step_up_required"}"#;
        let challenge = "Bearer error=\"insufficient_user_authentication\"";
        for (status, content_type, body, header, expected) in [
            (403, PROBLEM, rebac, None, "rebac_denied"),
            (403, "application/json; charset=utf-8", rebac, None, "rebac_denied"),
            (403, "Application/Problem+JSON", rebac, None, "rebac_denied"),
            (403, "text/html", rebac, None, "forbidden"),
            (403, "", rebac, None, "forbidden"),
            (403, PROBLEM, "", None, "forbidden"),
            (403, PROBLEM, "[]", None, "forbidden"),
            (403, PROBLEM, r#"{"reason":"insufficient_relation"}"#, None, "forbidden"),
            (403, PROBLEM, r#"{"code":"permission_denied"}"#, None, "forbidden"),
            (403, PROBLEM, r#"{"code":"REBAC_DENIED"}"#, None, "forbidden"),
            (403, PROBLEM, r#"{"code":"rebac_denied "}"#, None, "forbidden"),
            (403, PROBLEM, r#"{"code":["rebac_denied"]}"#, None, "forbidden"),
            (403, PROBLEM, r#"{"code":"rebac_denied""#, None, "forbidden"),
            (401, PROBLEM, step_up, Some(challenge), "step_up_required"),
            (401, PROBLEM, step_up, None, "step_up_required"),
            (401, "text/plain", "", Some(challenge), "step_up_required"),
            (401, PROBLEM, r#"{"code":"unauthenticated"}"#, None, "unauthorized"),
            (401, PROBLEM, rebac, None, "unauthorized"),
            (401, "", "", None, "unauthorized"),
            (404, PROBLEM, rebac, None, "api"),
            (409, PROBLEM, "", None, "api"),
            (429, PROBLEM, "", None, "api"),
            (503, PROBLEM, step_up, None, "api"),
            (200, "application/json", "{}", None, "api"),
        ] {
            assert_eq!(kind(status, content_type, body, header), expected, "{status} {body}");
        }
    }

    #[test]
    fn everything_useful_is_shown_and_nothing_harmful() {
        let body = r#"{"detail":"no\u001b[2J way","code":"rebac_denied","reason":"out_of_scope",
            "correlation_id":"01J","relation_path":["user:a","group:b",7]}"#;
        let shown = Refusal::read(403, PROBLEM, body, None, Some("header")).to_string();
        assert_eq!(
            shown,
            r"no\u{1b}[2J way (http 403, code rebac_denied, reason out_of_scope, correlation_id 01J, relation_path user:a -> group:b)"
        );
        let bare = Refusal::read(502, "text/html", "<html>", None, Some("abc")).to_string();
        assert_eq!(bare, "no reason given (http 502, correlation_id abc)");
    }

    #[test]
    fn a_challenge_names_its_classes() {
        let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa hw\"";
        assert_eq!(acr_values(challenge).as_deref(), Some("mfa hw"));
        assert_eq!(acr_values("Bearer"), None);
        assert_eq!(acr_values("Bearer acr_values=\"open"), None);
    }

    #[test]
    fn json_types() {
        for good in ["application/json", "APPLICATION/JSON;x=y", "application/vnd.x+json ; q=1"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/json", "application/jsonx", "application/+json", "json", "text/html"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
