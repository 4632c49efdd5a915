//! Requests no kubectl sends, put to the cluster without a network in between.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use mock_server::cluster::{Call, Caller, Cluster, ClusterDescription, RequestInfo};
use serde_json::{Value, json};

use super::bench::cluster;

async fn raw(cluster: &Cluster, group: &str, request: Request<Bytes>) -> Response<Body> {
    let call = Call {
        caller: Caller::new("someone", &[group]),
        clock: Arc::new(Timestamp::now),
        ended: Box::pin(std::future::pending()),
    };
    cluster.answer(call, request).await
}

async fn ask(cluster: &Cluster, method: &str, uri: &str, media: &str, body: &[u8]) -> (u16, Value) {
    let request = Request::builder().method(method).uri(uri).header("content-type", media);
    let request = request.body(Bytes::copy_from_slice(body)).unwrap();
    let response = raw(cluster, "system:masters", request).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

const JSON: &str = "application/json";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn every_refusal_is_a_status() {
    let cluster = cluster("shop.yaml");
    for (method, uri, media, body, code, reason) in [
        ("GET", "/api/v1/widgets", JSON, &b""[..], 404, "NotFound"),
        ("GET", "/api/v2", JSON, b"", 404, "NotFound"),
        ("GET", "/nothing", JSON, b"", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/nodes", JSON, b"", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/pods/a/b", JSON, b"", 404, "NotFound"),
        ("POST", "/version", JSON, b"", 405, "MethodNotAllowed"),
        ("PUT", MAPS, JSON, b"{}", 405, "MethodNotAllowed"),
        ("OPTIONS", MAPS, JSON, b"", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/nodes", JSON, b"{}", 405, "MethodNotAllowed"),
        ("POST", MAPS, "text/plain", b"{}", 415, "UnsupportedMediaType"),
        (
            "PATCH",
            "/api/v1/namespaces/default/configmaps/a",
            JSON,
            b"{}",
            415,
            "UnsupportedMediaType",
        ),
        ("POST", MAPS, JSON, b"{", 400, "BadRequest"),
        ("POST", MAPS, JSON, b"[]", 400, "BadRequest"),
        ("POST", MAPS, JSON, br#"{"kind":"Pod"}"#, 400, "BadRequest"),
        ("POST", MAPS, JSON, br#"{"metadata":{"namespace":"shop","name":"a"}}"#, 400, "BadRequest"),
        ("POST", MAPS, JSON, br#"{"data":{"a":1}}"#, 400, "BadRequest"),
        ("POST", MAPS, JSON, br#"{"metadata":7}"#, 422, "Invalid"),
        ("POST", MAPS, JSON, b"{}", 422, "Invalid"),
        (
            "POST",
            MAPS,
            "application/vnd.kubernetes.protobuf",
            b"k8s\0\x12\xff",
            415,
            "UnsupportedMediaType",
        ),
        ("DELETE", "/api/v1/namespaces/default/configmaps/no", JSON, b"", 404, "NotFound"),
        ("GET", "/api/v1/pods?limit=x", JSON, b"", 400, "BadRequest"),
        ("GET", "/api/v1/pods?continue=x", JSON, b"", 400, "BadRequest"),
        ("GET", "/api/v1/pods?labelSelector=(", JSON, b"", 400, "BadRequest"),
        ("GET", "/api/v1/pods?watch=1&resourceVersion=x", JSON, b"", 400, "BadRequest"),
        ("GET", "/api/v1/pods?includeObject=All", JSON, b"", 400, "BadRequest"),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            JSON,
            b"{}",
            400,
            "BadRequest",
        ),
        (
            "GET",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            JSON,
            b"",
            405,
            "MethodNotAllowed",
        ),
    ] {
        let (found, status) = ask(&cluster, method, uri, media, body).await;
        assert_eq!(
            (found, status["reason"].as_str()),
            (code, Some(reason)),
            "{method} {uri}: {status}"
        );
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)), "{uri}");
        assert_eq!((&status["apiVersion"], &status["status"]), (&json!("v1"), &json!("Failure")));
    }
    let large = vec![b' '; 4 << 20];
    assert_eq!(ask(&cluster, "POST", MAPS, JSON, &large).await.0, 413);
    let picky =
        Request::get("/api/v1/pods").header("accept", "text/html").body(Bytes::new()).unwrap();
    assert_eq!(raw(&cluster, "system:masters", picky).await.status(), 406);
}

#[tokio::test]
async fn writes_meet_their_conditions() {
    let cluster = cluster("tiny.yaml");
    let body = br#"{"metadata":{"generateName":"a-","finalizers":["x/y"]},"data":{"a":"b"}}"#;
    let (code, made) = ask(&cluster, "POST", MAPS, JSON, body).await;
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(code == 201 && name.starts_with("a-") && name.len() == 7, "{made}");
    let one = format!("{MAPS}/{name}");
    let mut stale = made.clone();
    stale["metadata"]["resourceVersion"] = "1".into();
    let (code, status) = ask(&cluster, "PUT", &one, JSON, stale.to_string().as_bytes()).await;
    assert_eq!((code, status["reason"].as_str()), (409, Some("Conflict")));
    let wrong = br#"{"preconditions":{"uid":"0"}}"#;
    assert_eq!(ask(&cluster, "DELETE", &one, JSON, wrong).await.0, 409);
    assert_eq!(ask(&cluster, "PUT", &one, JSON, made.to_string().as_bytes()).await.0, 200);
    // Held by its finalizer, it goes when that goes.
    assert_eq!(ask(&cluster, "DELETE", &one, JSON, b"").await.0, 200);
    let (code, held) = ask(&cluster, "GET", &one, JSON, b"").await;
    assert!(code == 200 && held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    let merge = "application/merge-patch+json";
    let free = br#"{"metadata":{"finalizers":null}}"#;
    assert_eq!(ask(&cluster, "PATCH", &one, merge, free).await.0, 200);
    assert_eq!(ask(&cluster, "GET", &one, JSON, b"").await.0, 404);
    assert_eq!(ask(&cluster, "DELETE", MAPS, JSON, b"").await.1["kind"], "ConfigMapList");
}

#[tokio::test]
async fn pages_join_to_the_whole() {
    let cluster = cluster("shop.yaml");
    let (_, whole) = ask(&cluster, "GET", "/api/v1/pods", JSON, b"").await;
    let (mut names, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let uri = format!("/api/v1/pods?limit=4&continue={token}");
        let (_, page) = ask(&cluster, "GET", &uri, JSON, b"").await;
        names.extend(
            page["items"].as_array().unwrap().iter().map(|pod| pod["metadata"]["name"].clone()),
        );
        pages += 1;
        match page["metadata"]["continue"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let all: Vec<Value> = whole["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| pod["metadata"]["name"].clone())
        .collect();
    assert_eq!((names, pages), (all, 3));
}

#[tokio::test]
async fn a_watch_from_the_start_says_when_the_start_is_over() {
    let cluster = cluster("tiny.yaml");
    let uri = "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
    let request = Request::builder().method(Method::GET).uri(uri).body(Bytes::new()).unwrap();
    let response = raw(&cluster, "devs", request).await;
    let info = response.extensions().get::<RequestInfo>().unwrap().clone();
    assert_eq!((info.verb, info.resource.as_str()), ("watch", "pods"));
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let events: Vec<Value> = bytes
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let told: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["ADDED", "BOOKMARK"]);
    let old = "/api/v1/pods?watch=1&resourceVersion=999999&timeoutSeconds=5";
    let (code, event) = ask(&cluster, "GET", old, JSON, b"").await;
    assert_eq!(
        (code, &event["type"], &event["object"]["code"]),
        (200, &json!("ERROR"), &json!(410))
    );
}

#[test]
fn descriptions_that_make_no_sense_are_named() {
    for (yaml, expected) in [
        ("name: a\npods: [{name: b, image: c, namespace: no}]", "there is no namespace"),
        ("name: a\npods: [{name: b}]", "give it an image or containers"),
        ("name: a\npods: [{name: B, image: c}]", "is no Kubernetes name"),
        ("name: a\npods: [{name: b, image: c, node: no}]", "there is no node"),
        ("name: a\npods: [{name: b, image: c}, {name: b, image: c}]", "described twice"),
        ("name: a\nversion: one", "is not written like"),
        ("name: a\nservices: [{name: b, ports: [http]}]", "a port is written"),
        ("name: a\nevents: [{object: Pod/no, reason: a, message: b}]", "no such object"),
        (
            "name: a\nobjects: [{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [], colour: red}}]",
            "unknown field \"spec.colour\"",
        ),
    ] {
        let description: ClusterDescription = serde_saphyr::from_str(yaml).unwrap();
        let error =
            Cluster::from_description(&description, Timestamp::now()).unwrap_err().to_string();
        assert!(error.contains(expected), "{yaml}: {error}");
    }
    assert!(serde_saphyr::from_str::<ClusterDescription>("name: a\nage: old").is_err());
    assert!(serde_saphyr::from_str::<ClusterDescription>("name: a\ncolour: red").is_err());
}

#[test]
fn the_schema_and_the_reader_agree() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let schema = std::fs::read_to_string(fixtures.join("schema/cluster.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut texts = Vec::new();
    for file in std::fs::read_dir(fixtures.join("worlds/clusters")).unwrap() {
        texts.push((std::fs::read_to_string(file.unwrap().path()).unwrap(), true));
    }
    assert!(texts.len() >= 2);
    for (text, good) in [
        ("name: a\npods: [{name: b, image: c, status: CrashLoopBackOff, restarts: 3}]", true),
        ("name: a\nservices: [{name: b, ports: [80, 53/UDP, 'http:80->8080']}]", true),
        ("name: a\nrbac: [{groups: [devs], verbs: ['*'], resources: ['*']}]", true),
        ("pods: []", false),
        ("name: a\ncolour: red", false),
        ("name: a\nage: old", false),
        ("name: a\npods: [{name: b, image: c, status: Sleeping}]", false),
        ("name: a\nnodes: [{name: b, cpus: 4}]", false),
        ("name: a\nservices: [{name: b}]", false),
    ] {
        texts.push((text.to_owned(), good));
    }
    for (text, good) in texts {
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(schema.is_valid(&value), good, "schema: {text}");
        let read = serde_saphyr::from_str::<ClusterDescription>(&text);
        assert_eq!(read.is_ok(), good, "reader: {text}");
    }
}
