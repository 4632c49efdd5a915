//! The exit codes of the three commands, each with its cause: what the server saw, what stands on
//! which stream, what changed on disk.

use serde_json::json;

use super::scene::Scene;
use crate::bench::referee::Phase;
use crate::bench::{Answer, Bench, DeafPort, Family};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.extend(refusals(family));
        rules.push(success(family));
        rules.push(error_document(family));
        rules.push(missing_endpoint(family));
        rules.push(given_back(family));
        rules.push(connection_refused(family));
        rules.push(broken_connection(family));
        rules.push(server_errors(family));
        rules.push(other_answers(family));
    }
    rules
}

/// A rule about one row of the family's table; `slug` names the trigger.
fn row(family: Family, code: i32, slug: &str, trigger: &str) -> RuleDraft {
    let name = family.name();
    Rule::must(format!("{}.exit.{code}.{slug}", family.slug()), Side::Client)
        .source(family.page(), format!("Exit codes, {code}"))
        .claims([
            Claim::exit(format!("{name}.{code}")),
            Claim::exit(format!("{name}.{code}.{trigger}")),
            Claim::hostile("C28"),
        ])
}

/// An answer that is a refusal: its code, what the rule and its trigger are called, the answer.
struct Refusal {
    code: i32,
    slug: &'static str,
    trigger: &'static str,
    title: &'static str,
    fix: &'static str,
    answer: fn() -> Answer,
}

const REFUSALS: [Refusal; 9] = [
    Refusal {
        code: 77,
        slug: "rebac_denied",
        trigger: "rebac_denied",
        title: "ends with 77 on a 403 whose problem code is rebac_denied",
        fix: "Map a 403 to 77 when, and only when, the member `code` of its problem document is exactly `rebac_denied`.",
        answer: || Answer::problem(403, "rebac_denied"),
    },
    Refusal {
        code: 77,
        slug: "rebac_denied_as_plain_json",
        trigger: "rebac_denied",
        title: "ends with 77 on rebac_denied also where the content type is application/json",
        fix: "Read the problem code from application/problem+json and from application/json.",
        answer: || {
            Answer::problem(403, "rebac_denied")
                .header("content-type", "application/json; charset=utf-8")
        },
    },
    Refusal {
        code: 4,
        slug: "forbidden",
        trigger: "forbidden",
        title: "ends with 4 on a 403 with another problem code",
        fix: "A 403 is 4 unless its problem code is `rebac_denied`.",
        answer: || Answer::problem(403, "permission_denied"),
    },
    Refusal {
        code: 4,
        slug: "forbidden_with_reason",
        trigger: "forbidden",
        title: "ends with 4 on a 403 that has a reason and a relation path but not the code rebac_denied",
        fix: "Judge a 403 by `code` alone; `reason` and `relation_path` do not make it a ReBAC denial.",
        answer: || {
            Answer::json(
                403,
                json!({"status": 403, "code": "permission_denied",
                "reason": "insufficient_relation", "relation_path": ["resource:x#act"]}),
            )
        },
    },
    Refusal {
        code: 4,
        slug: "forbidden_by_a_gateway",
        trigger: "forbidden",
        title: "ends with 4 on a 403 page of HTML",
        fix: "Judge a 403 without a problem document as plainly forbidden.",
        answer: || {
            Answer::text(403, "<html><body>rebac_denied</body></html>")
                .header("content-type", "text/html")
        },
    },
    Refusal {
        code: 3,
        slug: "unauthorized",
        trigger: "unauthorized",
        title: "ends with 3 on a 401",
        fix: "Map every 401 to 3.",
        answer: || Answer::problem(401, "unauthenticated"),
    },
    Refusal {
        code: 3,
        slug: "unauthorized_without_a_body",
        trigger: "unauthorized",
        title: "ends with 3 on a 401 that says nothing else",
        fix: "Map every 401 to 3, whatever its body is.",
        answer: || Answer::empty(401),
    },
    Refusal {
        code: 3,
        slug: "step_up_required",
        trigger: "step_up_required",
        title: "ends with 3 on a 401 whose problem code is step_up_required",
        fix: "Map every 401 to 3; for step_up_required tell the person to authenticate again.",
        answer: || {
            Answer::problem(401, "step_up_required").header(
                "www-authenticate",
                "Bearer error=\"insufficient_user_authentication\", max_age=300",
            )
        },
    },
    Refusal {
        code: 3,
        slug: "unauthorized_beats_the_code",
        trigger: "unauthorized",
        title: "ends with 3 on a 401 even where its problem code is rebac_denied",
        fix: "Look at the status first; only a 403 can be a ReBAC denial.",
        answer: || Answer::problem(401, "rebac_denied"),
    },
];

