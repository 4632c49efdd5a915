//! What a server says about itself, and how it says no to methods and paths it does not have.

use serde_json::{Value, json};

use super::installation::{
    NOBODY, expect_refused, expect_sessions, session_path, sessions_of, world,
};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Exchange, Family, Identity, PROJECT_ID, RESOURCE_ID};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        health("ready", "Health is ready, at each of its three paths, without a token", |bench| {
            expect_health(bench, |_| {}, "ready")
        }),
        health("degraded_by_signer", "Health is degraded while the signer is away", |bench| {
            expect_health(bench, |world| world["signer"]["available"] = json!(false), "degraded")
        }),
        health("degraded_by_authz", "Health is degraded while relations cannot be checked", |bench| {
            expect_health(bench, |world| world["authz"]["available"] = json!(false), "degraded")
        }),
        must("server.version.named")
            .source(DOCUMENT, "GetVersion")
            .claims([Claim::operation("GetVersion", 200)])
            .title("The version is named, without a token")
            .fix("Answer the version of the server and the generation it serves.")
            .check(version),
        must("server.openapi.handed_out")
            .source(DOCUMENT, "GetOpenApi")
            .claims([Claim::operation("GetOpenApi", 200)])
            .title("The contract document is handed out, without a token, and knows every route that is served")
            .fix("Serve the contract document itself at /v1/openapi.json.")
            .check(openapi),
        outside("unknown_paths", "A path that is not there is 404 not_found, as a problem document")
            .fix("Answer every unknown path with the problem not_found.")
            .check(unknown_paths),
        outside("method_not_allowed", "A method that a path does not take is 405, with Allow")
            .claims([Claim::operation("ListSessions", 200)])
            .fix("Answer 405 with the methods that the path takes.")
            .check(methods),
        outside("head", "HEAD is answered as GET is, without the body")
            .fix("Answer HEAD with the status and the headers of GET.")
            .check(head),
        outside("options", "OPTIONS is 204 with Allow at every path there is")
            .claims([Claim::operation("ListSessions", 200)])
            .fix("Answer OPTIONS with 204 and the methods of the path.")
            .check(options),
        should("server.http.trailing_slash")
            .source(PAGE, "Problems, 404 not_found")
            .claims([Claim::operation("ListProjects", 200)])
            .title("A path with a slash too many, or in another case, is not the same path")
            .fix("Match paths as they are written.")
            .check(exact_paths),
        should("server.http.query_is_no_path")
            .source(DOCUMENT, "IssueSession")
            .claims([Claim::operation("IssueSession", 201)])
            .title("A query on an operation that takes none changes nothing")
            .fix("Route by the path alone.")
            .check(stray_query),
        should("server.http.bearer_in_any_case")
            .source("RFC 9110", "11.1: the scheme is case-insensitive")
            .claims([Claim::operation("Whoami", 200)])
            .title("The scheme of the Authorization header is read without regard to case")
            .fix("Compare `Bearer` without regard to case.")
            .check(bearer_case),
    ]
}

fn health(slug: &str, title: &'static str, check: fn(&Bench) -> Outcome) -> Rule {
    must(format!("server.health.{slug}"))
        .source(DOCUMENT, "GetHealth")
        .claims([
            Claim::operation("GetHealth", 200),
            Claim::operation("GetHealthAtRoot", 200),
            Claim::operation("GetReadiness", 200),
        ])
        .title(title)
        .fix("Answer 200 with status ready, or degraded while a part is away and the rest goes on.")
        .check(check)
}

fn outside(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.http.{slug}"))
        .source(DOCUMENT, "x-outside-operations")
        .claims([Claim::operation("GetHealth", 200)])
        .title(title)
}

fn expect_health(bench: &Bench, edit: fn(&mut Value), due: &str) -> Outcome {
    let server = world(bench, edit)?;
    for path in ["/v1/healthz", "/healthz", "/readyz"] {
        let health = server.get(path).send()?.expect(200)?;
        expect_eq(format!("the status at {path}"), &json!(due), &health["status"])?;
    }
    server.expect_count("GetHealth", 3)
}

fn version(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let version = server.get("/v1/version").send()?.expect(200)?;
    let named = version["version"].as_str().unwrap_or_default();
    expect(named.starts_with(|c: char| c.is_ascii_digit()), "the version", "a number", named)
}

fn openapi(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let document = server.get("/v1/openapi.json").send()?.expect(200)?;
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let path = path
            .replace("{project_id}", PROJECT_ID)
            .replace("{resource_id}", RESOURCE_ID)
            .replace("{session_id}", NOBODY);
        for method in item.as_object().into_iter().flatten().map(|(method, _)| method) {
            let status = server.call(&method.to_ascii_uppercase(), &path).send()?.status();
            let routed = status == 200 || status == 401;
            expect(routed, format!("{method} {path} without a token"), "200 or 401", status)?;
        }
    }
    Ok(())
}

