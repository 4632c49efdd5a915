//! Relations and the strength of a login: who is denied, why, and who is asked to log in again.

use serde_json::{Value, json};

use super::installation::{
    BETA, CONTRACTOR, SERVICE, SMS, VIEWER, expect_refused, expect_sessions, issue_as, world,
};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Family, Identity, RESOURCE_ID, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = [
        ("out_of_scope", "who has no relation to the resource at all", Identity::Outsider.token()),
        ("insufficient_relation", "who may look and not act", VIEWER),
        ("caveat_violation", "whose relation holds under a caveat that is not met", CONTRACTOR),
    ]
    .map(|(reason, whom, token)| denial(reason, whom, token))
    .into();
    rules.extend([
        should("server.rebac.caveat_by_clock")
            .source("docs/decisions/0026-choosing-a-behaviour.md", "the answers follow from the world")
            .claims([Claim::operation("IssueSession", 201), Claim::refusal("IssueSession", 403, "rebac_denied")])
            .needs([Need::Clock])
            .title("A relation under a caveat holds while the caveat is met, by the clock of the namespace")
            .fix("Evaluate caveats at the time of the request, by the namespace's clock.")
            .check(caveat_by_clock),
        must("server.rebac.correlation")
            .source(DOCUMENT, "PermissionDenied, correlation_id")
            .claims([Claim::refusal("IssueSession", 403, "rebac_denied")])
            .title("Every denial has a correlation id of its own")
            .fix("Make a new correlation id for every decision.")
            .check(correlation),
        should("server.rebac.relation_given")
            .source("docs/decisions/0026-choosing-a-behaviour.md", "the answers follow from the world")
            .claims([Claim::operation("IssueSession", 201)])
            .title("A relation added to the world is enough to be let in")
            .fix("Derive the answer from the world's relations, not from the names of tokens.")
            .check(relation_given),
        step_up("by_context", "A login of too weak a context gets 401 with the contexts that would do in acr_values")
            .fix("Name the acr values of the step-up matrix in WWW-Authenticate.")
            .check(by_context),
        step_up("by_method", "A login without the means asked for gets 401 with a bare challenge")
            .fix("Leave acr_values out where a method, not a context, is wanted.")
            .check(by_method),
        step_up("context_before_method", "Where both are unmet, the context is asked for")
            .fix("Look at the context first.")
            .check(context_before_method),
        step_up("unlisted_kind", "A kind the matrix does not list asks for nothing")
            .fix("Ask for a step-up only where the domain's matrix does.")
            .check(unlisted_kind),
        step_up("strong_login", "A login that meets the matrix is asked for nothing")
            .fix("Accept any of the contexts, and any of the methods, that the matrix lists.")
            .check(strong_login),
        step_up("own_domain", "The matrix is that of the resource's domain, not of the caller's")
            .fix("Take the matrix of the domain that the project belongs to.")
            .check(own_domain),
    ]);
    rules
}

fn denial(reason: &'static str, whom: &'static str, token: &'static str) -> Rule {
    must(format!("server.rebac.{reason}"))
        .source(DOCUMENT, "PermissionDenied, reason")
        .claims([Claim::refusal("IssueSession", 403, "rebac_denied")])
        .title(format!("The reason is {reason} for {whom}"))
        .fix("Say which of the three it is, with the relations that were tried and a correlation id.")
        .check(move |bench| {
            let server = bench.server()?;
            for family in Family::ALL {
                let call = issue_as(&server, family, token)?;
                let problem = expect_refused(call, 403, "rebac_denied")?;
                expect_eq("the reason", &json!(reason), &problem["reason"])?;
                let path = problem["relation_path"].to_string();
                let tried = path.contains(RESOURCE_ID);
                expect(tried, "relation_path", "the resource in what was tried", &path)?;
            }
            expect_sessions(&server, 0)
        })
}

fn caveat_by_clock(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock("2025-12-30T12:00:00Z")?;
    issue_as(&server, Family::TcpForward, CONTRACTOR)?.send()?.expect(201)?;
    server.freeze_clock("2026-01-01T00:00:00Z")?;
    let call = issue_as(&server, Family::TcpForward, CONTRACTOR)?;
    let problem = expect_refused(call, 403, "rebac_denied")?;
    expect_eq("the reason", &json!("caveat_violation"), &problem["reason"])
}

