//! Caps and the rate, in the world where they are small.

use mock_server::Generation;
use serde_json::json;

use crate::client::{Client, at_noon, tcp, with};

const LEDGER: &str = "0190a8b8-d3e3-7d3d-8d3d-000000000013";

#[test]
fn each_cap_names_its_dimension() {
    let server = at_noon().world("tiny").start().unwrap();
    let client = Client::of(&server);
    let refused = |token: &str, resource: Option<&str>, dimension: &str| {
        let body = resource.map_or_else(tcp, |id| with(tcp(), "resource_id", id));
        let answer = client.token(token).issue(&body);
        assert_eq!(answer.verdict(), "429 session_limit_exceeded");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(dimension), "{detail}");
        assert_eq!(answer.header("retry-after"), None);
    };
    client.issued(&tcp());
    let second = client.issued(&tcp());
    refused("psk_dev_operator", None, "identity");
    client.token("psk_dev_basic").issued(&tcp());
    refused("psk_dev_basic", None, "resource");
    client.token("psk_dev_basic").issued(&with(tcp(), "resource_id", LEDGER));
    refused("psk_dev_admin", Some(LEDGER), "domain");
    // A place that is given back can be taken.
    assert_eq!(client.revoke(&second["session_id"]).status, 204);
    client.token("psk_dev_admin").issued(&tcp());
}

#[test]
fn the_rate_is_by_the_minute_and_by_the_identity() {
    let server = at_noon().world("tiny").start().unwrap();
    let client = Client::of(&server);
    for _ in 0..8 {
        let issued = client.issued(&tcp());
        assert_eq!(client.revoke(&issued["session_id"]).status, 204);
    }
    let answer = client.issue(&tcp());
    assert_eq!(answer.verdict(), "429 session_limit_exceeded");
    assert!(answer.json()["detail"].as_str().unwrap().contains("rate"));
    client.token("psk_dev_admin").issued(&tcp());
    client.advance(59);
    assert_eq!(client.issue(&tcp()).status, 429);
    client.advance(1);
    client.issued(&tcp());
}

#[test]
fn a_refused_request_leaves_no_session() {
    let server = at_noon().world("tiny").start().unwrap();
    let client = Client::of(&server);
    client.issued(&tcp());
    client.issued(&tcp());
    assert_eq!(client.issue(&tcp()).status, 429);
    assert_eq!(client.list("").json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn the_oldest_generation_calls_it_a_conflict() {
    let server = at_noon().world("tiny").contract(Generation::June).start().unwrap();
    let client = Client::of(&server);
    client.issued(&tcp());
    client.issued(&tcp());
    assert_eq!(client.issue(&tcp()).verdict(), "409 session_limit_exceeded");
}

#[test]
fn parallel_requests_cannot_share_the_last_place() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| {
        let policy = &mut world["domains"][0]["session_policy"];
        policy["max_sessions_per_identity"] = json!(5);
        policy["issues_per_minute"] = json!(null);
    });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| client.issue(&tcp()).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
}
