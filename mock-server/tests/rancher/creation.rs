//! Creating kubeconfigs: each check of the documented order, the rules of the ttl, and what is
//! handed out once.

use serde_json::{Value, json};

use crate::bench::{ADMIN, Bench, DISABLED, KEMAL, KUBECONFIGS, SYSTEM, WANDA, manifest};

fn settings(bench: &Bench, name: &str, value: &str) {
    let admin = bench.token("", ADMIN);
    let path = format!("/apis/management.cattle.io/v3/settings/{name}");
    let answer = bench.merge(&path, &admin, &json!({ "value": value }));
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn the_first_thing_that_is_wrong_is_the_answer() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let forbidden = |why: &str| format!("403 kubeconfigs.ext.cattle.io is forbidden: {why}");
    let wrong = json!({ "clusters": ["nope", "nope"], "ttl": -1, "currentContext": "x" });
    for (user, spec, expected) in [
        (SYSTEM, wrong.clone(), forbidden("user system:admin is not a Rancher user")),
        (WANDA, wrong, "400 spec.clusters must be unique".to_owned()),
        (
            WANDA,
            json!({ "clusters": ["nope"], "ttl": -1 }),
            "400 spec.ttl can't be negative".to_owned(),
        ),
        (
            WANDA,
            json!({ "clusters": ["nope"], "ttl": 2_592_001 }),
            "400 spec.ttl 2592001 exceeds max ttl 2592000 (seconds)".to_owned(),
        ),
        (
            WANDA,
            json!({ "clusters": ["local", "nope"], "currentContext": "x" }),
            "400 cluster nope not found".to_owned(),
        ),
        (
            KEMAL,
            json!({ "clusters": ["c-m-p66cdvlj", "local"], "currentContext": "x" }),
            forbidden("user u-k2mzq is not allowed to access cluster local"),
        ),
        (
            WANDA,
            json!({ "clusters": ["local"], "currentContext": "c-m-p66cdvlj" }),
            "400 invalid spec.currentContext c-m-p66cdvlj".to_owned(),
        ),
        (
            WANDA,
            // A current context is named by the cluster's id.
            json!({ "clusters": ["c-m-p66cdvlj"], "currentContext": "downstream1" }),
            "400 invalid spec.currentContext downstream1".to_owned(),
        ),
    ] {
        let token = bench.token("", user);
        let answer = bench.post(KUBECONFIGS, &token, &manifest(&spec));
        assert_eq!(answer.verdict(), expected, "{user}: {spec}");
    }
    let left = bench.get(KUBECONFIGS, &bench.token("", ADMIN)).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 3, "nothing was left behind");

    for (body, expected) in [
        (
            r#"{"spec":{"foo":1,"ttl":5,"ttl":6}}"#,
            "400 Kubeconfig in version \"v1\" cannot be handled as a Kubeconfig: strict decoding error: duplicate field \"spec.ttl\", unknown field \"spec.foo\"",
        ),
        (
            r#"{"kind":"Pod"}"#,
            "400 the kind in the data (Pod) does not match the expected kind (Kubeconfig)",
        ),
        (
            r#"{"metadata":{"labels":{"a b":"c"}}}"#,
            "422 Kubeconfig.ext.cattle.io \"\" is invalid: metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
    ] {
        let path = format!("{KUBECONFIGS}?fieldValidation=Strict");
        let answer = bench.send("POST", &path, &wanda, &[], body);
        assert_eq!(answer.verdict(), expected, "{body}");
    }
    let answer = bench.post(KUBECONFIGS, &wanda, &json!({ "spec": { "ttl": "x" } }));
    assert!(answer.verdict().starts_with("400 Kubeconfig in version"), "{}", answer.text);
    let answer = bench.post(KUBECONFIGS, &wanda, &json!({ "spec": { "foo": 1 } }));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["warning"], "299 - \"unknown field \\\"spec.foo\\\"\"");
}

