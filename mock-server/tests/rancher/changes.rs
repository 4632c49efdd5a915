//! Changing and deleting: what is an owner's to change, conditions, and what goes with what.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::bench::{ADMIN, Bench, KUBECONFIGS, WANDA, manifest};

const TOKENS: &str = "/apis/management.cattle.io/v3/tokens";

fn path(object: &Value) -> String {
    format!("{KUBECONFIGS}/{}", object["metadata"]["name"].as_str().unwrap())
}

#[test]
fn metadata_and_the_description_and_nothing_else() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let made =
        bench.created(&wanda, &json!({ "clusters": ["local"], "description": "a", "ttl": 60 }));
    let one = path(&made);
    for (spec, field) in [
        (json!({ "clusters": [], "currentContext": "x", "ttl": 1 }), "clusters"),
        (json!({ "currentContext": null, "ttl": 1 }), "currentContext"),
        (json!({ "ttl": 61 }), "ttl"),
        (json!({ "ttl": null }), "ttl"),
    ] {
        let answer = bench.merge(&one, &wanda, &json!({ "spec": spec }));
        assert_eq!(answer.verdict(), format!("400 spec.{field} is immutable"), "{spec}");
    }
    let patch = json!({
        "metadata": {
            "labels": { "foo": "bar", "cattle.io/user-id": "somebody" },
            "uid": made["metadata"]["uid"],
        },
        "spec": { "description": "b" }, "status": { "summary": "Error", "value": "x" },
    });
    let changed = bench.merge(&one, &wanda, &patch).json();
    assert_eq!(changed["spec"]["description"], "b");
    assert_eq!(changed["metadata"]["labels"], json!({ "foo": "bar", "cattle.io/user-id": WANDA }));
    assert_eq!(changed["status"]["summary"], "Complete");
    assert!(changed["status"].get("value").is_none());
    let updated = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array().unwrap().iter();
        conditions.filter(|condition| condition["type"] == "Updated").count()
    };
    assert_eq!(updated(&changed), 1);

    // A version that is not the latest, and one that is not said.
    let put = |object: &Value| {
        let media = [("content-type", "application/json")];
        bench.send("PUT", &one, &wanda, &media, &object.to_string())
    };
    let mut mine = changed.clone();
    mine["spec"]["description"] = "c".into();
    let after = put(&mine);
    assert_eq!(after.status, 200);
    assert_eq!(updated(&after.json()), 1);
    let stale = put(&mine).verdict();
    assert!(stale.ends_with("please apply your changes to the latest version and try again"));
    assert!(stale.starts_with("409 Operation cannot be fulfilled on kubeconfigs.ext.cattle.io"));
    mine["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(put(&mine).status, 200);

    let dry = format!("{one}?dryRun=All");
    assert_eq!(bench.merge(&dry, &wanda, &json!({ "spec": { "description": "d" } })).status, 200);
    assert_eq!(bench.get(&one, &wanda).json()["spec"]["description"], "c");
    let strict = format!("{one}?fieldValidation=Strict");
    assert_eq!(bench.merge(&strict, &wanda, &json!({ "spec": { "foo": 1 } })).status, 400);
    for (media, body, status) in [
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/metadata/labels/x","value":"y"}]"#,
            200,
        ),
        ("application/json-patch+json", r#"[{"op":"test","path":"/spec/ttl","value":1}]"#, 422),
        ("application/strategic-merge-patch+json", r#"{"metadata":{"labels":{"x":"z"}}}"#, 200),
        ("application/json", "{}", 415),
    ] {
        let answer = bench.send("PATCH", &one, &wanda, &[("content-type", media)], body);
        assert_eq!(answer.status, status, "{media}: {}", answer.text);
    }
    let absent = format!("{KUBECONFIGS}/kubeconfig-nope");
    let media = [("content-type", "application/json")];
    assert_eq!(
        bench.send("PUT", &absent, &wanda, &media, "{}").verdict(),
        "404 kubeconfigs.ext.cattle.io \"kubeconfig-nope\" not found"
    );
}

#[test]
fn a_deletion_may_have_conditions() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    let one = path(&bench.created(&wanda, &json!({})));
    let object = bench.get(&one, &wanda).json();
    let (uid, version) =
        (object["metadata"]["uid"].clone(), object["metadata"]["resourceVersion"].clone());
    let delete = |preconditions: Value| {
        let body = json!({ "kind": "DeleteOptions", "preconditions": preconditions });
        // No content type is sent, and none is missed.
        bench.send("DELETE", &one, &wanda, &[], &body.to_string())
    };
    for (preconditions, said) in [
        (json!({ "uid": "x", "resourceVersion": "1" }), "UID in precondition: x"),
        (json!({ "uid": uid, "resourceVersion": "1" }), "ResourceVersion in precondition: 1"),
    ] {
        let refused = delete(preconditions);
        assert_eq!(refused.json()["reason"], "Conflict");
        assert!(refused.verdict().contains(said), "{}", refused.text);
    }
    for body in [
        r#"{"kind":"Pod"}"#,
        "[]",
        "{",
        "x",
        r#"{"apiVersion":"v9","kind":"DeleteOptions"}"#,
        r#"{"preconditions":{"resourceVersion":5}}"#,
        r#"{"preconditions":{"uid":5}}"#,
        r#"{"preconditions":[]}"#,
        r#"{"dryRun":["Foo"]}"#,
        r#"{"dryRun":"All"}"#,
    ] {
        for path in [one.as_str(), KUBECONFIGS] {
            let answer = bench.send("DELETE", path, &wanda, &[], body);
            assert!(answer.verdict().starts_with("400 "), "{path} {body}: {}", answer.text);
        }
    }
    let dry = bench.send("DELETE", &format!("{one}?dryRun=All"), &wanda, &[], "");
    assert_eq!(dry.status, 200);
    assert_eq!(bench.get(&one, &wanda).status, 200);
    let gone = delete(json!({ "uid": uid, "resourceVersion": version }));
    assert_eq!((gone.status, &gone.json()), (200, &object));
    assert_eq!(bench.get(&one, &wanda).status, 404);
}

