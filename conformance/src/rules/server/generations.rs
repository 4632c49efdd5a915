//! The three generations of the contract: what differs, and what does not.

use serde_json::{Value, json};

use super::installation::{
    NOON, expect_refused, issued, policy, read, reread, revoke, session_path, sessions_of, world_of,
};
use super::{PAGE, must, should};
use crate::bench::{
    Bench, Family, Generation, Identity, PROJECT_ID, Server, ServerOptions, System,
};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    Generation::ALL.into_iter().flat_map(of).chain([endpoint_reported()]).collect()
}

fn of(generation: Generation) -> Vec<Rule> {
    vec![
        rule(generation, "budget", "a used-up budget")
            .claims([Claim::refusal("IssueSession", budget_status(generation), "session_limit_exceeded")])
            .fix("Answer 409 in 2026-06 and 429 later, with the code session_limit_exceeded and without Retry-After.")
            .check(move |bench| budget(bench, generation)),
        rule(generation, "list_limit", "a list limit out of range")
            .claims([Claim::operation("ListSessions", 200), Claim::refusal("ListSessions", 400, "invalid_limit")])
            .fix("Bring the limit into 1 to 200 in 2026-06, refuse it with invalid_limit later.")
            .check(move |bench| list_limit(bench, generation)),
        rule(generation, "endpoint", "the place of the listener endpoint")
            .claims([Claim::operation("IssueSession", 201), Claim::operation("GetSession", 200)])
            .fix("Put listener_endpoint into the issued session until 2026-07, into the session's read from 2026-08.")
            .check(move |bench| endpoint(bench, generation)),
        rule(generation, "correlation", "where correlation ids stand")
            .claims([Claim::refusal("IssueSession", 401, "unauthenticated"), Claim::refusal("GetProject", 404, "project_not_found")])
            .fix("From 2026-08 send X-Correlation-Id and correlation_id with every problem; before, with ReBAC denials only, in the body.")
            .check(move |bench| correlation(bench, generation)),
        rule(generation, "problem_type", "the host of problem types")
            .claims([Claim::refusal("IssueSession", 403, "rebac_denied")])
            .fix("Name problem types under https://plexsphere.com/errors/, or in 2026-06 under plexsphere.dev.")
            .check(move |bench| problem_type(bench, generation)),
        rule(generation, "revoke_spellings", "that both spellings of revoke are served")
            .claims([Claim::operation("RevokeSession", 204), Claim::operation("RevokeSessionByVerb", 204)])
            .fix("Serve .../revoke and ...:revoke in every generation.")
            .check(move |bench| spellings(bench, generation)),
        rule(generation, "document", "that the document handed out is the generation's own")
            .claims([Claim::operation("GetOpenApi", 200), Claim::operation("GetVersion", 200)])
            .fix("Apply the generation's patch of x-generations before handing the document out; name the generation in GetVersion.")
            .check(move |bench| document(bench, generation)),
    ]
}

fn name(generation: Generation) -> String {
    generation.name().replace('-', "_")
}

fn rule(generation: Generation, slug: &str, what: &str) -> RuleDraft {
    must(format!("server.contract.{}.{slug}", name(generation)))
        .source(PAGE, "Generations")
        .needs([Need::SpawnableServer])
        .title(format!("Generation {} keeps its word on {what}", generation.name()))
}

fn speaking(bench: &Bench, generation: Generation) -> Outcome<Server> {
    bench.server_with(&ServerOptions::speaking(generation))
}

const fn budget_status(generation: Generation) -> u16 {
    match generation {
        Generation::June => 409,
        Generation::July | Generation::August => 429,
    }
}

fn budget(bench: &Bench, generation: Generation) -> Outcome {
    let status = budget_status(generation);
    for key in [
        "max_sessions_per_identity",
        "max_sessions_per_resource",
        "max_sessions_per_domain",
        "issues_per_minute",
    ] {
        let server = world_of(speaking(bench, generation)?, |world| policy(world)[key] = json!(0))?;
        let exchange = server.issue(Family::TcpForward, Identity::Operator)?.send()?;
        exchange.expect_problem(status, "session_limit_exceeded")?;
        let retry = exchange.response.headers.get("retry-after");
        expect_eq("Retry-After", &None, &retry)?;
    }
    Ok(())
}

fn list_limit(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    let first = issued(&server, Family::TcpForward, Identity::Operator)?;
    issued(&server, Family::TcpForward, Identity::Operator)?;
    for (limit, length) in [("0", 1), ("-5", 1), ("201", 2), ("100000", 2)] {
        let path = format!("{}?limit={limit}", sessions_of(PROJECT_ID));
        if generation != Generation::June {
            let call = server.get(&path).bearer(&server.token(Identity::Operator)?);
            expect_refused(call, 400, "invalid_limit")?;
            continue;
        }
        let page = read(&server, &path)?;
        let items = page["items"].as_array().map_or(0, Vec::len);
        expect_eq(format!("how many of two sessions limit={limit} shows"), &length, &items)?;
        expect_eq("the first of them", &first["session_id"], &page["items"][0]["id"])?;
    }
    Ok(())
}

fn endpoint(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    for family in Family::ALL {
        let issued = issued(&server, family, Identity::Operator)?;
        let session = reread(&server, &issued)?;
        let (at_issue, in_read) = (&issued["listener_endpoint"], &session["listener_endpoint"]);
        let (due, absent) = match generation {
            Generation::August => (in_read, at_issue),
            Generation::June | Generation::July => (at_issue, in_read),
        };
        expect(due.is_string(), "the endpoint in its place", "one", due)?;
        expect(absent.is_null(), "the endpoint in the other place", "none", absent)?;
    }
    Ok(())
}

