//! Caps on living sessions, the rate of issues, and what frees them.

use std::thread;

use serde_json::{Value, json};

use super::installation::{
    LEDGER, NOON, expect_refused, expect_sessions, issued, policy, revoke, world, world_with,
};
use super::{PAGE, must, should};
use crate::bench::{Bench, Family, Identity, Server, ServerOptions};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, broken, expect, expect_eq, fail};

const CODE: &str = "session_limit_exceeded";

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = ["identity", "resource", "domain"].map(cap).into();
    rules.extend([
        budget(
            "rate",
            "More issues in a minute than the rate allows are 429, and free again a minute later",
        )
        .needs([Need::Clock])
        .fix("Count the issues of an identity over the last 60 seconds.")
        .check(rate),
        budget("freed_by_revoke", "A revoked session frees its place at once")
            .fix("Count living sessions only.")
            .check(freed_by_revoke),
        budget("freed_by_expiry", "An expired session frees its place at its last second")
            .needs([Need::Clock])
            .fix("Count living sessions only, by the clock of the namespace.")
            .check(freed_by_expiry),
        budget("freed_by_idleness", "A session that idled out frees its place")
            .needs([Need::Clock])
            .fix("Count living sessions only.")
            .check(freed_by_idleness),
        budget("parallel", "Fifty requests at once never take more places than there are")
            .fix("Take the place and check the cap in one step.")
            .check(parallel),
        budget("own_identity", "The cap of one identity does not touch another's")
            .fix("Count by identity.")
            .check(own_identity),
        budget("not_without_a_cap", "Where a world names no caps and no rate, there are none")
            .fix("Read null as none.")
            .check(uncapped),
        should("server.budget.tiny_world")
            .source("docs/decisions/0029-numbers.md", "The world tiny has small ones")
            .claims([Claim::refusal("IssueSession", 429, CODE)])
            .needs([Need::SpawnableServer])
            .title("In the world tiny the third living session of an identity is refused")
            .fix("Keep the world tiny small enough that every cap is within reach.")
            .check(tiny),
    ]);
    rules
}

fn budget(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.budget.{slug}"))
        .source(PAGE, "Problems, 429 session_limit_exceeded")
        .claims([Claim::refusal("IssueSession", 429, CODE)])
        .title(title)
}

/// Two requests are let in by the cap of one dimension, the third is refused in its name.
fn cap(dimension: &'static str) -> Rule {
    budget(&format!("cap.{dimension}"), "")
        .title(format!("When the {dimension} has as many living sessions as it may, an issue is 429 and says whose budget it was"))
        .fix("Name the dimension in the detail, send no Retry-After, leave nothing behind.")
        .check(move |bench| {
            let server = world(bench, |world| {
                policy(world)[format!("max_sessions_per_{dimension}")] = json!(2);
            })?;
            // Both dimensions that are not the identity are filled by two identities.
            let second = if dimension == "identity" { Identity::Operator } else { Identity::Admin };
            issued(&server, Family::TcpForward, Identity::Operator)?;
            if dimension == "domain" {
                at(&server, LEDGER, second)?;
            } else {
                issued(&server, Family::TcpForward, second)?;
            }
            let third = server.issue(Family::TcpForward, Identity::Operator)?;
            let problem = expect_refused(third, 429, CODE)?;
            let detail = problem["detail"].as_str().unwrap_or_default();
            expect(detail.contains(dimension), "the detail", format!("the {dimension} named"), detail)?;
            expect_sessions(&server, 2)
        })
}

fn at(server: &Server, resource: &str, who: Identity) -> Outcome<Value> {
    let call = server.issue(Family::TcpForward, who)?;
    call.edit(|body| body["resource_id"] = json!(resource)).send()?.expect(201)
}

fn refused(server: &Server) -> Outcome<Value> {
    expect_refused(server.issue(Family::TcpForward, Identity::Operator)?, 429, CODE)
}

fn granted(server: &Server) -> Outcome<Value> {
    issued(server, Family::TcpForward, Identity::Operator)
}

