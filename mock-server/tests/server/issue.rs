//! Issuing: the happy answer, the order of refusals, idempotency.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, PROJECT, RESOURCE, at_noon, k8s, ssh, tcp, with};

#[test]
fn an_issued_session_is_complete_and_can_be_read() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let answer = client.issue(&ssh());
    assert_eq!(answer.status, 201, "{}", answer.text);
    let issued = answer.json();
    let session = &issued["session"];
    let id = issued["session_id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    assert_eq!(session["id"], id);
    assert_eq!(session["project_id"], PROJECT);
    assert_eq!(session["resource_id"], RESOURCE);
    assert_eq!(session["kind"], "ssh");
    assert_eq!(session["status"], "active");
    assert_eq!(session["target"], json!({"ssh": {"user": "ops"}}));
    assert_eq!(session["issued_at"], "2026-06-01T12:00:00Z");
    assert_eq!(session["last_active_at"], "2026-06-01T12:00:00Z");
    assert_eq!(session["idle_timeout_seconds"], 900);
    assert_eq!(issued["expires_at"], "2026-06-01T12:30:00Z");
    assert!(session.get("token").is_none());
    let place = format!("/v1/projects/{PROJECT}/sessions/{id}");
    assert_eq!(answer.header("location"), Some(place.as_str()));
    assert_eq!(client.get(&place).json(), *session);
}

#[test]
fn endpoints_fit_their_kind() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let mut body = ssh();
    body["target"]["ssh"]["user"] = r"CORP\ops@x".into();
    let endpoint = client.issued(&body)["listener_endpoint"].as_str().unwrap().to_owned();
    let rest = endpoint.strip_prefix("ssh://CORP%5Cops%40x;fingerprint=SHA256:").unwrap();
    let (fingerprint, port) = rest.split_once("@127.0.0.1:").unwrap();
    assert_eq!(fingerprint.len(), 43);
    assert!((32_768..=60_999).contains(&port.parse::<u32>().unwrap()));
    for body in [k8s(), tcp()] {
        let endpoint = client.issued(&body)["listener_endpoint"].as_str().unwrap().to_owned();
        let port = endpoint.strip_prefix("127.0.0.1:").unwrap();
        assert!((32_768..=60_999).contains(&port.parse::<u32>().unwrap()));
    }
}

/// Each row breaks one thing more than the row below it, so that the order shows.
#[test]
fn refusals_come_in_their_order() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| {
        world["domains"][0]["session_policy"]["max_sessions_per_identity"] = 0.into();
        world["signer"]["available"] = false.into();
    });
    let elsewhere = "0190a8b8-a0c0-7a0a-8a0a-00000000dead";
    let no_such = with(ssh(), "resource_id", "0190a8b8-d3e3-7d3d-8d3d-00000000dead");
    let foreign = with(ssh(), "resource_id", "0190a8b8-d3e3-7d3d-8d3d-000000000021");
    let database = with(ssh(), "resource_id", "0190a8b8-d3e3-7d3d-8d3d-000000000013");
    let wrong = with(ssh(), "kind", "rdp");
    let rows: [(&str, &str, &str, &Value, &str); 14] = [
        ("no token", "", elsewhere, &wrong, "401 unauthenticated"),
        ("revoked", "psk_dev_revoked", elsewhere, &wrong, "401 unauthenticated"),
        ("expired", "psk_dev_expired", elsewhere, &wrong, "401 unauthenticated"),
        ("suspended", "psk_dev_suspended", elsewhere, &wrong, "403 identity_suspended"),
        ("body", "psk_dev_outsider", elsewhere, &wrong, "400 invalid_body"),
        ("project", "psk_dev_outsider", elsewhere, &no_such, "404 project_not_found"),
        ("resource", "psk_dev_outsider", PROJECT, &no_such, "404 resource_not_found"),
        ("another's resource", "psk_dev_outsider", PROJECT, &foreign, "404 resource_not_found"),
        ("relation", "psk_dev_outsider", PROJECT, &ssh(), "403 rebac_denied"),
        ("relation before kind", "psk_dev_outsider", PROJECT, &database, "403 rebac_denied"),
        ("kind before step-up", "psk_dev_basic", PROJECT, &database, "400 invalid_target"),
        ("step-up", "psk_dev_basic", PROJECT, &ssh(), "401 step_up_required"),
        ("budget", "psk_dev_basic", PROJECT, &tcp(), "429 session_limit_exceeded"),
        ("budget", "psk_dev_operator", PROJECT, &ssh(), "429 session_limit_exceeded"),
    ];
    for (what, token, project, body, wanted) in rows {
        let caller = if token.is_empty() { client.nobody() } else { client.token(token) };
        let answer = caller.post(&format!("/v1/projects/{project}/sessions"), body);
        assert_eq!(answer.verdict(), wanted, "{what}");
        assert_eq!(answer.header("retry-after"), None);
        assert_eq!(answer.header("www-authenticate").is_some(), wanted.contains("step_up"));
    }
    client.change_world(|world| {
        world["domains"][0]["session_policy"]["max_sessions_per_identity"] = Value::Null;
    });
    assert_eq!(client.issue(&ssh()).verdict(), "503 signing_unavailable");
    assert_eq!(client.list("").json()["items"], json!([]), "nothing was issued");
}

