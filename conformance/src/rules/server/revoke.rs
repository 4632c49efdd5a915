//! How a session is revoked, and who may read and revoke it.

use serde_json::{Value, json};

use super::installation::{
    NOON, SMS, VIEWER, expect_refused, issued, reread, revoke, session_path,
};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Family, Identity};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect_eq};

const REASONS: [&str; 4] =
    ["operator_request", "policy_violation", "identity_compromise", "resource_decommissioned"];

pub(super) fn all() -> Vec<Rule> {
    let mut rules = revocation();
    rules.extend([
        must("server.get_session.by_others")
            .source(DOCUMENT, "GetSession")
            .claims([Claim::operation("GetSession", 200)])
            .title("Whoever may view the project may read the sessions of others in it")
            .fix(
                "Ask for the permission view on the project where the session is not the caller's.",
            )
            .check(read_by_others),
        must("server.get_session.repeatable")
            .source(DOCUMENT, "GetSession")
            .claims([Claim::operation("GetSession", 200)])
            .title("A session reads the same as often as it is read")
            .fix("Let a read change nothing, last_active_at included.")
            .check(reads_change_nothing),
    ]);
    rules
}

fn revocation() -> Vec<Rule> {
    vec![
        ends("by_path", "A session is revoked at .../revoke, at once and with the reason recorded", |bench| {
            revoked_at(bench, "/revoke")
        }),
        ends("by_verb", "A session is revoked at ...:revoke, the older spelling", |bench| {
            revoked_at(bench, ":revoke")
        }),
        ends("by_escaped_verb", "The colon of :revoke may be percent-encoded", |bench| {
            revoked_at(bench, "%3Arevoke")
        }),
        ends("again", "Revoking again is 204 and changes neither time nor reason", again),
        ends("reasons", "Each of the four reasons is recorded as it was given", reasons),
        ends("without_reason", "A revoke without a body, or with an empty one, is recorded as operator_request", without_reason),
        ends("by_administrator", "Whoever may administer the resource may revoke the session of another", by_administrator),
        ends("after_expiry", "Revoking an expired session is 204 and leaves it expired", after_expiry),
        must("server.revoke_session.invalid_body")
            .source(DOCUMENT, "RevokeSession, 400")
            .claims([Claim::refusal("RevokeSession", 400, "invalid_body")])
            .title("A reason that is not a caller's to give is 400, and the session lives on")
            .fix("Take the four reasons of the contract; ttl_expired and idle_timeout are the server's own.")
            .check(bad_reasons),
        must("server.revoke_session.not_by_others")
            .source(DOCUMENT, "RevokeSession, 403")
            .claims([Claim::refusal("RevokeSession", 403, "rebac_denied")])
            .title("Who may look at, or act on, a resource may not revoke the session of another there")
            .fix("Ask for the permission administer on the resource where the session is not the caller's.")
            .check(not_by_others),
    ]
}

fn ends(slug: &str, title: &'static str, check: fn(&Bench) -> Outcome) -> Rule {
    must(format!("server.revoke_session.{slug}"))
        .source(DOCUMENT, "RevokeSession, 204")
        .claims([
            Claim::operation("RevokeSession", 204),
            Claim::operation("RevokeSessionByVerb", 204),
        ])
        .title(title)
        .fix("End the session at once, record when and why, and answer 204 to a repetition.")
        .check(check)
}

pub(super) fn expect_ended(session: &Value, status: &str, reason: &str) -> Outcome {
    expect_eq("the status", &json!(status), &session["status"])?;
    expect_eq("the reason", &json!(reason), &session["revoke_reason"])?;
    expect_eq("whether revoked_at is there", &true, &session["revoked_at"].is_string())
}

