//! AttachSession: who is given the WebSocket, and who is refused it.

use serde_json::{Value, json};

use super::installation::{
    NOBODY, SMS, WAREHOUSE, expect_refused, issued, revoke, session_path, sessions_of, world,
};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Call, Family, Generation, Identity, Server, ServerOptions};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect_eq};

const ID: &str = "AttachSession";
/// The example of RFC 6455, and what must be said to it.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) fn all() -> Vec<Rule> {
    vec![
        must("server.attach_session.upgrades")
            .source(DOCUMENT, "AttachSession, 101")
            .claims([Claim::operation(ID, 101)])
            .title("An ssh session is attached to by a WebSocket whose first bytes are ssh's")
            .fix("Answer 101 with the accept key of RFC 6455, and carry the bytes of the session's ssh listener in binary messages.")
            .check(upgrades),
        must("server.attach_session.upgrade_required")
            .source(DOCUMENT, "AttachSession, 426")
            .claims([Claim::refusal(ID, 426, "upgrade_required")])
            .title("Attaching without asking for a WebSocket of version 13 is 426, and Upgrade names it")
            .fix("Refuse what is no complete WebSocket handshake with 426 and Upgrade: websocket.")
            .check(upgrade_required),
        conflict("session_not_active", "an ended session", not_active),
        conflict("session_not_ssh", "a session of another kind", not_ssh),
        must("server.attach_session.session_listener_pending")
            .source(DOCUMENT, "AttachSession, 409, from 2026-08 on")
            .claims([Claim::refusal(ID, 409, "session_listener_pending")])
            .title("From 2026-08 on, attaching before the node has reported a listener is 409, and works then")
            .fix("Refuse with session_listener_pending for as long as a read of the session shows no endpoint.")
            .check(pending),
        refusal(401, "unauthenticated", "an unknown bearer", |bench| {
            let (server, issued) = ssh_session(bench)?;
            for call in [ask(&server, &issued), ask(&server, &issued).bearer("psk_dev_unknown")] {
                expect_refused(call, 401, "unauthenticated")?;
            }
            Ok(())
        }),
        refusal(403, "rebac_denied", "the session of another", |bench| {
            let (server, issued) = ssh_session(bench)?;
            for token in [&server.token(Identity::Outsider)?, SMS] {
                expect_refused(ask(&server, &issued).bearer(token), 403, "rebac_denied")?;
            }
            Ok(())
        }),
        refusal(404, "session_not_found", "a session that is not there", |bench| {
            let server = bench.server()?;
            for id in [NOBODY, "42"] {
                let path = format!("{}/{id}/attach", sessions_of(crate::bench::PROJECT_ID));
                let call = operator(&server, server.get(&path))?;
                expect_refused(call, 404, "session_not_found")?;
            }
            Ok(())
        }),
        refusal(404, "project_not_found", "a project that is not there", |bench| {
            let server = bench.server()?;
            for id in [NOBODY, "42"] {
                let path = format!("{}/{NOBODY}/attach", sessions_of(id));
                let call = operator(&server, server.get(&path))?;
                expect_refused(call, 404, "project_not_found")?;
            }
            let path = format!("{}/{NOBODY}/attach", sessions_of(WAREHOUSE));
            expect_refused(operator(&server, server.get(&path))?, 404, "session_not_found").map(drop)
        }),
        refusal(501, "access_session_not_provisioned", "an installation without sessions", |bench| {
            let server = world(bench, |world| world["access"]["provisioned"] = json!(false))?;
            let path = format!("{}/{NOBODY}/attach", sessions_of(crate::bench::PROJECT_ID));
            let call = operator(&server, server.get(&path))?;
            expect_refused(call, 501, "access_session_not_provisioned").map(drop)
        }),
        refusal(501, "access_attach_not_provisioned", "an installation without listeners", |bench| {
            let server = world(bench, |world| world["listeners"]["served"] = json!(false))?;
            let issued = issued(&server, Family::Ssh, Identity::Operator)?;
            let call = operator(&server, ask(&server, &issued))?;
            expect_refused(call, 501, "access_attach_not_provisioned").map(drop)
        }),
    ]
}