#[test]
fn each_relation_reason_is_told_with_its_path() {
    let server = at_noon().start().unwrap();
    for (token, reason) in [
        ("psk_dev_outsider", "out_of_scope"),
        ("psk_dev_viewer", "insufficient_relation"),
        ("psk_dev_contractor", "caveat_violation"),
    ] {
        let answer = Client::of(&server).token(token).issue(&tcp());
        assert_eq!(answer.verdict(), "403 rebac_denied");
        let problem = answer.json();
        assert_eq!(problem["reason"], reason);
        assert_eq!(problem["correlation_id"].as_str().unwrap().len(), 26);
        let path = problem["relation_path"].as_array().unwrap();
        assert_eq!(path[0], format!("resource:{RESOURCE}#act"));
    }
}

#[test]
fn the_caveat_follows_the_clock() {
    let server = at_noon().clock("2025-06-01T12:00:00Z").start().unwrap();
    let client = Client::of(&server).token("psk_dev_contractor");
    assert_eq!(client.issue(&tcp()).status, 201);
    client.put("/__mock/clock", &json!({"set": "2026-01-01T00:00:00Z"}));
    assert_eq!(client.issue(&tcp()).verdict(), "403 rebac_denied");
}

#[test]
fn a_step_up_names_the_context_and_not_the_method() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let by_context = client.token("psk_dev_basic").issue(&ssh());
    let wanted = r#"Bearer error="insufficient_user_authentication", acr_values="aal2 aal3""#;
    assert_eq!(by_context.header("www-authenticate"), Some(wanted));
    let by_method = client.token("psk_dev_sms").issue(&k8s());
    assert_eq!(by_method.verdict(), "401 step_up_required");
    let wanted = r#"Bearer error="insufficient_user_authentication""#;
    assert_eq!(by_method.header("www-authenticate"), Some(wanted));
    assert_eq!(client.token("psk_dev_sms").issue(&ssh()).status, 201);
}

#[test]
fn a_long_life_is_clamped_and_a_missing_one_is_the_default() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    for (asked, until) in [
        (json!(900), "2026-06-01T12:15:00Z"),
        (json!(3600), "2026-06-01T13:00:00Z"),
        (json!(7200), "2026-06-01T13:00:00Z"),
        (json!(u64::MAX), "2026-06-01T13:00:00Z"),
    ] {
        let issued = client.issued(&with(tcp(), "requested_ttl_seconds", asked));
        assert_eq!(issued["expires_at"], until);
    }
    for wrong in [json!(0), json!(-1), json!(1.5), json!("900"), Value::Null] {
        let answer = client.issue(&with(tcp(), "requested_ttl_seconds", wrong));
        assert_eq!(answer.verdict(), "400 invalid_body");
    }
}