fn refusals(family: Family) -> impl Iterator<Item = Rule> {
    REFUSALS.iter().map(move |refusal| {
        row(family, refusal.code, refusal.slug, refusal.trigger)
            .title(format!("{} {}", family.name(), refusal.title))
            .fix(refusal.fix)
            .check(move |bench| {
                let scene = Scene::answering(bench, (refusal.answer)())?;
                scene.expect_refused(&scene.run(family)?.go()?, refusal.code)?;
                let ran = scene.run(family)?.flag("--output", "json").go()?;
                scene.expect_failure(&ran, refusal.code)?;
                scene.expect_requests(2, 0)
            })
    })
}

fn error_document(family: Family) -> Rule {
    Rule::should(format!("{}.exit.error_document", family.slug()), Side::Client)
        .source("docs/decisions/0018-errors.md", "one document, with the exit code in it")
        .claims([3, 4, 77].map(|code| Claim::exit(format!("{}.{code}", family.name()))))
        .title(format!(
            "{} --output json names its exit code in one document on stderr, whatever the refusal",
            family.name()
        ))
        .fix(
            "With --output json write one document {\"error\": {..., \"exit_code\": N}} to stderr.",
        )
        .check(move |bench| {
            for refusal in &REFUSALS {
                let scene = Scene::answering(bench, (refusal.answer)())?;
                let ran = scene.run(family)?.flag("--output", "json").go()?;
                scene.expect_refused(&ran, refusal.code)?;
                scene.expect_error_document(&ran, refusal.code)?;
            }
            Ok(())
        })
}

fn success(family: Family) -> Rule {
    let (slug, title) = match family {
        Family::Kubeconfig => ("stdout", "the kubeconfig is written to stdout"),
        Family::Ssh => ("client_succeeded", "the local ssh client ended with 0"),
        Family::TcpForward => ("resolved", "both addresses are printed"),
    };
    row(family, 0, slug, slug)
        .title(format!("{} ends with 0 when a session was issued and {title}", family.name()))
        .fix("Ask once, use the session, leave nothing behind, end with 0.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.go()?;
            scene.expect_done(&ran)?;
            ran.expect_no_file_changes()?;
            let endpoint = scene.referee.issued()[0].body["listener_endpoint"].clone();
            let endpoint = endpoint.as_str().unwrap_or_default();
            let seen = match family {
                Family::Kubeconfig => ran.stdout_yaml()?["clusters"][0]["cluster"]["server"]
                    .as_str()
                    .unwrap_or_default()
                    .trim_start_matches("https://")
                    .to_owned(),
                Family::Ssh => scene.ssh.expect_one_call()?.args.join(" "),
                Family::TcpForward => {
                    let words = ran.stdout_words();
                    words.into_iter().find(|word| word == endpoint).unwrap_or_default()
                }
            };
            expect_eq("the endpoint that was put to use", &endpoint, &seen.as_str())
        })
}

/// A session whose endpoint is absent, null or empty.
fn without_endpoint() -> [Answer; 3] {
    [
        json!([{"op": "remove", "path": "/listener_endpoint"}]),
        json!([{"op": "replace", "path": "/listener_endpoint", "value": null}]),
        json!([{"op": "replace", "path": "/listener_endpoint", "value": ""}]),
    ]
    .map(Answer::issued_with)
}

fn missing_endpoint(family: Family) -> Rule {
    row(family, 1, "missing_endpoint", "missing_endpoint")
        .claims([Claim::hostile("C26")])
        .title(format!("{} ends with 1 when the session has no listener endpoint", family.name()))
        .fix("Treat an endpoint that is absent, null or empty as an unusable session: start nothing, write nothing, exit 1.")
        .check(move |bench| {
            for answer in without_endpoint() {
                let scene = Scene::answering(bench, answer)?;
                scene.expect_failure(&scene.run(family)?.go()?, 1)?;
                scene.expect_requests_within(&(1..=1), &(0..=1))?;
            }
            Ok(())
        })
}

