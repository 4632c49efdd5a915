//! Lists: filters, pages, cursors, and who may see and end what.

use std::collections::HashSet;

use mock_server::Generation;
use serde_json::{Value, json};

use crate::client::{Client, PROJECT, at_noon, k8s, ssh, tcp};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Follows the cursors to the end.
fn all(client: &Client, query: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client.list(&format!("?{query}{cursor}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[test]
fn pages_hold_every_session_once_in_the_order_of_issue() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let admin = client.token("psk_dev_admin");
    let mut issued = Vec::new();
    for n in 0..30 {
        let body = [ssh(), k8s(), tcp()][n % 3].clone();
        let caller = if n % 2 == 0 { &client } else { &admin };
        let id = caller.issued(&body)["session_id"].clone();
        if n % 5 == 0 {
            caller.revoke(&id);
        }
        issued.push(id.as_str().unwrap().to_owned());
    }
    let pick = |keep: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..30).filter(|n| keep(*n)).map(|n| issued[n].clone()).collect()
    };
    let me = client.get("/v1/auth/whoami").json()["subject"].as_str().unwrap().to_owned();
    assert_eq!(all(&client, ""), issued);
    assert_eq!(all(&client, "limit=7"), issued);
    assert_eq!(all(&client, "limit=2&kind=k8s"), pick(&|n| n % 3 == 1));
    assert_eq!(all(&client, "limit=2&status=revoked"), pick(&|n| n % 5 == 0));
    assert_eq!(all(&client, "limit=4&status=expired"), Vec::<String>::new());
    let mine = format!("limit=3&identity_id={me}");
    assert_eq!(all(&client, &mine), pick(&|n| n % 2 == 0));
    let both = format!("limit=1&identity_id={me}&kind=ssh&status=active");
    assert_eq!(all(&client, &both), pick(&|n| n % 2 == 0 && n % 3 == 0 && n % 5 != 0));
    let stranger = "identity_id=0190a8b8-1d00-7000-8000-00000000ffff";
    assert!(all(&client, stranger).is_empty());
}

#[test]
fn a_cursor_serves_its_own_list_and_caller_only() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    for _ in 0..3 {
        client.issued(&tcp());
    }
    let cursor = client.list("?limit=1").json()["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(client.list(&format!("?limit=2&cursor={cursor}")).status, 200);
    let bent = format!("{}A", &cursor[..cursor.len() - 1]);
    let bent = if bent == cursor { format!("{}B", &cursor[..cursor.len() - 1]) } else { bent };
    for query in [
        format!("?cursor={bent}"),
        format!("?cursor={cursor}&kind=tcp"),
        "?cursor=".to_owned(),
        "?cursor=not-one".to_owned(),
        format!("?cursor={cursor}{cursor}"),
    ] {
        assert_eq!(client.list(&query).verdict(), "400 invalid_cursor", "{query}");
    }
    let foreign = client.token("psk_dev_admin").list(&format!("?cursor={cursor}"));
    assert_eq!(foreign.verdict(), "400 invalid_cursor");
    let elsewhere = client.below("/ns/other").list(&format!("?cursor={cursor}"));
    assert_eq!(elsewhere.verdict(), "400 invalid_cursor");
}

#[test]
fn limits_out_of_range_are_refused_or_clamped_by_generation() {
    for (generation, clamps) in
        [(Generation::June, true), (Generation::July, false), (Generation::August, false)]
    {
        let server = at_noon().contract(generation).start().unwrap();
        let client = Client::of(&server);
        client.issued(&tcp());
        client.issued(&tcp());
        for (limit, clamped_to) in [("0", 1), ("-1", 1), ("201", 2), ("99999999999", 2)] {
            let answer = client.list(&format!("?limit={limit}"));
            if clamps {
                assert_eq!(ids(&answer.json()).len(), clamped_to, "{limit}");
            } else {
                assert_eq!(answer.verdict(), "400 invalid_limit", "{limit}");
            }
        }
        assert_eq!(client.list("?limit=many").verdict(), "400 invalid_limit");
        assert_eq!(client.list("?limit=200").status, 200);
    }
}

#[test]
fn wrong_filters_are_refused() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    for query in ["?status=gone", "?kind=rdp", "?identity_id=me", "?status="] {
        assert_eq!(client.list(query).verdict(), "400 invalid_filter", "{query}");
    }
}

