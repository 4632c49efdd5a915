//! The shape of the one request: method, path, headers and body by the contract document.

use std::collections::BTreeSet;

use super::scene::Scene;
use crate::bench::referee::Phase;
use crate::bench::{Answer, Canary, Exchange, Family, Generation, Request, Response, contract};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(contract_shape(family));
        rules.push(headers(family));
        rules.push(credential_place(family));
        rules.push(idempotency_keys(family));
        rules.push(one_retry(family));
        rules.push(base_path(family));
        rules.push(revoke_shape(family));
        rules.push(failed_revoke(family));
    }
    rules
}

fn draft(family: Family, id: &str) -> RuleDraft {
    Rule::must(format!("{}.request.{id}", family.slug()), Side::Client)
        .source(family.page(), "POSTs /v1/projects/{project_id}/sessions")
        .claims([Claim::exit(format!("{}.0", family.name()))])
}

/// The request as the contract document sees it.
fn conforms(request: &Request) -> Outcome {
    let none = (String::new(), Generation::default(), Response::default());
    let exchange = Exchange::new(none.0, none.1, request.clone(), none.2);
    contract::check_request(&exchange)
}

fn contract_shape(family: Family) -> Rule {
    draft(family, "contract")
        .title(format!(
            "{}'s request body is what the contract's IssueSession takes, and no more",
            family.name()
        ))
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Send exactly the members that the schema of IssueSessionRequest declares.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            scene.expect_done(&scene.run(family)?.go()?)?;
            let full = scene.run(family)?.flag("--ttl-seconds", "900").go()?;
            full.expect_exit(0)?;
            for request in scene.referee.requests_of("IssueSession")? {
                expect_eq("the method", &"POST", &request.method.as_str())?;
                conforms(&request)?;
            }
            scene.expect_requests(2, 0)
        })
}

fn headers(family: Family) -> Rule {
    draft(family, "headers")
        .title(format!("{} sends JSON, says so, and asks for JSON in one honest request", family.name()))
        .fix("Set content-type to application/json, accept JSON answers, send each header once and no cookie.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            scene.expect_done(&scene.run(family)?.go()?)?;
            let request = scene.referee.expect_one_issue()?;
            let header = |name: &str| request.headers.get(name).unwrap_or_default().to_ascii_lowercase();
            let media = header("content-type");
            let media = media.split(';').next().unwrap_or_default().trim();
            expect_eq("the content type", &"application/json", &media)?;
            let accept = header("accept");
            let json = accept.is_empty() || accept.contains("json") || accept.contains("*/*");
            expect(json, "accept", "JSON among what is accepted", &accept)?;
            let host = format!("127.0.0.1:{}", scene.referee.port());
            expect_eq("the host header", &host, &header("host"))?;
            for once in ["host", "authorization", "content-type", "content-length"] {
                let count = request.headers.all(once).count();
                expect(count <= 1, format!("the {once} header"), "at most once", count)?;
            }
            expect(header("cookie").is_empty(), "cookies", "none", header("cookie"))
        })
}

fn credential_place(family: Family) -> Rule {
    draft(family, "credential")
        .title(format!("{} shows the credential as a bearer token in the Authorization header and nowhere else", family.name()))
        .fix("Send `Authorization: Bearer <token>`; keep the token out of path, query, body and other headers.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let token = "psk_c0ffee-Only.for~this_rule";
            let file = bench.sandbox()?.write("home/other", format!("{token}\n"), 0o600)?;
            scene.expect_done(&scene.run(family)?.flag("--token-file", file).go()?)?;
            let request = scene.referee.expect_one_issue()?;
            let sent = request.headers.get("authorization").unwrap_or_default();
            let (scheme, value) = sent.split_once(' ').unwrap_or_default();
            expect(scheme.eq_ignore_ascii_case("bearer"), "the scheme", "Bearer", scheme)?;
            expect_eq("the bearer token", &token, &value)?;
            let canary = Canary::new("the credential", token);
            canary.absent_from("the request target", request.path.as_bytes())?;
            canary.absent_from("the request body", &request.body)?;
            for (name, value) in &request.headers.0 {
                if !name.eq_ignore_ascii_case("authorization") {
                    canary.absent_from(&format!("the header {name}"), value.as_bytes())?;
                }
            }
            Ok(())
        })
}

fn idempotency_keys(family: Family) -> Rule {
    Rule::should(format!("{}.request.idempotency_key", family.slug()), Side::Client)
        .source("docs/decisions/0020-transport.md", "Each run makes one idempotency_key")
        .claims([Claim::hostile("C27")])
        .title(format!("every run of {} has an idempotency key of its own", family.name()))
        .fix("Make a fresh random key for each run.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let mut keys = BTreeSet::new();
            for _ in 0..3 {
                scene.run(family)?.go()?.expect_exit(0)?;
            }
            for request in scene.referee.requests_of("IssueSession")? {
                let key = request.json()["idempotency_key"].as_str().unwrap_or_default().to_owned();
                expect(key.len() >= 16, "the idempotency key", "16 characters or more", &key)?;
                keys.insert(key);
            }
            expect_eq("the number of different keys in three runs", &3, &keys.len())
        })
}

