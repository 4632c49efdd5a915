//! The k0rdent surface: the page's own request, everything that may be wrong with it, and the
//! operations around it.

use std::collections::HashSet;

use mock_server::MockServer;
use serde_json::{Value, json};

use crate::client::{Answer, Client, NOON, at_noon};

pub(crate) const COLLECTION: &str =
    "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs";
const POLAR: &str =
    "/v1/regions/eu-north-1/projects/project-q1w2e3/compute/clusters/cluster-a1b2c3/kubeconfigs";

pub(crate) fn start() -> (MockServer, Client) {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    (server, client)
}

pub(crate) fn issue(client: &Client, body: &Value) -> Answer {
    client.send("POST", COLLECTION, Some(&body.to_string()))
}

/// `404 cluster_not_found`, after checking that the document is the family's.
fn verdict(answer: &Answer) -> String {
    if answer.status < 300 {
        return answer.status.to_string();
    }
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    let document = answer.json();
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
    let error = &document["error"];
    assert_eq!(error["code"], answer.status, "{document}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{document}");
    format!("{} {}", answer.status, error["details"][0]["reason"].as_str().unwrap())
}

#[test]
fn the_page_s_own_request_gets_the_page_s_own_answer() {
    let (_server, client) = start();
    let answer = issue(&client, &json!({"user": "kim", "role": "developer", "ttl": 123}));
    assert_eq!(answer.status, 201);
    let made = answer.json();
    let names: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let mut due = [
        "selfLink",
        "id",
        "uid",
        "displayName",
        "description",
        "issuedFor",
        "createdAt",
        "expiresAt",
    ];
    due.sort_unstable();
    assert_eq!(names, due);
    let id = made["id"].as_str().unwrap();
    assert!(id.strip_prefix("kubeconfig-").is_some_and(|rest| rest.len() == 6), "{id}");
    assert_eq!(made["selfLink"], format!("{COLLECTION}/{id}"));
    assert_eq!(answer.header("location"), made["selfLink"].as_str());
    assert_eq!(made["issuedFor"], "kim");
    assert_eq!(made["createdAt"], NOON);
    assert_eq!(made["expiresAt"], "2026-06-01T12:02:03Z");
    made["uid"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let read = client.get(made["selfLink"].as_str().unwrap());
    assert_eq!((read.status, read.json()), (200, made));
}

#[test]
fn whom_it_is_for_and_until_when_follow_from_the_request() {
    let (_server, client) = start();
    for (body, issued_for, until) in [
        ("", "olivia", "2026-06-02T12:00:00Z"),
        ("{}", "olivia", "2026-06-02T12:00:00Z"),
        (r#"{"role":"developer"}"#, "developer", "2026-06-02T12:00:00Z"),
        (r#"{"user":"a b ü/\"c\""}"#, "a b ü/\"c\"", "2026-06-02T12:00:00Z"),
        (r#"{"user":"kim","role":"viewer","ttl":1}"#, "kim", "2026-06-01T12:00:01Z"),
        (r#"{"ttl":2592000}"#, "olivia", "2026-07-01T12:00:00Z"),
        (r#"{"ttl":60.0}"#, "olivia", "2026-06-01T12:01:00Z"),
        (r#"{"ttl":6e1,"unknown":[1]}"#, "olivia", "2026-06-01T12:01:00Z"),
    ] {
        let answer = client.send("POST", COLLECTION, Some(body));
        assert_eq!(verdict(&answer), "201", "{body}: {answer:?}");
        let made = answer.json();
        assert_eq!((&made["issuedFor"], &made["expiresAt"]), (&json!(issued_for), &json!(until)));
    }
    let polar = client.token("psk_dev_beta").send("POST", POLAR, Some("{}"));
    assert_eq!(polar.status, 201);
    assert!(polar.json().get("expiresAt").is_none(), "{polar:?}");
    let far = client.token("psk_dev_beta").send("POST", POLAR, Some(r#"{"ttl":3153600000}"#));
    assert_eq!(far.json()["expiresAt"], "2126-05-08T12:00:00Z");
}

#[test]
fn every_bad_body_is_refused_for_its_reason() {
    let (_server, client) = start();
    let long = format!(r#"{{"user":"{}"}}"#, "x".repeat(256));
    let large = format!(r#"{{"user":"{}"}}"#, "x".repeat(9000));
    let deep = format!(r#"{{"user":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    for (body, due) in [
        (" ", "400 malformed_body"),
        ("{", "400 malformed_body"),
        ("{}x", "400 malformed_body"),
        ("null", "400 malformed_body"),
        ("[]", "400 malformed_body"),
        (r#"["kim","viewer",60]"#, "400 malformed_body"),
        ("\"kim\"", "400 malformed_body"),
        ("7", "400 malformed_body"),
        ("user=kim", "400 malformed_body"),
        (r#"{"ttl":1,"ttl":2}"#, "400 malformed_body"),
        (r#"{"x":1,"x":2}"#, "400 malformed_body"),
        (r#"{"ttl":01}"#, "400 malformed_body"),
        (r#"{"ttl":1e999}"#, "400 malformed_body"),
        (deep.as_str(), "400 malformed_body"),
        (r#"{"user":null}"#, "400 invalid_user"),
        (r#"{"user":""}"#, "400 invalid_user"),
        (r#"{"user":7}"#, "400 invalid_user"),
        (r#"{"user":["kim"]}"#, "400 invalid_user"),
        (r#"{"user":" kim"}"#, "400 invalid_user"),
        (r#"{"user":"kim\n"}"#, "400 invalid_user"),
        (r#"{"user":"k\u0000m"}"#, "400 invalid_user"),
        (r#"{"user":"system:admin"}"#, "400 invalid_user"),
        (long.as_str(), "400 invalid_user"),
        (r#"{"role":null}"#, "400 invalid_role"),
        (r#"{"role":""}"#, "400 invalid_role"),
        (r#"{"role":true}"#, "400 invalid_role"),
        (r#"{"role":"Viewer"}"#, "400 unknown_role"),
        (r#"{"role":"system:masters"}"#, "400 unknown_role"),
        (r#"{"ttl":null}"#, "400 invalid_ttl"),
        (r#"{"ttl":0}"#, "400 invalid_ttl"),
        (r#"{"ttl":-1}"#, "400 invalid_ttl"),
        (r#"{"ttl":1.5}"#, "400 invalid_ttl"),
        (r#"{"ttl":"60"}"#, "400 invalid_ttl"),
        (r#"{"ttl":true}"#, "400 invalid_ttl"),
        (r#"{"ttl":[60]}"#, "400 invalid_ttl"),
        (r#"{"ttl":2592001}"#, "400 ttl_too_long"),
        (r#"{"ttl":18446744073709551615}"#, "400 ttl_too_long"),
        (r#"{"ttl":1e300}"#, "400 ttl_too_long"),
        (large.as_str(), "413 body_too_large"),
    ] {
        let answer = client.send("POST", COLLECTION, Some(body));
        let shown: String = body.chars().take(60).collect();
        assert_eq!(verdict(&answer), due, "{shown}");
        assert!(!answer.text.contains("kim"), "what was sent is repeated: {answer:?}");
    }
    let three = issue(&client, &json!({"user": "", "role": 1, "ttl": 0})).json();
    let fields: Vec<&str> = (three["error"]["details"].as_array().unwrap().iter())
        .map(|detail| detail["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["user", "role", "ttl"]);
    assert_eq!(client.get(COLLECTION).json(), json!({"kubeconfigs": []}), "nothing was issued");
    let endless = client.token("psk_dev_beta").send("POST", POLAR, Some(r#"{"ttl":1e15}"#));
    assert_eq!(verdict(&endless), "400 ttl_too_long");
}

#[test]
fn every_bad_request_around_the_body_is_refused_for_its_reason() {
    let (server, client) = start();
    let at = |from: &str, to: &str| COLLECTION.replace(from, to);
    for (method, path, token, due) in [
        ("POST", COLLECTION.to_owned(), "", "401 unauthenticated"),
        ("POST", COLLECTION.to_owned(), "nobody", "401 unauthenticated"),
        ("POST", COLLECTION.to_owned(), "psk_dev_expired", "401 unauthenticated"),
        ("POST", COLLECTION.to_owned(), "psk_dev_revoked", "401 unauthenticated"),
        ("POST", COLLECTION.to_owned(), "psk_dev_suspended", "403 account_suspended"),
        ("POST", COLLECTION.to_owned(), "psk_dev_viewer", "403 permission_denied"),
        ("POST", COLLECTION.to_owned(), "psk_dev_outsider", "404 project_not_found"),
        ("POST", at("us-texas-1", "US-TEXAS-1"), "psk_dev_operator", "404 region_not_found"),
        ("POST", at("us-texas-1", "eu-north-1"), "psk_dev_operator", "404 project_not_found"),
        ("POST", at("x9y8z7", "nope"), "psk_dev_operator", "404 project_not_found"),
        ("POST", at("a1b2c3", "nope"), "psk_dev_operator", "404 cluster_not_found"),
        (
            "POST",
            at("cluster-a1b2c3", "cluster%2Da1b2c3"),
            "psk_dev_operator",
            "404 cluster_not_found",
        ),
        ("POST", at("cluster-a1b2c3", ""), "psk_dev_operator", "404 cluster_not_found"),
        ("POST", at("/compute", ""), "psk_dev_operator", "404 unknown_path"),
        ("POST", format!("{COLLECTION}/"), "psk_dev_operator", "404 unknown_path"),
        ("GET", "/v1/regions".to_owned(), "psk_dev_operator", "404 unknown_path"),
        ("PUT", COLLECTION.to_owned(), "psk_dev_operator", "405 method_not_allowed"),
        ("DELETE", COLLECTION.to_owned(), "psk_dev_operator", "405 method_not_allowed"),
        (
            "POST",
            format!("{COLLECTION}/kubeconfig-s2t3u4"),
            "psk_dev_operator",
            "405 method_not_allowed",
        ),
        (
            "GET",
            format!("{COLLECTION}/kubeconfig-s2t3u4"),
            "psk_dev_operator",
            "404 kubeconfig_not_found",
        ),
        (
            "DELETE",
            format!("{COLLECTION}/kubeconfig-s2t3u4"),
            "psk_dev_operator",
            "404 kubeconfig_not_found",
        ),
        ("GET", format!("{COLLECTION}?pageSize=0"), "psk_dev_operator", "400 invalid_page_size"),
        ("GET", format!("{COLLECTION}?pageSize=501"), "psk_dev_operator", "400 invalid_page_size"),
        ("GET", format!("{COLLECTION}?pageSize="), "psk_dev_operator", "400 invalid_page_size"),
        ("GET", format!("{COLLECTION}?pageToken=x"), "psk_dev_operator", "400 invalid_page_token"),
        ("GET", format!("{COLLECTION}?offset=-1"), "psk_dev_operator", "400 invalid_offset"),
        (
            "GET",
            format!("{COLLECTION}?offset=0&pageToken=x"),
            "psk_dev_operator",
            "400 token_and_offset",
        ),
    ] {
        let caller = if token.is_empty() { client.nobody() } else { client.token(token) };
        let body = (method == "POST").then_some("{}");
        let answer = caller.send(method, &path, body);
        assert_eq!(verdict(&answer), due, "{method} {path} {token}");
        assert_eq!(answer.header("www-authenticate").is_some(), answer.status == 401);
        assert_eq!(answer.header("allow").is_some(), answer.status == 405);
    }
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    for (content_type, coding) in [("text/plain", "identity"), ("application/json", "gzip")] {
        let sent = agent
            .post(format!("{}{COLLECTION}", server.http_url()))
            .header("authorization", "Bearer psk_dev_operator")
            .header("content-type", content_type)
            .header("content-encoding", coding)
            .send("{}")
            .unwrap();
        assert_eq!(sent.status(), 415, "{content_type} {coding}");
    }
    let options = client.send("OPTIONS", COLLECTION, None);
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, POST, OPTIONS")));
}

#[test]
fn lists_go_page_by_page_and_show_what_is_one_s_own() {
    let (_server, client) = start();
    let basil = client.token("psk_dev_basic");
    let ids: Vec<String> = (0..7)
        .map(|_| issue(&client, &json!({})).json()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 7);
    let theirs = issue(&basil, &json!({})).json();
    let theirs = theirs["id"].as_str().unwrap();

    let (mut seen, mut query) = (Vec::new(), "?pageSize=3".to_owned());
    loop {
        let page = client.get(&format!("{COLLECTION}{query}")).json();
        assert!(page.get("total").is_none(), "{page}");
        let here = page["kubeconfigs"].as_array().unwrap();
        seen.extend(here.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(token) = page["nextPageToken"].as_str() else { break };
        query = format!("?pageSize=3&pageToken={token}");
        if seen.len() == 3 {
            // The one that the token was made after goes, and the list goes on behind it.
            assert_eq!(
                client.send("DELETE", &format!("{COLLECTION}/{}", ids[2]), None).status,
                204
            );
            assert_eq!(
                verdict(&basil.get(&format!("{COLLECTION}{query}"))),
                "400 invalid_page_token"
            );
        }
    }
    assert_eq!(seen, ids);

    let page = client.get(&format!("{COLLECTION}?offset=4&pageSize=1")).json();
    assert_eq!((&page["total"], &page["kubeconfigs"][0]["id"]), (&json!(6), &json!(ids[5])));
    let all = client.token("psk_dev_admin").get(&format!("{COLLECTION}?offset=0")).json();
    assert_eq!(all["total"], 7);
    assert_eq!(client.token("psk_dev_viewer").get(COLLECTION).json(), json!({"kubeconfigs": []}));

    let path = format!("{COLLECTION}/{theirs}");
    for method in ["GET", "DELETE"] {
        assert_eq!(verdict(&client.send(method, &path, None)), "404 kubeconfig_not_found");
    }
    let admin = client.token("psk_dev_admin");
    assert_eq!(admin.get(&path).status, 200);
    let gone = admin.send("DELETE", &path, None);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(verdict(&admin.send("DELETE", &path, None)), "404 kubeconfig_not_found");
}

#[test]
fn a_cluster_has_room_for_so_many() {
    let server = at_noon().world("tiny").start().unwrap();
    let client = Client::of(&server);
    let first = issue(&client, &json!({})).json();
    assert_eq!(first["expiresAt"], "2026-06-01T12:00:05Z");
    assert_eq!(issue(&client, &json!({"ttl": 10})).status, 201);
    assert_eq!(verdict(&issue(&client, &json!({}))), "429 kubeconfig_limit_reached");
    assert_eq!(verdict(&issue(&client, &json!({"ttl": 11}))), "400 ttl_too_long");
    client.send("DELETE", first["selfLink"].as_str().unwrap(), None);
    assert_eq!(issue(&client, &json!({})).status, 201);
}
