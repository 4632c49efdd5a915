//! When a watch is over before its time: its user is disabled, or what it looks at is switched off.

use serde_json::json;

use crate::bench::{ADMIN, Bench, KEMAL, WANDA};
use crate::visibility::Watching;

const MANAGEMENT: &str = "/apis/management.cattle.io/v3";

fn switch(bench: &Bench, admin: &str, on: bool) {
    let path = format!("{MANAGEMENT}/features/ext-kubeconfigs");
    assert_eq!(bench.merge(&path, admin, &json!({ "spec": { "value": on } })).status, 200);
}

/// The two kubeconfigs that are there from the beginning, so that the watch is under way.
fn begun(bench: &Bench, token: &str) -> Watching {
    let mut watching = Watching::begin(bench, token, "", "application/json");
    for _ in 0..2 {
        assert_eq!(watching.next().unwrap()["type"], "ADDED");
    }
    watching
}

#[test]
fn a_watch_ends_when_its_user_is_disabled_and_no_other_does() {
    let bench = Bench::start();
    let [wanda, kemal, admin] = [WANDA, KEMAL, ADMIN].map(|user| bench.token("", user));
    let mut hers = begun(&bench, &wanda);
    let mut his = Watching::begin(&bench, &kemal, "", "application/json");
    let path = format!("{MANAGEMENT}/users/{WANDA}");
    assert_eq!(bench.merge(&path, &admin, &json!({ "enabled": false })).status, 200);
    assert_eq!(hers.next(), None, "her watch is over");
    assert_eq!(bench.get("/version", &wanda).status, 401);
    // Whoever else watches goes on.
    let made = bench.created(&kemal, &json!({}));
    assert_eq!(his.next().unwrap()["object"]["metadata"]["name"], made["metadata"]["name"]);
    // Somebody who is welcome again begins again.
    assert_eq!(bench.merge(&path, &admin, &json!({ "enabled": true })).status, 200);
    begun(&bench, &wanda);
}

#[test]
fn a_watch_ends_when_the_feature_is_switched_off_and_begins_when_it_is_on() {
    let bench = Bench::start();
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let mut watching = begun(&bench, &wanda);
    switch(&bench, &admin, false);
    assert_eq!(watching.next(), None, "what it looked at is gone");
    switch(&bench, &admin, true);
    begun(&bench, &wanda);
}

#[test]
fn the_documents_list_kubeconfigs_while_the_feature_is_on() {
    let bench = Bench::start();
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let named = || {
        let document = bench.get("/openapi/v3/apis/ext.cattle.io/v1", &wanda);
        assert_eq!(document.status, 200);
        document.text.contains("/kubeconfigs")
            && document.text.contains("io.cattle.ext.v1.Kubeconfig")
    };
    let mentioned = || {
        let text = bench.get("/openapi/v3/apis/ext.cattle.io/v1", &wanda).text;
        text.to_lowercase().contains("kubeconfig")
    };
    assert!(named());
    switch(&bench, &admin, false);
    assert!(!mentioned(), "the document still speaks of kubeconfigs");
    switch(&bench, &admin, true);
    assert!(named());
}