fn correlation(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    let operator = server.token(Identity::Operator)?;
    let nowhere = format!("/v1/projects/{}", super::installation::NOBODY);
    let plain = [
        server.get("/v1/auth/whoami").send()?,
        server.get(&nowhere).bearer(&operator).send()?,
        server.get("/v1/nothing").send()?,
        server.call("DELETE", "/v1/projects").send()?,
        server.issue(Family::Ssh, Identity::Basic)?.send()?,
    ];
    for exchange in &plain {
        let problem = exchange.expect(exchange.status())?;
        let header = exchange.response.headers.get("x-correlation-id");
        let member = problem["correlation_id"].as_str();
        if generation == Generation::August {
            expect(header.is_some(), "X-Correlation-Id of a problem", "one", "none")?;
            expect_eq("correlation_id of the problem", &header, &member)?;
        } else {
            expect_eq("X-Correlation-Id of a problem", &None, &header)?;
            expect_eq("correlation_id of a problem that is no denial", &None, &member)?;
        }
    }
    let denied = server.issue(Family::Ssh, Identity::Outsider)?.send()?;
    let problem = denied.expect_problem(403, "rebac_denied")?;
    let member = problem["correlation_id"].as_str();
    expect(member.is_some(), "correlation_id of a denial", "one", "none")?;
    let header = denied.response.headers.get("x-correlation-id");
    let due = if generation == Generation::August { member } else { None };
    expect_eq("X-Correlation-Id of the denial", &due, &header)
}

fn problem_type(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    let problem =
        expect_refused(server.issue(Family::Ssh, Identity::Outsider)?, 403, "rebac_denied")?;
    let kind = problem["type"].as_str().unwrap_or_default();
    let (host, code) = kind.rsplit_once('/').unwrap_or_default();
    expect_eq("the end of the type", &"rebac-denied", &code)?;
    let hosts: &[&str] = match generation {
        Generation::June => &["https://plexsphere.com/errors", "https://plexsphere.dev/errors"],
        Generation::July | Generation::August => &["https://plexsphere.com/errors"],
    };
    expect(hosts.contains(&host), "the host of the type", hosts.join(" or "), kind)
}

fn spellings(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    let one = issued(&server, Family::Ssh, Identity::Operator)?;
    revoke(&server, &one)?.send()?.expect(204)?;
    let other = issued(&server, Family::Ssh, Identity::Operator)?;
    let path = format!("{}:revoke", session_path(&other));
    server.call("POST", &path).bearer(&server.token(Identity::Operator)?).send()?.expect(204)?;
    for issued in [one, other] {
        let session = reread(&server, &issued)?;
        expect_eq("the status", &json!("revoked"), &session["status"])?;
    }
    server.expect_count("RevokeSession", 2)
}

fn document(bench: &Bench, generation: Generation) -> Outcome {
    let server = speaking(bench, generation)?;
    let handed = server.get("/v1/openapi.json").send()?.expect(200)?;
    let due = System::Plexsphere.contract(generation)?.document();
    for part in ["openapi", "info", "paths", "components", "x-outside-operations"] {
        if handed[part] != due[part] {
            return fail(
                format!("`{part}` of the document handed out"),
                "as in fixtures/contract/plexsphere.json",
                first_difference(&due[part], &handed[part]),
            );
        }
    }
    let version = server.get("/v1/version").send()?.expect(200)?;
    expect_eq("the generation GetVersion names", &json!(generation.name()), &version["contract"])
}

/// The place of the first difference, which is shorter than both documents.
fn first_difference(due: &Value, found: &Value) -> String {
    match (due, found) {
        (Value::Object(due), Value::Object(found)) => {
            due.iter().find(|(key, value)| found.get(*key) != Some(value)).map_or_else(
                || "more members".into(),
                |(key, value)| {
                    format!(
                        "{key}/{}",
                        first_difference(value, found.get(key).unwrap_or(&Value::Null))
                    )
                },
            )
        }
        _ => found.to_string(),
    }
}

fn endpoint_reported() -> Rule {
    should("server.contract.2026_08.endpoint_reported_late")
        .source("docs/decisions/0022-endpoint-of-the-newest-contract.md", "the session read until the node reports one")
        .claims([Claim::operation("GetSession", 200)])
        .needs([Need::SpawnableServer, Need::Clock])
        .title("Under 2026-08 the endpoint appears on the read once the node has had its time, and is gone with the session")
        .fix("Show listener_endpoint from report_delay_seconds on, for active sessions only.")
        .check(|bench| {
            let server = world_of(speaking(bench, Generation::August)?, |world| {
                world["listeners"]["report_delay_seconds"] = json!(10);
            })?;
            server.freeze_clock(NOON)?;
            let issued = issued(&server, Family::Ssh, Identity::Operator)?;
            let shown = || Ok::<_, crate::verdict::Reason>(reread(&server, &issued)?["listener_endpoint"].is_string());
            server.advance_clock(9)?;
            expect_eq("whether the endpoint shows after 9 s", &false, &shown()?)?;
            server.advance_clock(1)?;
            expect_eq("whether the endpoint shows after 10 s", &true, &shown()?)?;
            revoke(&server, &issued)?.send()?.expect(204)?;
            expect_eq("whether the endpoint shows after the end", &false, &shown()?)
        })
}