#[test]
fn only_good_tokens_of_active_users() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let disabled = bench.token("", DISABLED);
    for token in ["", "nonsense", "token-w7drc:wrong", "token-nobody:x", disabled.as_str()] {
        let answer = bench.post(KUBECONFIGS, token, &manifest(&json!({})));
        assert_eq!(answer.verdict(), "401 Unauthorized", "{token}");
    }
    let user = format!("/apis/management.cattle.io/v3/users/{WANDA}");
    let admin = bench.token("", ADMIN);
    assert_eq!(bench.merge(&user, &admin, &json!({ "enabled": false })).status, 200);
    assert_eq!(bench.get(KUBECONFIGS, &wanda).status, 401);
    assert_eq!(bench.merge(&user, &admin, &json!({ "enabled": true })).status, 200);
    assert_eq!(bench.get(KUBECONFIGS, &wanda).status, 200);

    // Somebody spoken for shows no token of his own.
    let speak = |extra: &[(&str, &str)]| {
        let mut headers = vec![("impersonate-user", WANDA)];
        headers.extend(extra);
        bench.send("POST", KUBECONFIGS, &admin, &headers, "{}").verdict()
    };
    let forbidden = "403 kubeconfigs.ext.cattle.io is forbidden: ";
    assert_eq!(speak(&[]), format!("{forbidden}the request token ID is missing"));
    assert_eq!(
        speak(&[("impersonate-extra-requesttokenid", "token-gone")]),
        format!(
            "{forbidden}cannot get the request token token-gone: tokens.management.cattle.io \"token-gone\" not found"
        )
    );
    assert_eq!(speak(&[("impersonate-extra-requesttokenid", "token-w7drc")]), "201");
    let kemal = bench.token("", KEMAL);
    let refused = bench.send("GET", KUBECONFIGS, &kemal, &[("impersonate-user", WANDA)], "");
    assert_eq!(refused.status, 403);
}

#[test]
fn names_are_the_servers_and_labels_the_clients() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let mut body = manifest(&json!({ "clusters": ["c-m-fcd3g5h"], "description": "mine" }));
    body["metadata"] = json!({
        "name": "mine", "generateName": "my-", "namespace": "",
        "labels": { "a": "b", "cattle.io/user-id": "somebody" }, "annotations": { "c": "d" },
    });
    let made = bench.post(KUBECONFIGS, &wanda, &body).json();
    let metadata = &made["metadata"];
    let name = metadata["name"].as_str().unwrap();
    assert!(name.starts_with("kubeconfig-") && name.len() == 16, "{name}");
    assert_eq!(metadata["generateName"], "kubeconfig-");
    assert_eq!(metadata["labels"], json!({ "a": "b", "cattle.io/user-id": WANDA }));
    assert_eq!(metadata["annotations"], json!({ "c": "d" }));
    assert_eq!(made["spec"]["currentContext"], "c-m-fcd3g5h");
    assert_eq!(made["spec"]["ttl"], 2_592_000);
    assert_eq!(made["status"]["summary"], "Complete");

    // One shared token, and one for the cluster with a way in of its own.
    let tokens = made["status"]["tokens"].as_array().unwrap();
    let owners = metadata["ownerReferences"].as_array().unwrap();
    assert_eq!((tokens.len(), owners.len()), (2, 2));
    for (token, owner) in tokens.iter().zip(owners) {
        assert_eq!(owner["apiVersion"], "management.cattle.io/v3");
        assert_eq!((&owner["kind"], &owner["name"]), (&json!("Token"), token));
    }
    let conditions = made["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions[1]["message"], tokens[1]);
    assert_eq!(conditions[0]["type"], "TokenCreated");

    // Its text came once, and comes in no other answer.
    let value = made["status"]["value"].as_str().unwrap();
    assert!(value.contains(tokens[0].as_str().unwrap()));
    let one = format!("{KUBECONFIGS}/{name}");
    let patched = bench.merge(&one, &wanda, &json!({ "spec": { "description": "x" } }));
    for answer in [
        bench.get(&one, &wanda),
        bench.get(KUBECONFIGS, &wanda),
        bench.get(&format!("{KUBECONFIGS}?watch=1&timeoutSeconds=1"), &wanda),
        patched,
        bench.send("DELETE", &one, &wanda, &[], ""),
    ] {
        assert_eq!(answer.status, 200);
        assert!(!answer.text.contains("\"value\""), "{}", answer.text);
    }
}

