//! What is written down in `fixtures/golden/rancher` and `fixtures/golden/k0rdent`, played: each
//! case in a namespace of its own, under one seed and one clock.

use std::path::Path;

use base64::Engine as _;
use mock_server::MockServer;
use serde_json::Value;

use crate::bench::{Bench, run};
use crate::kubectls::kubectls;

fn start() -> Bench {
    Bench::with(MockServer::builder().seed(7).clock("2026-06-01T12:00:00Z"))
}

fn cases(system: &str) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden").join(system);
    let files = std::fs::read_dir(root).unwrap();
    files
        .map(|file| serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn joined(lines: &Value) -> String {
    lines
        .as_array()
        .map_or_else(String::new, |lines| lines.iter().map(text).collect::<Vec<_>>().join("\n"))
}

/// Without what is another in each run: the port, and the authority with its line breaks.
fn settled(bench: &Bench, shown: &str) -> String {
    let authority = base64::engine::general_purpose::STANDARD.encode(bench.server.ca_pem());
    let address = bench.server.http_url().replace("http://", "");
    let port = address.rsplit(':').next().unwrap();
    shown
        .replace("\\\n      ", "")
        .replace(&authority, "{ca}")
        .replace(&address, "{host}")
        .replace(&format!("localhost:{port}"), "{host}")
}

#[test]
fn kubectl_shows_what_is_written_down() {
    let Some(kubectl) = kubectls().into_iter().next() else { return };
    let (bench, cases) = (start(), cases("rancher"));
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in cases {
        let name = text(&case["name"]);
        let base = format!("/ns/{name}");
        let args: Vec<String> = case["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| text(arg).replace("{base}", &base))
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let login = bench.login(&base, text(&case["user"]));
        let ran = run(&mut bench.kubectl(&kubectl, &login, &args), &joined(&case["stdin"]));
        let expect = &case["expect"];
        assert_eq!(ran.code.map(i64::from), expect["exit_code"].as_i64(), "{name}: {ran:?}");
        for (what, found) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            assert_eq!(settled(&bench, found), joined(&expect[what]), "{name}: {what}");
        }
    }
}

#[test]
fn k0rdent_answers_what_is_written_down() {
    let (bench, cases) = (start(), cases("k0rdent"));
    assert!(cases.len() >= 10, "{}", cases.len());
    for case in cases {
        let (name, request) = (text(&case["name"]), &case["request"]);
        let path = format!("/ns/{name}{}", text(&request["path"]));
        let headers: Vec<(&str, &str)> = request["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect();
        let body = request.get("json").map(Value::to_string).unwrap_or_default();
        let answer = bench.send(text(&request["method"]), &path, "", &headers, &body);
        let expect = &case["expect"];
        assert_eq!(expect["status"], answer.status, "{name}: {}", answer.text);
        let media = answer.headers.get("content-type").unwrap().to_str().unwrap();
        assert_eq!(expect["content_type"], media, "{name}");
        let shown = settled(&bench, &answer.text);
        if expect["json"].is_object() {
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expect["json"], "{name}");
        } else {
            assert_eq!(shown, joined(&expect["text"]), "{name}");
        }
    }
}