#[test]
fn a_resource_refuses_kinds_it_does_not_serve() {
    let server = at_noon().start().unwrap();
    let bastion = with(tcp(), "resource_id", "0190a8b8-d3e3-7d3d-8d3d-000000000011");
    assert_eq!(Client::of(&server).issue(&bastion).verdict(), "400 invalid_target");
}

#[test]
fn a_repeated_key_brings_back_the_same_bytes() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let keyed = with(ssh(), "idempotency_key", "k-1");
    let first = client.issue(&keyed);
    client.advance(100);
    let again = client.issue(&keyed);
    assert_eq!(again.status, 201);
    assert_eq!(first.text, again.text);
    assert_eq!(first.header("location"), again.header("location"));
    // Per identity: another caller's key of the same name is another key.
    let other = client.token("psk_dev_admin").issued(&keyed);
    assert_ne!(other["session_id"], first.json()["session_id"]);
    // Not beyond the relation and the step-up of the moment.
    let basic = client.token("psk_dev_basic").issue(&keyed);
    assert_eq!(basic.verdict(), "401 step_up_required");
    // Outside the window the key is new.
    client.advance(501);
    assert_ne!(client.issued(&keyed)["session_id"], first.json()["session_id"]);
}

#[test]
fn a_replay_comes_before_the_budget_and_costs_nothing() {
    let server = at_noon().world("tiny").start().unwrap();
    let client = Client::of(&server);
    let keyed = with(tcp(), "idempotency_key", "k");
    let first = client.issue(&keyed);
    client.issued(&tcp());
    assert_eq!(client.issue(&tcp()).verdict(), "429 session_limit_exceeded");
    assert_eq!(client.issue(&keyed).text, first.text);
}

/// Two requests with one key while the signer is slow: one of them waits for it, the other is
/// told so at once, whichever of them came first.
#[test]
fn the_same_key_in_flight_is_a_conflict() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| world["signer"]["delay_ms"] = 60_000.into());
    let keyed = with(tcp(), "idempotency_key", "k");
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let streams = [raw_issue(authority, &keyed), raw_issue(authority, &keyed)];
    let (tell, told) = std::sync::mpsc::channel();
    for (n, stream) in streams.iter().enumerate() {
        let (mut stream, tell) = (stream.try_clone().unwrap(), tell.clone());
        std::thread::spawn(move || {
            let mut start = [0; 12];
            if stream.read_exact(&mut start).is_ok() {
                tell.send((n, String::from_utf8_lossy(&start).into_owned())).unwrap();
            }
        });
    }
    let (refused, answer) = told.recv().unwrap();
    assert_eq!(answer, "HTTP/1.1 409");
    // The one that waits leaves, and the journal knows that it never had an answer.
    streams[1 - refused].shutdown(Shutdown::Both).unwrap();
    let left = || {
        client.journal()["requests"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["operation"] == "IssueSession" && one["status"].is_null())
    };
    let until = Instant::now() + Duration::from_secs(30);
    while !left() {
        assert!(Instant::now() < until, "{}", client.journal());
    }
}

fn raw_issue(authority: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(authority).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "POST /v1/projects/{PROJECT}/sessions HTTP/1.1\r\nhost: {authority}\r\n\
         authorization: Bearer psk_dev_operator\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

#[test]
fn a_session_is_found_in_its_own_project_only() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&tcp());
    let id = issued["session_id"].as_str().unwrap();
    let elsewhere = format!("/v1/projects/0190a8b8-a0c0-7a0a-8a0a-000000000002/sessions/{id}");
    assert_eq!(client.get(&elsewhere).verdict(), "404 session_not_found");
    let revoked = client.send("POST", &format!("{elsewhere}/revoke"), None);
    assert_eq!(revoked.verdict(), "404 session_not_found");
    assert_eq!(client.session(&issued["session_id"]).json()["status"], "active");
}
