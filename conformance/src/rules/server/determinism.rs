//! The same seed and the same clock: the same bytes.

use serde_json::json;

use super::installation::{NOON, expect_refused, session_path, sessions_of};
use super::should;
use crate::bench::{Bench, Family, Identity, PROJECT_ID, RESOURCE_ID, Server, ServerOptions};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("same_bytes", "Two servers with the same seed and clock answer the same requests byte for byte")
            .fix("Take keys, ids and time from --seed and --clock and from nowhere else.")
            .check(same_bytes),
        rule("seed_matters", "Another seed is another key and other ids")
            .fix("Derive keys and ids from the seed.")
            .check(seed_matters),
        rule("namespace_by_name", "A namespace answers alike on two servers, whatever was made before it")
            .fix("Derive a namespace's keys and ids from the server's seed and its name, not from the order of use.")
            .check(namespace_by_name),
        rule("reset", "After a reset the same requests get the same answers again")
            .fix("Let a reset return world, clock, ids and keys to how they began.")
            .check(reset),
        rule("clock", "With --clock the clock stands at that moment")
            .needs([Need::Clock])
            .fix("Freeze the clock where --clock says.")
            .check(clock),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.determinism.{slug}"))
        .source("docs/decisions/0030-determinism.md", "Same seed, same bytes")
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::SpawnableServer])
        .title(title)
}

/// Without listeners: which ports are free is nothing a seed could say.
fn frozen(bench: &Bench) -> Outcome<Server> {
    bench.server_with(&ServerOptions::with(&["--clock", NOON, "--no-node"]))
}

/// A tour of the server: every byte that the answers hold, without what the port changes.
fn tour(server: &Server, base: &str) -> Outcome<Vec<String>> {
    let operator = server.token(Identity::Operator)?;
    let sessions = format!("{base}{}", sessions_of(PROJECT_ID));
    let mut answers = Vec::new();
    let mut note = |exchange: crate::bench::Exchange| {
        let mut headers = exchange.response.headers.0.clone();
        // The one header that tells the time of the machine.
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        let body = String::from_utf8_lossy(&exchange.response.body).into_owned();
        answers.push(format!("{} {headers:?} {body}", exchange.status()));
        exchange.json()
    };
    for family in Family::ALL {
        let body = json!({"resource_id": RESOURCE_ID, "kind": family.kind(),
            "target": family.target()});
        let issued = note(server.post(&sessions, &body).bearer(&operator).send()?);
        let path = format!("{base}{}", session_path(&issued));
        note(server.call("POST", &format!("{path}:revoke")).bearer(&operator).send()?);
        note(server.get(&path).bearer(&operator).send()?);
        let denied = server.post(&sessions, &body).bearer(Identity::Outsider.token());
        note(denied.send()?);
    }
    for path in [
        format!("{sessions}?limit=1"),
        format!("{base}/v1/projects"),
        format!("{base}/.well-known/jwks.json"),
        format!("{base}/v1/nothing"),
    ] {
        note(server.get(&path).bearer(&operator).send()?);
    }
    let journal = server.control("GET", &format!("{base}/__mock/requests"), None)?;
    answers.push(journal.to_string());
    Ok(answers)
}

fn expect_alike(what: &str, one: &[String], other: &[String]) -> Outcome {
    for (at, (one, other)) in one.iter().zip(other).enumerate() {
        expect(one == other, format!("answer {at} {what}"), one, other)?;
    }
    expect_eq(format!("the number of answers {what}"), &one.len(), &other.len())
}

fn same_bytes(bench: &Bench) -> Outcome {
    let one = tour(&frozen(bench)?, "")?;
    let other = tour(&frozen(bench)?, "")?;
    expect_alike("of a second server", &one, &other)
}

fn seed_matters(bench: &Bench) -> Outcome {
    let one = frozen(bench)?;
    let key = |server: &Server| server.get("/.well-known/jwks.json").send()?.expect(200);
    expect_eq("the keys of the same seed", &key(&one)?, &key(&frozen(bench)?)?)?;
    let seed = (bench.target().settings.seed + 1).to_string();
    let other = bench.server_with(&ServerOptions::with(&["--clock", NOON, "--seed", &seed]))?;
    let (ours, theirs) = (key(&one)?, key(&other)?);
    expect(ours != theirs, "the keys of another seed", "others", theirs)?;
    let id = |server: &Server| {
        let issued = server.issue(Family::Ssh, Identity::Operator)?.send()?.expect(201)?;
        Ok::<_, crate::verdict::Reason>(issued["session_id"].clone())
    };
    let (ours, theirs) = (id(&one)?, id(&other)?);
    expect(ours != theirs, "the session id under another seed", "another", theirs)
}

fn namespace_by_name(bench: &Bench) -> Outcome {
    let (one, other) = (frozen(bench)?, frozen(bench)?);
    tour(&other, "/ns/before")?;
    tour(&other, "")?;
    expect_alike("of the namespace", &tour(&one, "/ns/same")?, &tour(&other, "/ns/same")?)
}

fn reset(bench: &Bench) -> Outcome {
    let server = frozen(bench)?;
    let before = tour(&server, "")?;
    server.advance_clock(1000)?;
    let reset = server.call("POST", "/__mock/reset").send()?;
    expect_eq("the status of the reset", &204, &reset.status())?;
    expect_alike("after the reset", &before, &tour(&server, "")?)
}

fn clock(bench: &Bench) -> Outcome {
    let server = frozen(bench)?;
    let due = json!({"now": NOON, "frozen": true});
    expect_eq("the clock", &due, &server.control("GET", "/__mock/clock", None)?)?;
    let issued = server.issue(Family::Ssh, Identity::Operator)?.send()?.expect(201)?;
    expect_eq("issued_at", &json!(NOON), &issued["session"]["issued_at"])?;
    let call = server.issue(Family::Ssh, Identity::Outsider)?;
    expect_refused(call, 403, "rebac_denied")?;
    expect_eq("the clock after two requests", &due, &server.control("GET", "/__mock/clock", None)?)
}
