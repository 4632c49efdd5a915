//! What a kubeconfig leads to: the clusters behind Rancher, for as long as its tokens live.

use serde_json::{Value, json};

use crate::bench::{ADMIN, Bench, KEMAL, KUBECONFIGS, WANDA, run};
use crate::kubectls::kubectls;

fn pods(cluster: &str) -> String {
    format!("/k8s/clusters/{cluster}/api/v1/pods")
}

fn token(made: &Value, user: usize) -> String {
    let text = made["status"]["value"].as_str().unwrap();
    let config: Value = serde_saphyr::from_str(text).unwrap();
    config["users"][user]["user"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn what_comes_out_works_with_kubectl() {
    let bench = Bench::start();
    for kubectl in kubectls() {
        let wanda = bench.token("", WANDA);
        let made = bench.created(&wanda, &json!({ "clusters": ["*"] }));
        let file = bench.file("made", made["status"]["value"].as_str().unwrap());
        let ran = |args: &[&str]| run(&mut bench.kubectl(&kubectl, &file, args), "");
        let shown = ran(&["--context", "downstream1", "get", "pods", "-A"]);
        assert!(shown.stdout.contains("kube-system"), "{shown:?}");
        let who = ran(&["--context", "downstream1", "auth", "whoami"]);
        assert!(who.stdout.contains("u-w7drc"), "{who:?}");
        let refused = ran(&["--context", "downstream1", "delete", "ns", "default"]);
        assert!(refused.stderr.contains("Forbidden"), "{refused:?}");
        // Rancher itself, by its own name and through the cluster it runs on.
        for context in ["rancher", "local"] {
            let shown = ran(&["--context", context, "get", "kubeconfig", "-o", "name"]);
            let name = made["metadata"]["name"].as_str().unwrap();
            assert!(shown.stdout.contains(name), "{context}: {shown:?}");
        }
        let name = made["metadata"]["name"].as_str().unwrap();
        assert_eq!(
            bench.send("DELETE", &format!("{KUBECONFIGS}/{name}"), &wanda, &[], "").status,
            200
        );
        let gone = ran(&["--context", "downstream1", "get", "pods", "-A"]);
        assert!(gone.stderr.contains("You must be logged in to the server"), "{gone:?}");
    }
}

#[test]
fn tokens_are_good_where_they_are_good_and_until_they_end() {
    let bench = Bench::with(mock_server::MockServer::builder().clock("2026-06-01T12:00:00Z"));
    let [wanda, admin, kemal] = [WANDA, ADMIN, KEMAL].map(|user| bench.token("", user));
    let made =
        bench.created(&wanda, &json!({ "clusters": ["c-m-p66cdvlj", "c-m-fcd3g5h"], "ttl": 600 }));
    let (shared, own) = (token(&made, 0), token(&made, 1));
    let status = |path: &str, token: &str| bench.get(path, token).status;
    for (token, path, expected) in [
        (&shared, pods("c-m-p66cdvlj"), 200),
        (&shared, pods("c-m-fcd3g5h"), 200),
        (&shared, pods("local"), 200),
        (&shared, KUBECONFIGS.to_owned(), 200),
        // A token of one cluster is good there only.
        (&own, pods("c-m-fcd3g5h"), 200),
        (&own, pods("c-m-p66cdvlj"), 401),
        (&own, KUBECONFIGS.to_owned(), 401),
        (&wanda, pods("c-m-9xk4tq7w"), 403),
        (&kemal, pods("local"), 403),
        (&kemal, "/api/v1/pods".to_owned(), 403),
        (&wanda, "/api/v1/pods".to_owned(), 200),
        (&admin, pods("nope"), 404),
        (&admin, "/k8s/clusters/local/k8s/clusters/local/api".to_owned(), 404),
        (&admin, "/k8s/nope".to_owned(), 404),
    ] {
        assert_eq!(status(&path, token), expected, "{path}");
    }
    // Each cluster is one of its own.
    let namespace = json!({ "metadata": { "name": "mine" } });
    let create = |cluster: &str, token: &str| {
        bench.post(&format!("/k8s/clusters/{cluster}/api/v1/namespaces"), token, &namespace).status
    };
    assert_eq!((create("local", &wanda), create("local", &admin)), (403, 201));
    assert_eq!(status("/k8s/clusters/local/api/v1/namespaces/mine", &admin), 200);
    assert_eq!(status("/k8s/clusters/c-m-p66cdvlj/api/v1/namespaces/mine", &admin), 404);

    bench.advance(599);
    assert_eq!(status(&pods("c-m-fcd3g5h"), &own), 200);
    bench.advance(1);
    assert_eq!(status(&pods("c-m-fcd3g5h"), &own), 401);
    assert_eq!(status(&pods("c-m-fcd3g5h"), &shared), 401);
    assert_eq!(status(&pods("c-m-fcd3g5h"), &wanda), 200);
}

#[test]
fn namespaces_are_ranchers_of_their_own() {
    let bench =
        Bench::with(mock_server::MockServer::builder().seed(7).clock("2026-06-01T12:00:00Z"));
    let wanda = bench.token("", WANDA);
    let here = bench.created(&wanda, &json!({ "clusters": ["local"] }));
    let body = crate::bench::manifest(&json!({ "clusters": ["local"] }));
    let there = bench.post(&format!("/ns/other{KUBECONFIGS}"), &wanda, &body).json();
    assert_eq!(
        bench.get(&format!("/ns/other{KUBECONFIGS}"), &wanda).json()["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let text = there["status"]["value"].as_str().unwrap();
    assert!(text.contains("/ns/other/k8s/clusters/local\""), "{text}");
    assert!(text.contains("# createdTimestamp: 2026-06-01T12:00:00Z\n# ttl: 2592000\n"), "{text}");
    let path = pods("local");
    assert_eq!(bench.get(&format!("/ns/other{path}"), &token(&there, 0)).status, 200);
    assert_eq!(bench.get(&format!("/ns/other{path}"), &token(&here, 0)).status, 401);

    // The same seed and the same time make the same kubeconfig, but for the port.
    let again =
        Bench::with(mock_server::MockServer::builder().seed(7).clock("2026-06-01T12:00:00Z"));
    let made = again.created(&wanda, &json!({ "clusters": ["local"] }));
    assert_eq!(made["metadata"], here["metadata"]);
    assert_eq!(token(&made, 0), token(&here, 0));

    let journal = bench.get("/__mock/requests", "");
    let counts = &journal.json()["counts"];
    assert_eq!(
        (&counts["CreateRancherKubeconfig"], &counts["CallRancherCluster"]),
        (&json!(1), &Value::Null)
    );
    let entry = &journal.json()["requests"][0];
    assert_eq!((&entry["identity"], &entry["status"]), (&json!(WANDA), &json!(201)));
    let secret = token(&here, 0);
    assert!(!journal.text.contains(secret.split_once(':').unwrap().1));
    assert_eq!(bench.send("POST", "/__mock/reset", "", &[], "").status, 204);
    assert_eq!(bench.get(KUBECONFIGS, &wanda).json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_world_says_what_is_wrong_with_its_rancher() {
    let bench = Bench::start();
    let mut world = bench.get("/__mock/world", "").json();
    world["rancher"]["users"][0]["clusters"] = json!(["nope"]);
    let media = [("content-type", "application/json")];
    let refused = bench.send("PUT", "/__mock/world", "", &media, &world.to_string());
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("rancher.users[0].clusters"), "{}", refused.text);
    world["rancher"] = json!({
        "users": [{ "name": "u-me", "token": "t-me:s", "clusters": ["*"] }],
        "clusters": [{ "name": "local" }, { "name": "c-m-lab", "cluster": "lab" }],
        "features": { "ext-kubeconfigs": true },
    });
    world["clusters"] = json!({ "lab": { "name": "lab", "namespaces": [{ "name": "bench" }] } });
    assert_eq!(bench.send("PUT", "/__mock/world", "", &media, &world.to_string()).status, 200);
    assert_eq!(bench.get("/k8s/clusters/c-m-lab/api/v1/namespaces/bench", "t-me:s").status, 200);
    assert_eq!(bench.get("/k8s/clusters/local/api/v1/namespaces/bench", "t-me:s").status, 404);
}
