//! What is there for whom: lists, pages, selectors, watches, tables.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{ADMIN, Bench, KEMAL, KUBECONFIGS, SYSTEM, WANDA};

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everybody_sees_his_own_and_admins_see_all() {
    let bench = Bench::start();
    let [wanda, kemal, admin, system] =
        [WANDA, KEMAL, ADMIN, SYSTEM].map(|user| bench.token("", user));
    let count = |token: &str, query: &str| {
        names(&bench.get(&format!("{KUBECONFIGS}{query}"), token).json()).len()
    };
    assert_eq!((count(&wanda, ""), count(&kemal, ""), count(&admin, "")), (2, 0, 3));
    assert_eq!(count(&system, ""), 3, "who may do anything sees everything");
    // A selector narrows what one may see, and never widens it.
    let others = "?labelSelector=cattle.io%2Fuser-id%3Duser-w5gcf";
    assert_eq!((count(&wanda, others), count(&admin, others)), (0, 1));
    assert_eq!(count(&wanda, "?fieldSelector=metadata.name%3Dkubeconfig-jznml"), 1);
    assert_eq!(count(&wanda, "?labelSelector=cattle.io%2Fuser-id+in+(u-w7drc,x),!foo"), 2);
    for query in ["?labelSelector=a+like+b", "?fieldSelector=spec.ttl%3D1", "?continue=x"] {
        assert_eq!(bench.get(&format!("{KUBECONFIGS}{query}"), &wanda).status, 400, "{query}");
    }

    let made = bench.created(&wanda, &json!({}));
    let one = format!("{KUBECONFIGS}/{}", made["metadata"]["name"].as_str().unwrap());
    let patch = json!({ "spec": { "description": "x" } });
    for (token, seen) in [(&wanda, true), (&kemal, false), (&admin, true)] {
        let expected = if seen { 200 } else { 404 };
        assert_eq!(bench.get(&one, token).status, expected);
        assert_eq!(bench.merge(&one, token, &patch).status, expected);
        let media = [("content-type", "application/json")];
        let same = r#"{"spec":{"ttl":2592000}}"#;
        assert_eq!(bench.send("PUT", &one, token, &media, same).status, expected);
    }
    assert_eq!(bench.send("DELETE", &one, &kemal, &[], "").status, 404);
    let swept = bench.send("DELETE", KUBECONFIGS, &kemal, &[], "");
    assert_eq!((swept.status, names(&swept.json()).len()), (200, 0));
    assert_eq!(names(&bench.send("DELETE", KUBECONFIGS, &wanda, &[], "").json()).len(), 3);
    assert_eq!(count(&admin, ""), 1);
}

#[test]
fn the_rest_of_the_api_is_for_those_who_may() {
    let bench = Bench::start();
    let status = |path: &str, user: &str| {
        bench.get(&format!("/apis/management.cattle.io/v3/{path}"), &bench.token("", user)).status
    };
    for (path, wanda, kemal, admin) in [
        ("features/ext-kubeconfigs", 200, 200, 200),
        ("settings", 200, 200, 200),
        ("clusters", 200, 200, 200),
        ("clusters/local", 200, 403, 200),
        ("clusters/nope", 403, 403, 404),
        ("tokens", 403, 403, 200),
        ("users", 403, 403, 200),
        ("nopes", 404, 404, 404),
    ] {
        let found = (status(path, WANDA), status(path, KEMAL), status(path, ADMIN));
        assert_eq!(found, (wanda, kemal, admin), "{path}");
    }
    let clusters = |user: &str| {
        let path = "/apis/management.cattle.io/v3/clusters";
        names(&bench.get(path, &bench.token("", user)).json())
    };
    assert_eq!(clusters(KEMAL), ["c-m-p66cdvlj"]);
    assert_eq!(clusters(ADMIN).len(), 4);
    let feature = "/apis/management.cattle.io/v3/features/ext-kubeconfigs";
    let off = json!({ "spec": { "value": false } });
    assert_eq!(bench.merge(feature, &bench.token("", WANDA), &off).status, 403);
    let tokens = bench.get("/apis/management.cattle.io/v3/tokens", &bench.token("", ADMIN));
    assert!(!tokens.text.contains("5hq7lkzvtn4m"), "no secret is in a token's object");
}

#[test]
fn a_feature_that_is_off_takes_the_api_away_and_gives_it_back() {
    let bench = Bench::start();
    let [wanda, admin] = [WANDA, ADMIN].map(|user| bench.token("", user));
    let feature = "/apis/management.cattle.io/v3/features/ext-kubeconfigs";
    let resources = || bench.get("/apis/ext.cattle.io/v1", &wanda).json()["resources"].clone();
    let before = bench.get(KUBECONFIGS, &wanda).json()["items"].clone();
    assert_eq!(bench.merge(feature, &admin, &json!({ "spec": { "value": false } })).status, 200);
    let gone = "404 the server could not find the requested resource";
    assert_eq!(bench.get(KUBECONFIGS, &wanda).verdict(), gone);
    assert_eq!(bench.post(KUBECONFIGS, &wanda, &json!({})).verdict(), gone);
    assert_eq!(resources(), json!([]));
    assert_eq!(bench.merge(feature, &admin, &json!({ "spec": { "value": "x" } })).status, 400);
    assert_eq!(bench.merge(feature, &admin, &json!({ "spec": { "value": null } })).status, 200);
    assert_eq!(bench.get(KUBECONFIGS, &wanda).json()["items"], before);
    assert_eq!(resources()[0]["name"], "kubeconfigs");
}

