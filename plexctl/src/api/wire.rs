//! plexctl's own view of the wire: what it sends, and the little it needs of what comes back.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::Error;

/// What a session gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Ssh,
    K8s,
    Tcp,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::K8s => "k8s",
            Self::Tcp => "tcp",
        }
    }
}

/// The member that names the target; exactly one, spelled like its kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target<'a> {
    Ssh {
        user: &'a str,
    },
    K8s {
        user: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        impersonate_groups: &'a [String],
    },
    Tcp {
        host: &'a str,
        port: u16,
    },
}

impl Target<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Ssh { .. } => Kind::Ssh,
            Self::K8s { .. } => Kind::K8s,
            Self::Tcp { .. } => Kind::Tcp,
        }
    }
}

/// The body of an IssueSession request.
#[derive(Debug, Serialize)]
pub(crate) struct IssueSession<'a> {
    pub(crate) resource_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) target: &'a Target<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requested_ttl_seconds: Option<u32>,
    pub(crate) idempotency_key: String,
}

/// The body of a RevokeSession request.
#[derive(Debug, Serialize)]
pub(crate) struct RevokeSession {
    pub(crate) revoke_reason: &'static str,
}

/// The body of a 201, member by member and unread: whether it has a usable id must be known even
/// when everything else about it is wrong, so that the session can be revoked.
#[derive(Deserialize)]
struct IssuedSession<'a> {
    #[serde(borrow, default)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expires_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    listener_endpoint: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
}

/// The session resource inside a 201.
#[derive(Deserialize)]
struct Session {
    id: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    issued_at: Option<serde_json::Value>,
}

/// What a 201 said, each member judged on its own.
pub(crate) struct Issued {
    pub(crate) session_id: Result<Uuid, String>,
    pub(crate) token: Result<Zeroizing<String>, String>,
    pub(crate) expires_at: Result<String, String>,
    /// `None` when absent, null or no text.
    pub(crate) listener_endpoint: Option<String>,
    /// Disagreement between the session resource and what was asked for.
    pub(crate) disagreement: Option<String>,
    pub(crate) issued_at: Option<String>,
}

impl Issued {
    /// Reads a body. The error never quotes it: it holds a token.
    pub(crate) fn read(body: &[u8], kind: Kind) -> Result<Self, Error> {
        let unusable = |why: &str| Error::Answer { operation: super::ISSUE, why: why.to_owned() };
        let raw: IssuedSession<'_> =
            serde_json::from_slice(body).map_err(|error| match error.classify() {
                serde_json::error::Category::Eof => unusable("the JSON ends too early"),
                serde_json::error::Category::Data => unusable("the JSON is not an issued session"),
                _ => unusable("not JSON"),
            })?;
        // serde would also take an array, member after member.
        if !is_object(body) {
            return Err(unusable("the JSON is not an issued session"));
        }
        let session_id = member("session_id", raw.session_id)
            .and_then(|text| parse_id(&text).ok_or_else(|| "session_id is not a UUID".to_owned()));
        let mut disagreement = None;
        let mut issued_at = None;
        if let Some(inner) = raw.session.filter(|inner| inner.get() != "null") {
            match serde_json::from_str::<Session>(inner.get()) {
                Ok(session) if is_object(inner.get().as_bytes()) => {
                    disagreement = session.disagreement(kind, session_id.as_ref().ok());
                    issued_at = session.issued_at.and_then(|at| at.as_str().map(str::to_owned));
                }
                _ => disagreement = Some("its session member is malformed".to_owned()),
            }
        }
        Ok(Self {
            token: member("token", raw.token).map(Zeroizing::new),
            expires_at: member("expires_at", raw.expires_at),
            listener_endpoint: member("listener_endpoint", raw.listener_endpoint).ok(),
            session_id,
            disagreement,
            issued_at,
        })
    }
}

impl Session {
    fn disagreement(&self, kind: Kind, session_id: Option<&Uuid>) -> Option<String> {
        if self.kind.as_deref() != Some(kind.as_str()) {
            return Some(format!("its session is not of kind {}", kind.as_str()));
        }
        let id = self.id.as_deref().and_then(parse_id);
        if id.is_none() || id.as_ref() != session_id {
            return Some("session.id and session_id differ".to_owned());
        }
        None
    }
}

