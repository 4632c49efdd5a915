//! PostNodeSessionCallback: whose reports are taken, and what they change.

use serde_json::{Value, json};

use super::installation::{NOBODY, NOON, expect_refused, issued, reread, revoke, world};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Call, Family, Generation, Identity, Server, ServerOptions};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect_eq};

const ID: &str = "PostNodeSessionCallback";
const NODE: &str = "0190a8b8-40de-7000-8000-000000000001";
const OTHER_NODE: &str = "0190a8b8-40de-7000-8000-000000000002";
const NSK: &str = "nsk_dev_node";
const OTHER_NSK: &str = "nsk_dev_other";
const REVOKED_NSK: &str = "nsk_dev_revoked";

pub(super) fn all() -> Vec<Rule> {
    vec![
        taken("activity", "A report of each kind is 204, and moves last_active_at", activity),
        taken("farewell", "That a listener has stopped is taken after the end, and is no activity", farewell),
        must("server.node_callback.endpoint")
            .source(DOCUMENT, "NodeSessionCallback, from 2026-08 on")
            .claims([Claim::operation(ID, 204)])
            .title("From 2026-08 on, the last endpoint that a node reports is what a read shows")
            .fix("Keep what session_started says in listener_endpoint, and show it in place of any earlier one.")
            .check(endpoint),
        refused(400, "invalid_body", "what is no report on this session is 400", invalid),
        refused(401, "unauthorized", "a report without a key is 401 unauthorized", |bench| {
            let (server, issued) = session(bench)?;
            let call = report(&server, NODE, &issued, &started());
            expect_refused(call, 401, "unauthorized").map(drop)
        }),
        refused(401, "nsk_invalid", "a key that no node has is 401 nsk_invalid, an operator's token too", |bench| {
            let (server, issued) = session(bench)?;
            for token in ["nsk_nobody", &server.token(Identity::Operator)?] {
                let call = report(&server, NODE, &issued, &started()).bearer(token);
                expect_refused(call, 401, "nsk_invalid")?;
            }
            Ok(())
        }),
        refused(401, "nsk_revoked", "a revoked key is 401 nsk_revoked, which before 2026-07 was the one code", |bench| {
            let (server, issued) = session(bench)?;
            let call = report(&server, NODE, &issued, &started()).bearer(REVOKED_NSK);
            expect_refused(call, 401, "nsk_revoked")?;
            let server = bench.server_with(&ServerOptions::speaking(Generation::June))?;
            let call = report(&server, NODE, &issued, &started()).bearer("nsk_nobody");
            expect_refused(call, 401, "nsk_revoked").map(drop)
        }),
        refused(403, "nsk_node_mismatch", "a key shown for another node is 403", |bench| {
            let (server, issued) = session(bench)?;
            for (node, nsk) in [(NODE, OTHER_NSK), (OTHER_NODE, NSK), (NOBODY, NSK), ("42", NSK)] {
                let call = report(&server, node, &issued, &started()).bearer(nsk);
                expect_refused(call, 403, "nsk_node_mismatch")?;
            }
            Ok(())
        }),
        refused(404, "session_not_found", "a session that is not on the node is 404", |bench| {
            let (server, issued) = session(bench)?;
            let call = report(&server, OTHER_NODE, &issued, &started()).bearer(OTHER_NSK);
            expect_refused(call, 404, "session_not_found")?;
            for id in [NOBODY, "42"] {
                let path = format!("/v1/nodes/{NODE}/sessions/{id}");
                expect_refused(server.post(&path, &started()).bearer(NSK), 404, "session_not_found")?;
            }
            Ok(())
        }),
        refused(409, "session_already_revoked", "activity of a revoked session is 409", |bench| {
            let (server, issued) = session(bench)?;
            revoke(&server, &issued)?.send()?.expect(204)?;
            expect_refused(own(&server, &issued, &started()), 409, "session_already_revoked").map(drop)
        }),
        refused(409, "session_expired", "activity of an expired session is 409", |bench| {
            let server = world(bench, |world| {
                world["domains"][0]["session_policy"]["idle_timeout_seconds"] = Value::Null;
            })?;
            server.freeze_clock(NOON)?;
            let issued = issued(&server, Family::TcpForward, Identity::Operator)?;
            server.advance_clock(1800)?;
            expect_refused(own(&server, &issued, &started()), 409, "session_expired").map(drop)
        }),
        refused(413, "request_body_too_large", "a report of more than 8 KiB is 413", |bench| {
            let (server, issued) = session(bench)?;
            let call = own(&server, &issued, &json!({"ssh": {"command": "x".repeat(8192)}}));
            expect_refused(call, 413, "request_body_too_large").map(drop)
        }),
        refused(415, "unsupported_media_type", "a report that is not JSON by its type is 415", |bench| {
            let (server, issued) = session(bench)?;
            let call = own(&server, &issued, &started()).header("content-type", "text/plain");
            expect_refused(call, 415, "unsupported_media_type").map(drop)
        }),
        refused(501, "access_session_not_provisioned", "a report to an installation without sessions is 501", |bench| {
            let server = world(bench, |world| world["access"]["provisioned"] = json!(false))?;
            let path = format!("/v1/nodes/{NODE}/sessions/{NOBODY}");
            let call = server.post(&path, &started()).bearer(NSK);
            expect_refused(call, 501, "access_session_not_provisioned").map(drop)
        }),
    ]
}

