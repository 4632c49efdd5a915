//! Scenarios in the base URL: chosen by name, stateless, and gone with the URL.

use serde_json::json;

use crate::client::{Client, PROJECT, at_noon, k8s, ssh, tcp};

#[test]
fn a_scenario_answers_instead_of_the_world_and_does_not_stick() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let staged = client.below("/scenarios/rebac_denied");
    for _ in 0..3 {
        let answer = staged.issue(&ssh());
        assert_eq!(answer.verdict(), "403 rebac_denied");
        assert_eq!(answer.header("x-scenario"), Some("rebac_denied"));
    }
    let honest = client.issue(&ssh());
    assert_eq!(honest.status, 201);
    assert_eq!(honest.header("x-scenario"), None);
    let journal = client.journal();
    assert_eq!(journal["counts"], json!({"IssueSession": 4}));
    assert_eq!(journal["requests"][0]["scenario"], "rebac_denied");
    assert_eq!(journal["requests"][0]["code"], "rebac_denied");
    assert_eq!(journal["requests"][0]["identity"], "olivia");
    assert_eq!(journal["requests"][3]["scenario"], json!(null));
}

#[test]
fn the_rest_of_the_surface_is_there_and_nothing_is_kept() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let staged = client.below("/scenarios/issued");
    let issued = staged.issued(&k8s());
    assert_eq!(issued["session"]["target"], k8s()["target"]);
    assert_eq!(issued["session_id"], issued["session"]["id"]);
    assert_eq!(staged.issued(&k8s()), issued, "the same request is answered alike");
    let whoami = staged.get("/v1/auth/whoami");
    assert_eq!((whoami.status, whoami.header("x-scenario")), (200, Some("issued")));
    assert_eq!(staged.revoke(&issued["session_id"]).status, 204);
    assert_eq!(client.session(&issued["session_id"]).verdict(), "404 session_not_found");
    assert_eq!(client.list("").json()["items"], json!([]));
    let revoked = &client.journal()["requests"][3];
    assert_eq!(
        (&revoked["operation"], &revoked["session_id"]),
        (&json!("RevokeSession"), &issued["session_id"])
    );
}

#[test]
fn a_scenario_stands_behind_a_namespace_and_leaves_others_alone() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let staged = client.below("/ns/a/scenarios/signing_unavailable");
    assert_eq!(staged.issue(&tcp()).verdict(), "503 signing_unavailable");
    assert_eq!(client.journal()["total"], 0);
    assert_eq!(client.below("/ns/a").journal()["total"], 1);
}

#[test]
fn an_unknown_scenario_is_named_with_its_neighbours() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let answer = client.below("/scenarios/rebac_denid").issue(&ssh());
    assert_eq!(answer.verdict(), "404 unknown_scenario");
    assert!(answer.json()["detail"].as_str().unwrap().contains("rebac_denied"));
    let all = client.get("/__mock/scenarios").json();
    assert!(all["scenarios"].as_array().unwrap().len() >= 65);
}

/// Whatever was asked, and by whomever, a scenario answers.
#[test]
fn every_scenario_answers_every_request() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let path = format!("/scenarios/rebac_denied/v1/projects/{PROJECT}/sessions");
    for body in ["", "{", "[]", "{\"kind\":\"ssh\"}"] {
        for caller in [client.nobody(), client.clone()] {
            assert_eq!(caller.send("POST", &path, Some(body)).verdict(), "403 rebac_denied");
        }
    }
    let odd = "/scenarios/issued/v1/projects/none/sessions";
    assert_eq!(client.send("POST", odd, Some("{")).status, 201);
    let nowhere = client.get("/scenarios/rebac_denied/v1/nowhere");
    assert_eq!(nowhere.verdict(), "404 not_found");
    assert_eq!(nowhere.header("x-scenario"), Some("rebac_denied"));
}

#[test]
fn a_broken_connection_is_in_the_journal_too() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    let request = format!(
        "POST /scenarios/reset_before_headers/v1/projects/{PROJECT}/sessions HTTP/1.1\r\n\
         host: x\r\ncontent-length: 0\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let error = std::io::Read::read(&mut stream, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(client.journal()["counts"], json!({"IssueSession": 1}));
}
