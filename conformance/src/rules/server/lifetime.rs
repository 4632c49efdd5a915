//! How long a session lives: its TTL, its idle window, and how long it is remembered.

use serde_json::{Value, json};

use super::installation::{NOON, expect_refused, policy, reread, session_path, world};
use super::revoke::expect_ended;
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Family, Identity, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        lives(
            "ttl_default",
            "Without requested_ttl_seconds the domain's default counts",
            |bench| ttl(bench, None, 1800),
        ),
        lives(
            "ttl_requested",
            "A requested TTL within the maximum is granted to the second",
            |bench| {
                ttl(bench, Some(900), 900)?;
                ttl(bench, Some(1), 1)
            },
        ),
        lives(
            "ttl_clamped",
            "A requested TTL above the maximum is granted as the maximum, without an error",
            |bench| {
                for wish in [3600, 3601, 7200, 4_294_967_296, 9_007_199_254_740_991] {
                    ttl(bench, Some(wish), 3600)?;
                }
                Ok(())
            },
        ),
        lives(
            "expiry",
            "A session is active to its last second, and expired from expires_at on",
            expiry,
        ),
        should("server.session.idle")
            .source(PAGE, "Numbers, idle window")
            .claims([Claim::operation("GetSession", 200)])
            .needs([Need::Clock])
            .title("A session that is not used for the idle window is revoked as idle_timeout")
            .fix(
                "Revoke idle sessions by the same path as any other, with the reason idle_timeout.",
            )
            .check(idle),
        should("server.session.never_idle")
            .source(PAGE, "Numbers, idle window")
            .claims([Claim::operation("GetSession", 200)])
            .needs([Need::Clock])
            .title("Where a world names no idle window, a session lives to its end")
            .fix("Read a null idle window as none, and leave idle_timeout_seconds out.")
            .check(never_idle),
        should("server.session.retention")
            .source("docs/decisions/0029-numbers.md", "All of them stand in the world file")
            .claims([Claim::refusal("GetSession", 404, "session_not_found")])
            .needs([Need::Clock])
            .title(
                "An ended session can be read for the retention the world names, and then is gone",
            )
            .fix("Forget ended sessions once the retention has passed, and not before.")
            .check(retention),
    ]
}

fn lives(slug: &str, title: &'static str, check: fn(&Bench) -> Outcome) -> Rule {
    clocked(must(format!("server.session.{slug}"))).title(title).check(check)
}

fn clocked(draft: RuleDraft) -> RuleDraft {
    draft
        .source(DOCUMENT, "IssueSessionRequest, requested_ttl_seconds; Session, expires_at")
        .claims([Claim::operation("IssueSession", 201), Claim::operation("GetSession", 200)])
        .needs([Need::Clock])
        .fix("Take the TTL asked for, the default or the maximum, and end the session by the clock of its namespace.")
}

fn frozen(bench: &Bench) -> Outcome<Server> {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    Ok(server)
}

fn seconds(session: &Value) -> Option<i64> {
    let moment = |name: &str| session[name].as_str()?.parse::<jiff::Timestamp>().ok();
    Some(moment("expires_at")?.as_second() - moment("issued_at")?.as_second())
}

fn ttl(bench: &Bench, wish: Option<i64>, granted: i64) -> Outcome {
    let server = frozen(bench)?;
    let mut call = server.issue(Family::TcpForward, Identity::Operator)?;
    if let Some(wish) = wish {
        call = call.edit(|body| body["requested_ttl_seconds"] = json!(wish));
    }
    let issued = call.send()?.expect(201)?;
    expect_eq(
        format!("the TTL granted for {wish:?}"),
        &Some(granted),
        &seconds(&issued["session"]),
    )?;
    expect_eq("issued_at by the frozen clock", &json!(NOON), &issued["session"]["issued_at"])
}

fn short_lived(server: &Server, ttl: u32) -> Outcome<Value> {
    let call = server.issue(Family::Ssh, Identity::Operator)?;
    call.edit(|body| body["requested_ttl_seconds"] = json!(ttl)).send()?.expect(201)
}

fn expect_status(server: &Server, issued: &Value, status: &str) -> Outcome<Value> {
    let session = reread(server, issued)?;
    expect_eq("the status of the session", &json!(status), &session["status"])?;
    Ok(session)
}

fn expiry(bench: &Bench) -> Outcome {
    let server = frozen(bench)?;
    let issued = short_lived(&server, 60)?;
    server.advance_clock(59)?;
    expect_status(&server, &issued, "active")?;
    server.advance_clock(1)?;
    let session = expect_status(&server, &issued, "expired")?;
    expect_eq("expires_at after the end", &issued["expires_at"], &session["expires_at"])
}

fn idle(bench: &Bench) -> Outcome {
    let server = world(bench, |world| policy(world)["idle_timeout_seconds"] = json!(30))?;
    server.freeze_clock(NOON)?;
    let issued = short_lived(&server, 600)?;
    let window = &issued["session"]["idle_timeout_seconds"];
    expect_eq("idle_timeout_seconds", &json!(30), window)?;
    server.advance_clock(29)?;
    expect_status(&server, &issued, "active")?;
    server.advance_clock(1)?;
    expect_ended(&expect_status(&server, &issued, "revoked")?, "revoked", "idle_timeout")
}

fn never_idle(bench: &Bench) -> Outcome {
    let server = world(bench, |world| policy(world)["idle_timeout_seconds"] = json!(null))?;
    server.freeze_clock(NOON)?;
    let issued = short_lived(&server, 3600)?;
    expect_eq("idle_timeout_seconds", &Value::Null, &issued["session"]["idle_timeout_seconds"])?;
    server.advance_clock(3599)?;
    expect_status(&server, &issued, "active")?;
    server.advance_clock(1)?;
    expect_status(&server, &issued, "expired").map(drop)
}

fn retention(bench: &Bench) -> Outcome {
    let server = world(bench, |world| world["sessions"]["retention_seconds"] = json!(100))?;
    server.freeze_clock(NOON)?;
    let issued = short_lived(&server, 10)?;
    server.advance_clock(10 + 99)?;
    expect_status(&server, &issued, "expired")?;
    server.advance_clock(2)?;
    let call = server.get(&session_path(&issued)).bearer(&server.token(Identity::Operator)?);
    expect_refused(call, 404, "session_not_found").map(drop)
}
