//! What is answered around the operations: other methods, other paths, HEAD, OPTIONS, namespaces.

use serde_json::json;

use super::site::{COLLECTION, expect_kept, get, issued, path_of};
use super::{DOCUMENT, PAGE, should};
use crate::bench::{Identity, Server};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![head(), options(), keeps_alive(), namespaces(), reset(), date()];
    for (slug, single, methods) in [
        ("collection", false, &["PUT", "PATCH", "DELETE"][..]),
        ("single", true, &["POST", "PUT", "PATCH"][..]),
    ] {
        rules.extend(methods.iter().map(|method| wrong_method(slug, single, method)));
    }
    rules.extend(PATHS.iter().map(|(slug, path)| unknown_path(slug, path)));
    rules
}

fn place(server: &Server, single: bool) -> Outcome<String> {
    let made = issued(server, &json!({}))?;
    Ok(if single { path_of(server, &made) } else { COLLECTION.to_owned() })
}

fn wrong_method(slug: &str, single: bool, method: &'static str) -> Rule {
    let (claim, allow) = if single {
        (Claim::operation("GetKubeconfig", 200), "GET, HEAD, DELETE, OPTIONS")
    } else {
        (Claim::operation("ListKubeconfigs", 200), "GET, HEAD, POST, OPTIONS")
    };
    should(format!("k0rdent.wire.method.{slug}.{}", method.to_lowercase()))
        .title(format!("{method} on the {slug} is 405, with the methods there are in Allow"))
        .source(DOCUMENT, "x-outside-operations, unknown_method")
        .claims([claim])
        .fix("Answer 405 method_not_allowed with Allow.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = place(&server, single)?;
            let call =
                server.call(method, &path).bearer(Identity::Operator.token()).json(&json!({}));
            let exchange = call.send()?;
            exchange.expect_problem(405, "method_not_allowed")?;
            expect_eq("Allow", &Some(allow), &exchange.response.headers.get("allow"))?;
            get(&server, &path).send()?.expect(200)?;
            expect_kept(&server, 1)
        })
}

const PATHS: [(&str, &str); 9] = [
    ("regions", "/v1/regions"),
    ("region", "/v1/regions/us-texas-1"),
    ("project", "/v1/regions/us-texas-1/projects/project-x9y8z7"),
    ("cluster", "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3"),
    (
        "without_compute",
        "/v1/regions/us-texas-1/projects/project-x9y8z7/clusters/cluster-a1b2c3/kubeconfigs",
    ),
    (
        "other_word",
        "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfig",
    ),
    (
        "slash_at_end",
        "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs/",
    ),
    (
        "beyond",
        "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs/k/x",
    ),
    (
        "capitals",
        "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/Kubeconfigs",
    ),
];

fn unknown_path(slug: &str, path: &'static str) -> Rule {
    should(format!("k0rdent.wire.unknown_path.{slug}"))
        .title(format!("Nothing is served at {path}: 404 in the family's form, to anybody"))
        .source(DOCUMENT, "x-outside-operations, unknown_path")
        .claims([Claim::operation("ListKubeconfigs", 200)])
        .fix("Answer 404 unknown_path below /v1/regions wherever there is no operation.")
        .check(move |bench| {
            let server = bench.server()?;
            for call in [get(&server, path), server.get(path), server.post(path, &json!({}))] {
                call.send()?.expect_problem(404, "unknown_path")?;
            }
            get(&server, COLLECTION).send()?.expect(200).map(drop)
        })
}

fn head() -> Rule {
    should("k0rdent.wire.head")
        .title("HEAD is answered as GET is, without the body")
        .source(DOCUMENT, "x-outside-operations, head")
        .claims([Claim::operation("GetKubeconfig", 200), Claim::operation("ListKubeconfigs", 200)])
        .fix("Answer HEAD with GET's status and headers.")
        .check(|bench| {
            let server = bench.server()?;
            let path = path_of(&server, &issued(&server, &json!({}))?);
            for path in [path.as_str(), COLLECTION] {
                let due = get(&server, path).send()?;
                due.expect(200)?;
                let found = server.call("HEAD", path).bearer(Identity::Operator.token()).send()?;
                expect_eq("the status", &200, &found.status())?;
                expect_eq("the body", &0, &found.response.body.len())?;
                for name in ["content-type", "content-length"] {
                    expect_eq(
                        name,
                        &due.response.headers.get(name),
                        &found.response.headers.get(name),
                    )?;
                }
            }
            let nowhere = format!("{COLLECTION}/nowhere");
            let found = server.call("HEAD", &nowhere).bearer(Identity::Operator.token()).send()?;
            expect_eq("the status of nowhere", &404, &found.status())
        })
}

