//! What tcp-forward prints: two addresses, of which the first can be bound and the second is the
//! listener's.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

use super::scene::Scene;
use crate::bench::{Answer, Bench, Family, Ran, with_a_free_port};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

const FORWARD: Family = Family::TcpForward;

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        must("two_addresses", "prints the resolved coordinates")
            .title("both addresses are printed, and the token is not")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let ran = scene.run(FORWARD)?.go()?;
                scene.expect_done(&ran)?;
                let endpoint = scene.referee.issued()[0].body["listener_endpoint"].clone();
                let endpoint = endpoint.as_str().unwrap_or_default();
                expect(ran.stdout_text().contains(endpoint), "stdout", "the listener endpoint", ran.stdout_text())?;
                scene.expect_silent(&ran)?;
                ran.expect_no_file_changes()
            }),
        should("two_lines")
            .title("text output is exactly two lines, local_addr and listener_endpoint")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let ran = scene.run(FORWARD)?.flag("--local-addr", "127.0.0.1:15432").go()?;
                scene.expect_done(&ran)?;
                let text = "local_addr: 127.0.0.1:15432\nlistener_endpoint: 127.0.0.1:32768\n";
                expect_eq("stdout", &text.to_owned(), &ran.stdout_text())?;
                ran.expect_stderr_empty()
            }),
        must("default_local_addr", "--local-addr, default 127.0.0.1:0")
            .claims([Claim::flag("tcp-forward", "--local-addr")])
            .title("without --local-addr a free port of 127.0.0.1 is found, and left free")
            .check(|bench| {
                for args in [&[][..], &["--local-addr", "127.0.0.1:0"][..]] {
                    left_free(|| {
                        let scene = Scene::honest(bench)?;
                        let ran = scene.run(FORWARD)?.args(args).go()?;
                        ran.expect_exit(0)?;
                        let address = local(&scene, &ran)?;
                        expect_eq("the address", &Ipv4Addr::LOCALHOST.to_string(), &address.ip().to_string())?;
                        scene.expect_requests(1, 0)?;
                        Ok(vec![address])
                    })?;
                }
                Ok(())
            }),
        should("ipv6_local_addr")
            .claims([Claim::flag("tcp-forward", "--local-addr")])
            .title("[::1]:0 finds a free IPv6 port")
            .check(|bench| {
                if TcpListener::bind("[::1]:0").is_err() {
                    return crate::verdict::skip("IPv6 on the loopback interface");
                }
                left_free(|| {
                    let scene = Scene::honest(bench)?;
                    let ran = scene.run(FORWARD)?.flag("--local-addr", "[::1]:0").go()?;
                    scene.expect_done(&ran)?;
                    let address = local(&scene, &ran)?;
                    expect(address.is_ipv6(), "the address", "an IPv6 one", address)?;
                    Ok(vec![address])
                })
            }),
        must("fixed_local_addr", "--local-addr")
            .claims([Claim::flag("tcp-forward", "--local-addr")])
            .title("a --local-addr with a port is printed as it was given, and not bound")
            .check(|bench| {
                with_a_free_port(|free| {
                    let scene = Scene::honest(bench)?;
                    for given in [free.to_string(), "[::1]:15432".to_owned(), "0.0.0.0:15432".to_owned()] {
                        let ran = scene.run(FORWARD)?.flag("--local-addr", &given).go()?;
                        ran.expect_exit(0)?;
                        let has = ran.stdout_text().contains(&given);
                        expect(has, "stdout", format!("{given} in it"), ran.stdout_text())?;
                    }
                    scene.expect_requests(3, 0)?;
                    usable(free)
                })
            }),
        must("foreign_local_addr", "1: a forwarder error")
            .claims([Claim::exit("tcp-forward.1"), Claim::exit("tcp-forward.1.forwarder_error"), Claim::flag("tcp-forward", "--local-addr")])
            .title("a port of an address that is not this machine's cannot be had: 1, and no session stays open")
            .check(|bench| {
                // 203.0.113.0/24 is for documentation; no machine has it.
                let scene = Scene::honest(bench)?;
                let ran = scene.run(FORWARD)?.flag("--local-addr", "203.0.113.1:0").go()?;
                scene.expect_failure(&ran, 1)?;
                given_back(&scene)?;
                scene.run(FORWARD)?.go()?.expect_exit(0)
            }),
        should("one_document")
            .claims([Claim::flag("tcp-forward", "--output")])
            .title("--output json prints one document with both addresses, the session's id and its end")
            .check(|bench| document(bench, "json", Ran::stdout_json)),
        should("one_yaml_document")
            .claims([Claim::flag("tcp-forward", "--output")])
            .title("--output yaml prints the same document as YAML")
            .check(|bench| document(bench, "yaml", Ran::stdout_yaml)),
        should("parallel_ports")
            .title("ten runs at once print ten addresses that can all be bound")
            .check(parallel),
    ];
    for (slug, address) in [
        ("word", "nonsense"),
        ("no_port", "127.0.0.1"),
        ("port_too_large", "127.0.0.1:65536"),
        ("empty", ""),
        ("no_host", ":8080"),
        ("word_port", "127.0.0.1:http"),
        ("negative_port", "127.0.0.1:-1"),
        ("bare_ipv6", "::1:8080"),
        ("line_break", "127.0.0.1:80\nx: y"),
        ("space", "127.0.0.1 :80"),
    ] {
        rules.push(
            should(&format!("bad_local_addr.{slug}"))
                .claims([Claim::flag("tcp-forward", "--local-addr")])
                .title(format!("--local-addr {address:?} is refused, and no session stays open"))
                .check(move |bench| {
                    let scene = Scene::honest(bench)?;
                    let ran = scene.run(FORWARD)?.arg(format!("--local-addr={address}")).go()?;
                    let code = if ran.exit == crate::bench::Exit::Code(1) { 1 } else { 2 };
                    scene.expect_failure(&ran, code)?;
                    given_back(&scene)?;
                    scene.run(FORWARD)?.go()?.expect_exit(0)
                }),
        );
    }
    for (nth, endpoint) in [
        "-h:22",
        "h:0",
        "h:65536",
        "h",
        "h:22\nlocal_addr: x:1",
        "h\u{1b}[2J:22",
        "ssh://ops@h:22",
        " h:22",
        "user@h:22",
    ]
    .into_iter()
    .enumerate()
    {
        rules.push(
            should(&format!("endpoint_refused.{}", nth + 1))
                .source("docs/decisions/0007-endpoint-safety.md", "What a listener endpoint may be")
                .claims([Claim::exit("tcp-forward.1"), Claim::hostile("C14")])
                .title(format!("nothing is printed for the endpoint {endpoint:?}"))
                .check(move |bench| {
                    let patch =
                        json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]);
                    let scene = Scene::answering(bench, Answer::issued_with(patch))?;
                    scene.expect_given_up(&scene.run(FORWARD)?.go()?)
                }),
        );
    }
    rules
}