fn refusal(
    status: u16,
    code: &'static str,
    what: &'static str,
    check: impl Fn(&Bench) -> Outcome + Send + Sync + 'static,
) -> Rule {
    let draft = must(format!("server.attach_session.{code}"))
        .source(DOCUMENT, format!("AttachSession, {status}"))
        .claims([Claim::refusal(ID, status, code)])
        .title(format!("Attaching to {what} is refused as the contract says"))
        .fix(
            "Ask in this order: bearer, installation, project, session, relation, state, upgrade.",
        );
    draft.check(check)
}

fn conflict(code: &'static str, what: &str, check: fn(&Bench) -> Outcome) -> Rule {
    let draft: RuleDraft = must(format!("server.attach_session.{code}"))
        .source(DOCUMENT, "AttachSession, 409")
        .claims([Claim::refusal(ID, 409, code)])
        .title(format!("Attaching to {what} is 409 {code}"))
        .fix("Attach to ssh sessions only, and only while they are active.");
    draft.check(check)
}

fn ssh_session(bench: &Bench) -> Outcome<(Server, Value)> {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    Ok((server, issued))
}

/// Asks for a WebSocket, as nobody.
fn ask(server: &Server, issued: &Value) -> Call {
    upgrading(server.get(&format!("{}/attach", session_path(issued))))
}

fn upgrading(call: Call) -> Call {
    call.header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY)
}

fn operator(server: &Server, call: Call) -> Outcome<Call> {
    Ok(upgrading(call).bearer(&server.token(Identity::Operator)?))
}

fn upgrades(bench: &Bench) -> Outcome {
    let (server, issued) = ssh_session(bench)?;
    let exchange = operator(&server, ask(&server, &issued))?.send()?;
    exchange.expect(101)?;
    let accept = exchange.response.headers.get("sec-websocket-accept");
    expect_eq("the accept key", &Some(ACCEPT), &accept)?;
    server.expect_count(ID, 1)
}

fn upgrade_required(bench: &Bench) -> Outcome {
    let (server, issued) = ssh_session(bench)?;
    let whole = operator(&server, ask(&server, &issued))?;
    let plain = server
        .get(&format!("{}/attach", session_path(&issued)))
        .bearer(&server.token(Identity::Operator)?);
    for call in [
        plain,
        whole.clone().header("sec-websocket-version", "8"),
        whole.clone().header("sec-websocket-key", "short"),
        whole.header("upgrade", "h2c"),
    ] {
        expect_refused(call, 426, "upgrade_required")?;
    }
    Ok(())
}

fn not_active(bench: &Bench) -> Outcome {
    let (server, issued) = ssh_session(bench)?;
    revoke(&server, &issued)?.send()?.expect(204)?;
    let call = operator(&server, ask(&server, &issued))?;
    expect_refused(call, 409, "session_not_active").map(drop)
}

fn not_ssh(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in [Family::Kubeconfig, Family::TcpForward] {
        let issued = issued(&server, family, Identity::Operator)?;
        let call = operator(&server, ask(&server, &issued))?;
        expect_refused(call, 409, "session_not_ssh")?;
    }
    Ok(())
}

fn pending(bench: &Bench) -> Outcome {
    let server = bench.server_with(&ServerOptions::speaking(Generation::August))?;
    server.freeze_clock(super::installation::NOON)?;
    server.control("PUT", "/__mock/listeners", Some(&json!({"report_delay_seconds": 5})))?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let call = operator(&server, ask(&server, &issued))?;
    expect_refused(call.clone(), 409, "session_listener_pending")?;
    server.advance_clock(5)?;
    call.send()?.expect(101).map(drop)
}
