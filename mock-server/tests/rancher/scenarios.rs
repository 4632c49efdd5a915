//! The scenarios about Rancher's kubeconfigs, as stock kubectls meet them: each ends as its file
//! says, after as many requests, and shows what the file says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::bench::{Bench, KUBECONFIGS, Ran, WANDA, manifest, run};
use crate::kubectls::kubectls;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/scenarios/rancher");
const MANIFEST: &str = "apiVersion: ext.cattle.io/v1\nkind: Kubeconfig\n";
/// At a time; some scenarios are slow, and none of them works while it is.
const WORKERS: usize = 6;

/// Every file by its name.
fn all() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(FOLDER).unwrap();
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let scenario: Value =
            serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        (scenario["name"].as_str().unwrap().to_owned(), scenario)
    };
    files.map(read).collect()
}

fn scenario(name: &str) -> Value {
    all().remove(name).unwrap()
}

fn value(scenario: &Value) -> &str {
    scenario["answer"]["body"]["json"]["status"]["value"].as_str().unwrap()
}

/// A try of one kubectl in a namespace of its own.
fn meet(bench: &Bench, kubectl: &Path, number: usize, scenario: &Value) -> Ran {
    let (name, operation) = (scenario["name"].as_str().unwrap(), &scenario["operation"]);
    let namespace = format!("/ns/kubectl-{number}");
    let config = bench.login(&format!("{namespace}/scenarios/{name}"), WANDA);
    let mut args = match operation.as_str().unwrap() {
        "WatchRancherKubeconfigs" => vec!["get", "kubeconfigs", "--watch"],
        _ => vec!["create", "-o", "jsonpath={.status.value}", "-f", "-"],
    };
    let kubectl_does = &scenario["conclude"]["kubectl"];
    let more = kubectl_does["args"].as_array().into_iter().flatten();
    args.extend(more.map(|arg| arg.as_str().unwrap()));
    let ran = run(&mut bench.kubectl(kubectl, &config, &args), MANIFEST);
    let told = format!("{name} with {}: {ran:?}", kubectl.display());
    assert_eq!(ran.code.map(Value::from), Some(kubectl_does["exit_code"].clone()), "{told}");
    match kubectl_does["stdout"].as_str().unwrap() {
        "empty" => assert_eq!(ran.stdout, "", "{told}"),
        "value" => assert_eq!(ran.stdout, value(scenario), "{told}"),
        _ => assert!(ran.stdout.starts_with("NAME ") && ran.stdout.lines().count() > 1, "{told}"),
    }
    for text in kubectl_does["stderr_has"].as_array().into_iter().flatten() {
        assert!(ran.stderr.contains(text.as_str().unwrap()), "no {text} in {told}");
    }
    let journal = bench.get(&format!("{namespace}/__mock/requests"), "").json();
    let seen = &journal["counts"][operation.as_str().unwrap()];
    assert_eq!(*seen, kubectl_does["requests"], "{told}");
    ran
}

#[test]
fn every_scenario_ends_as_its_file_says_with_every_kubectl() {
    let (bench, scenarios) = (Bench::start(), all());
    let tries: Vec<_> = kubectls()
        .into_iter()
        .flat_map(|kubectl| scenarios.values().map(move |scenario| (kubectl.clone(), scenario)))
        .enumerate()
        .collect();
    let left = Mutex::new(tries.iter());
    let next = || left.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((number, (kubectl, scenario))) = next() {
                    meet(&bench, kubectl, *number, scenario);
                }
            });
        }
    });
}

#[test]
fn everything_else_is_answered_as_usual() {
    let bench = Bench::start();
    let base = "/scenarios/rancher_forbidden";
    let token = bench.token("", WANDA);
    let refused = bench.post(&format!("{base}{KUBECONFIGS}"), "", &json!({}));
    assert_eq!(refused.status, 403, "a creation by nobody of nothing");
    assert_eq!(refused.headers["x-scenario"], "rancher_forbidden");
    for path in ["/apis", "/openapi/v3", "/version", KUBECONFIGS] {
        let answer = bench.get(&format!("{base}{path}"), &token);
        assert_eq!(
            (answer.status, &answer.headers["x-scenario"]),
            (200, &"rancher_forbidden".parse().unwrap()),
            "{path}"
        );
        assert_eq!(answer.text, bench.get(path, &token).text, "{path}");
    }
    assert_eq!(bench.get(&format!("{base}{KUBECONFIGS}"), "").verdict(), "401 Unauthorized");
    // The same API answers for the local cluster; another cluster has none.
    let local = format!("{base}/k8s/clusters/local{KUBECONFIGS}");
    assert_eq!(bench.post(&local, &token, &manifest(&json!({}))).status, 403);
    let other = format!("{base}/k8s/clusters/c-m-p66cdvlj{KUBECONFIGS}");
    assert_eq!(bench.post(&other, &token, &manifest(&json!({}))).status, 404);
    // A scenario about something else leaves creations alone, and one that there is not is told of.
    for name in ["rancher_watch_gone", "rebac_denied", "k0rdent_internal"] {
        let path = format!("/scenarios/{name}{KUBECONFIGS}");
        assert_eq!(bench.post(&path, &token, &manifest(&json!({}))).status, 201, "{name}");
    }
    let unknown =
        bench.post(&format!("/scenarios/rancher_forbiden{KUBECONFIGS}"), &token, &json!({}));
    assert!(unknown.verdict().starts_with("404 there is no scenario rancher_forbiden"));
    assert!(unknown.verdict().contains("rancher_forbidden"));
}

#[test]
fn nothing_is_kept_and_the_journal_names_the_scenario() {
    let bench = Bench::start();
    let token = bench.token("", WANDA);
    let base = "/ns/a/scenarios/rancher_created_is_200";
    let before = bench.get(&format!("/ns/a{KUBECONFIGS}"), &bench.token("/ns/a", WANDA)).json();
    for _ in 0..2 {
        let told = bench.post(&format!("{base}{KUBECONFIGS}"), &token, &manifest(&json!({})));
        assert_eq!(told.status, 200);
        assert_eq!(told.json(), scenario("rancher_created_is_200")["answer"]["body"]["json"]);
    }
    let after = bench.get(&format!("/ns/a{KUBECONFIGS}"), &bench.token("/ns/a", WANDA)).json();
    assert_eq!(before["items"], after["items"]);
    let journal = bench.get("/ns/a/__mock/requests", "").json();
    assert_eq!(journal["counts"]["CreateRancherKubeconfig"], 2);
    let noted = journal["requests"].as_array().unwrap();
    let noted = noted.iter().find(|one| one["operation"] == "CreateRancherKubeconfig").unwrap();
    assert_eq!(noted["scenario"], "rancher_created_is_200");
    let refused =
        bench.post(&format!("/ns/a/scenarios/rancher_invalid{KUBECONFIGS}"), "", &json!({}));
    assert_eq!(refused.status, 422);
    let journal = bench.get("/ns/a/__mock/requests", "").json();
    assert_eq!(journal["requests"].as_array().unwrap().last().unwrap()["code"], "Invalid");
}

/// The text is in order, and what it holds opens nothing.
#[test]
fn the_expired_token_opens_nothing() {
    let bench = Bench::start();
    let scenario = scenario("rancher_value_expired");
    let document: Value = serde_saphyr::from_str(value(&scenario)).unwrap();
    let token = document["users"][0]["user"]["token"].as_str().unwrap();
    assert!(token.contains(':'), "{token}");
    for path in ["/version", "/k8s/clusters/local/version"] {
        assert_eq!(bench.get(path, token).verdict(), "401 Unauthorized", "{path}");
    }
}
