//! The forms of answers: YAML for whoever asks for it, health in one word; and what a null means.

use serde_json::{Value, json};

use crate::bench::{ADMIN, Answer, Bench, KUBECONFIGS, WANDA, manifest, run};
use crate::kubectls::kubectls;

const YAML: [(&str, &str); 1] = [("accept", "application/yaml")];

fn yaml(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "application/yaml", "{}", answer.text);
    assert!(serde_json::from_str::<Value>(&answer.text).is_err(), "this is JSON: {}", answer.text);
    serde_saphyr::from_str(&answer.text).unwrap()
}

#[test]
fn yaml_is_what_json_is() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    let pods = "/k8s/clusters/c-m-p66cdvlj/api/v1/pods";
    for path in [
        KUBECONFIGS,
        &format!("{KUBECONFIGS}/kubeconfig-jznml"),
        &format!("{KUBECONFIGS}/kubeconfig-nowhere"),
        "/apis",
        "/version",
        pods,
    ] {
        let (plain, other) = (bench.get(path, &token), bench.send("GET", path, &token, &YAML, ""));
        assert_eq!(plain.status, other.status, "{path}");
        assert_eq!(plain.json(), yaml(&other), "{path}");
        assert_eq!(plain.headers["content-type"], "application/json", "{path}");
    }
    let table = [("accept", "application/yaml;as=Table;v=v1;g=meta.k8s.io,application/yaml")];
    let table = yaml(&bench.send("GET", KUBECONFIGS, &token, &table, ""));
    assert_eq!((&table["kind"], table["rows"].as_array().unwrap().len()), (&json!("Table"), 2));
    assert_eq!(yaml(&bench.send("GET", KUBECONFIGS, "", &YAML, ""))["code"], 401);
}

#[test]
fn a_kubeconfig_is_created_in_yaml_and_answered_in_yaml() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    let media = [("accept", "application/yaml"), ("content-type", "application/yaml")];
    let body = "apiVersion: ext.cattle.io/v1\nkind: Kubeconfig\nspec:\n  description: 'yes'\n";
    let made = bench.send("POST", KUBECONFIGS, &token, &media, body);
    assert_eq!(made.status, 201, "{}", made.text);
    let made = yaml(&made);
    assert_eq!(made["spec"]["description"], "yes");
    let text: Value = serde_saphyr::from_str(made["status"]["value"].as_str().unwrap()).unwrap();
    assert_eq!(text["kind"], "Config");
}

#[test]
fn a_watch_is_never_yaml() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    let watch = format!("{KUBECONFIGS}?watch=true&timeoutSeconds=1");
    let refused = bench.send("GET", &watch, &token, &YAML, "");
    assert_eq!((refused.status, yaml(&refused)["reason"].clone()), (406, json!("NotAcceptable")));
    let both = [("accept", "application/yaml, application/json")];
    let told = bench.send("GET", &watch, &token, &both, "");
    assert_eq!(
        (told.status, &told.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let event: Value = serde_json::from_str(told.text.lines().next().unwrap()).unwrap();
    assert_eq!(event["type"], "ADDED");
}

/// Whoever shows a token of Rancher's asks Rancher, also where plexsphere has a word to say.
#[test]
fn health_is_rancher_s_for_rancher_s_users() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    for base in ["", "/ns/a", "/scenarios/rancher_forbidden", "/k8s/clusters/local"] {
        for path in ["/healthz", "/readyz", "/livez"] {
            let answer = bench.get(&format!("{base}{path}"), &token);
            assert_eq!((answer.status, answer.text.as_str()), (200, "ok"), "{base}{path}");
        }
    }
    let admin = bench.token("", ADMIN);
    let root = bench.get("/", &admin).json();
    assert!(root["paths"].as_array().unwrap().contains(&json!("/apis/ext.cattle.io/v1")), "{root}");
    assert!(bench.get("/", &token).verdict().starts_with("403 forbidden"));
    assert_eq!(bench.get("/readyz", "token-w7drc:wrong").verdict(), "401 Unauthorized");
    for nobody in ["", "psk_dev_operator"] {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(bench.get(path, nobody).json(), json!({ "status": "ready" }), "{path}");
        }
        let root = bench.get("/", nobody);
        assert_eq!((root.status, root.json()["code"].clone()), (404, json!("not_found")));
    }
}

#[test]
fn kubectl_asks_for_health() {
    let bench = Bench::start();
    for kubectl in kubectls() {
        let config = bench.login("", WANDA);
        for path in ["/readyz", "/livez", "/healthz"] {
            let ran = run(&mut bench.kubectl(&kubectl, &config, &["get", "--raw", path]), "");
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "ok"), "{path}: {ran:?}");
        }
    }
}

/// A field that there is not is unknown also when nothing is in it; one that there is may be null.
#[test]
fn an_unknown_field_is_unknown_with_a_null_in_it_too() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    let (path, strict) = (KUBECONFIGS, format!("{KUBECONFIGS}?fieldValidation=Strict"));
    for (spec, status, named) in [
        (json!({ "foo": null }), json!({}), "spec.foo"),
        (json!({ "foo": 1 }), json!({}), "spec.foo"),
        (json!({}), json!({ "foo": null }), "status.foo"),
        (json!({}), json!({ "foo": "x" }), "status.foo"),
    ] {
        let mut body = manifest(&spec);
        body["status"] = status;
        let refused = bench.post(&strict, &token, &body);
        let why = format!("strict decoding error: unknown field {named:?}");
        assert!(
            refused.verdict().starts_with("400 ") && refused.verdict().ends_with(&why),
            "{refused:?}"
        );
        let warned = bench.post(path, &token, &body);
        assert_eq!(warned.status, 201, "{}", warned.text);
        let warning = format!("299 - \"unknown field \\\"{named}\\\"\"");
        assert_eq!(warned.headers["warning"], warning.as_str());
        let ignored = bench.post(&format!("{path}?fieldValidation=Ignore"), &token, &body);
        assert_eq!((ignored.status, ignored.headers.get("warning")), (201, None));
    }
    let known =
        json!({ "clusters": null, "currentContext": null, "description": null, "ttl": null });
    let mut body = manifest(&known);
    body["metadata"] = json!({ "creationTimestamp": null, "labels": null });
    body["status"] = Value::Null;
    let made = bench.post(&strict, &token, &body);
    assert_eq!(made.status, 201, "{}", made.text);
}
