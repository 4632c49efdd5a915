//! Namespaces: worlds side by side that do not touch each other.

use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};

use super::installation::{NOON, expect_refused, policy, sessions_of};
use super::token::verifies;
use super::{PAGE, should};
use crate::bench::{Bench, Call, Family, Identity, PROJECT_ID, RESOURCE_ID, SOON, Server, until};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, broken, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("sessions", "A session of one namespace does not exist in another")
            .fix("Keep sessions by namespace.")
            .check(sessions),
        rule("clock", "Moving the clock of one namespace leaves the others alone")
            .needs([Need::Clock])
            .fix("Give every namespace a clock of its own.")
            .check(clock),
        rule("world", "The world of one namespace can be changed without touching another's")
            .fix("Give every namespace a world of its own, begun from the server's.")
            .check(worlds),
        rule("keys", "Tokens of one namespace do not verify with the keys of another")
            .fix("Derive the signing key from the server's seed and the namespace's name.")
            .check(keys),
        rule("journal", "The journal of a namespace holds its own requests only")
            .needs([Need::Journal])
            .fix("Keep a journal for each namespace.")
            .check(journal),
        rule("reset", "Resetting one namespace leaves the sessions of another")
            .fix("Reset the namespace that the path names.")
            .check(reset),
        rule("forgotten", "A namespace that is deleted is forgotten with its sessions and listeners, and begins anew")
            .source("docs/mock-server.md", "Whose answer, DELETE /ns/<name>/__mock/namespace")
            .needs([Need::Journal, Need::Clock])
            .fix("Drop the namespace with all that it holds, and make it again by its next use.")
            .check(forgotten),
        rule("location", "Under a namespace the Location can be read as it stands, from the root")
            .fix("Write the Location with everything in front of /v1 that the request had.")
            .check(location),
        rule("idempotency", "The same idempotency key in two namespaces is two sessions")
            .fix("Keep keys by namespace.")
            .check(idempotency),
        rule("parallel", "Thirty-two namespaces at once each see exactly their own requests")
            .needs([Need::Journal])
            .fix("Share nothing between namespaces but the process.")
            .check(parallel),
        should("server.namespaces.default_by_name")
            .source(PAGE, "Base URLs")
            .claims([Claim::operation("GetSession", 200)])
            .needs([Need::SpawnableServer])
            .title("The namespace called default is the one at the root")
            .fix("Answer /ns/default/v1 from the namespace of /v1.")
            .check(default_by_name),
        should("server.namespaces.names")
            .source(PAGE, "Base URLs; Problems, 400 invalid_namespace")
            .claims([Claim::operation("GetHealth", 200)])
            .needs([Need::SpawnableServer])
            .title("A name is 1 to 64 of letters, digits, dot, underscore and dash, not one or two dots alone; any other is 400 invalid_namespace")
            .fix("Refuse other names, with a problem document.")
            .check(names),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.namespaces.{slug}"))
        .source(
            "docs/decisions/0026-choosing-a-behaviour.md",
            "with its own world, clock, seed, keys and journal",
        )
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::SpawnableServer])
        .title(title)
}

fn issue_in(server: &Server, namespace: &str, who: Identity) -> Outcome<Call> {
    let path = format!("/ns/{namespace}{}", sessions_of(PROJECT_ID));
    let request = json!({"resource_id": RESOURCE_ID, "kind": "tcp",
        "target": Family::TcpForward.target()});
    Ok(server.post(&path, &request).bearer(&server.token(who)?))
}

/// Issues in a namespace; the contract's paths begin behind it.
fn issued_in(server: &Server, namespace: &str) -> Outcome<Value> {
    let exchange = issue_in(server, namespace, Identity::Operator)?.send()?;
    expect_eq("the status of an issue in a namespace", &201, &exchange.status())?;
    Ok(exchange.json())
}

fn get(server: &Server, path: &str) -> Outcome<(u16, Value)> {
    let exchange = server.get(path).bearer(&server.token(Identity::Operator)?).send()?;
    Ok((exchange.status(), exchange.json()))
}

