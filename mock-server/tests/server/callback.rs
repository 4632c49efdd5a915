//! What nodes tell of sessions, whichever way it comes.

use mock_server::Generation;
use serde_json::{Value, json};

use crate::client::{Client, at_noon, k8s, ssh, tcp};
use crate::doors::codes;

const NODE: &str = "0190a8b8-40de-7000-8000-000000000001";

fn post(client: &Client, id: &Value, body: &Value) -> String {
    let path = format!("/v1/nodes/{NODE}/sessions/{}", id.as_str().unwrap());
    client.token("nsk_dev_node").post(&path, body).verdict()
}

#[test]
fn reports_go_into_the_log_and_put_idleness_off() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let reports = [
        (ssh(), json!({"ssh": {"command": "secret --password=x"}}), "command_executed"),
        (ssh(), json!({"ssh": {"command": "true", "exit_code": 0}}), "command_exited"),
        (k8s(), json!({"k8s": {"verb": "get", "status_code": 200}}), "api_request"),
        (tcp(), json!({"tcp": {"phase": "session_started"}}), "session_started"),
    ];
    for (body, report, name) in reports {
        let id = client.issued(&body)["session_id"].clone();
        client.advance(800);
        assert_eq!(post(&client, &id, &report), "204");
        client.advance(800);
        let session = client.session(&id).json();
        assert_eq!(session["status"], "active", "{name}: {session}");
        assert_eq!(codes(&client, "SessionActivity").pop().unwrap(), name);
    }
    let journal = client.get("/__mock/requests").text;
    assert!(!journal.contains("secret"), "a command is told of, and not what it says");
    let counts = &client.journal()["counts"];
    assert_eq!(counts["PostNodeSessionCallback"], 4);
    assert_eq!(counts["SessionActivity"], 4);
}

#[test]
fn what_a_node_does_not_say_is_shown_in_time_and_what_it_says_at_once() {
    let server = at_noon().contract(Generation::August).start().unwrap();
    let client = Client::of(&server);
    let put = |body: Value| client.put("/__mock/listeners", &body);
    assert_eq!(put(json!({"report_delay_seconds": 60})).json()["report_delay_seconds"], 60);
    assert_eq!(put(json!({"report_delay_seconds": -1})).verdict(), "400 invalid_body");
    assert_eq!(put(json!({"delay": 1})).verdict(), "400 invalid_body");
    let id = client.issued(&tcp())["session_id"].clone();
    let shown = || client.session(&id).json()["listener_endpoint"].clone();
    assert_eq!(shown(), Value::Null);
    let say = |endpoint: &str| json!({"tcp": {"phase": "session_started", "listener_endpoint": endpoint}});
    assert_eq!(post(&client, &id, &say("nowhere")), "400 invalid_body");
    assert_eq!(post(&client, &id, &say("192.0.2.1:7")), "204");
    assert_eq!(shown(), "192.0.2.1:7");

    let other = client.issued(&tcp())["session_id"].clone();
    client.advance(59);
    assert!(client.session(&other).json().get("listener_endpoint").is_none());
    client.advance(1);
    assert!(client.session(&other).json()["listener_endpoint"].is_string());
    // What was moved by hand goes with the namespace's beginning.
    client.send("POST", "/__mock/reset", None);
    assert_eq!(client.get("/__mock/listeners").json()["report_delay_seconds"], 0);
}

#[test]
fn before_the_newest_an_endpoint_in_a_report_is_nobodys_business() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let id = client.issued(&tcp())["session_id"].clone();
    let body = json!({"tcp": {"phase": "session_started", "listener_endpoint": "192.0.2.1:7"}});
    assert_eq!(post(&client, &id, &body), "204");
    assert!(client.session(&id).json().get("listener_endpoint").is_none());
    assert!(client.get("/__mock/requests").text.contains("tcp.listener_endpoint"));
}

#[test]
fn a_resource_may_be_on_another_node() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| world["resources"][0]["node"] = "rack-2".into());
    let id = client.issued(&tcp())["session_id"].clone();
    let body = json!({"tcp": {"phase": "session_started"}});
    assert_eq!(post(&client, &id, &body), "404 session_not_found");
    let mut world = client.get("/__mock/world").json();
    world["resources"][0]["node"] = "rack-9".into();
    assert_eq!(client.put("/__mock/world", &world).verdict(), "400 invalid_world");
}
