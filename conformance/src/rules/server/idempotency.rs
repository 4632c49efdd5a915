//! The idempotency key: one session and one token, however often it is asked for.

use std::thread;

use serde_json::json;

use super::installation::{NOON, expect_refused, expect_sessions, policy, session_path, world};
use super::{DOCUMENT, must, should};
use crate::bench::{Bench, Call, Family, Identity, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, broken, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        keyed_rule("replay", "The same key brings the same session and the same token, byte for byte")
            .fix("Answer a known key with the original session; the token can be made anew from it.")
            .check(replay),
        keyed_rule("original_wins", "A known key brings the original session, whatever else the request says")
            .fix("Look at the key, the identity and the window; the rest of the request does not count.")
            .check(original_wins),
        keyed_rule("own_identity", "The key of one identity is not that of another")
            .fix("Keep keys by identity.")
            .check(own_identity),
        keyed_rule("any_text", "Keys differ in every character, to the 4,096th")
            .fix("Compare whole keys.")
            .check(any_text),
        keyed_rule("after_refusal", "A refused request does not use up its key")
            .fix("Remember a key only with the session it led to.")
            .check(after_refusal),
        should("server.idempotency.window")
            .source("docs/decisions/0029-numbers.md", "idempotency window 600 s")
            .claims([Claim::operation("IssueSession", 201)])
            .needs([Need::Clock])
            .title("A key is known for the window the world names, and is new again after it")
            .fix("Forget a key when its window has passed, by the clock of the namespace.")
            .check(window),
        must("server.issue_session.idempotent_replay")
            .source(DOCUMENT, "IssueSession, 409")
            .claims([Claim::refusal("IssueSession", 409, "idempotent_replay")])
            .title("A second request with a key that is being worked on is 409; there is one session in the end")
            .fix("Hold the key while the first request is under way, and refuse the second.")
            .check(in_flight),
    ]
}

fn keyed_rule(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.idempotency.{slug}"))
        .source(DOCUMENT, "IssueSessionRequest, idempotency_key")
        .claims([Claim::operation("IssueSession", 201)])
        .title(title)
}

fn keyed(server: &Server, family: Family, who: Identity, key: &str) -> Outcome<Call> {
    Ok(server.issue(family, who)?.edit(|body| body["idempotency_key"] = json!(key)))
}

fn replay(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in Family::ALL {
        let call = keyed(&server, family, Identity::Operator, family.name())?;
        let first = call.clone().send()?;
        first.expect(201)?;
        for _ in 0..3 {
            let again = call.clone().send()?;
            again.expect(201)?;
            let same = first.response.body == again.response.body;
            expect(same, "the body of the repeated request", "that of the first", again.json())?;
            expect_eq(
                "the Location",
                &first.response.headers.get("location"),
                &again.response.headers.get("location"),
            )?;
        }
    }
    expect_sessions(&server, 3)
}

fn original_wins(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let call = keyed(&server, Family::Ssh, Identity::Operator, "k")?;
    let first = call.clone().send()?;
    first.expect(201)?;
    let other = call.edit(|body| {
        body["requested_ttl_seconds"] = json!(7);
        body["target"]["ssh"]["user"] = json!("root");
    });
    let second = other.send()?;
    second.expect(201)?;
    expect_eq("the second answer", &first.json(), &second.json())?;
    expect_sessions(&server, 1)
}

fn own_identity(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mine =
        keyed(&server, Family::TcpForward, Identity::Operator, "shared")?.send()?.expect(201)?;
    for who in [Identity::Admin, Identity::Basic] {
        let theirs = keyed(&server, Family::TcpForward, who, "shared")?.send()?.expect(201)?;
        let apart = mine["session_id"] != theirs["session_id"] && mine["token"] != theirs["token"];
        expect(apart, "the session of another identity", "its own", &theirs["session_id"])?;
    }
    expect_sessions(&server, 3)
}

fn any_text(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let long = "k".repeat(4095);
    let keys = [
        format!("{long}a"),
        format!("{long}b"),
        long,
        "k".into(),
        "K".into(),
        " k".into(),
        "\u{e9}".into(),
        "e\u{301}".into(),
        "\u{0}".into(),
        "\u{1f511}".repeat(4096),
    ];
    for _ in 0..2 {
        for key in &keys {
            keyed(&server, Family::TcpForward, Identity::Operator, key)?.send()?.expect(201)?;
        }
        expect_sessions(&server, keys.len())?;
    }
    Ok(())
}

fn after_refusal(bench: &Bench) -> Outcome {
    let server = world(bench, |world| policy(world)["max_sessions_per_identity"] = json!(1))?;
    let plain = server.issue(Family::TcpForward, Identity::Operator)?;
    let first = plain.send()?.expect(201)?;
    let call = keyed(&server, Family::TcpForward, Identity::Operator, "k")?;
    expect_refused(call.clone(), 429, "session_limit_exceeded")?;
    let path = format!("{}/revoke", session_path(&first));
    server.call("POST", &path).bearer(&server.token(Identity::Operator)?).send()?.expect(204)?;
    let second = call.send()?.expect(201)?;
    let new = first["session_id"] != second["session_id"];
    expect(new, "the session of the key", "a new one", &second["session_id"])
}

fn window(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    let call = keyed(&server, Family::TcpForward, Identity::Operator, "k")?;
    let first = call.clone().send()?.expect(201)?;
    server.advance_clock(599)?;
    let within = call.clone().send()?.expect(201)?;
    expect_eq("the session within the window", &first["session_id"], &within["session_id"])?;
    server.advance_clock(2)?;
    let after = call.send()?.expect(201)?;
    let new = first["session_id"] != after["session_id"];
    expect(new, "the session after the window", "a new one", &after["session_id"])?;
    expect_sessions(&server, 2)
}

fn in_flight(bench: &Bench) -> Outcome {
    let server = world(bench, |world| world["signer"]["delay_ms"] = json!(400))?;
    let call = keyed(&server, Family::TcpForward, Identity::Operator, "k")?;
    let (one, other) = thread::scope(|scope| {
        let beside = scope.spawn(|| call.clone().send());
        let here = call.clone().send();
        (here, beside.join().unwrap_or_else(|_| broken("the second request panicked")))
    });
    let (one, other) = (one?, other?);
    let (issued, refused) = if one.status() == 201 { (one, other) } else { (other, one) };
    let issued = issued.expect(201)?;
    refused.expect_problem(409, "idempotent_replay")?;
    let again = call.send()?.expect(201)?;
    expect_eq("the session afterwards", &issued["session_id"], &again["session_id"])?;
    expect_sessions(&server, 1)
}
