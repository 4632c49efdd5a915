//! Bodies that are no request at all, by their bytes, their type or their size.

use serde_json::{Value, json};

use super::installation::{NOBODY, expect_refused, expect_sessions, sessions_of};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Call, Family, Identity, PROJECT_ID, RESOURCE_ID, Server};
use crate::rule::{Claim, Rule};
use crate::verdict::Outcome;

const SESSION_BODY: usize = 64 * 1024;
const CHECK_BODY: usize = 8 * 1024;

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = NO_REQUESTS.iter().map(no_request).collect();
    rules.extend(MEDIA.iter().map(media_type));
    rules.extend(MEDIA.iter().map(too_large));
    rules.push(encoded());
    rules.push(json_types());
    rules
}

/// Bytes that are no request.
struct NoRequest {
    slug: &'static str,
    what: &'static str,
    bytes: fn() -> Vec<u8>,
}

const NO_REQUESTS: [NoRequest; 13] = [
    NoRequest { slug: "empty", what: "nothing", bytes: Vec::new },
    NoRequest { slug: "blank", what: "blanks", bytes: || b" \r\n\t ".to_vec() },
    NoRequest { slug: "null", what: "null", bytes: || b"null".to_vec() },
    NoRequest { slug: "text", what: "a JSON string", bytes: || b"\"ssh\"".to_vec() },
    NoRequest { slug: "array_of_fields", what: "the fields as an array", bytes: array_of_fields },
    NoRequest { slug: "truncated", what: "half a request", bytes: || halved(&honest()) },
    NoRequest { slug: "trailing", what: "a request and something after it", bytes: trailing },
    NoRequest {
        slug: "two_documents",
        what: "two requests in a row",
        bytes: || honest().repeat(2),
    },
    NoRequest {
        slug: "invalid_utf8",
        what: "a request with a byte that is no UTF-8",
        bytes: invalid_utf8,
    },
    NoRequest {
        slug: "duplicate_key",
        what: "a request that says its kind twice",
        bytes: duplicate_key,
    },
    NoRequest {
        slug: "deep_array",
        what: "brackets, thirty thousand deep",
        bytes: || vec![b'['; 30_000],
    },
    NoRequest {
        slug: "deep_object",
        what: "objects, six thousand deep",
        bytes: || b"{\"target\":".repeat(6_000),
    },
    NoRequest { slug: "not_json", what: "a form", bytes: || b"resource_id=1&kind=ssh".to_vec() },
];

fn honest() -> Vec<u8> {
    json!({"resource_id": RESOURCE_ID, "kind": "ssh", "target": {"ssh": {"user": "ops"}}})
        .to_string()
        .into_bytes()
}

fn halved(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

fn array_of_fields() -> Vec<u8> {
    json!([RESOURCE_ID, "ssh", {"ssh": {"user": "ops"}}]).to_string().into_bytes()
}

fn trailing() -> Vec<u8> {
    let mut bytes = honest();
    bytes.extend_from_slice(b" x");
    bytes
}

fn invalid_utf8() -> Vec<u8> {
    let mut bytes = honest();
    if let Some(at) = bytes.windows(3).position(|three| three == b"ops") {
        bytes[at] = 0xff;
    }
    bytes
}

fn duplicate_key() -> Vec<u8> {
    String::from_utf8_lossy(&honest()).replacen('{', "{\"kind\":\"ssh\",", 1).into_bytes()
}

fn issue(server: &Server, body: &Value) -> Outcome<Call> {
    Ok(server.issue(Family::Ssh, Identity::Operator)?.json(body))
}

fn no_request(case: &'static NoRequest) -> Rule {
    must(format!("server.issue_session.body.{}", case.slug))
        .title(format!("IssueSession with {} for a body is 400 invalid_body, and the server goes on", case.what))
        .source(DOCUMENT, "IssueSession, 400 invalid_body")
        .claims([Claim::refusal("IssueSession", 400, "invalid_body")])
        .fix("Read the body as exactly one JSON object of bounded depth; answer anything else with 400 invalid_body.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = issue(&server, &Value::Null)?.body((case.bytes)());
            expect_refused(call, 400, "invalid_body")?;
            expect_sessions(&server, 0)?;
            issue(&server, &json!({}))?.body(honest()).send()?.expect(201).map(drop)
        })
}

/// An operation that takes a body.
struct WithBody {
    id: &'static str,
    slug: &'static str,
    limit: usize,
    path: fn() -> String,
    body: &'static str,
    /// The answer to the honest body: for the session nobody has, 404.
    honest: u16,
}