fn options() -> Rule {
    should("k0rdent.wire.options")
        .title("OPTIONS names the methods of a place, without a token")
        .source(DOCUMENT, "x-outside-operations, options")
        .claims([Claim::operation("ListKubeconfigs", 200)])
        .fix("Answer OPTIONS with 204 and Allow.")
        .check(|bench| {
            let server = bench.server()?;
            let single = format!("{COLLECTION}/k");
            for (path, allow) in [
                (COLLECTION, "GET, HEAD, POST, OPTIONS"),
                (single.as_str(), "GET, HEAD, DELETE, OPTIONS"),
            ] {
                let found = server.call("OPTIONS", path).send()?;
                expect_eq("the status", &204, &found.status())?;
                expect_eq("Allow", &Some(allow), &found.response.headers.get("allow"))?;
            }
            Ok(())
        })
}

fn keeps_alive() -> Rule {
    should("k0rdent.wire.reuse")
        .title("A connection serves on after refusals, also after one that did not wait for the body")
        .source("RFC 9112", "a connection is reused after a complete answer")
        .claims([Claim::refusal("IssueKubeconfig", 413, "body_too_large")])
        .fix("Read to its end what the client sends before answering on.")
        .check(|bench| {
            let server = bench.server()?;
            let prefix = &server.endpoint().prefix;
            let request = |token: &str, body: &str| {
                format!(
                    "POST {prefix}{COLLECTION} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            };
            let good = Identity::Operator.token();
            let all = [
                request("nobody", "{}"),
                request(good, &" ".repeat(20_000)),
                request(good, "["),
                request(good, "{}"),
            ]
            .concat();
            let answer = server.raw(all.as_bytes())?;
            let text = String::from_utf8_lossy(&answer);
            let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).filter_map(|one| one.get(..3)).collect();
            expect_eq("the answers on one connection", &vec!["401", "413", "400", "201"], &statuses)
        })
}

fn namespaces() -> Rule {
    should("k0rdent.wire.namespaces")
        .title("A namespace has kubeconfigs of its own, and its prefix is in selfLink")
        .source(PAGE, "Steering")
        .claims([
            Claim::operation("IssueKubeconfig", 201),
            Claim::operation("ListKubeconfigs", 200),
        ])
        .needs([Need::SpawnableServer])
        .fix("Keep kubeconfigs by namespace, and answer links below the base of the request.")
        .check(|bench| {
            let server = bench.server()?;
            let there = format!("/ns/there{COLLECTION}");
            // The prefix is no part of the contract's paths, so the status is looked at alone.
            let made = server.post(&there, &json!({})).bearer(Identity::Operator.token()).send()?;
            expect_eq("the status", &201, &made.status())?;
            let link = made.json()["selfLink"].as_str().unwrap_or_default().to_owned();
            expect(link.starts_with(&format!("{there}/")), "the selfLink", &there, &link)?;
            let read = get(&server, &link).send()?;
            expect_eq("what is there", &made.json(), &read.json())?;
            expect_kept(&server, 0)
        })
}

fn reset() -> Rule {
    should("k0rdent.wire.reset")
        .title("A reset of the namespace takes its kubeconfigs with it")
        .source("docs/mock-server.md", "The control API, reset")
        .claims([Claim::operation("ListKubeconfigs", 200)])
        .needs([Need::Journal])
        .fix("Begin anew on reset, kubeconfigs included.")
        .check(|bench| {
            let server = bench.server()?;
            let path = path_of(&server, &issued(&server, &json!({}))?);
            expect_kept(&server, 1)?;
            server.control("POST", "/__mock/reset", None)?;
            expect_kept(&server, 0)?;
            get(&server, &path).send()?.expect_problem(404, "kubeconfig_not_found").map(drop)
        })
}

fn date() -> Rule {
    should("k0rdent.wire.date")
        .title("Under a clock that stands still the Date of answers is that clock's")
        .source("docs/decisions/0030-determinism.md", "same seed, same bytes")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .needs([Need::SpawnableServer])
        .fix("Date answers by the namespace's clock while it is frozen.")
        .check(|bench| {
            let server = super::site::at_noon(bench)?;
            let exchange = super::site::issue(&server, &json!({})).send()?;
            exchange.expect(201)?;
            let due = Some("Mon, 01 Jun 2026 12:00:00 GMT");
            expect_eq("the Date", &due, &exchange.response.headers.get("date"))
        })
}
