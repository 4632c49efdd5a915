//! Counted faults: asked for through the control API, met so many times, and then gone.

use serde_json::{Value, json};

use crate::client::{Answer, Client, at_noon, ssh, tcp, with};

fn arm(client: &Client, fault: &Value) -> Answer {
    client.send("POST", "/__mock/faults", Some(&fault.to_string()))
}

#[test]
fn a_fault_is_met_so_many_times_and_then_is_gone() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let armed = arm(&client, &json!({"scenario": "signing_unavailable", "times": 2}));
    assert_eq!(armed.status, 201);
    let told = json!({
        "id": 1, "operation": "IssueSession", "scenario": "signing_unavailable",
        "phase": "before", "times": 2, "hits": 0,
    });
    assert_eq!(armed.json(), told);
    for _ in 0..2 {
        let answer = client.issue(&ssh());
        assert_eq!(answer.verdict(), "503 signing_unavailable");
        assert_eq!(answer.header("x-scenario"), Some("signing_unavailable"));
        assert_eq!(answer.header("x-fault"), Some("1"));
        assert_eq!(client.get("/v1/auth/whoami").status, 200, "of another operation");
    }
    let honest = client.issue(&ssh());
    assert_eq!((honest.status, honest.header("x-fault")), (201, None));
    assert_eq!(client.get("/__mock/faults").json()["faults"][0]["hits"], 2);
    let journal = client.journal();
    let of = |seq: usize, key: &str| journal["requests"][seq][key].clone();
    assert_eq!((of(0, "fault"), of(0, "left_behind")), (json!(1), json!(false)));
    assert_eq!((of(4, "fault"), of(4, "session_id").is_string()), (json!(null), true));
    assert_eq!(client.list("").json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn an_answer_lost_after_the_work_leaves_a_session_that_its_key_brings_back() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    arm(&client, &json!({"scenario": "internal", "phase": "after"}));
    let body = with(tcp(), "idempotency_key", "once");
    // A refusal is no hit: there was nothing to lose.
    assert_eq!(client.token("psk_dev_outsider").issue(&body).verdict(), "403 rebac_denied");
    assert_eq!(client.issue(&body).status, 500);
    let lost = client.journal()["requests"][1].clone();
    assert_eq!((&lost["fault"], &lost["left_behind"]), (&json!(1), &json!(true)));
    let items = client.list("").json()["items"].clone();
    assert_eq!(items[0]["id"], lost["session_id"]);
    let again = client.issued(&body);
    assert_eq!(again["session_id"], lost["session_id"], "the same session, and now its token");
}

#[test]
fn a_lost_answer_can_be_cut_in_its_own_middle() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    arm(&client, &json!({"scenario": "listener_endpoint_absent", "phase": "after"}));
    let issued = client.issue(&ssh());
    assert_eq!(issued.status, 201);
    let id = &issued.json()["session_id"];
    assert_eq!(client.session(id).json()["id"], *id, "the session that was told of is there");
    assert_eq!(issued.json()["listener_endpoint"], json!(null));
}

#[test]
fn any_operation_may_fail_and_a_revoke_whose_answer_is_lost_has_revoked() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let id = client.issued(&ssh())["session_id"].clone();
    for operation in ["GetSession", "RevokeSession"] {
        let phase = if operation == "GetSession" { "before" } else { "after" };
        let fault = json!({"operation": operation, "scenario": "internal", "phase": phase});
        assert_eq!(arm(&client, &fault).status, 201);
    }
    assert_eq!(client.session(&id).status, 500);
    assert_eq!(client.session(&id).json()["status"], "active");
    assert_eq!(client.revoke(&id).status, 500);
    assert_eq!(client.session(&id).json()["status"], "revoked");
}

#[test]
fn faults_stay_in_their_namespace_and_go_with_a_reset_or_when_told() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let (one, other) = (client.below("/ns/one"), client.below("/ns/other"));
    for _ in 0..2 {
        arm(&one, &json!({"scenario": "internal", "times": 9}));
        assert_eq!(other.issue(&ssh()).status, 201);
        assert_eq!(one.issue(&ssh()).status, 500);
        assert_eq!(one.send("POST", "/__mock/reset", None).status, 204);
        assert_eq!(one.issue(&ssh()).status, 201);
    }
    arm(&one, &json!({"scenario": "internal"}));
    assert_eq!(one.send("DELETE", "/__mock/faults", None).status, 204);
    assert_eq!(one.issue(&ssh()).status, 201);
    assert_eq!(one.get("/__mock/faults").json(), json!({"faults": []}));
}

#[test]
fn what_makes_no_sense_is_refused_when_it_is_named() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    for (fault, verdict) in [
        (json!({"scenario": "internl"}), "404 unknown_scenario"),
        (json!({"scenario": "internal", "operation": "Dance"}), "400 invalid_fault"),
        (json!({"scenario": "internal", "times": 0}), "400 invalid_fault"),
        (
            json!({"scenario": "listener_endpoint_absent", "operation": "GetSession"}),
            "400 invalid_fault",
        ),
        (json!({"scenario": "internal", "phase": "during"}), "400 invalid_body"),
        (json!({"scenario": "internal", "often": 1}), "400 invalid_body"),
        (json!({}), "400 invalid_body"),
    ] {
        assert_eq!(arm(&client, &fault).verdict(), verdict, "{fault}");
    }
    assert_eq!(client.get("/__mock/faults").json(), json!({"faults": []}));
    assert_eq!(client.issue(&ssh()).status, 201);
}

/// However many ask at once, a fault is met exactly as often as was said.
#[test]
fn parallel_requests_share_the_hits() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    arm(&client, &json!({"operation": "Whoami", "scenario": "internal", "times": 10}));
    let failed: usize = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                scope.spawn(move || {
                    (0..5).filter(|_| client.get("/v1/auth/whoami").status == 500).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    assert_eq!(failed, 10);
}