/// What a session read says that matters here.
#[derive(Deserialize)]
pub(crate) struct SessionRead {
    id: String,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) revoke_reason: Option<String>,
    #[serde(default)]
    pub(crate) listener_endpoint: Option<String>,
}

impl SessionRead {
    pub(crate) fn read(body: &[u8], session_id: Uuid) -> Result<Self, Error> {
        let unusable = |why: &str| Error::Answer { operation: super::READ, why: why.to_owned() };
        let session: Self = (is_object(body).then(|| serde_json::from_slice(body).ok()).flatten())
            .ok_or_else(|| unusable("not a session"))?;
        if parse_id(&session.id) != Some(session_id) {
            return Err(unusable("it is about another session"));
        }
        Ok(session)
    }

    /// Whether it can no longer be used. A status nobody knows yet is no reason to give up.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "revoked" | "expired")
    }
}

fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

fn member(name: &str, value: Option<&RawValue>) -> Result<String, String> {
    match value.map(RawValue::get) {
        None | Some("null") => Err(format!("{name} is missing")),
        Some(json) => serde_json::from_str(json).map_err(|_| format!("{name} is not a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190a8b8-ffff-7fff-8fff-ffffffffffff";

    #[test]
    fn requests_have_the_published_shape() {
        let groups = ["a".to_owned(), "b".to_owned()];
        let table = [
            (Target::Ssh { user: "ops" }, r#"{"ssh":{"user":"ops"}}"#),
            (
                Target::K8s { user: "u", impersonate_groups: &groups },
                r#"{"k8s":{"user":"u","impersonate_groups":["a","b"]}}"#,
            ),
            (Target::K8s { user: "u", impersonate_groups: &[] }, r#"{"k8s":{"user":"u"}}"#),
            (Target::Tcp { host: "h", port: 5 }, r#"{"tcp":{"host":"h","port":5}}"#),
        ];
        for (target, json) in table {
            assert_eq!(serde_json::to_string(&target).expect("json"), json);
        }
    }

    #[test]
    fn members_are_judged_one_by_one() {
        let body = format!(r#"{{"session_id":"{ID}","token":5,"listener_endpoint":null,"x":[1]}}"#);
        let issued = Issued::read(body.as_bytes(), Kind::Ssh).expect("a body");
        assert_eq!(issued.session_id.expect("an id").to_string(), ID);
        assert_eq!(issued.token.expect_err("no token"), "token is not a string");
        assert_eq!(issued.expires_at.expect_err("no time"), "expires_at is missing");
        assert_eq!(issued.listener_endpoint, None);
        assert_eq!(issued.disagreement, None);
    }

    #[test]
    fn the_session_member_must_agree() {
        for (session, agrees) in [
            ("null".to_owned(), true),
            (format!(r#"{{"id":"{ID}","kind":"ssh"}}"#), true),
            (format!(r#"{{"id":"{}","kind":"ssh"}}"#, ID.to_uppercase()), true),
            (format!(r#"{{"id":"{ID}","kind":"tcp"}}"#), false),
            (format!(r#"{{"id":"{ID}"}}"#), false),
            (r#"{"kind":"ssh"}"#.to_owned(), false),
            (r#"{"id":"0190a8b8-0000-7fff-8fff-ffffffffffff","kind":"ssh"}"#.to_owned(), false),
            ("[]".to_owned(), false),
            (format!(r#"["{ID}","ssh",null]"#), false),
            ("\"x\"".to_owned(), false),
        ] {
            let body = format!(r#"{{"session_id":"{ID}","session":{session}}}"#);
            let issued = Issued::read(body.as_bytes(), Kind::Ssh).expect("a body");
            assert_eq!(issued.disagreement.is_none(), agrees, "{session}");
        }
    }

    #[test]
    fn no_error_quotes_the_body() {
        for body in
            ["", "{", "[]", "\"eyJsecret\"", "eyJsecret", "{\"token\":\"eyJsecret\"", "\u{feff}{}"]
        {
            let error = Issued::read(body.as_bytes(), Kind::Tcp).err().expect("an error");
            assert!(!error.to_string().contains("eyJ"), "{error}");
        }
        assert!(Issued::read(b"\xff\xfe{}", Kind::Tcp).is_err());
        let deep = "[".repeat(100_000);
        assert!(Issued::read(deep.as_bytes(), Kind::Tcp).is_err());
    }
}