/// A watch, read line by line.
pub(crate) struct Watching(BufReader<Box<dyn std::io::Read>>);

impl Watching {
    pub(crate) fn begin(bench: &Bench, token: &str, query: &str, accept: &str) -> Self {
        let address = bench.server.http_url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let request = format!(
            "GET {KUBECONFIGS}?watch=true{query} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(Box::new(stream) as Box<dyn std::io::Read>);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0);
        }
        Self(reader)
    }

    /// The next event; nothing when it is over. Each event is a chunk of its own.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut size = String::new();
        self.0.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; size];
        self.0.read_exact(&mut chunk).unwrap();
        self.0.read_line(&mut String::new()).unwrap();
        (size > 0).then(|| serde_json::from_slice(&chunk).unwrap())
    }

    fn told(&mut self) -> String {
        let event = self.next().unwrap();
        let summary = event["object"]["status"]["summary"].as_str().unwrap_or_default();
        format!("{} {summary}", event["type"].as_str().unwrap())
    }
}

#[test]
fn watches_tell_each_what_is_his() {
    let bench = Bench::start();
    let [wanda, kemal, admin] = [WANDA, KEMAL, ADMIN].map(|user| bench.token("", user));
    let mut all = Watching::begin(&bench, &admin, "", "application/json");
    for _ in 0..3 {
        assert_eq!(all.told(), "ADDED Complete");
    }
    let mut hers = Watching::begin(&bench, &wanda, "&resourceVersion=0", "application/json");
    assert_eq!(hers.told(), "ADDED Complete");
    assert_eq!(hers.told(), "ADDED Complete");
    let version = bench.get(KUBECONFIGS, &kemal).json()["metadata"]["resourceVersion"].clone();
    let query = format!("&resourceVersion={}", version.as_str().unwrap());
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut his = Watching::begin(&bench, &kemal, &query, table);

    let made = bench.created(&kemal, &json!({}));
    let name = made["metadata"]["name"].as_str().unwrap();
    let one = format!("{KUBECONFIGS}/{name}");
    bench.merge(&one, &kemal, &json!({ "metadata": { "labels": { "a": "b" } } }));
    assert_eq!(bench.send("DELETE", &one, &kemal, &[], "").status, 200);
    for expected in ["ADDED Pending", "MODIFIED Complete", "MODIFIED Complete", "DELETED Complete"]
    {
        assert_eq!(all.told(), expected);
    }
    let first = his.next().unwrap();
    assert_eq!(first["object"]["columnDefinitions"][1]["name"], "TTL");
    let cells = &first["object"]["rows"][0]["cells"];
    assert_eq!((&cells[0], &cells[3]), (&json!(name), &json!("Pending")));
    let second = his.next().unwrap();
    assert_eq!(second["object"]["columnDefinitions"], json!([]));
    assert_eq!(second["object"]["rows"][0]["cells"][2], "1/1");

    // The next thing she hears of is the next of her own.
    bench.created(&wanda, &json!({}));
    assert_eq!(hers.told(), "ADDED Pending");
    // When the token that opened it goes, a watch is over.
    assert_eq!(
        bench
            .send("DELETE", "/apis/management.cattle.io/v3/tokens/token-w7drc", &admin, &[], "")
            .status,
        200
    );
    while hers.next().is_some() {}
}

#[test]
fn discovery_in_every_form_and_the_documents() {
    let bench = Bench::start();
    let wanda = bench.token("", WANDA);
    for version in ["v2", "v2beta1"] {
        let media =
            format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        let answer = bench.send("GET", "/apis", &wanda, &[("accept", &media)], "");
        assert_eq!(answer.headers["content-type"], media.as_str());
        let groups = answer.json()["items"].clone();
        let found = groups.as_array().unwrap().iter();
        let names: Vec<&Value> = found.map(|group| &group["metadata"]["name"]).collect();
        assert!(names.contains(&&json!("ext.cattle.io")) && names.contains(&&json!("apps")));
    }
    let plain = bench.get("/apis", &wanda).json();
    assert_eq!(plain["kind"], "APIGroupList");
    let list = bench.get("/apis/ext.cattle.io/v1", &wanda).json();
    assert_eq!(list["resources"][0]["singularName"], "kubeconfig");
    assert_eq!(list["resources"][0]["verbs"].as_array().unwrap().len(), 8);
    let index = bench.get("/openapi/v3", &wanda).json();
    for path in ["apis/ext.cattle.io/v1", "apis/management.cattle.io/v3", "api/v1"] {
        let url = index["paths"][path]["serverRelativeURL"].as_str().unwrap();
        assert_eq!(bench.get(url, &wanda).json()["openapi"], "3.0.0", "{path}");
    }
    let old = bench.get("/openapi/v2", &wanda);
    assert_eq!((old.status, old.text.as_str()), (200, ""));
    assert_eq!(bench.get("/version", &wanda).json()["minor"], "32");
    assert_eq!(bench.get("/apis", "").status, 401);
}