fn one_retry(family: Family) -> Rule {
    Rule::should(format!("{}.request.one_retry", family.slug()), Side::Client)
        .source("docs/decisions/0020-transport.md", "One retry, with the same key, when the connection broke before any byte of an answer")
        .claims([Claim::hostile("C27")])
        .title(format!("{} repeats its request once, word for word, after a connection that broke unanswered", family.name()))
        .fix("Retry once with the identical body; never after an answer, a timeout or a refused connection.")
        .check(move |bench| {
            let script = bench.referee()?.answer(Answer::issued().reset(Phase::BeforeHeaders));
            let scene = Scene::with(bench, script.answer(Answer::issued()))?;
            let ran = scene.run(family)?.go()?;
            ran.expect_exit(0)?;
            scene.expect_requests(2, 0)?;
            let bodies: BTreeSet<Vec<u8>> =
                scene.referee.requests_of("IssueSession")?.into_iter().map(|r| r.body).collect();
            expect_eq("the number of different bodies", &1, &bodies.len())?;
            let dead = Scene::answering(bench, Answer::issued().reset(Phase::BeforeHeaders))?;
            dead.expect_failure(&dead.run(family)?.go()?, 1)?;
            dead.expect_requests(2, 0)
        })
}

fn base_path(family: Family) -> Rule {
    Rule::should(format!("{}.request.base_path", family.slug()), Side::Client)
        .source(
            "docs/decisions/0026-choosing-a-behaviour.md",
            "a base URL may have a path of its own",
        )
        .claims([Claim::flag(family.name(), "--server")])
        .title(format!("{} keeps the path of its server's URL in front of /v1", family.name()))
        .fix("Append /v1/... to the path of --server, with exactly one slash between.")
        .check(move |bench| {
            for (tail, path) in [("", ""), ("/", ""), ("/ns/x", "/ns/x"), ("/ns/x/", "/ns/x")] {
                let scene = Scene::honest(bench)?;
                let url = format!("{}{tail}", scene.referee.url());
                scene.run(family)?.flag("--server", url).go()?;
                let seen: Vec<String> =
                    scene.referee.seen()?.into_iter().map(|seen| seen.request.path).collect();
                let asked = format!("{path}/v1/projects/{}/sessions", crate::bench::PROJECT_ID);
                expect_eq("the paths asked for", &vec![asked], &seen)?;
            }
            Ok(())
        })
}

fn revoke_shape(family: Family) -> Rule {
    Rule::should(format!("{}.request.revoke", family.slug()), Side::Client)
        .source("docs/decisions/0007-endpoint-safety.md", "the session is revoked as well as can be")
        .claims([Claim::hostile("C26"), Claim::operation("RevokeSession", 204)])
        .title(format!("{} gives an unusable session back by a request the contract knows", family.name()))
        .fix("POST to the session's revoke path with the operator's credential and {\"revoke_reason\": \"operator_request\"}.")
        .check(move |bench| {
            let patch = serde_json::json!([{"op": "remove", "path": "/listener_endpoint"}]);
            let scene = Scene::answering(bench, Answer::issued_with(patch))?;
            scene.expect_given_up(&scene.run(family)?.go()?)?;
            for request in scene.referee.requests_of("RevokeSession")? {
                conforms(&request)?;
                let bearer = request.headers.get("authorization").unwrap_or_default();
                expect_eq("the credential of the revoke", &"Bearer psk_dev_operator", &bearer)?;
            }
            Ok(())
        })
}

fn failed_revoke(family: Family) -> Rule {
    Rule::should(format!("{}.request.revoke_fails", family.slug()), Side::Client)
        .source(
            "docs/decisions/0007-endpoint-safety.md",
            "the exit code stays whatever the revocation does",
        )
        .claims([Claim::hostile("C26")])
        .title(format!("a revocation that fails changes nothing about how {} ends", family.name()))
        .fix("Try to revoke once; keep the exit code of the first failure.")
        .check(move |bench| {
            for answer in [
                Answer::problem(403, "rebac_denied"),
                Answer::problem(401, "x"),
                Answer::issued().reset(Phase::BeforeHeaders),
            ] {
                let patch = serde_json::json!([{"op": "remove", "path": "/listener_endpoint"}]);
                let script =
                    bench.referee()?.answer(Answer::issued_with(patch)).revoke_answer(answer);
                let scene = Scene::with(bench, script)?;
                let ran = scene.run(family)?.flag("--output", "json").go()?;
                scene.expect_failure(&ran, 1)?;
                scene.expect_error_document(&ran, 1)?;
                scene.referee.expect_requests("IssueSession", 1)?;
            }
            Ok(())
        })
}