fn given_back(family: Family) -> Rule {
    Rule::should(format!("{}.exit.1.missing_endpoint_given_back", family.slug()), Side::Client)
        .source("docs/decisions/0007-endpoint-safety.md", "the session is revoked as well as can be")
        .claims([Claim::exit(format!("{}.1.missing_endpoint", family.name())), Claim::hostile("C26")])
        .title(format!("{} gives a session without a listener endpoint back", family.name()))
        .fix("Revoke a session that cannot be used, once, with the reason operator_request; the exit code stays 1.")
        .check(move |bench| {
            for answer in without_endpoint() {
                let scene = Scene::answering(bench, answer)?;
                scene.expect_given_up(&scene.run(family)?.go()?)?;
            }
            Ok(())
        })
}

fn connection_refused(family: Family) -> Rule {
    row(family, 1, "connection_refused", "transport")
        .title(format!(
            "{} ends with 1 when nothing listens at the server's address",
            family.name()
        ))
        .fix("Report a refused connection on stderr and exit 1, without a retry.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let deaf = DeafPort::new()?;
            let ran = scene.run(family)?.flag("--server", deaf.url()).go()?;
            scene.expect_unsent(&ran, 1)?;
            // The same line with the real address goes through, so it was the address.
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn broken_connection(family: Family) -> Rule {
    row(family, 1, "broken_connection", "transport")
        .title(format!("{} ends with 1 when the connection breaks before an answer, twice", family.name()))
        .fix("Retry a POST once, with the same idempotency key, when the connection broke before an answer; then exit 1.")
        .check(move |bench| {
            let scene = Scene::answering(bench, Answer::issued().reset(Phase::BeforeHeaders))?;
            let ran = scene.run(family)?.go()?;
            scene.expect_failure(&ran, 1)?;
            let seen = scene.referee.requests_of("IssueSession")?;
            let keys: std::collections::BTreeSet<String> =
                seen.iter().map(|request| request.json()["idempotency_key"].to_string()).collect();
            expect_eq("the number of idempotency keys in all attempts", &1, &keys.len())
        })
}

fn server_errors(family: Family) -> Rule {
    row(family, 1, "server_error", "server_error")
        .title(format!("{} ends with 1 on every 5xx, with one request each", family.name()))
        .fix("Map 500 to 599 to 1 and do not repeat a POST that was answered.")
        .check(move |bench| {
            let answers = [
                Answer::problem(500, "internal"),
                Answer::problem(501, "not_implemented"),
                Answer::text(502, "<html>bad gateway</html>").header("content-type", "text/html"),
                Answer::problem(503, "rebac_denied").header("retry-after", "0"),
                Answer::empty(599),
            ];
            each_refused(bench, family, answers)
        })
}

fn other_answers(family: Family) -> Rule {
    Rule::should(format!("{}.exit.1.api_failure", family.slug()), Side::Client)
        .source("docs/decisions/0002-statuses-without-a-row.md", "Everything else that is not a usable 201 is 1")
        .claims([
            Claim::exit(format!("{}.1", family.name())),
            Claim::exit(format!("{}.1.api_failure", family.name())),
            Claim::hostile("C28"),
        ])
        .title(format!("{} ends with 1 on any answer that no row of its table names", family.name()))
        .fix("Only 201 with an issued session is success; 401 is 3, 403 is 4 or 77, all the rest is 1.")
        .check(move |bench| {
            let mut answers = vec![
                Answer::json(201, json!([])),
                Answer::text(201, "{\"session_id\":").header("content-type", "application/json"),
                Answer::empty(204),
                Answer::empty(304),
                Answer::json(200, json!({"token": "x"})),
                Answer::json(202, json!({})),
            ];
            for status in [400, 404, 405, 409, 410, 413, 415, 422, 429] {
                answers.push(Answer::problem(status, "rebac_denied"));
            }
            each_refused(bench, family, answers)
        })
}

fn each_refused(
    bench: &Bench,
    family: Family,
    answers: impl IntoIterator<Item = Answer>,
) -> Outcome {
    let mut script = bench.referee()?;
    let mut count = 0;
    for answer in answers {
        script = script.answer(answer);
        count += 1;
    }
    let scene = Scene::with(bench, script)?;
    for nth in 1..=count {
        scene.expect_failure(&scene.run(family)?.go()?, 1)?;
        scene.expect_requests(nth, 0)?;
    }
    Ok(())
}