fn revoked_at(bench: &Bench, spelling: &str) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let path = format!("{}{spelling}", session_path(&issued));
    let body = json!({"revoke_reason": "policy_violation"});
    let exchange = server.post(&path, &body).bearer(&operator).send()?;
    // The contract knows the escaped colon as the same path; its templates do not.
    expect_eq("the status of the revoke", &204, &exchange.status())?;
    expect_eq("the length of its body", &0, &exchange.response.body.len())?;
    expect_ended(&reread(&server, &issued)?, "revoked", "policy_violation")?;
    server.expect_count("RevokeSession", 1)
}

fn again(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let call = revoke(&server, &issued)?;
    call.clone().json(&json!({"revoke_reason": "identity_compromise"})).send()?.expect(204)?;
    let first = reread(&server, &issued)?;
    server.advance_clock(5)?;
    call.clone().send()?.expect(204)?;
    call.json(&json!({"revoke_reason": "policy_violation"})).send()?.expect(204)?;
    expect_eq("the session after two more revokes", &first, &reread(&server, &issued)?)
}

fn reasons(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for reason in REASONS {
        let issued = issued(&server, Family::TcpForward, Identity::Operator)?;
        revoke(&server, &issued)?.json(&json!({"revoke_reason": reason})).send()?.expect(204)?;
        expect_ended(&reread(&server, &issued)?, "revoked", reason)?;
    }
    Ok(())
}

fn without_reason(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let bare = issued(&server, Family::TcpForward, Identity::Operator)?;
    revoke(&server, &bare)?.send()?.expect(204)?;
    expect_ended(&reread(&server, &bare)?, "revoked", "operator_request")?;
    let empty = issued(&server, Family::TcpForward, Identity::Operator)?;
    revoke(&server, &empty)?.json(&json!({})).send()?.expect(204)?;
    expect_ended(&reread(&server, &empty)?, "revoked", "operator_request")
}

fn by_administrator(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let admin = server.token(Identity::Admin)?;
    revoke(&server, &issued)?.bearer(&admin).send()?.expect(204)?;
    expect_ended(&reread(&server, &issued)?, "revoked", "operator_request")
}

fn after_expiry(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    let call = server.issue(Family::TcpForward, Identity::Operator)?;
    let issued = call.edit(|body| body["requested_ttl_seconds"] = json!(5)).send()?.expect(201)?;
    server.advance_clock(6)?;
    let expired = reread(&server, &issued)?;
    revoke(&server, &issued)?.send()?.expect(204)?;
    expect_eq("the status", &json!("expired"), &expired["status"])?;
    expect_eq("the session after the revoke", &expired, &reread(&server, &issued)?)
}

fn bad_reasons(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let call = revoke(&server, &issued)?;
    for reason in [
        json!("ttl_expired"),
        json!("idle_timeout"),
        json!("bored"),
        json!(""),
        json!("OPERATOR_REQUEST"),
        json!(1),
        json!([]),
    ] {
        let call = call.clone().json(&json!({"revoke_reason": reason}));
        expect_refused(call, 400, "invalid_body")?;
    }
    for body in ["[]", "null", "{", "\"operator_request\""] {
        let call = call.clone().json(&Value::Null).body(body);
        expect_refused(call, 400, "invalid_body")?;
    }
    expect_eq("the session", &issued["session"], &reread(&server, &issued)?)
}

fn not_by_others(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let call = revoke(&server, &issued)?;
    for token in [VIEWER, SMS, Identity::Basic.token(), Identity::Outsider.token()] {
        expect_refused(call.clone().bearer(token), 403, "rebac_denied")?;
    }
    expect_eq("the session", &issued["session"], &reread(&server, &issued)?)
}

fn read_by_others(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    for token in [VIEWER, SMS, Identity::Admin.token()] {
        let session = server.get(&session_path(&issued)).bearer(token).send()?.expect(200)?;
        expect_eq("the session as others read it", &issued["session"], &session)?;
    }
    Ok(())
}

fn reads_change_nothing(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    for _ in 0..3 {
        server.advance_clock(60)?;
        expect_eq("the session as it reads", &issued["session"], &reread(&server, &issued)?)?;
    }
    Ok(())
}
