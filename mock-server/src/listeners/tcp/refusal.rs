//! Why a CONNECT is refused, as a problem document.

use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    Method,
    NoToken,
    /// By the name of the refusal.
    Token(&'static str),
    Target,
    Busy,
    Unreachable,
}

impl Refused {
    /// A client that was asked for a token, or has a better one, may try on.
    pub(super) fn may_ask_again(self) -> bool {
        matches!(self, Self::NoToken | Self::Token(_))
    }

    /// The code, but for a token: that has been told of.
    pub(super) fn code(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("malformed"),
            Self::Method => Some("method_not_allowed"),
            Self::NoToken => Some("token_required"),
            Self::Token(_) => None,
            Self::Target => Some("target_mismatch"),
            Self::Busy => Some("connection_limit"),
            Self::Unreachable => Some("target_unreachable"),
        }
    }

    pub(super) fn answer(self) -> String {
        let (status, title, extra, detail) = match self {
            Self::Malformed => (400, "Bad Request", "", "this port speaks HTTP CONNECT"),
            Self::Method => (405, "Method Not Allowed", "allow: CONNECT\r\n", "use CONNECT"),
            Self::NoToken => (407, REQUIRED, CHALLENGE, "show the session token"),
            Self::Token(why) => (407, REQUIRED, CHALLENGE, why),
            Self::Target => (403, "Forbidden", "", "the session is for another target"),
            Self::Busy => (409, "Conflict", "", "the session carries one connection"),
            Self::Unreachable => (502, "Bad Gateway", "", "the target does not answer"),
        };
        let code = self.code().unwrap_or("token_refused");
        let kind = code.replace('_', "-");
        let problem = json!({
            "type": format!("https://plexsphere.com/errors/{kind}"),
            "title": title,
            "status": status,
            "detail": detail,
            "instance": "/",
            "code": code,
        })
        .to_string();
        let length = problem.len();
        let connection = if self.may_ask_again() { "keep-alive" } else { "close" };
        format!(
            "HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n{extra}content-length: {length}\r\nconnection: {connection}\r\n\r\n{problem}"
        )
    }
}

const REQUIRED: &str = "Proxy Authentication Required";
/// Basic first: there are clients that look no further.
const CHALLENGE: &str = "proxy-authenticate: Basic realm=\"session\"\r\nproxy-authenticate: Bearer realm=\"session\"\r\n";
