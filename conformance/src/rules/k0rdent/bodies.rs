//! Everything that may be wrong with the body of an issue request, each with its reason.

use serde_json::{Value, json};

use super::site::{COLLECTION, expect_kept, expect_refused, issue, issued};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::Identity;
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{expect, expect_eq};

/// A body, and why it is refused.
struct Bad {
    slug: &'static str,
    what: &'static str,
    body: fn() -> Vec<u8>,
    reason: &'static str,
}

macro_rules! bad {
    ($slug:literal, $what:literal, $reason:literal, $body:expr) => {
        Bad { slug: $slug, what: $what, reason: $reason, body: || Vec::from($body) }
    };
}

const BODIES: [Bad; 42] = [
    bad!("blank", "a blank", "malformed_body", " "),
    bad!("truncated", "half an object", "malformed_body", "{\"user\":\"ki"),
    bad!("trailing", "an object and something after it", "malformed_body", "{} x"),
    bad!("two_documents", "two objects in a row", "malformed_body", "{}{}"),
    bad!("null", "null", "malformed_body", "null"),
    bad!("text", "a JSON string", "malformed_body", "\"kim\""),
    bad!("number", "a number", "malformed_body", "3600"),
    bad!("boolean", "true", "malformed_body", "true"),
    bad!("array", "an empty array", "malformed_body", "[]"),
    bad!("array_of_fields", "the fields as an array", "malformed_body", r#"["kim","viewer",60]"#),
    bad!("form", "a form", "malformed_body", "user=kim&ttl=60"),
    bad!("yaml", "YAML", "malformed_body", "user: kim\nttl: 60\n"),
    bad!("single_quotes", "an object in single quotes", "malformed_body", "{'user':'kim'}"),
    bad!("trailing_comma", "a comma too many", "malformed_body", r#"{"user":"kim",}"#),
    bad!("duplicate_ttl", "two lifetimes", "malformed_body", r#"{"ttl":60,"ttl":120}"#),
    bad!("duplicate_unknown", "an unknown field twice", "malformed_body", r#"{"x":1,"x":2}"#),
    bad!("leading_zero", "a number with a leading zero", "malformed_body", r#"{"ttl":060}"#),
    bad!("hexadecimal", "a hexadecimal number", "malformed_body", r#"{"ttl":0x3c}"#),
    bad!("infinite", "a number beyond all numbers", "malformed_body", r#"{"ttl":1e999}"#),
    bad!("not_utf8", "a byte that is no UTF-8", "malformed_body", *b"{\"user\":\"k\xffm\"}"),
    bad!(
        "deep",
        "brackets, four thousand deep",
        "malformed_body",
        [b"{\"user\":".as_slice(), &[b'['; 4000]].concat()
    ),
    bad!("user_null", "a user that is null", "invalid_user", r#"{"user":null}"#),
    bad!("user_empty", "a user without a name", "invalid_user", r#"{"user":""}"#),
    bad!("user_number", "a number for a user", "invalid_user", r#"{"user":7}"#),
    bad!("user_list", "a list of users", "invalid_user", r#"{"user":["kim","lee"]}"#),
    bad!("user_line_break", "a user with a line break", "invalid_user", r#"{"user":"kim\nlee"}"#),
    bad!("user_nul", "a user with a zero byte", "invalid_user", r#"{"user":"k\u0000m"}"#),
    bad!("user_blank", "a user of blanks", "invalid_user", r#"{"user":"  "}"#),
    bad!(
        "user_too_long",
        "a user of 256 characters",
        "invalid_user",
        format!(r#"{{"user":"{}"}}"#, "ü".repeat(256))
    ),
    bad!(
        "user_reserved",
        "a user that is the cluster's own",
        "invalid_user",
        r#"{"user":"system:masters"}"#
    ),
    bad!("role_null", "a role that is null", "invalid_role", r#"{"role":null}"#),
    bad!("role_empty", "a role without a name", "invalid_role", r#"{"role":""}"#),
    bad!("role_object", "an object for a role", "invalid_role", r#"{"role":{"name":"viewer"}}"#),
    bad!("role_unknown", "a role the project has not", "unknown_role", r#"{"role":"owner"}"#),
    bad!("role_other_case", "a role in capitals", "unknown_role", r#"{"role":"VIEWER"}"#),
    bad!("ttl_null", "a lifetime that is null", "invalid_ttl", r#"{"ttl":null}"#),
    bad!("ttl_zero", "a lifetime of nothing", "invalid_ttl", r#"{"ttl":0}"#),
    bad!("ttl_negative", "a negative lifetime", "invalid_ttl", r#"{"ttl":-3600}"#),
    bad!("ttl_fraction", "half a second", "invalid_ttl", r#"{"ttl":0.5}"#),
    bad!("ttl_text", "a lifetime as a text", "invalid_ttl", r#"{"ttl":"3600"}"#),
    bad!("ttl_duration", "a lifetime with a unit", "invalid_ttl", r#"{"ttl":"1h"}"#),
    bad!("ttl_beyond", "a lifetime a second too long", "ttl_too_long", r#"{"ttl":2592001}"#),
];

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = BODIES.iter().map(refused).collect();
    rules.extend([every_field(), media_types(), encoded(), too_large(), unknown_fields()]);
    rules.extend([no_echo(), still_alive()]);
    rules
}

fn refused(case: &'static Bad) -> Rule {
    // The types of the three fields are published; the rest of the limits are ours.
    let published = [
        "user_null",
        "user_number",
        "user_list",
        "role_null",
        "role_object",
        "ttl_null",
        "ttl_fraction",
        "ttl_text",
        "ttl_duration",
    ];
    let id = format!("k0rdent.issue_kubeconfig.body.{}", case.slug);
    let draft = if case.reason == "malformed_body" || published.contains(&case.slug) {
        must(id)
    } else {
        should(id)
    };
    draft
        .title(format!("IssueKubeconfig with {} is 400 {}, and issues nothing", case.what, case.reason))
        .source(DOCUMENT, format!("IssueKubeconfig, 400 {}", case.reason))
        .claims([Claim::refusal("IssueKubeconfig", 400, case.reason)])
        .fix("Read the body as one JSON object of the request schema; answer anything else with 400, the error document and the reason.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = issue(&server, &json!({})).body((case.body)());
            expect_refused(&server, call, 400, case.reason)
        })
}

fn every_field() -> Rule {
    should("k0rdent.issue_kubeconfig.body.every_field")
        .title("A body with several wrong fields is refused with a detail for each of them")
        .source("docs/decisions/0037-k0rdent-errors.md", "a detail for each")
        .claims([Claim::refusal("IssueKubeconfig", 400, "invalid_user")])
        .fix("Judge all fields before refusing, and list every one that is wrong in details.")
        .check(|bench| {
            let server = bench.server()?;
            let body = json!({"user": 1, "role": 2, "ttl": "3"});
            let document = issue(&server, &body).send()?.expect_problem(400, "invalid_user")?;
            let details = document["error"]["details"].as_array().cloned().unwrap_or_default();
            let named: Vec<_> = details.iter().map(|one| (&one["field"], &one["reason"])).collect();
            let due = [("user", "invalid_user"), ("role", "invalid_role"), ("ttl", "invalid_ttl")];
            let due = due.map(|(field, reason)| (Value::from(field), Value::from(reason)));
            expect_eq("the details", &due.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>(), &named)?;
            let body = json!({"role": "owner", "ttl": 9_999_999});
            let document = issue(&server, &body).send()?.expect_problem(400, "unknown_role")?;
            let second = &document["error"]["details"][1]["reason"];
            expect_eq("the second reason", &json!("ttl_too_long"), second)
        })
}

fn media_types() -> Rule {
    should("k0rdent.issue_kubeconfig.body.media_type")
        .title("A body that is not said to be application/json is 415, with parameters and capitals it is taken")
        .source(DOCUMENT, "IssueKubeconfig, 415 unsupported_media_type")
        .claims([Claim::refusal("IssueKubeconfig", 415, "unsupported_media_type")])
        .fix("Compare the media type without its parameters and without regard to case; take application/json only.")
        .check(|bench| {
            let server = bench.server()?;
            for media in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/yaml", "json"] {
                let call = issue(&server, &json!({})).header("content-type", media);
                expect_refused(&server, call, 415, "unsupported_media_type")?;
            }
            let untyped = server.call("POST", COLLECTION).bearer(Identity::Operator.token()).body("{}");
            expect_refused(&server, untyped, 415, "unsupported_media_type")?;
            for media in ["application/json; charset=utf-8", "Application/JSON"] {
                issue(&server, &json!({})).header("content-type", media).send()?.expect(201)?;
            }
            Ok(())
        })
}

fn encoded() -> Rule {
    should("k0rdent.issue_kubeconfig.body.encoded")
        .title("A body with a content coding is 415; identity is none")
        .source(DOCUMENT, "IssueKubeconfig, 415 unsupported_media_type")
        .claims([Claim::refusal("IssueKubeconfig", 415, "unsupported_media_type")])
        .fix("Refuse a Content-Encoding other than identity with 415.")
        .check(|bench| {
            let server = bench.server()?;
            for coding in ["gzip", "br", "gzip, gzip"] {
                let call = issue(&server, &json!({})).header("content-encoding", coding);
                expect_refused(&server, call, 415, "unsupported_media_type")?;
            }
            issue(&server, &json!({}))
                .header("content-encoding", "identity")
                .send()?
                .expect(201)?;
            Ok(())
        })
}

fn too_large() -> Rule {
    should("k0rdent.issue_kubeconfig.body.too_large")
        .title("A body above 8 KiB is 413, and one of just that size is read")
        .source(DOCUMENT, "IssueKubeconfig, x-max-body-bytes")
        .claims([Claim::refusal("IssueKubeconfig", 413, "body_too_large")])
        .fix("Stop keeping the body at 8192 bytes, and answer 413 body_too_large.")
        .check(|bench| {
            let server = bench.server()?;
            let padded = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
            let call = issue(&server, &json!({})).body(padded(8193));
            expect_refused(&server, call, 413, "body_too_large")?;
            let call = issue(&server, &json!({})).body(padded(1024 * 1024));
            expect_refused(&server, call, 413, "body_too_large")?;
            issue(&server, &json!({})).body(padded(8192)).send()?.expect(201).map(drop)
        })
}

fn unknown_fields() -> Rule {
    should("k0rdent.issue_kubeconfig.body.unread")
        .title("A field that the page does not know is taken, changes nothing, and is named in the journal")
        .source(PAGE, "The request")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .needs([Need::Journal])
        .fix("Ignore unknown request fields, and note their names under `unread`.")
        .check(|bench| {
            let server = bench.server()?;
            let body = json!({"id": "mine", "displayName": "My own", "user": "kim", "TTL": 60});
            let made = issued(&server, &body)?;
            expect(made["id"] != "mine", "the id", "one of the server's", &made["id"])?;
            expect(made["displayName"] != "My own", "the display name", "one of the server's", &made["displayName"])?;
            let unread = &server.journal()?["requests"][0]["unread"];
            let mut names: Vec<&str> = unread.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            names.sort_unstable();
            expect_eq("the unread fields", &vec!["TTL", "displayName", "id"], &names)
        })
}

fn no_echo() -> Rule {
    should("k0rdent.issue_kubeconfig.body.no_echo")
        .title("A refusal does not repeat what was sent, which may be a secret in the wrong place")
        .source("docs/decisions/0037-k0rdent-errors.md", "the description of what would do")
        .claims([Claim::refusal("IssueKubeconfig", 400, "unknown_role")])
        .fix("Say what would do, not what was sent.")
        .check(|bench| {
            let server = bench.server()?;
            for body in [
                r#"{"user":"\u0000canary-4711"}"#,
                r#"{"role":"canary-4711"}"#,
                r#"{"ttl":"canary-4711"}"#,
                r#"{"canary-4711""#,
            ] {
                let exchange = issue(&server, &json!({})).body(body).send()?;
                exchange.expect(400)?;
                let said = String::from_utf8_lossy(&exchange.response.body).into_owned();
                expect(!said.contains("4711"), "the refusal", "without what was sent", &said)?;
            }
            Ok(())
        })
}

fn still_alive() -> Rule {
    must("k0rdent.issue_kubeconfig.body.goes_on")
        .title("After every bad body on its list the server still issues to the page's own request")
        .source("k0rdent Issue kubeconfig page", "Body")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .fix("Refuse without losing anything: no lock, no place, no connection.")
        .check(|bench| {
            let server = bench.server()?;
            for case in &BODIES {
                issue(&server, &json!({}))
                    .body((case.body)())
                    .send()?
                    .expect_problem(400, case.reason)?;
            }
            expect_kept(&server, 0)?;
            issued(&server, &json!({"user": "kim", "role": "developer", "ttl": 123}))?;
            expect_kept(&server, 1)
        })
}
