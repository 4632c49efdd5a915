//! Where a k0rdent kubeconfig leads: the simulated cluster, as its user and in its role, until
//! its end.

use jiff::Timestamp;
use mock_server::MockServer;
use serde_json::{Value, json};

use crate::client::Client;
use crate::doors::{program, until};
use crate::k0rdent::{COLLECTION, issue, start};

/// A kubeconfig, fetched as the file that it is.
fn file(client: &Client, server: &MockServer, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent
        .post(format!("{}{COLLECTION}", client.base()))
        .header("authorization", "Bearer psk_dev_operator")
        .header("content-type", "application/json")
        .header("accept", "application/yaml")
        .send(body.to_string())
        .unwrap();
    assert_eq!(answer.status(), 201);
    let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type"), header("cache-control")),
        ("application/yaml".into(), "no-store".into())
    );
    let link = header("location");
    let text = answer.body_mut().read_to_string().unwrap();
    let mut file: Value = serde_saphyr::from_str(&text).unwrap();
    assert!(
        file["clusters"][0]["cluster"]["server"].as_str().unwrap().starts_with(server.https_url())
    );
    file["link"] = link.into();
    file["text"] = text.into();
    file
}

/// The cluster's API, asked with the secret of the file over plain http, where it answers too.
fn cluster(server: &MockServer, file: &Value) -> Client {
    let url = file["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let path = url.strip_prefix(server.https_url()).unwrap();
    Client::new(&format!("{}{path}", server.http_url()))
        .token(file["users"][0]["user"]["token"].as_str().unwrap())
}

#[test]
fn a_kubeconfig_works_with_its_user_and_role_until_it_is_deleted() {
    let (server, client) = start();
    let admin = file(&client, &server, &json!({"user": "kim", "role": "cluster-admin"}));
    let viewer = file(&client, &server, &json!({"user": "lee"}));
    let (as_admin, as_viewer) = (cluster(&server, &admin), cluster(&server, &viewer));
    assert_eq!(as_admin.get("/api/v1/pods").status, 200);
    assert_eq!(as_viewer.get("/api/v1/pods?limit=1").json()["kind"], "PodList");
    assert_eq!(as_admin.get("/api/v1/secrets").status, 200);
    let refused = as_viewer.get("/api/v1/secrets");
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains(r#"User \"lee\""#), "{}", refused.text);
    let review = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let who = as_admin.send("POST", path, Some(review)).json();
    assert_eq!(who["status"]["userInfo"]["username"], "kim");

    // Only there, and only with a secret.
    let elsewhere = admin["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let elsewhere =
        elsewhere.replace("a1b2c3", "d4e5f6").replace(server.https_url(), server.http_url());
    let token = admin["users"][0]["user"]["token"].as_str().unwrap();
    assert_eq!(Client::new(&elsewhere).token(token).get("/api").status, 401);
    assert_eq!(as_admin.token("psk_dev_admin").get("/api").status, 401);
    assert_eq!(as_admin.nobody().get("/api").status, 401);

    assert_eq!(client.send("DELETE", admin["link"].as_str().unwrap(), None).status, 204);
    assert_eq!(as_admin.get("/api").status, 401);
    assert_eq!(as_viewer.get("/api").status, 200);

    let journal = client.get("/__mock/requests");
    assert!(!journal.text.contains("k0kc_"), "{}", journal.text);
    let counts = &journal.json()["counts"];
    assert_eq!((&counts["IssueKubeconfig"], &counts["DeleteKubeconfig"]), (&json!(2), &json!(1)));
    assert_eq!(counts["ClusterRequest"], 10);
}

#[test]
fn a_kubeconfig_ends_with_its_time_and_its_watches_with_it() {
    let (server, client) = start();
    let short = file(&client, &server, &json!({"ttl": 60}));
    let api = cluster(&server, &short);
    let watch = {
        let api = api.clone();
        std::thread::spawn(move || api.get("/api/v1/pods?watch=true&timeoutSeconds=300").status)
    };
    until("the watch is there", || {
        client.get("/__mock/requests").json()["counts"]["ClusterRequest"] == 1
    });
    client.send("PUT", "/__mock/clock", Some(r#"{"advance_seconds":59}"#));
    assert_eq!(api.get("/version").status, 200);
    client.send("PUT", "/__mock/clock", Some(r#"{"advance_seconds":1}"#));
    assert_eq!(api.get("/version").status, 401);
    assert_eq!(watch.join().unwrap(), 200);
    let read = client.get(short["link"].as_str().unwrap()).json();
    let end: Timestamp = read["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(end.to_string(), "2026-06-01T12:01:00Z", "it can still be read");
}

#[test]
fn namespaces_have_their_own_and_seeds_repeat_them() {
    let (server, client) = start();
    let there = client.below("/ns/there");
    let made = issue(&there, &json!({})).json();
    assert!(made["selfLink"].as_str().unwrap().starts_with(&format!("/ns/there{COLLECTION}/")));
    assert_eq!(client.get(COLLECTION).json()["kubeconfigs"], json!([]));
    let file = file(&there, &server, &json!({}));
    assert_eq!(cluster(&server, &file).get("/version").status, 200);
    let (_again, client) = start();
    assert_eq!(issue(&client.below("/ns/there"), &json!({})).json(), made);
    client.below("/ns/there").send("POST", "/__mock/reset", None);
    assert_eq!(client.below("/ns/there").get(COLLECTION).json()["kubeconfigs"], json!([]));
}

#[test]
fn kubectl_takes_it_as_it_comes() {
    let Some(kubectl) = program("kubectl") else { return };
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let home = tempfile::tempdir().unwrap();
    let file = file(&client, &server, &json!({"user": "kim o'", "role": "developer", "ttl": 600}));
    let path = home.path().join("config");
    std::fs::write(&path, file["text"].as_str().unwrap()).unwrap();
    let run = |args: &[&str]| {
        let output = std::process::Command::new(&kubectl)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", home.path())
            .env("KUBECONFIG", &path)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text) = run(&["auth", "whoami", "-o", "json"]);
    let who: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(who["status"]["userInfo"]["username"], "kim o'");
    assert_eq!(who["status"]["userInfo"]["groups"], json!(["developers", "system:authenticated"]));
    let (code, text) = run(&["get", "pods", "-A"]);
    assert!(code == Some(0) && text.starts_with("NAMESPACE"), "{text}");
    assert_eq!(client.send("DELETE", file["link"].as_str().unwrap(), None).status, 204);
    let (code, text) = run(&["get", "pods", "-A"]);
    assert!(code == Some(1) && text.contains("logged in"), "{text}");
}