const MEDIA: [WithBody; 3] = [
    WithBody {
        id: "IssueSession",
        slug: "issue_session",
        limit: SESSION_BODY,
        path: || sessions_of(PROJECT_ID),
        body: r#"{"resource_id":"0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3","kind":"ssh","target":{"ssh":{"user":"ops"}}}"#,
        honest: 201,
    },
    WithBody {
        id: "RevokeSession",
        slug: "revoke_session",
        limit: SESSION_BODY,
        path: || format!("{}/{NOBODY}/revoke", sessions_of(PROJECT_ID)),
        body: "{}",
        honest: 404,
    },
    WithBody {
        id: "CheckAuthorization",
        slug: "check_authorization",
        limit: CHECK_BODY,
        path: || "/v1/authz/check".to_owned(),
        body: r#"{"subject":"identity:a","relation":"act","resource":"resource:b"}"#,
        honest: 200,
    },
];

impl WithBody {
    fn call(&self, bench: &Bench) -> Outcome<(Server, Call)> {
        let server = bench.server()?;
        let call = server.call("POST", &(self.path)()).bearer(&server.token(Identity::Operator)?);
        Ok((server, call))
    }
}

fn media_type(operation: &'static WithBody) -> Rule {
    must(format!("server.{}.unsupported_media_type", operation.slug))
        .title(format!("{} with a body that is not JSON by its type is 415", operation.id))
        .source(DOCUMENT, format!("{}, 415", operation.id))
        .claims([Claim::refusal(operation.id, 415, "unsupported_media_type")])
        .fix(
            "Take application/json and application/*+json; answer other types, and none, with 415.",
        )
        .check(move |bench| {
            let (server, call) = operation.call(bench)?;
            for media in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/jsonx",
                "application/xml",
                "json",
            ] {
                let call = call.clone().body(operation.body).header("content-type", media);
                expect_refused(call, 415, "unsupported_media_type")?;
            }
            let untyped = call.body(operation.body);
            expect_refused(untyped, 415, "unsupported_media_type")?;
            expect_sessions(&server, 0)
        })
}

fn too_large(operation: &'static WithBody) -> Rule {
    let limit = operation.limit;
    must(format!("server.{}.request_body_too_large", operation.slug))
        .title(format!("{} takes a body of {limit} bytes and answers a larger one with 413", operation.id))
        .source(DOCUMENT, format!("{}, x-max-body-bytes", operation.id))
        .claims([Claim::refusal(operation.id, 413, "request_body_too_large")])
        .fix("Count the bytes of the body as they come, refuse with 413 when they pass the limit, and answer before hanging up.")
        .check(move |bench| {
            let (server, call) = operation.call(bench)?;
            let call = call.header("content-type", "application/json");
            let filled = |length: usize| {
                let mut body = operation.body.as_bytes().to_vec();
                body.resize(length, b' ');
                body
            };
            call.clone().body(filled(limit)).send()?.expect(operation.honest)?;
            for length in [limit + 1, limit * 8] {
                let call = call.clone().body(filled(length));
                expect_refused(call, 413, "request_body_too_large")?;
            }
            expect_sessions(&server, usize::from(operation.honest == 201))
        })
}

fn encoded() -> Rule {
    should("server.issue_session.encoded_body")
        .title("A body under a content coding is refused, not guessed at")
        .source(PAGE, "Problems, 415")
        .claims([Claim::refusal("IssueSession", 415, "unsupported_media_type")])
        .fix("Refuse a Content-Encoding other than identity with 415.")
        .check(|bench| {
            let (server, call) = MEDIA[0].call(bench)?;
            let call =
                call.json(&Value::Null).body(MEDIA[0].body).header("content-encoding", "gzip");
            expect_refused(call, 415, "unsupported_media_type")?;
            expect_sessions(&server, 0)
        })
}

fn json_types() -> Rule {
    must("server.issue_session.json_types")
        .title(
            "A body is JSON by application/json in any case, with parameters, or by a +json type",
        )
        .source(DOCUMENT, "IssueSession, request body")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Compare the media type without its parameters and without regard to case.")
        .check(|bench| {
            let (_server, call) = MEDIA[0].call(bench)?;
            for media in [
                "application/json",
                "application/json; charset=utf-8",
                "Application/JSON",
                "application/json ;charset=UTF-8",
            ] {
                call.clone()
                    .body(MEDIA[0].body)
                    .header("content-type", media)
                    .send()?
                    .expect(201)?;
            }
            Ok(())
        })
}
