//! The control API: what a test may see and move.

use serde_json::{Value, json};

use super::installation::{NOON, expect_sessions, issued, policy};
use super::{PAGE, should};
use crate::bench::{Bench, Family, Identity, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("ready", "The ready document names both addresses, the CA file and the process")
            .fix("Serve at /__mock/ready what the ready line said.")
            .check(ready),
        rule("reset", "A reset forgets sessions, journal, clock and world")
            .fix("Return the namespace to how it began.")
            .check(reset),
        rule("world_round_trip", "The world that is read can be put back as it is")
            .fix("Write every key that is read.")
            .check(world_round_trip),
        rule("world_replaces", "A world that is put in place counts at once and starts without sessions")
            .fix("Replace world and sessions in one step.")
            .check(world_replaces),
        rule("invalid_world", "A world that makes no sense is refused with the place of the mistake, and the old one stays")
            .fix("Check the whole world before it replaces the old one.")
            .check(invalid_world),
        rule("yaml_world", "A world may be put in place as YAML")
            .fix("Read YAML, of which JSON is a part.")
            .check(yaml_world),
        clock("clock", "The clock can be set, moved in both directions, frozen and let go")
            .fix("Apply freeze, then set, then advance_seconds.")
            .check(moves),
        clock("invalid_clock", "A wish the clock cannot fulfil is a 400, and the clock stays")
            .fix("Check the whole wish before the clock moves.")
            .check(invalid_clock),
        rule("unknown", "A control route that is not there is 404, a wrong method 405 with Allow")
            .fix("Answer with problem documents here too.")
            .check(unknown),
        rule("open", "The control API asks for no token")
            .fix("Leave the control API open; it is for tests on a loopback.")
            .check(open),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.control.{slug}"))
        .source(PAGE, "Base URLs, control API")
        .claims([Claim::operation("IssueSession", 201)])
        .title(title)
}

fn clock(slug: &str, title: &'static str) -> RuleDraft {
    rule(slug, title).needs([Need::Clock])
}

fn ready(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let ready = server.control("GET", "/__mock/ready", None)?;
    expect_eq("the event", &json!("ready"), &ready["event"])?;
    for (field, scheme) in [("http", "http://"), ("https", "https://")] {
        let url = ready[field].as_str().unwrap_or_default();
        expect(url.starts_with(scheme), field, format!("{scheme}host:port"), url)?;
    }
    let port = |field: &str| {
        let url = ready[field].as_str().unwrap_or_default();
        url.rsplit_once(':').map(|(_, port)| port.to_owned())
    };
    expect_eq("the ports of both", &port("http"), &port("https"))?;
    let ca = ready["ca_file"].as_str().unwrap_or_default();
    expect(ca.starts_with('/'), "the CA file", "an absolute path", ca)?;
    expect(ready["pid"].is_u64(), "the pid", "a number", &ready["pid"])
}

fn put(server: &Server, path: &str, body: &Value) -> Outcome<(u16, Value)> {
    let exchange = server.call("PUT", path).json(body).send()?;
    Ok((exchange.status(), exchange.json()))
}

fn world(server: &Server) -> Outcome<Value> {
    server.control("GET", "/__mock/world", None)
}

fn reset(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let begun = world(&server)?;
    let mut other = begun.clone();
    policy(&mut other)["max_ttl_seconds"] = json!(77);
    put(&server, "/__mock/world", &other)?;
    server.freeze_clock("2030-01-01T00:00:00Z")?;
    issued(&server, Family::Ssh, Identity::Operator)?;
    let answer = server.call("POST", "/__mock/reset").send()?;
    expect_eq("the status of the reset", &204, &answer.status())?;
    expect_eq("the world", &begun, &world(&server)?)?;
    let clock = server.control("GET", "/__mock/clock", None)?;
    expect_eq("whether the clock still stands", &json!(false), &clock["frozen"])?;
    let journal = server.journal()?;
    expect_eq("the total of the journal", &json!(0), &journal["total"])?;
    expect_sessions(&server, 0)
}

fn world_round_trip(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let before = world(&server)?;
    let (status, answer) = put(&server, "/__mock/world", &before)?;
    expect_eq("the status", &200, &status)?;
    expect_eq("the world in the answer", &before, &answer)?;
    expect_eq("the world afterwards", &before, &world(&server)?)?;
    issued(&server, Family::Ssh, Identity::Operator).map(drop)
}

fn world_replaces(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let first = issued(&server, Family::Ssh, Identity::Operator)?;
    let mut other = world(&server)?;
    other["domains"][0]["session_policy"]["default_ttl_seconds"] = json!(60);
    put(&server, "/__mock/world", &other)?;
    expect_sessions(&server, 0)?;
    let second = issued(&server, Family::Ssh, Identity::Operator)?;
    let new = first["session_id"] != second["session_id"];
    expect(new, "the session id in the new world", "one that was not used", &second["session_id"])?;
    let moment = |name: &str| {
        let text = second["session"][name].as_str().unwrap_or_default();
        text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).unwrap_or_default()
    };
    expect_eq("the TTL in the new world", &60, &(moment("expires_at") - moment("issued_at")))
}

