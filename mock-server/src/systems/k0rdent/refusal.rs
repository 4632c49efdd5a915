//! A refusal in this family's words: `{"error": {"code", "message", "details"}}`.

use serde::Serialize;

use crate::scenario::NotFound;

/// Why a request is refused. The status is repeated as `code`; each detail names a reason for
/// programs, and the field it is about.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    pub details: Vec<Detail>,
    /// The methods of the place, where the method was wrong.
    pub allow: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let details = vec![Detail { reason, field: None, description: None }];
        Self { status, message: message.into(), details, allow: None }
    }

    /// One that is about a parameter of the path or the query.
    pub fn about(
        field: &'static str,
        status: u16,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let details = vec![Detail { reason, field: Some(field), description: None }];
        Self { status, message: message.into(), details, allow: None }
    }

    /// Everything that is wrong with the values of a body, at once.
    pub fn values(details: Vec<Detail>) -> Self {
        let message = match details.as_slice() {
            [Detail { field: Some(field), description: Some(description), .. }] => {
                format!("{field}: {description}")
            }
            several => format!("{} fields of the request are not acceptable", several.len()),
        };
        Self { status: 400, message, details, allow: None }
    }

    pub fn not_found() -> Self {
        Self::new(404, "unknown_path", "nothing is served at this path")
    }

    /// A scenario that cannot be had.
    pub fn of(error: &NotFound) -> Self {
        match error.told() {
            Some(told) => Self::new(404, "unknown_scenario", told),
            None => Self::new(500, "internal", "the scenario cannot be read"),
        }
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        let message = format!("this path answers {allow}");
        Self { allow: Some(allow), ..Self::new(405, "method_not_allowed", message) }
    }

    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "malformed_body", message)
    }

    /// The first reason, which the journal keeps.
    pub fn reason(&self) -> &'static str {
        self.details.first().map_or("", |detail| detail.reason)
    }

    pub fn document(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Document<'r> {
            error: Error<'r>,
        }
        #[derive(Serialize)]
        struct Error<'r> {
            code: u16,
            message: &'r str,
            details: &'r [Detail],
        }
        Document {
            error: Error { code: self.status, message: &self.message, details: &self.details },
        }
    }
}
