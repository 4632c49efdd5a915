//! The way to the server: redirects, proxies, limits of size and time, and when to try again.

use std::time::Duration;

use super::scene::Scene;
use crate::bench::referee::{Body, ContentLength, Drip, Phase, WireScript};
use crate::bench::{Answer, Bench, Family, FullPort};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, skip};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(redirects(family));
        rules.push(proxies(family));
        rules.push(interrupted_answers(family));
        for (slug, title, answer) in oversized() {
            rules.push(large(family, slug, title, answer));
        }
        for (slug, answer) in slow() {
            rules.push(timeout(family, slug, answer));
        }
        rules.push(unconnected(family));
        rules.push(timeout_values(family));
        rules.push(unread_rest(family));
    }
    rules
}

fn draft(family: Family, id: &str, hostile: &'static str) -> RuleDraft {
    Rule::should(format!("{}.transport.{id}", family.slug()), Side::Client)
        .source("docs/decisions/0020-transport.md", "Redirects, limits and one retry")
        .claims([
            Claim::exit(format!("{}.1", family.name())),
            Claim::exit(format!("{}.1.transport", family.name())),
            Claim::hostile(hostile),
        ])
        .fix("Never follow a redirect, read at most 1 MiB, bound every wait, and retry once only when no byte of an answer came.")
}

fn redirects(family: Family) -> Rule {
    draft(family, "redirects", "C20")
        .title(format!(
            "{} follows no redirect, and the credential goes nowhere else",
            family.name()
        ))
        .check(move |bench| {
            let elsewhere = bench.referee()?.start()?;
            for status in [301, 302, 303, 307, 308] {
                let target = format!("{}/v1/projects/x/sessions", elsewhere.url());
                let local = format!("http://localhost:{}/v1/projects/x/sessions", elsewhere.port());
                for location in
                    [target.as_str(), local.as_str(), "/v1/projects/x/sessions", "//evil.example/"]
                {
                    let scene = Scene::answering(
                        bench,
                        Answer::empty(status).header("location", location),
                    )?;
                    scene.expect_refused(&scene.run(family)?.go()?, 1)?;
                }
            }
            elsewhere.expect_untouched()
        })
}

fn proxies(family: Family) -> Rule {
    draft(family, "proxies", "C21")
        .title(format!(
            "{} asks a server on this machine directly, whatever proxies the environment names",
            family.name()
        ))
        .check(move |bench| {
            let proxy = bench.referee()?.start()?;
            let scene = Scene::honest(bench)?;
            let mut run = scene.run(family)?;
            for name in
                ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
            {
                run = run.env(name, proxy.url());
            }
            scene.expect_done(&run.go()?)?;
            proxy.expect_untouched()
        })
}

fn interrupted_answers(family: Family) -> Rule {
    draft(family, "interrupted_answer", "C27")
        .title(format!("{} does not ask again once a part of an answer came", family.name()))
        .check(move |bench| {
            let close = |phase| WireScript { close: Some(phase), ..WireScript::default() };
            for answer in [
                Answer::issued().reset(Phase::MidBody),
                Answer::issued().wire(close(Phase::MidHeaders)),
                Answer::issued().wire(close(Phase::MidBody)),
            ] {
                let scene = Scene::answering(bench, answer)?;
                scene.expect_failure(&scene.run(family)?.go()?, 1)?;
                scene.referee.expect_requests("IssueSession", 1)?;
            }
            Ok(())
        })
}

type Make = fn() -> Answer;

fn oversized() -> Vec<(&'static str, &'static str, Make)> {
    fn filled(status: u16, bytes: Option<usize>) -> Answer {
        let body = Body::Fill { text: "{\"x\":\"".repeat(3), bytes };
        Answer { status: Some(status), body: Some(body), ..Answer::default() }
            .header("content-type", "application/json")
    }
    vec![
        ("large_body", "a body of 4 MiB", || filled(201, Some(4 << 20))),
        ("large_refusal", "a refusal of 4 MiB", || filled(500, Some(4 << 20))),
        ("endless_body", "a body without end", || filled(201, None)),
        ("endless_refusal", "a refusal without end", || filled(503, None)),
        ("gzip_bomb", "a compressed body that unpacks to 16 MiB", || Answer {
            content_encoding: Some("gzip".into()),
            ..filled(201, Some(16 << 20))
        }),
        ("false_length", "a declared length of 1 TiB", || Answer {
            content_length: Some(ContentLength::Declared(1 << 40)),
            ..filled(201, Some(100))
        }),
        ("large_header", "a header of 2 MiB", || {
            Answer::issued().header("x-filler", "f".repeat(2 << 20))
        }),
    ]
}