#[test]
fn tokens_and_kubeconfigs_go_together() {
    let bench = Bench::with(mock_server::MockServer::builder().clock("2026-06-01T12:00:00Z"));
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let count = || bench.get(TOKENS, &admin).json()["items"].as_array().unwrap().len();
    let before = count();
    let made = bench.created(&wanda, &json!({ "clusters": ["c-m-fcd3g5h"], "ttl": 600 }));
    let one = path(&made);
    assert_eq!(count(), before + 2);
    bench.send("DELETE", &one, &wanda, &[], "");
    assert_eq!(count(), before);

    let made = bench.created(&wanda, &json!({ "clusters": ["c-m-fcd3g5h"], "ttl": 600 }));
    let one = path(&made);
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let shown = || bench.send("GET", &one, &wanda, &table, "");
    let tokens = made["status"]["tokens"].as_array().unwrap();
    let end = |token: &Value| {
        let path = format!("{TOKENS}/{}", token.as_str().unwrap());
        assert_eq!(bench.send("DELETE", &path, &admin, &[], "").status, 200);
    };
    end(&tokens[0]);
    assert_eq!(shown().json()["rows"][0]["cells"][2], "1/2");
    end(&tokens[1]);
    assert_eq!(shown().status, 404);

    // And when their time is up.
    let made = bench.created(&wanda, &json!({ "ttl": 600 }));
    let one = path(&made);
    bench.advance(599);
    assert_eq!(bench.get(&one, &wanda).status, 200);
    bench.advance(2);
    assert_eq!(bench.get(&one, &wanda).status, 404);
    assert_eq!(count(), before);
}

/// Whoever deletes what is still being made does not know its tokens yet.
#[test]
fn what_is_deleted_while_it_is_made_leaves_no_token() {
    let bench = Bench::start();
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let body = manifest(&json!({ "clusters": ["c-m-fcd3g5h"] }));
                    let status = bench.post(KUBECONFIGS, &wanda, &body).status;
                    assert!(matches!(status, 201 | 500), "{status}");
                }
                made.fetch_add(1, Ordering::Relaxed);
            });
        }
        while made.load(Ordering::Relaxed) < 2 {
            assert_eq!(bench.send("DELETE", KUBECONFIGS, &wanda, &[], "").status, 200);
        }
    });
    assert_eq!(bench.send("DELETE", KUBECONFIGS, &wanda, &[], "").status, 200);
    let path =
        format!("{TOKENS}?labelSelector=authn.management.cattle.io%2Ftoken-userId%3D{WANDA}");
    let left = bench.get(&path, &admin).json();
    assert_eq!(left["items"], json!([]));
}