fn status_of(server: &Server, namespace: &str, issued: &Value) -> Outcome<(u16, Value)> {
    let id = issued["session_id"].as_str().unwrap_or_default();
    get(server, &format!("{namespace}{}/{id}", sessions_of(PROJECT_ID)))
}

fn sessions(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued_in(&server, "a")?;
    for (namespace, due) in [("/ns/a", 200), ("/ns/b", 404), ("", 404)] {
        let (status, _) = status_of(&server, namespace, &issued)?;
        expect_eq(format!("the status of the session below {namespace:?}"), &due, &status)?;
    }
    let (_, page) = get(&server, &format!("/ns/b{}", sessions_of(PROJECT_ID)))?;
    expect_eq("the sessions of the other namespace", &json!([]), &page["items"])
}

fn clock(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let freeze = json!({"set": NOON, "freeze": true});
    for namespace in ["a", "b"] {
        server.control("PUT", &format!("/ns/{namespace}/__mock/clock"), Some(&freeze))?;
    }
    let (in_a, in_b) = (issued_in(&server, "a")?, issued_in(&server, "b")?);
    server.control("PUT", "/ns/a/__mock/clock", Some(&json!({"advance_seconds": 3600})))?;
    let (_, session) = status_of(&server, "/ns/b", &in_b)?;
    expect_eq("the session where time stood still", &json!("active"), &session["status"])?;
    let (_, session) = status_of(&server, "/ns/a", &in_a)?;
    expect(session["status"] != "active", "the session an hour later", "an ended one", &session)?;
    let elsewhere = server.control("GET", "/__mock/clock", None)?;
    expect_eq("whether the root's clock was frozen", &json!(false), &elsewhere["frozen"])
}

fn worlds(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut world = server.control("GET", "/ns/a/__mock/world", None)?;
    policy(&mut world)["max_sessions_per_identity"] = json!(0);
    server.control("PUT", "/ns/a/__mock/world", Some(&world))?;
    let refused = issue_in(&server, "a", Identity::Operator)?.send()?;
    expect_eq("the status where nobody may", &429, &refused.status())?;
    issued_in(&server, "b")?;
    let root = server.issue(Family::TcpForward, Identity::Operator)?;
    root.send()?.expect(201).map(drop)
}

fn keys(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let (in_a, in_b) = (issued_in(&server, "a")?, issued_in(&server, "b")?);
    for (namespace, own, other) in [("a", &in_a, &in_b), ("b", &in_b, &in_a)] {
        let (_, keys) = get(&server, &format!("/ns/{namespace}/.well-known/jwks.json"))?;
        expect_eq("whether its own token verifies", &true, &verifies(&keys, own)?)?;
        expect_eq("whether the other's token verifies", &false, &verifies(&keys, other)?)?;
    }
    Ok(())
}

fn count(server: &Server, namespace: &str) -> Outcome<u64> {
    let journal = server.control("GET", &format!("{namespace}/__mock/requests"), None)?;
    Ok(journal["total"].as_u64().unwrap_or_default())
}

fn journal(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for _ in 0..3 {
        issued_in(&server, "a")?;
    }
    issued_in(&server, "b")?;
    for (namespace, due) in [("/ns/a", 3), ("/ns/b", 1), ("/ns/c", 0), ("", 0)] {
        expect_eq(format!("the requests below {namespace:?}"), &due, &count(&server, namespace)?)?;
    }
    let journal = server.control("GET", "/ns/a/__mock/requests", None)?;
    expect_eq("the namespace the journal names", &json!("a"), &journal["namespace"])
}

fn reset(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let (in_a, in_b) = (issued_in(&server, "a")?, issued_in(&server, "b")?);
    let reset = server.call("POST", "/ns/a/__mock/reset").send()?;
    expect_eq("the status of the reset", &204, &reset.status())?;
    expect_eq("the session of the reset one", &404, &status_of(&server, "/ns/a", &in_a)?.0)?;
    expect_eq("the session of the other", &200, &status_of(&server, "/ns/b", &in_b)?.0)?;
    expect_eq("the journal of the reset one", &1, &count(&server, "/ns/a")?)
}