fn correlation(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let call = server.issue(Family::Ssh, Identity::Outsider)?;
        let problem = expect_refused(call, 403, "rebac_denied")?;
        seen.push(problem["correlation_id"].as_str().unwrap_or_default().to_owned());
    }
    seen.sort();
    seen.dedup();
    expect_eq("how many of five correlation ids are distinct", &5, &seen.len())
}

fn relation_given(bench: &Bench) -> Outcome {
    let server = world(bench, |world| {
        if let Some(relations) = world["relations"].as_array_mut() {
            relations.push(json!(format!("resource:{RESOURCE_ID}#operator@identity:otto")));
        }
    })?;
    server.issue(Family::TcpForward, Identity::Outsider)?.send()?.expect(201)?;
    let call = issue_as(&server, Family::TcpForward, VIEWER)?;
    expect_refused(call, 403, "rebac_denied").map(drop)
}

fn step_up(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.step_up.{slug}"))
        .source(PAGE, "Problems, 401 step_up_required; RFC 9470")
        .claims([Claim::refusal("IssueSession", 401, "step_up_required")])
        .title(title)
}

/// The challenge of a step-up refusal.
fn challenge(server: &Server, family: Family, token: &str) -> Outcome<String> {
    let exchange = issue_as(server, family, token)?.send()?;
    exchange.expect_problem(401, "step_up_required")?;
    Ok(exchange.response.headers.get("www-authenticate").unwrap_or_default().to_owned())
}

fn acr_values(challenge: &str) -> Option<Vec<&str>> {
    let (_, rest) = challenge.split_once("acr_values=\"")?;
    let (values, _) = rest.split_once('"')?;
    Some(values.split(' ').collect())
}

fn by_context(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in [Family::Ssh, Family::Kubeconfig] {
        let challenge = challenge(&server, family, Identity::Basic.token())?;
        let named = acr_values(&challenge);
        expect_eq("the contexts that would do", &Some(vec!["aal2", "aal3"]), &named)?;
    }
    expect_sessions(&server, 0)
}

fn by_method(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let challenge = challenge(&server, Family::Kubeconfig, SMS)?;
    expect_eq("the contexts named", &None, &acr_values(&challenge))?;
    expect(!challenge.contains("acr_values"), "the challenge", "no acr_values", &challenge)?;
    issue_as(&server, Family::Ssh, SMS)?.send()?.expect(201)?;
    expect_sessions(&server, 1)
}

fn context_before_method(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let challenge = challenge(&server, Family::Kubeconfig, Identity::Basic.token())?;
    match acr_values(&challenge) {
        Some(_) => Ok(()),
        None => fail("the challenge", "acr_values", challenge),
    }
}

fn unlisted_kind(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.issue(Family::TcpForward, Identity::Basic)?.send()?.expect(201)?;
    let server = world(bench, |world| world["domains"][0]["step_up"] = json!({}))?;
    for family in Family::ALL {
        server.issue(family, Identity::Basic)?.send()?.expect(201)?;
    }
    Ok(())
}

fn strong_login(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for token in [Identity::Operator.token(), Identity::Admin.token(), SERVICE] {
        for family in Family::ALL {
            issue_as(&server, family, token)?.send()?.expect(201)?;
        }
    }
    Ok(())
}

fn own_domain(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let ask = |kind: &str, target: Value| {
        let body = json!({"resource_id": "0190a8b8-d3e3-7d3d-8d3d-0000000000b1",
            "kind": kind, "target": {kind: target}});
        let path = super::installation::sessions_of(super::installation::TELEMETRY);
        server.post(&path, &body).bearer(BETA).send()
    };
    let ssh = ask("ssh", json!({"user": "ops"}))?;
    ssh.expect_problem(401, "step_up_required")?;
    let header = ssh.response.headers.get("www-authenticate").unwrap_or_default();
    expect_eq("the contexts for ssh", &None, &acr_values(header))?;
    let tcp = ask("tcp", json!({"host": "db", "port": 1}))?;
    tcp.expect_problem(401, "step_up_required")?;
    let header = tcp.response.headers.get("www-authenticate").unwrap_or_default();
    expect_eq("the contexts for tcp", &Some(vec!["aal3"]), &acr_values(header))
}