#[test]
fn the_settings_rule_the_ttl() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let ttl = |spec: &Value| {
        let answer = bench.post(KUBECONFIGS, &wanda, &manifest(spec));
        match answer.status {
            201 => answer.json()["spec"]["ttl"].as_i64().unwrap(),
            _ => -1,
        }
    };
    let asked = |ttl: i64| json!({ "ttl": ttl });
    let none = json!({});
    for (default, most, expected) in [
        ("43200", "129600", [2_592_000, 2_592_000, -1]),
        ("600", "129600", [36_000, -1, -1]),
        ("600", "60", [3_600, -1, -1]),
        ("0", "60", [3_600, -1, -1]),
        ("600", "0", [36_000, -1, -1]),
        ("0", "0", [0, 2_592_000, 2_592_001]),
        ("nonsense", "129600", [2_592_000, 2_592_000, -1]),
    ] {
        settings(&bench, "kubeconfig-default-token-ttl-minutes", default);
        settings(&bench, "auth-token-max-ttl-minutes", most);
        let found = [ttl(&none), ttl(&asked(2_592_000)), ttl(&asked(2_592_001))];
        assert_eq!(found, expected, "default {default}, most {most}");
        assert_eq!(ttl(&asked(0)), expected[0], "nothing asked, default {default}");
    }
}

#[test]
fn without_tokens_a_program_is_asked() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let read = |made: &Value| -> Value {
        serde_saphyr::from_str(made["status"]["value"].as_str().unwrap()).unwrap()
    };
    let dry = format!("{KUBECONFIGS}?dryRun=All");
    let spec = json!({ "clusters": ["c-m-fcd3g5h"] });
    let rehearsed = bench.post(&dry, &wanda, &manifest(&spec)).json();
    let name = rehearsed["metadata"]["name"].as_str().unwrap();
    assert_eq!(bench.get(&format!("{KUBECONFIGS}/{name}"), &wanda).status, 404);
    settings(&bench, "kubeconfig-generate-token", "false");
    let made = bench.created(&wanda, &spec);
    for made in [&rehearsed, &made] {
        assert_eq!(made["status"]["tokens"], json!([]));
        let users = &read(made)["users"];
        let exec = &users[1]["user"]["exec"];
        assert_eq!(exec["command"], "rancher");
        let args = exec["args"].as_array().unwrap();
        assert!(args.contains(&json!("--cluster=c-m-fcd3g5h")), "{args:?}");
        assert!(args.contains(&json!("--user=u-w7drc")), "{args:?}");
        assert!(users[0]["user"]["token"].is_null());
    }
    settings(&bench, "server-url", "https://rancher.example.com");
    let made = bench.created(&wanda, &json!({ "clusters": ["local"] }));
    let server = &read(&made)["clusters"][1]["cluster"]["server"];
    assert_eq!(server, "https://rancher.example.com/k8s/clusters/local");
}

#[test]
fn a_user_of_no_cluster_gets_everything_that_is_none() {
    let bench = Bench::with(mock_server::MockServer::builder().world_text(
        r#"{"name": "w", "domains": [], "rancher": {
            "users": [{"name": "u-a", "token": "t-a:s"}], "clusters": [{"name": "local"}]}}"#,
    ));
    let made = bench.created("t-a:s", &json!({ "clusters": ["*"] }));
    assert_eq!(made["status"]["tokens"].as_array().unwrap().len(), 1);
    assert!(made["spec"].get("currentContext").is_none());
    let text = made["status"]["value"].as_str().unwrap();
    assert!(text.ends_with("current-context: \"rancher\"\n"), "{text}");
    let refused = bench.get("/k8s/clusters/local/api/v1/pods", "t-a:s");
    assert_eq!(refused.status, 403);
}
