//! The control API: journal, reset, worlds.

use serde_json::json;

use crate::client::{Client, PROJECT, RESOURCE, at_noon, k8s, ssh, tcp, with};

#[test]
fn the_journal_proves_what_was_sent_and_what_was_not() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    assert_eq!(client.journal()["total"], 0);
    assert_eq!(client.journal()["counts"], json!({}), "control requests do not count");
    let mut body = with(with(ssh(), "surplus", 1), "idempotency_key", "secret-key-value");
    body["target"]["ssh"]["shell"] = "bash".into();
    let issued = client.issued(&body);
    client.nobody().issue(&tcp());
    client.get(&format!("/v1/projects/{PROJECT}/sessions?limit=5&order=desc"));
    client.get("/v2/nothing");
    let journal = client.journal();
    assert_eq!(journal["total"], 4);
    assert_eq!(journal["counts"], json!({"IssueSession": 2, "ListSessions": 1, "unknown": 1}));
    let requests = journal["requests"].as_array().unwrap();
    let first = &requests[0];
    assert_eq!(first["seq"], 1);
    assert_eq!(first["at"], "2026-06-01T12:00:00Z");
    assert_eq!(first["method"], "POST");
    assert_eq!(first["status"], 201);
    assert_eq!(first["identity"], "olivia");
    assert_eq!(first["kind"], "ssh");
    assert_eq!(first["session_id"], issued["session_id"]);
    assert_eq!(first["token"]["jti"], issued["session_id"]);
    assert_eq!(first["unread"], json!(["surplus", "target.ssh.shell"]));
    assert_eq!(requests[1]["code"], "unauthenticated");
    assert_eq!(requests[1]["identity"], json!(null));
    assert_eq!(requests[2]["unread"], json!(["?order"]));
    let text = journal.to_string();
    let token = issued["token"].as_str().unwrap();
    for secret in ["psk_dev_operator", "secret-key-value", token] {
        assert!(!text.contains(secret), "{secret} is in the journal");
    }
    assert_eq!(client.send("DELETE", "/__mock/requests", None).status, 204);
    assert_eq!(client.journal()["total"], 0);
}

/// Whatever a world calls a token, and however a caller misplaces it.
#[test]
fn a_token_that_only_this_world_knows_is_not_kept_either() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let mut world = client.get("/__mock/world").json();
    world["identities"][0]["tokens"][0]["token"] = "letmein-7".into();
    assert_eq!(client.put("/__mock/world", &world).status, 200);
    for path in ["/v1/projects/letmein-7", "/v1/projects/letmein%2D7", "/v1/projects/letmein-8"] {
        client.get(path);
    }
    let kept = client.journal()["requests"].clone();
    assert_eq!((&kept[0]["path"], &kept[1]["path"]), (&json!("(redacted)"), &json!("(redacted)")));
    assert_eq!(kept[2]["path"], "/v1/projects/letmein-8", "nobody's token");
}

#[test]
fn the_journal_is_bounded_and_says_what_it_dropped() {
    let server = at_noon().journal(3).start().unwrap();
    let client = Client::of(&server);
    for _ in 0..10 {
        client.get("/v1/version");
    }
    let journal = client.journal();
    assert_eq!((&journal["total"], &journal["dropped"]), (&json!(10), &json!(7)));
    assert_eq!(journal["requests"].as_array().unwrap().len(), 3);
    assert_eq!(journal["counts"]["GetVersion"], 10);
}

#[test]
fn a_reset_brings_back_the_beginning_to_the_byte() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let first = client.issue(&ssh()).text;
    client.advance(5000);
    client.change_world(|world| world["access"]["provisioned"] = false.into());
    assert_eq!(client.issue(&ssh()).verdict(), "501 access_session_not_provisioned");
    assert_eq!(client.list("").verdict(), "501 access_session_not_provisioned");
    assert_eq!(client.send("POST", "/__mock/reset", None).status, 204);
    assert_eq!(client.journal()["total"], 0);
    assert_eq!(client.list("").json()["items"], json!([]));
    assert_eq!(client.issue(&ssh()).text, first);
}

#[test]
fn another_world_can_be_entered_in_yaml_or_json() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let before = client.issued(&tcp());
    let yaml = r"
name: small
domains: [{id: 0190a8b8-d000-7000-8000-000000000001, slug: only, name: Only}]
projects: [{id: 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0, domain: only, slug: p, name: P}]
resources: [{id: 0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3, project: p, name: r, type: host, kinds: [tcp]}]
identities: [{id: 0190a8b8-1d00-7000-8000-000000000001, name: me, tokens: [{token: psk_dev_operator}]}]
permissions: {resource: {act: [operator]}}
relations: ['resource:r#operator@identity:me']
";
    let entered = client.send("PUT", "/__mock/world", Some(yaml));
    assert_eq!(entered.status, 200, "{}", entered.text);
    let again = client.send("PUT", "/__mock/world", Some(&entered.text));
    assert_eq!(again.json(), entered.json(), "what is shown can be sent back");
    let issued = client.issued(&tcp());
    assert_ne!(issued["session_id"], before["session_id"]);
    assert_eq!(client.session(&before["session_id"]).verdict(), "404 session_not_found");
    assert_eq!(client.get("/v1/auth/whoami").json()["principal_scope"], "platform");
    assert_eq!(client.issue(&k8s()).verdict(), "400 invalid_target");
}

#[test]
fn a_wrong_world_is_refused_with_its_place_and_changes_nothing() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let world = client.get("/__mock/world").json();
    let broken = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut world = world.clone();
        change(&mut world);
        client.put("/__mock/world", &world)
    };
    type Case<'a> = (&'a str, &'a dyn Fn(&mut serde_json::Value));
    let cases: [Case<'_>; 9] = [
        ("surplus", &|w| w["surplus"] = 1.into()),
        ("domains", &|w| w["domains"] = json!("none")),
        ("projects[1].domain", &|w| w["projects"][1]["domain"] = "nowhere".into()),
        ("resources[0].project", &|w| w["resources"][0]["project"] = "nowhere".into()),
        ("resources[2].kinds", &|w| w["resources"][2]["kinds"] = json!([])),
        ("identities[1].tokens[0].token", &|w| {
            w["identities"][1]["tokens"][0]["token"] = "psk_dev_operator".into();
        }),
        ("session_policy", &|w| {
            w["domains"][0]["session_policy"]["max_ttl_seconds"] = 1.into();
        }),
        ("operator", &|w| w["relations"] = json!(["resource:x#operator"])),
        ("act", &|w| w["permissions"]["resource"]["act"] = json!(["not a term"])),
    ];
    for (named, change) in cases {
        let answer = broken(change);
        assert_eq!(answer.verdict(), "400 invalid_world", "{named}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{named} in: {detail}");
    }
    assert_eq!(client.get("/__mock/world").json(), world);
    client.issued(&with(tcp(), "resource_id", RESOURCE));
}

#[test]
fn unknown_controls_and_methods_are_refused() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    assert_eq!(client.get("/__mock/nothing").verdict(), "404 not_found");
    let answer = client.send("DELETE", "/__mock/clock", None);
    assert_eq!(answer.verdict(), "405 method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT"));
    assert_eq!(client.get("/__mock/ready").json()["http"], server.http_url());
    let head = client.send("HEAD", "/__mock/ready", None);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}