/// Under a limit on its memory, so that swallowing the answer whole cannot work.
fn large(family: Family, slug: &str, what: &'static str, answer: Make) -> Rule {
    draft(family, slug, "C19")
        .claims([Claim::exit(format!("{}.1.api_failure", family.name()))])
        .needs([Need::Unix])
        .title(format!("{} ends with 1 on {what}, in little memory and time", family.name()))
        .check(move |bench| {
            let scene = Scene::answering(bench, answer())?;
            let limit = ["/bin/sh", "-c", "ulimit -v 262144; exec \"$@\"", "sh"];
            let ran = scene.run(family)?.wrapped_in(limit).timeout(Duration::from_secs(15)).go()?;
            scene.expect_failure(&ran, 1)?;
            scene.referee.expect_requests("IssueSession", 1)
        })
}

fn slow() -> Vec<(&'static str, Make)> {
    vec![
        ("silence", || Answer::issued().stall(Phase::BeforeHeaders)),
        ("silence_in_headers", || Answer::issued().stall(Phase::MidHeaders)),
        ("silence_in_body", || Answer::issued().stall(Phase::MidBody)),
        ("drip", || {
            let drip = Drip { bytes: 1, every_ms: 40 };
            Answer::issued().wire(WireScript { drip: Some(drip), ..WireScript::default() })
        }),
    ]
}

fn timeout(family: Family, slug: &str, answer: Make) -> Rule {
    draft(family, &format!("timeout.{slug}"), "C30")
        .needs([Need::Offers("--timeout")])
        .title(format!(
            "{} gives up after --timeout, asks once only, and ends with 1 ({slug})",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::answering(bench, answer())?;
            // Long enough for the request to be on its way also where many rules are judged at once.
            let ran = scene.run(family)?.flag("--timeout", "1.5").go()?;
            scene.expect_failure(&ran, 1)?;
            scene.referee.expect_requests("IssueSession", 1)?;
            expect_soon(ran.duration)
        })
}

pub(super) fn expect_soon(took: Duration) -> Outcome {
    expect(
        took < Duration::from_secs(8),
        "the time it took",
        "a few seconds at most",
        format!("{took:?}"),
    )
}

fn unconnected(family: Family) -> Rule {
    draft(family, "timeout.no_connection", "C30")
        .needs([Need::Offers("--timeout")])
        .title(format!(
            "{} gives up after --timeout where nobody answers at all, and ends with 1",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let Some(full) = FullPort::new()? else { return skip("a queue that can be filled") };
            let run = scene.run(family)?.flag("--server", full.url());
            let ran = run.flag("--timeout", "1.5").go()?;
            scene.expect_unsent(&ran, 1)?;
            expect_soon(ran.duration)
        })
}

fn timeout_values(family: Family) -> Rule {
    draft(family, "timeout.values", "C30")
        .needs([Need::Offers("--timeout")])
        .title(format!("{} refuses a --timeout that is no positive number", family.name()))
        .check(move |bench: &Bench| -> Outcome {
            let scene = Scene::honest(bench)?;
            for value in ["0", "-1", "soon", "", "nan", "inf", "1e99"] {
                let ran = scene.run(family)?.arg(format!("--timeout={value}")).go()?;
                scene.expect_unsent(&ran, 2)?;
            }
            scene.expect_done(&scene.run(family)?.flag("--timeout", "20").go()?)
        })
}

fn unread_rest(family: Family) -> Rule {
    draft(family, "no_waiting", "C30")
        .title(format!(
            "{} does not wait for a connection that the server keeps open",
            family.name()
        ))
        .check(move |bench| {
            let scene =
                Scene::answering(bench, Answer::issued().header("connection", "keep-alive"))?;
            let ran = scene.run(family)?.go()?;
            scene.expect_done(&ran)?;
            expect_eq("whether it ended at once", &true, &(ran.duration < Duration::from_secs(5)))
        })
}
