//! A thousand kubeconfigs: page by page, watched, and deleted by label.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bench::{ADMIN, Bench, KUBECONFIGS, WANDA, manifest};

const MANY: usize = 1000;

#[test]
fn a_thousand_are_listed_watched_and_deleted() {
    let bench = Bench::start();
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let version = bench.get(KUBECONFIGS, &admin).json()["metadata"]["resourceVersion"].clone();
    // The times are what docs/performance.md quotes.
    let timed = |what: &str, begun: Instant| {
        let each = begun.elapsed().as_secs_f64() * 1e6 / MANY as f64;
        eprintln!("{what}: {each:.0} µs an item");
    };
    let begun = Instant::now();
    let mut made = BTreeSet::new();
    for n in 0..MANY {
        let mut body =
            manifest(&json!({ "clusters": ["c-m-p66cdvlj"], "description": n.to_string() }));
        body["metadata"] = json!({ "labels": { "half": if n % 2 == 0 { "even" } else { "odd" } } });
        let answer = bench.post(KUBECONFIGS, &wanda, &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        made.insert(answer.json()["metadata"]["name"].as_str().unwrap().to_owned());
    }
    timed("create", begun);
    assert_eq!(made.len(), MANY, "names are different");

    let begun = Instant::now();
    let (mut found, mut next, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let path = format!("{KUBECONFIGS}?labelSelector=half&limit=100&continue={next}");
        let page = bench.get(&path, &wanda).json();
        for item in page["items"].as_array().unwrap() {
            assert!(found.insert(item["metadata"]["name"].as_str().unwrap().to_owned()));
        }
        pages += 1;
        match page["metadata"]["continue"].as_str() {
            Some(token) => next = token.to_owned(),
            None => break,
        }
    }
    timed("list in pages of 100", begun);
    assert_eq!((pages, &found), (10, &made));
    let admins = bench.get(&format!("{KUBECONFIGS}?limit=1"), &admin).json();
    assert_eq!(admins["metadata"]["remainingItemCount"], MANY + 2);

    let begun = Instant::now();
    let path = format!(
        "{KUBECONFIGS}?watch=1&timeoutSeconds=2&resourceVersion={}",
        version.as_str().unwrap()
    );
    let told: Vec<Value> = bench
        .get(&path, &wanda)
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let added: BTreeSet<String> = told
        .iter()
        .filter(|event| event["type"] == "ADDED")
        .map(|event| event["object"]["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(added, made);
    assert!(begun.elapsed().as_secs() >= 1, "a watch goes on");

    let begun = Instant::now();
    let gone =
        bench.send("DELETE", &format!("{KUBECONFIGS}?labelSelector=half%3Deven"), &wanda, &[], "");
    timed("delete half of them by label", begun);
    assert_eq!(gone.json()["items"].as_array().unwrap().len(), MANY / 2);
    let left = bench.get(&format!("{KUBECONFIGS}?labelSelector=half"), &admin).json();
    let left = left["items"].as_array().unwrap();
    assert_eq!(left.len(), MANY / 2);
    assert!(left.iter().all(|item| item["metadata"]["labels"]["half"] == "odd"));
    let tokens = bench.get("/apis/management.cattle.io/v3/tokens", &admin).json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 5 + 4 + MANY / 2);

    // The history is finite: who wants to go on from too long ago is told so.
    for n in 0..MANY + MANY / 4 {
        let body = manifest(&json!({ "description": n.to_string() }));
        assert_eq!(bench.post(KUBECONFIGS, &wanda, &body).status, 201);
    }
    let late = bench.get(&format!("{KUBECONFIGS}?limit=100&continue={next}"), &wanda);
    assert_eq!(late.json()["reason"], "Expired", "{}", late.text);
}
