//! What is no HTTP request at all, or too much of one: refused in words all the same.

use serde_json::{Value, json};

use super::{PAGE, should};
use crate::bench::{Bench, Wire};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq, fail};

type Bytes = fn() -> Vec<u8>;

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule(
            400,
            "malformed_request",
            "What is no HTTP request",
            &[
                || b"GET /\r\n\r\n".to_vec(),
                || b"GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_vec(),
                || b"GET / HTTP/1.1\r\nHost a\r\n\r\n".to_vec(),
                || b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n".to_vec(),
            ],
        ),
        rule(
            414,
            "uri_too_long",
            "A path of a hundred thousand letters",
            &[|| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000)).into_bytes()],
        ),
        rule(
            431,
            "request_header_fields_too_large",
            "A request with too many or too long fields",
            &[
                || {
                    format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(5000))
                        .into_bytes()
                },
                || format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(512 * 1024)).into_bytes(),
            ],
        ),
    ]
}

fn rule(status: u16, code: &'static str, what: &str, cases: &'static [Bytes]) -> Rule {
    should(format!("server.wire.no_request.{code}"))
        .source(PAGE, "Problems, what is no HTTP request at all")
        .claims([Claim::operation("GetHealth", 200)])
        .needs([Need::SpawnableServer, Need::Journal])
        .title(format!("{what} is {status} {code}, as a problem document, and the connection ends"))
        .fix("Put a problem document in the place of the bare refusal that the HTTP library sends, close, and journal nothing.")
        .check(move |bench| cases.iter().try_for_each(|bytes| refused(bench, status, code, &bytes())))
}

fn refused(bench: &Bench, status: u16, code: &'static str, bytes: &[u8]) -> Outcome {
    let server = bench.server()?;
    let said = server.raw(bytes)?;
    let Ok(response) = Wire::new(&*said).read_response("GET") else {
        return fail("the answer", format!("{status} {code}"), String::from_utf8_lossy(&said));
    };
    expect_eq("the status", &status, &response.status)?;
    let media = response.headers.get("content-type").unwrap_or_default();
    let due = "application/problem+json";
    expect(media.starts_with(due), "the content type", due, media)?;
    expect_eq("Connection", &Some("close"), &response.headers.get("connection"))?;
    let problem = response.json();
    for (member, due) in
        [("status", json!(status)), ("code", json!(code)), ("instance", json!("/"))]
    {
        expect_eq(format!("`{member}` of the problem"), &due, &problem[member])?;
    }
    for member in ["type", "title"] {
        let text = problem[member].as_str().unwrap_or_default();
        expect(!text.is_empty(), format!("`{member}` of the problem"), "a text", &problem)?;
    }
    expect_eq("what the journal holds", &Value::from(0), &server.journal()?["total"])
}