fn rate(bench: &Bench) -> Outcome {
    let server = world(bench, |world| policy(world)["issues_per_minute"] = json!(3))?;
    server.freeze_clock(NOON)?;
    granted(&server)?;
    server.advance_clock(30)?;
    granted(&server)?;
    granted(&server)?;
    // Refused requests are not issues, and do not prolong the minute.
    for _ in 0..5 {
        refused(&server)?;
    }
    issued(&server, Family::TcpForward, Identity::Admin)?;
    server.advance_clock(31)?;
    granted(&server)?;
    refused(&server)?;
    server.advance_clock(30)?;
    granted(&server)?;
    granted(&server)?;
    refused(&server).map(drop)
}

fn one_place(bench: &Bench) -> Outcome<(Server, Value)> {
    let server = world(bench, |world| policy(world)["max_sessions_per_identity"] = json!(1))?;
    server.freeze_clock(NOON)?;
    let first = granted(&server)?;
    refused(&server)?;
    Ok((server, first))
}

fn freed_by_revoke(bench: &Bench) -> Outcome {
    let (server, first) = one_place(bench)?;
    revoke(&server, &first)?.send()?.expect(204)?;
    granted(&server)?;
    // A second revoke of the first session frees nothing more.
    revoke(&server, &first)?.send()?.expect(204)?;
    refused(&server).map(drop)
}

fn freed_by_expiry(bench: &Bench) -> Outcome {
    let server = world(bench, |world| {
        policy(world)["max_sessions_per_identity"] = json!(1);
        policy(world)["idle_timeout_seconds"] = json!(null);
    })?;
    server.freeze_clock(NOON)?;
    granted(&server)?;
    server.advance_clock(1799)?;
    refused(&server)?;
    server.advance_clock(1)?;
    granted(&server).map(drop)
}

fn freed_by_idleness(bench: &Bench) -> Outcome {
    let (server, _) = one_place(bench)?;
    server.advance_clock(899)?;
    refused(&server)?;
    server.advance_clock(1)?;
    granted(&server).map(drop)
}

fn parallel(bench: &Bench) -> Outcome {
    let server = world(bench, |world| policy(world)["max_sessions_per_resource"] = json!(7))?;
    let call = server.issue(Family::TcpForward, Identity::Operator)?;
    let statuses: Vec<Outcome<u16>> = thread::scope(|scope| {
        let asked: Vec<_> = (0..50)
            .map(|_| {
                let call = call.clone();
                scope.spawn(move || Ok(call.send()?.status()))
            })
            .collect();
        asked
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| broken("a request of fifty panicked")))
            .collect()
    });
    let mut let_in = 0;
    for status in statuses {
        match status? {
            201 => let_in += 1,
            429 => {}
            other => return fail("an answer to one of fifty", "201 or 429", other),
        }
    }
    expect_eq("how many of fifty were let in", &7, &let_in)?;
    expect_sessions(&server, 7)
}

fn own_identity(bench: &Bench) -> Outcome {
    let (server, _) = one_place(bench)?;
    for who in [Identity::Admin, Identity::Basic] {
        issued(&server, Family::TcpForward, who)?;
    }
    refused(&server)?;
    expect_sessions(&server, 3)
}

fn uncapped(bench: &Bench) -> Outcome {
    let server = world(bench, |world| {
        for name in [
            "max_sessions_per_identity",
            "max_sessions_per_resource",
            "max_sessions_per_domain",
            "issues_per_minute",
        ] {
            policy(world)[name] = json!(null);
        }
    })?;
    for _ in 0..120 {
        granted(&server)?;
    }
    server.expect_count("IssueSession", 120)
}

fn tiny(bench: &Bench) -> Outcome {
    let options = ServerOptions::with(&["--world", "tiny"]);
    let server = world_with(bench, &options, |_| {})?;
    server.freeze_clock(NOON)?;
    granted(&server)?;
    granted(&server)?;
    refused(&server)?;
    expect_sessions(&server, 2)
}
