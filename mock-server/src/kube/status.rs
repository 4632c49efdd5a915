//! What the API says when it does not do what was asked: `Status` objects, shaped exactly,
//! because kubectl rebuilds its own sentences from `reason` and `details`.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::Kind;
use crate::net::intake::Lost;

/// One refusal on its way to becoming a `Status`.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Value,
}

/// One thing wrong with one field, as `Invalid` refusals list them.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn required(field: &str, message: &str) -> Self {
        let message = if message.is_empty() {
            "Required value".into()
        } else {
            format!("Required value: {message}")
        };
        Self { reason: "FieldValueRequired", field: field.to_owned(), message }
    }

    pub(crate) fn invalid(field: &str, value: &str, message: &str) -> Self {
        let message = format!("Invalid value: {value:?}: {message}");
        Self { reason: "FieldValueInvalid", field: field.to_owned(), message }
    }

    pub(crate) fn forbidden(field: &str, message: &str) -> Self {
        let message = format!("Forbidden: {message}");
        Self { reason: "FieldValueForbidden", field: field.to_owned(), message }
    }
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}) }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        let mut details = json!({ "kind": kind.plural });
        if !name.is_empty() {
            details["name"] = name.into();
        }
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        self.details = details;
        self
    }

    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.qualified());
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(kind, name)
    }

    /// `resource` and `group` are taken as asked, since a refusal may concern what does not exist.
    pub(crate) fn forbidden(resource: &str, group: &str, name: &str, why: &str) -> Self {
        let qualified =
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let subject = if name.is_empty() { qualified } else { format!("{qualified} {name:?}") };
        let message = format!("{subject} is forbidden: {why}");
        let mut refusal = Self::new(StatusCode::FORBIDDEN, "Forbidden", message);
        refusal.details = json!({ "kind": resource });
        if !name.is_empty() {
            refusal.details["name"] = name.into();
        }
        if !group.is_empty() {
            refusal.details["group"] = group.into();
        }
        refusal
    }

    pub(crate) fn forbidden_path(user: &str, verb: &str, path: &str) -> Self {
        let message = format!("forbidden: User {user:?} cannot {verb} path {path:?}");
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    pub(crate) fn method_not_allowed(kind: Option<&Kind>) -> Self {
        let message = "the server does not allow this method on the requested resource";
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
        match kind {
            Some(kind) => refusal.about(kind, ""),
            None => refusal,
        }
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.qualified());
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(kind, name)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(kind, name)
    }

    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let said: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let said = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
        let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
        let message = format!("{}{group} {name:?} is invalid: {said}", kind.kind);
        let mut refusal =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).about(kind, name);
        refusal.details["kind"] = kind.kind.into();
        refusal.details["causes"] = causes
            .iter()
            .map(|cause| json!({ "reason": cause.reason, "message": cause.message, "field": cause.field }))
            .collect();
        refusal
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// A patch that is well formed and does not fit.
    pub(crate) fn unprocessable(why: &str) -> Self {
        let message =
            format!("the server rejected our request due to an error in our request: {why}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    pub(crate) fn expired() -> Self {
        let message = "The resourceVersion for the provided watch is too old.";
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// A list that is to go on from where nobody remembers.
    pub(crate) fn expired_continue() -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. Start a new list without the continue parameter.";
        Self::new(StatusCode::GONE, "Expired", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn internal(why: &str) -> Self {
        let message = format!("Internal error occurred: {why}");
        let mut refusal = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message);
        refusal.details = json!({ "causes": [{ "message": why }] });
        refusal
    }

    pub(crate) fn unsupported_media(offered: &str, accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted} (not {offered:?})"
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub(crate) fn not_acceptable() -> Self {
        let message =
            "only the following media types are accepted: application/json, application/yaml";
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    /// The request never arrived whole.
    pub(crate) fn lost(lost: Lost) -> Self {
        match lost {
            Lost::Late => {
                let message = "the body of the request did not arrive in time";
                Self::new(StatusCode::REQUEST_TIMEOUT, "Timeout", message)
            }
            Lost::Large(limit) => Self::too_large(limit),
            Lost::Broken => Self::bad_request("the body of the request ended too early"),
        }
    }

    pub(crate) fn not_simulated(what: &str) -> Self {
        let message = format!("{what} is not part of the simulated cluster");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    /// The path leads nowhere, for a reason that has words of its own.
    pub(crate) fn nowhere(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", why)
    }

    /// The one word that clients go by.
    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// The `Status` itself; a watch sends it inside an ERROR event.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code.as_u16(),
        });
        if self.details.as_object().is_some_and(|details| !details.is_empty()) {
            status["details"] = self.details.clone();
        }
        status
    }

    pub(crate) fn response(&self) -> Response<Body> {
        respond(self.code, &self.status())
    }
}

/// The `Status` of a deletion that left no object to show.
pub(crate) fn deleted(kind: &Kind, name: &str, uid: &str) -> Value {
    let mut details = json!({ "name": name, "kind": kind.plural, "uid": uid });
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

pub(crate) fn respond(code: StatusCode, body: &Value) -> Response<Body> {
    typed(code, "application/json", body.to_string())
}

pub(crate) fn typed(
    code: StatusCode,
    media: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    // Answers depend on who asks and when; kubectl keeps a cache on disk unless told not to.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    response
}