fn forgotten(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let freeze = json!({"set": NOON, "freeze": true});
    server.control("PUT", "/ns/a/__mock/clock", Some(&freeze))?;
    let (in_a, in_b) = (issued_in(&server, "a")?, issued_in(&server, "b")?);
    let listener = in_a["listener_endpoint"].as_str().unwrap_or_default();
    expect(TcpStream::connect(listener).is_ok(), "its listener", "an open port", listener)?;
    let deleted = server.call("DELETE", "/ns/a/__mock/namespace").send()?;
    expect_eq("the status of the deletion", &204, &deleted.status())?;
    until("the end of its listener", SOON, || {
        let open = TcpStream::connect(listener).is_ok();
        Ok(if open { Err("it takes connections".into()) } else { Ok(()) })
    })?;
    expect_eq("its session", &404, &status_of(&server, "/ns/a", &in_a)?.0)?;
    expect_eq("the session of another", &200, &status_of(&server, "/ns/b", &in_b)?.0)?;
    expect_eq("its journal", &1, &count(&server, "/ns/a")?)?;
    let clock = server.control("GET", "/ns/a/__mock/clock", None)?;
    expect_eq("whether its clock is frozen", &json!(false), &clock["frozen"])
}

fn location(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let exchange = issue_in(&server, "some.where_else-1", Identity::Operator)?.send()?;
    let location = exchange.response.headers.get("location").unwrap_or_default().to_owned();
    let begins = location.starts_with("/ns/some.where_else-1/v1/projects/");
    expect(begins, "the Location", "a path below the namespace", &location)?;
    let (status, session) = get(&server, &location)?;
    expect_eq("the status at the Location", &200, &status)?;
    expect_eq("the session there", &exchange.json()["session_id"], &session["id"])
}

fn idempotency(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let keyed = |namespace: &str| {
        let call = issue_in(&server, namespace, Identity::Operator)?;
        let sent = call.edit(|body| body["idempotency_key"] = json!("k")).send()?;
        Ok::<_, crate::verdict::Reason>(sent.json()["session_id"].clone())
    };
    let (first, other, again) = (keyed("a")?, keyed("b")?, keyed("a")?);
    expect_eq("the session of the same key in the same namespace", &first, &again)?;
    expect(first.is_string() && first != other, "that of another namespace", "its own", other)
}

fn parallel(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let all: Vec<Outcome> = thread::scope(|scope| {
        let working: Vec<_> = (1..=32_u64)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let namespace = format!("n{number}");
                    for _ in 0..number % 5 + 1 {
                        issued_in(server, &namespace)?;
                    }
                    let seen = count(server, &format!("/ns/{namespace}"))?;
                    expect_eq(format!("the requests of {namespace}"), &(number % 5 + 1), &seen)
                })
            })
            .collect();
        working
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| broken("a namespace panicked")))
            .collect()
    });
    all.into_iter().collect()
}

fn default_by_name(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = server.issue(Family::TcpForward, Identity::Operator)?.send()?.expect(201)?;
    expect_eq(
        "its status below /ns/default",
        &200,
        &status_of(&server, "/ns/default", &issued)?.0,
    )?;
    server.expect_count("GetSession", 1)
}

fn names(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for name in ["a", "A-Z_0.9", "...", &"n".repeat(64)] {
        let (status, _) = get(&server, &format!("/ns/{name}/v1/auth/whoami"))?;
        expect_eq(format!("the status below {name:?}"), &200, &status)?;
    }
    for name in ["", ".", "..", "a%20b", "a%2Fb", "%C3%A9", "a:b", "a;b", &"n".repeat(65)] {
        let exchange = server.get(&format!("/ns/{name}/v1/healthz")).send()?;
        if exchange.status() != 400 || exchange.json()["code"] != "invalid_namespace" {
            return fail(
                format!("the answer below {name:?}"),
                "400 invalid_namespace",
                format!("{} {}", exchange.status(), exchange.json()),
            );
        }
        let media = exchange.response.headers.get("content-type");
        expect_eq("its content type", &Some("application/problem+json"), &media)?;
    }
    let call = server.get("/v1/auth/whoami");
    expect_refused(call, 401, "unauthenticated").map(drop)
}