fn invalid_world(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let before = world(&server)?;
    let first = issued(&server, Family::Ssh, Identity::Operator)?;
    let broken: [fn(&mut Value); 6] = [
        |world| world["colour"] = json!("green"),
        |world| world["domains"] = json!("none"),
        |world| world["projects"][0]["domain"] = json!("nowhere"),
        |world| world["resources"][0]["kinds"] = json!(["rdp"]),
        |world| world["relations"][0] = json!("project:payments operator olivia"),
        |world| world["identities"][0]["id"] = json!("42"),
    ];
    for (at, break_it) in broken.iter().enumerate() {
        let mut other = before.clone();
        break_it(&mut other);
        let (status, problem) = put(&server, "/__mock/world", &other)?;
        expect_eq(format!("the status for broken world {at}"), &400, &status)?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        expect(!detail.is_empty(), "the detail", "what is wrong", problem.to_string())?;
    }
    for bytes in ["", "{", "[]", "\u{0}"] {
        let status = server.call("PUT", "/__mock/world").body(bytes).send()?.status();
        expect_eq(format!("the status for {bytes:?} as a world"), &400, &status)?;
    }
    expect_eq("the world", &before, &world(&server)?)?;
    super::installation::reread(&server, &first).map(drop)
}

fn yaml_world(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let yaml = crate::fixture::bytes("worlds/tiny.yaml")?;
    let exchange = server
        .call("PUT", "/__mock/world")
        .header("content-type", "application/yaml")
        .body(yaml.into_owned())
        .send()?;
    expect_eq("the status", &200, &exchange.status())?;
    expect_eq("the name of the world", &json!("tiny"), &world(&server)?["name"])?;
    issued(&server, Family::Ssh, Identity::Operator).map(drop)
}

fn now(server: &Server) -> Outcome<(String, bool)> {
    let clock = server.control("GET", "/__mock/clock", None)?;
    let now = clock["now"].as_str().unwrap_or_default().to_owned();
    Ok((now, clock["frozen"] == json!(true)))
}

fn moves(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let wish = |wish: Value| put(&server, "/__mock/clock", &wish);
    expect_eq("whether the clock runs at first", &false, &now(&server)?.1)?;
    let (status, answer) = wish(json!({"set": NOON, "freeze": true}))?;
    expect_eq("the status", &200, &status)?;
    expect_eq("the answer", &json!({"now": NOON, "frozen": true}), &answer)?;
    for (step, due) in [(90, "2026-06-01T12:01:30Z"), (-150, "2026-06-01T11:59:00Z")] {
        wish(json!({"advance_seconds": step}))?;
        expect_eq(format!("the time after {step} s"), &(due.to_owned(), true), &now(&server)?)?;
    }
    wish(json!({"freeze": true, "set": NOON, "advance_seconds": 1}))?;
    expect_eq("all at once", &("2026-06-01T12:00:01Z".to_owned(), true), &now(&server)?)?;
    wish(json!({"freeze": false}))?;
    let (time, frozen) = now(&server)?;
    expect_eq("whether it stands", &false, &frozen)?;
    // It runs on from where it stood: the same hour, however slow the machine is.
    expect(time.starts_with("2026-06-01T12:"), "the time when let go", "on from noon", time)
}

fn invalid_clock(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock(NOON)?;
    for wish in [
        json!({"set": "noon"}),
        json!({"set": 5}),
        json!({"advance_seconds": "5"}),
        json!({"advance_seconds": 1.5}),
        json!({"freeze": "yes"}),
        json!({"speed": 2}),
        json!({"advance_seconds": i64::MAX}),
        json!([]),
        json!("x"),
    ] {
        let (status, problem) = put(&server, "/__mock/clock", &wish)?;
        expect_eq(format!("the status for {wish}"), &400, &status)?;
        expect_eq("the code", &json!("invalid_body"), &problem["code"])?;
    }
    expect_eq("the clock", &(NOON.to_owned(), true), &now(&server)?)
}

fn unknown(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let exchange = server.get("/__mock/nothing").send()?;
    expect_eq("the status of an unknown control route", &404, &exchange.status())?;
    expect_eq("its code", &json!("not_found"), &exchange.json()["code"])?;
    for (method, path) in [
        ("POST", "/__mock/requests"),
        ("DELETE", "/__mock/clock"),
        ("GET", "/__mock/reset"),
        ("PUT", "/__mock/ready"),
        ("POST", "/__mock/world"),
    ] {
        let exchange = server.call(method, path).send()?;
        expect_eq(format!("the status of {method} {path}"), &405, &exchange.status())?;
        let allow = exchange.response.headers.get("allow").unwrap_or_default();
        if allow.is_empty() || allow.split(", ").any(|allowed| allowed == method) {
            return fail(format!("Allow of {method} {path}"), "the methods it takes", allow);
        }
    }
    Ok(())
}

fn open(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for path in ["/__mock/ready", "/__mock/requests", "/__mock/clock", "/__mock/world"] {
        for call in [server.get(path), server.get(path).bearer("psk_dev_nobody")] {
            expect_eq(format!("the status of {path}"), &200, &call.send()?.status())?;
        }
    }
    Ok(())
}