fn taken(slug: &str, title: &'static str, check: fn(&Bench) -> Outcome) -> Rule {
    must(format!("server.node_callback.{slug}"))
        .source(DOCUMENT, "PostNodeSessionCallback, 204")
        .claims([Claim::operation(ID, 204)])
        .title(title)
        .fix("Take reports of the session's own kind from its own node, and note when it was last active.")
        .check(check)
}

fn refused(
    status: u16,
    code: &'static str,
    title: &'static str,
    check: impl Fn(&Bench) -> Outcome + Send + Sync + 'static,
) -> Rule {
    let mut title = title.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    must(format!("server.node_callback.{code}"))
        .source(DOCUMENT, format!("PostNodeSessionCallback, {status}"))
        .claims([Claim::refusal(ID, status, code)])
        .title(title)
        .fix("Ask in this order: key, node, installation, body, session, kind, state.")
        .check(check)
}

fn session(bench: &Bench) -> Outcome<(Server, Value)> {
    let server = bench.server()?;
    let issued = issued(&server, Family::TcpForward, Identity::Operator)?;
    Ok((server, issued))
}

fn started() -> Value {
    json!({"tcp": {"phase": "session_started"}})
}

/// A report that names no key yet.
fn report(server: &Server, node: &str, issued: &Value, body: &Value) -> Call {
    let session = issued["session_id"].as_str().unwrap_or_default();
    server.post(&format!("/v1/nodes/{node}/sessions/{session}"), body)
}

/// A report by the session's own node.
fn own(server: &Server, issued: &Value, body: &Value) -> Call {
    report(server, NODE, issued, body).bearer(NSK)
}

fn activity(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    let reports = [
        (Family::Ssh, json!({"ssh": {"command": "uptime", "exit_code": 0}})),
        (
            Family::Kubeconfig,
            json!({"k8s": {"verb": "list", "resource_kind": "pods", "status_code": 200}}),
        ),
        (Family::TcpForward, started()),
    ];
    for (family, body) in reports {
        let issued = issued(&server, family, Identity::Operator)?;
        server.advance_clock(60)?;
        let before = reread(&server, &issued)?["last_active_at"].clone();
        own(&server, &issued, &body).send()?.expect(204)?;
        let after = reread(&server, &issued)?["last_active_at"].clone();
        let now = server.control("GET", "/__mock/clock", None)?["now"].clone();
        expect_eq("last_active_at after a report", &now, &after)?;
        expect_eq("whether it was earlier before", &true, &(before != after))?;
    }
    server.expect_count(ID, 3)
}

fn farewell(bench: &Bench) -> Outcome {
    let (server, issued) = session(bench)?;
    let body = json!({"tcp": {"phase": "session_ended", "bytes_in": 1, "bytes_out": 2,
        "terminated_by": "plexd_close"}});
    let before = reread(&server, &issued)?;
    own(&server, &issued, &body).send()?.expect(204)?;
    expect_eq("the session after a farewell", &before, &reread(&server, &issued)?)?;
    revoke(&server, &issued)?.send()?.expect(204)?;
    own(&server, &issued, &body).send()?.expect(204).map(drop)
}

fn endpoint(bench: &Bench) -> Outcome {
    let server = bench.server_with(&ServerOptions::speaking(Generation::August))?;
    server.control("PUT", "/__mock/listeners", Some(&json!({"report_delay_seconds": 3600})))?;
    let issued = issued(&server, Family::TcpForward, Identity::Operator)?;
    let shown = || reread(&server, &issued).map(|session| session["listener_endpoint"].clone());
    expect_eq("the endpoint before a report", &Value::Null, &shown()?)?;
    for endpoint in ["100.64.0.12:2200", "100.64.0.12:2201"] {
        let body = json!({"tcp": {"phase": "session_started", "listener_endpoint": endpoint}});
        own(&server, &issued, &body).send()?.expect(204)?;
        expect_eq("the endpoint after a report", &json!(endpoint), &shown()?)?;
    }
    Ok(())
}

fn invalid(bench: &Bench) -> Outcome {
    let (server, issued) = session(bench)?;
    for body in [
        json!({}),
        json!([]),
        json!({"tcp": {"phase": "session_paused"}}),
        json!({"tcp": {"phase": "session_started"}, "ssh": {"command": "id"}}),
        json!({"ssh": {"command": "x".repeat(1025)}}),
        json!({"tcp": {"phase": "session_ended", "terminated_by": "somebody"}}),
        json!({"tcp": {"phase": "session_ended", "bytes_in": -1}}),
        // A good one, of another kind.
        json!({"ssh": {"command": "id"}}),
    ] {
        expect_refused(own(&server, &issued, &body), 400, "invalid_body")?;
    }
    server.expect_count(ID, 8)
}