fn must(id: &str, fact: &'static str) -> RuleDraft {
    finish(
        Rule::must(format!("tcp_forward.output.{id}"), Side::Client).source(FORWARD.page(), fact),
    )
}

fn should(id: &str) -> RuleDraft {
    finish(
        Rule::should(format!("tcp_forward.output.{id}"), Side::Client)
            .source("docs/decisions/0019-tcp-forward-output.md", "What tcp-forward prints"),
    )
}

fn finish(draft: RuleDraft) -> RuleDraft {
    draft
        .claims([Claim::exit("tcp-forward.0"), Claim::exit("tcp-forward.0.resolved")])
        .fix("Resolve the local address before a session is asked for, print both addresses, bind nothing for longer than it takes to find a port.")
}

/// The printed local address: the one that is not the listener's, whatever is written around it.
fn local(scene: &Scene<'_>, ran: &Ran) -> Outcome<SocketAddr> {
    let issued = scene.referee.issued();
    let of = |one: &crate::bench::Issued| one.body["listener_endpoint"].clone();
    let listeners: Vec<Value> = issued.iter().map(of).collect();
    let words = ran.stdout_words();
    let own = words.iter().filter(|word| !listeners.contains(&json!(word)));
    match own.filter_map(|word| word.parse().ok()).next() {
        Some(address) => Ok(address),
        None => fail("the local address", "an address and a port", ran.stdout_text()),
    }
}

/// Nobody listens there, and it can be bound.
fn usable(address: SocketAddr) -> Outcome {
    expect(address.port() != 0, "the port", "a real one", address)?;
    expect(TcpStream::connect(address).is_err(), "the local address", "nobody listening", address)?;
    expect(
        TcpListener::bind(address).is_ok(),
        "the local address",
        "one that can be bound",
        address,
    )
}

/// What was printed can be bound. Others on this machine take ports as well, so one that is gone
/// is asked for again.
fn left_free(printed: impl Fn() -> Outcome<Vec<SocketAddr>>) -> Outcome {
    for _ in 0..2 {
        if printed()?.into_iter().all(|address| usable(address).is_ok()) {
            return Ok(());
        }
    }
    printed()?.into_iter().try_for_each(usable)
}

fn given_back(scene: &Scene<'_>) -> Outcome {
    let issues = scene.referee.requests_of("IssueSession")?.len();
    let revokes = scene.referee.requests_of("RevokeSession")?.len();
    expect_eq("the sessions left open", &0, &issues.saturating_sub(revokes))
}

fn document(bench: &Bench, format: &'static str, read: fn(&Ran) -> Outcome<Value>) -> Outcome {
    let scene = Scene::honest(bench)?;
    let run = scene.run(FORWARD)?.flag("--output", format);
    let ran = run.flag("--local-addr", "127.0.0.1:15432").go()?;
    scene.expect_done(&ran)?;
    scene.expect_silent(&ran)?;
    ran.expect_stderr_empty()?;
    let issued = scene.referee.issued()[0].body.clone();
    let document = read(&ran)?;
    expect_eq("local_addr", &json!("127.0.0.1:15432"), &document["local_addr"])?;
    expect_eq("listener_endpoint", &issued["listener_endpoint"], &document["listener_endpoint"])?;
    expect_eq("session_id", &issued["session_id"], &document["session_id"])?;
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    expect_eq("expires_at", &time(&issued["expires_at"]), &time(&document["expires_at"]))
}

fn parallel(bench: &Bench) -> Outcome {
    left_free(|| {
        let scene = Scene::honest(bench)?;
        let ready: Outcome<Vec<_>> = (0..10).map(|_| scene.run(FORWARD)).collect();
        let running: Outcome<Vec<_>> = ready?.into_iter().map(crate::bench::Run::spawn).collect();
        let mut printed = Vec::new();
        for run in running? {
            let ran = run.finish()?;
            ran.expect_exit(0)?;
            printed.push(local(&scene, &ran)?);
        }
        scene.expect_requests(10, 0)?;
        Ok(printed)
    })
}