#[test]
fn revoking_is_idempotent_in_both_spellings_and_bound_to_its_caller() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let id = client.issued(&tcp())["session_id"].as_str().unwrap().to_owned();
    let at = |tail: &str| format!("/v1/projects/{PROJECT}/sessions/{id}{tail}");
    let foreign = client.token("psk_dev_basic").send("POST", &at("/revoke"), None);
    assert_eq!(foreign.verdict(), "403 rebac_denied");
    let viewer = client.token("psk_dev_viewer");
    assert_eq!(viewer.get(&at("")).status, 200, "a viewer reads");
    assert_eq!(client.token("psk_dev_outsider").get(&at("")).verdict(), "403 rebac_denied");
    let reason = json!({"revoke_reason": "policy_violation"});
    assert_eq!(client.token("psk_dev_admin").post(&at(":revoke"), &reason).status, 204);
    assert_eq!(client.send("POST", &at("/revoke"), None).status, 204);
    let session = client.get(&at("")).json();
    assert_eq!(session["status"], "revoked");
    assert_eq!(session["revoke_reason"], "policy_violation");
    assert_eq!(session["revoked_at"], "2026-06-01T12:00:00Z");
    for wrong in
        [json!({"revoke_reason": "ttl_expired"}), json!({"revoke_reason": null}), json!([])]
    {
        assert_eq!(client.post(&at("/revoke"), &wrong).verdict(), "400 invalid_body");
    }
}

#[test]
fn directories_show_what_the_caller_may_see() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let slugs = |token: &str| -> HashSet<String> {
        let page = client.token(token).get("/v1/projects").json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
    assert_eq!(slugs("psk_dev_operator"), set(&["payments", "warehouse"]));
    assert_eq!(slugs("psk_dev_viewer"), set(&["payments"]));
    assert_eq!(slugs("psk_dev_outsider"), set(&["orchard"]));
    let project = format!("/v1/projects/{PROJECT}");
    assert_eq!(client.get(&project).json()["id"], PROJECT);
    assert_eq!(client.token("psk_dev_outsider").get(&project).verdict(), "403 rebac_denied");
    let first = client.get(&format!("{project}/resources?limit=3")).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = client.get(&format!("{project}/resources?limit=3&cursor={cursor}")).json();
    assert_eq!(ids(&first).len() + ids(&rest).len(), 4);
    assert!(rest.get("next_cursor").is_none());
    let resource = format!("{project}/resources/{}", ids(&first)[0]);
    assert_eq!(client.get(&resource).json()["kinds"], json!(["ssh", "k8s", "tcp"]));
    let other = "/v1/projects/0190a8b8-a0c0-7a0a-8a0a-000000000002/resources";
    let misplaced = format!("{other}/{}", ids(&first)[0]);
    assert_eq!(client.get(&misplaced).verdict(), "404 resource_not_found");
}

#[test]
fn authorization_checks_answer_by_name_and_by_id() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let check = |subject: &str, relation: &str, resource: &str| {
        let body = json!({"subject": subject, "relation": relation, "resource": resource});
        client.post("/v1/authz/check", &body)
    };
    let allowed = check("identity:olivia", "act", "resource:edge-1").json();
    assert_eq!(allowed["decision"], "allowed");
    assert_eq!(allowed["correlation_id"].as_str().unwrap().len(), 26);
    assert!(allowed["relation_path"].as_array().unwrap().len() > 1);
    let denied = check("identity:otto", "act", "resource:edge-1").json();
    assert_eq!(
        (&denied["decision"], &denied["reason"]),
        (&json!("denied"), &json!("out_of_scope"))
    );
    for (subject, relation, resource) in [("olivia", "act", "resource:x"), ("a:b", "A!", "c:d")] {
        assert_eq!(check(subject, relation, resource).verdict(), "400 invalid_check_request");
    }
    let missing = client.post("/v1/authz/check", &json!({"subject": "a:b"}));
    assert_eq!(missing.verdict(), "400 invalid_body");
    client.change_world(|world| world["authz"]["available"] = false.into());
    assert_eq!(check("a:b", "act", "c:d").verdict(), "503 authz_unavailable");
    assert_eq!(client.issue(&tcp()).verdict(), "503 authz_unavailable");
    assert_eq!(client.get("/v1/healthz").json()["status"], "degraded");
}
