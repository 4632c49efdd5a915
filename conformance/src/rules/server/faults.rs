//! Counted faults: answers that go wrong so many times, and what stays behind when one is lost.

use serde_json::{Value, json};

use super::should;
use crate::bench::{Bench, Family, Identity, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

/// A scenario whose answer no honest world gives.
const SCENARIO: &str = "signing_unavailable";

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("counted", "A fault is met exactly as often as was said, and says so")
            .fix("Count hits, name the fault in X-Fault and its scenario in X-Scenario, and answer honestly again when none are left.")
            .check(counted),
        rule("before", "An answer that went wrong before anything was done leaves nothing behind")
            .fix("Answer as the scenario says without issuing anything.")
            .check(before),
        rule("after", "An answer that is lost after the work leaves a session, which the journal marks and the key brings back")
            .fix("Carry the request out, answer as the scenario says, and mark the entry `left_behind`.")
            .check(after),
        rule("refused", "A fault of an unknown scenario or operation, or of no hits, is refused and nothing sticks")
            .fix("Judge a fault when it is named, not when it is met.")
            .check(refused),
        rule("own_namespace", "A fault is met in its own namespace only, and a reset forgets it")
            .fix("Keep faults with the namespace, and clear them with it.")
            .check(own_namespace),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.faults.{slug}"))
        .source("docs/decisions/0033-faults.md", "Faults are counted")
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::Journal])
        .title(title)
}

fn arm(server: &Server, below: &str, fault: &Value) -> Outcome<u16> {
    Ok(server.call("POST", &format!("{below}/__mock/faults")).json(fault).send()?.status())
}

fn armed(server: &Server, fault: &Value) -> Outcome {
    expect_eq("the status of a fault asked for", &201, &arm(server, "", fault)?)
}

/// What the operator's issue with this idempotency key is answered with.
fn issue(server: &Server, key: &str) -> Outcome<(u16, Value, Option<String>)> {
    let call = server.issue(Family::TcpForward, Identity::Operator)?;
    let exchange = call.edit(|body| body["idempotency_key"] = json!(key)).send()?;
    let fault = exchange.response.headers.get("x-fault").map(str::to_owned);
    Ok((exchange.status(), exchange.json(), fault))
}

fn kept(server: &Server) -> Outcome<Vec<Value>> {
    let list = super::installation::sessions_of(crate::bench::PROJECT_ID);
    let page = server.get(&list).bearer(&server.token(Identity::Operator)?).send()?.json();
    Ok(page["items"].as_array().cloned().unwrap_or_default())
}

fn counted(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    armed(&server, &json!({"scenario": SCENARIO, "times": 2}))?;
    for round in 1..=2 {
        let (status, _, fault) = issue(&server, "a")?;
        expect_eq(format!("the status of answer {round}"), &503, &status)?;
        expect_eq("its X-Fault", &Some("1".to_owned()), &fault)?;
    }
    let (status, _, fault) = issue(&server, "a")?;
    expect_eq("the status when the hits are used up", &(201, None), &(status, fault))?;
    let faults = server.control("GET", "/__mock/faults", None)?;
    let told = json!([{"id": 1, "operation": "IssueSession", "scenario": SCENARIO,
        "phase": "before", "times": 2, "hits": 2}]);
    expect_eq("the faults as they are told", &told, &faults["faults"])
}

fn before(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    armed(&server, &json!({"scenario": SCENARIO}))?;
    expect_eq("the status", &503, &issue(&server, "a")?.0)?;
    expect_eq("the number of sessions", &0, &kept(&server)?.len())?;
    let entry = &server.journal()?["requests"][0];
    expect_eq("the entry's fault", &json!(1), &entry["fault"])?;
    expect_eq("whether it left something behind", &json!(false), &entry["left_behind"])
}

fn after(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    armed(&server, &json!({"scenario": SCENARIO, "phase": "after"}))?;
    let (status, problem, _) = issue(&server, "a")?;
    expect_eq("the status", &503, &status)?;
    expect_eq("the code", &json!(SCENARIO), &problem["code"])?;
    let entry = server.journal()?["requests"][0].clone();
    expect_eq("whether it left something behind", &json!(true), &entry["left_behind"])?;
    let kept = kept(&server)?;
    expect_eq("the number of sessions", &1, &kept.len())?;
    expect_eq("the session in the entry", &kept[0]["id"], &entry["session_id"])?;
    let (status, again, _) = issue(&server, "a")?;
    expect_eq("the status with the same key", &201, &status)?;
    expect_eq("the session it brings back", &kept[0]["id"], &again["session_id"])
}

fn refused(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for (fault, due) in [
        (json!({"scenario": "no_such_scenario"}), 404),
        (json!({"scenario": SCENARIO, "operation": "Dance"}), 400),
        (json!({"scenario": SCENARIO, "times": 0}), 400),
        (json!({"scenario": SCENARIO, "probability": 0.5}), 400),
        (json!({}), 400),
    ] {
        expect_eq(format!("the status for {fault}"), &due, &arm(&server, "", &fault)?)?;
    }
    expect_eq("the status afterwards", &201, &issue(&server, "a")?.0)
}

fn own_namespace(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    expect_eq("the status", &201, &arm(&server, "/ns/faulty", &json!({"scenario": SCENARIO}))?)?;
    let (status, session, _) = issue(&server, "a")?;
    expect_eq("the status in another namespace", &201, &status)?;
    expect(session["token"].is_string(), "the session issued there", "one with a token", "none")?;
    armed(&server, &json!({"scenario": SCENARIO}))?;
    server.call("POST", "/__mock/reset").send()?;
    expect_eq("the status after a reset", &201, &issue(&server, "b")?.0)
}