/// Paths of all operations and the methods each takes.
fn places() -> Vec<(String, &'static [&'static str])> {
    let sessions = sessions_of(PROJECT_ID);
    let session = format!("{sessions}/{NOBODY}");
    let project = format!("/v1/projects/{PROJECT_ID}");
    vec![
        (sessions, &["GET", "POST"]),
        (format!("{session}/revoke"), &["POST"]),
        (format!("{session}:revoke"), &["POST"]),
        (session, &["GET"]),
        ("/v1/projects".into(), &["GET"]),
        (format!("{project}/resources/{RESOURCE_ID}"), &["GET"]),
        (format!("{project}/resources"), &["GET"]),
        (project, &["GET"]),
        ("/v1/auth/whoami".into(), &["GET"]),
        ("/v1/authz/check".into(), &["POST"]),
        ("/v1/healthz".into(), &["GET"]),
        ("/healthz".into(), &["GET"]),
        ("/readyz".into(), &["GET"]),
        ("/v1/version".into(), &["GET"]),
        ("/v1/openapi.json".into(), &["GET"]),
        ("/.well-known/jwks.json".into(), &["GET"]),
    ]
}

fn unknown_paths(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let long = format!("/{}", "a/".repeat(2000));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/projects",
        "/v1/nothing",
        "/favicon.ico",
        "/v1/projects/a/b/c",
        "/%2e%2e/etc/passwd",
        &long,
    ] {
        for method in ["GET", "POST", "DELETE"] {
            expect_refused(server.call(method, path), 404, "not_found")?;
        }
    }
    server.expect_count("unknown", 27)
}

fn methods(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    for (path, taken) in places() {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            if taken.contains(&method) {
                continue;
            }
            let exchange = server.call(method, &path).bearer(&operator).send()?;
            exchange.expect_problem(405, "method_not_allowed")?;
            let allow = exchange.response.headers.get("allow").unwrap_or_default();
            let named: Vec<&str> = allow.split(',').map(str::trim).collect();
            let all = taken.iter().all(|method| named.contains(method));
            expect(
                all && !named.contains(&method),
                format!("Allow of {method} {path}"),
                taken.join(", "),
                allow,
            )?;
        }
    }
    expect_sessions(&server, 0)
}

fn head(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    let issued = server.issue(Family::Ssh, Identity::Operator)?.send()?.expect(201)?;
    for path in [
        session_path(&issued),
        "/v1/healthz".into(),
        "/v1/projects".into(),
        "/v1/nothing".into(),
        "/v1/projects/42".into(),
    ] {
        let got = server.get(&path).bearer(&operator).send()?;
        let head = server.call("HEAD", &path).bearer(&operator).send()?;
        expect_eq(format!("the status of HEAD {path}"), &got.status(), &head.status())?;
        let media =
            |exchange: &Exchange| exchange.response.headers.get("content-type").map(str::to_owned);
        expect_eq(format!("the type of HEAD {path}"), &media(&got), &media(&head))?;
        expect_eq(format!("the length of the body of HEAD {path}"), &0, &head.response.body.len())?;
    }
    Ok(())
}

fn options(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for (path, taken) in places() {
        let exchange = server.call("OPTIONS", &path).send()?;
        expect_eq(format!("the status of OPTIONS {path}"), &204, &exchange.status())?;
        let allow = exchange.response.headers.get("allow").unwrap_or_default();
        let all = taken.iter().all(|method| allow.split(", ").any(|named| named == *method));
        expect(all, format!("Allow of {path}"), taken.join(", "), allow)?;
    }
    expect_refused(server.call("OPTIONS", "/v1/nothing"), 404, "not_found").map(drop)
}

fn exact_paths(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    for path in [
        "/v1/projects//",
        "//v1/projects",
        "/V1/projects",
        "/v1/Projects",
        "/v1/auth/whoami/",
        "/v1//auth/whoami",
    ] {
        let call = server.get(path).bearer(&operator);
        expect_refused(call, 404, "not_found")?;
    }
    Ok(())
}

fn stray_query(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let body = json!({"resource_id": RESOURCE_ID, "kind": "ssh", "target": Family::Ssh.target()});
    for query in ["?", "?x=1", "?kind=tcp", "?/v1/nothing"] {
        let path = format!("{}{query}", sessions_of(PROJECT_ID));
        let issued = server
            .post(&path, &body)
            .bearer(&server.token(Identity::Operator)?)
            .send()?
            .expect(201)?;
        expect_eq("the kind", &json!("ssh"), &issued["session"]["kind"])?;
    }
    Ok(())
}

fn bearer_case(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let call =
            server.get("/v1/auth/whoami").header("authorization", &format!("{scheme} {operator}"));
        call.send()?.expect(200)?;
    }
    Ok(())
}
