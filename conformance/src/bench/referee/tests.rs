//! The referee tried with a bare socket, so that nothing but its own bytes is judged.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::*;
use crate::bench::System;
use crate::bench::call::{Call, Endpoint};
use crate::bench::http::Wire;
use crate::bench::sandbox::Sandbox;

const PATH: &str = "/v1/projects/0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0/sessions";

fn referee() -> RefereeScript<'static> {
    RefereeScript::new(Evidence::default(), None)
}

fn ask(referee: &Referee) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", referee.port())).unwrap();
    let body =
        json!({"kind": "tcp", "resource_id": "r", "target": {"tcp": {"host": "h", "port": 1}}})
            .to_string();
    write!(
        socket,
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

#[test]
fn answers_in_the_order_of_the_script_and_keeps_the_last() {
    let referee = referee()
        .answer(Answer::problem(503, "signing_unavailable"))
        .answer(Answer::issued_with(json!([{"op": "remove", "path": "/listener_endpoint"}])))
        .start()
        .unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let response = Wire::new(ask(&referee)).read_response("POST").unwrap();
        statuses.push(response.status);
        assert!(response.json().get("listener_endpoint").is_none());
    }
    assert_eq!(statuses, [503, 201, 201]);
    referee.expect_requests("IssueSession", 3).unwrap();
    assert_eq!(referee.connections().unwrap(), 3);
    assert_eq!(referee.issued().len(), 2);
}

#[test]
fn outdated_tls_is_answered_or_refused_and_what_comes_in_the_clear_is_heard() {
    let hello = [22, 3, 1, 0, 2, 1, 0];
    for (how, begins) in [
        (Outdated::Answers, &[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..]),
        (Outdated::Refuses, &[21, 3, 2, 0, 2, 2, 70][..]),
    ] {
        let referee = referee().outdated(how).start().unwrap();
        assert!(referee.url().starts_with("https://localhost:"));
        let mut socket = TcpStream::connect(("127.0.0.1", referee.port())).unwrap();
        socket.write_all(&hello).unwrap();
        let mut said = vec![0; begins.len()];
        socket.read_exact(&mut said).unwrap();
        assert_eq!(said, begins);
        drop(socket);
        referee.expect_requests("IssueSession", 0).unwrap();
        assert_eq!(Wire::new(ask(&referee)).read_response("POST").unwrap().status, 201);
        referee.expect_requests("IssueSession", 1).unwrap();
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let referee = referee().start().unwrap();
    let mut wire = Wire::new(ask(&referee));
    let issued = wire.read_response("POST").unwrap().json();
    let id = issued["session_id"].as_str().unwrap();
    let body = r#"{"revoke_reason":"operator_request"}"#;
    let length = body.len();
    write!(
        wire.stream,
        "POST {PATH}/{id}/revoke HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    assert_eq!(wire.read_response("POST").unwrap().status, 204);
    drop(wire);
    referee.expect_one_revoke().unwrap();
    assert_eq!(referee.connections().unwrap(), 1);
}

#[test]
fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let reset = referee().answer(Answer::issued().reset(Phase::BeforeHeaders)).start().unwrap();
    let error = ask(&reset).read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let wire = WireScript { close: Some(Phase::MidBody), ..WireScript::default() };
    let close = referee().answer(Answer::issued().wire(wire)).start().unwrap();
    let mut sent = Vec::new();
    ask(&close).read_to_end(&mut sent).unwrap();
    let text = String::from_utf8(sent).unwrap();
    assert!(text.starts_with("HTTP/1.1 201 Created\r\n") && text.contains("session_id"), "{text}");
    assert!(!text.ends_with('}'), "half a body only: {text}");
}

#[test]
fn a_stall_ends_when_the_client_leaves() {
    let referee = referee().answer(Answer::issued().stall(Phase::MidHeaders)).start().unwrap();
    let mut socket = ask(&referee);
    let mut first = [0; 4];
    socket.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP");
    drop(socket);
    referee.expect_requests("IssueSession", 1).unwrap();
}

#[test]
fn an_endless_answer_flows_until_the_client_leaves() {
    let body = Body::Fill { text: "x".into(), bytes: None };
    let answer = Answer { status: Some(201), body: Some(body), ..Answer::default() };
    let referee = referee().answer(answer).start().unwrap();
    let mut socket = ask(&referee);
    let mut much = vec![0; 3 * 1024 * 1024];
    socket.read_exact(&mut much).unwrap();
    assert!(much.ends_with(b"xxxx"));
    drop(socket);
    referee.expect_requests("IssueSession", 1).unwrap();
}

#[test]
fn a_referee_nobody_spoke_to_is_untouched() {
    let referee = referee().start().unwrap();
    referee.expect_untouched().unwrap();
    drop(TcpStream::connect(("127.0.0.1", referee.port())).unwrap());
    assert!(referee.expect_untouched().is_err(), "a connection without a request counts");
}

#[test]
fn https_is_trusted_by_our_ca_and_by_no_other() {
    let sandbox = Sandbox::new(false).unwrap();
    for (certificate, trusted) in [
        (Certificate::Trusted, true),
        (Certificate::UnknownCa, false),
        (Certificate::SelfSigned, false),
        (Certificate::Expired, false),
        (Certificate::WrongName, false),
    ] {
        let referee = RefereeScript::new(Evidence::default(), Some(&sandbox))
            .tls(certificate)
            .start()
            .unwrap();
        let endpoint = Endpoint::parse(referee.url(), referee.ca_file()).unwrap();
        let call = Call::new(endpoint, "POST", PATH, Evidence::default()).json(&json!({}));
        assert_eq!(call.send().is_ok(), trusted, "{certificate:?}");
        referee.expect_requests("IssueSession", usize::from(trusted)).unwrap();
        assert_eq!(referee.connections().unwrap(), 1);
    }
}

#[test]
fn every_scenario_of_the_fixtures_can_be_played() {
    let names = Scenario::names();
    assert!(names.len() > 50, "{} scenarios", names.len());
    let request = Request {
        method: "POST".into(),
        path: PATH.into(),
        body: br#"{"kind":"ssh","resource_id":"r","target":{"ssh":{"user":"ops"}}}"#.to_vec(),
        ..Request::default()
    };
    let play = |scenario: Scenario| {
        let name = scenario.name;
        super::prepare::prepare(&Arc::new(scenario.answer), &request, Some(&name)).unwrap();
    };
    for name in names {
        let scenario = Scenario::load(&name).unwrap();
        assert_eq!(scenario.name, name);
        assert_eq!(scenario.expect.len(), 3, "{name}");
        play(scenario);
    }
    for system in [System::Rancher, System::K0rdent] {
        let scenarios = Scenario::of(system).unwrap();
        assert!(scenarios.len() > 30, "{} scenarios", scenarios.len());
        for scenario in scenarios {
            assert!(scenario.conclude.is_some(), "{}", scenario.name);
            play(scenario);
        }
    }
}
