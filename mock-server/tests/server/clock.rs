//! What the clock does to sessions, and that time can be moved.

use serde_json::{Value, json};

use crate::client::{Client, at_noon, ssh, tcp, with};

fn status(client: &Client, id: &Value) -> (Value, Value) {
    let session = client.session(id).json();
    (session["status"].clone(), session["revoke_reason"].clone())
}

#[test]
fn sessions_expire_at_their_second() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&with(tcp(), "requested_ttl_seconds", 60));
    let id = &issued["session_id"];
    client.advance(59);
    assert_eq!(status(&client, id), (json!("active"), Value::Null));
    client.advance(1);
    assert_eq!(status(&client, id), (json!("expired"), json!("ttl_expired")));
    assert_eq!(client.session(id).json()["revoked_at"], "2026-06-01T12:01:00Z");
}

#[test]
fn idle_sessions_are_revoked() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&with(tcp(), "requested_ttl_seconds", 3600));
    let id = &issued["session_id"];
    client.advance(899);
    assert_eq!(status(&client, id).0, "active");
    client.advance(1);
    assert_eq!(status(&client, id), (json!("revoked"), json!("idle_timeout")));
}

#[test]
fn ended_sessions_are_forgotten_after_the_retention() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&tcp());
    client.revoke(&issued["session_id"]);
    client.advance(3599);
    assert_eq!(client.session(&issued["session_id"]).status, 200);
    client.advance(1);
    let answer = client.session(&issued["session_id"]);
    assert_eq!(answer.verdict(), "404 session_not_found");
}

#[test]
fn tokens_of_callers_expire_by_the_same_clock() {
    let server = at_noon().clock("2019-12-31T23:59:59Z").start().unwrap();
    let client = Client::of(&server).token("psk_dev_expired");
    assert_eq!(client.get("/v1/auth/whoami").status, 200);
    client.advance(1);
    assert_eq!(client.get("/v1/auth/whoami").verdict(), "401 unauthenticated");
}

#[test]
fn the_clock_can_be_set_frozen_and_thawed() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let clock = |body: Value| client.put("/__mock/clock", &body).json();
    let now = client.get("/__mock/clock").json();
    assert_eq!(now, json!({"now": "2026-06-01T12:00:00Z", "frozen": true}));
    let set = clock(json!({"set": "2027-01-01T00:00:00Z"}));
    assert_eq!(set, json!({"now": "2027-01-01T00:00:00Z", "frozen": true}));
    assert_eq!(clock(json!({"advance_seconds": -1}))["now"], "2026-12-31T23:59:59Z");
    assert_eq!(clock(json!({"freeze": false}))["frozen"], false);
    assert_eq!(clock(json!({"freeze": true}))["frozen"], true);
    for wrong in [
        json!({"set": "noon"}),
        json!({"advance": 5}),
        json!([]),
        json!({"advance_seconds": i64::MAX}),
    ] {
        assert_eq!(client.put("/__mock/clock", &wrong).verdict(), "400 invalid_body");
    }
}

#[test]
fn an_answer_is_dated_by_a_clock_that_stands() {
    let server = at_noon().start().unwrap();
    let answer = Client::of(&server).issue(&ssh());
    assert_eq!(answer.header("date"), Some("Mon, 01 Jun 2026 12:00:00 GMT"));
}
