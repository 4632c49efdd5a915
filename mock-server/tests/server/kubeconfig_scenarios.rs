//! The scenarios about kubeconfigs over a bare connection to the whole server: each sends the
//! status, the fields and the bytes that its file promises, and ends as the file says.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use mock_server::MockServer;
use serde_json::{Value, json};

use crate::client::Client;

const RANCHER: &str = "/apis/ext.cattle.io/v1/kubeconfigs";
const K0RDENT: &str =
    "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs";
/// A silence is only listened to for so long; whatever speaks, does so much sooner.
const SILENCE: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(20);

fn scenarios(system: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios").join(system);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

/// What came over the wire, and how it ended; a slow answer is not waited for.
struct Heard {
    bytes: Vec<u8>,
    ended: Option<ErrorKind>,
}

fn ask(server: &MockServer, scenario: &Value) -> Heard {
    let name = scenario["name"].as_str().unwrap();
    let (method, path) = match scenario["operation"].as_str().unwrap() {
        "IssueKubeconfig" => ("POST", K0RDENT.to_owned()),
        "WatchRancherKubeconfigs" => ("GET", format!("{RANCHER}?watch=true")),
        _ => ("POST", RANCHER.to_owned()),
    };
    let wire = &scenario["answer"]["wire"];
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let patience = if wire["stall"].is_null() { SOON } else { SILENCE };
    stream.set_read_timeout(Some(patience)).unwrap();
    let head = "host: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    write!(stream, "{method} /scenarios/{name}{path} HTTP/1.1\r\n{head}").unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    let begun = Instant::now();
    let ended = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) => break Some(error.kind()),
        }
        if let Some(every) = wire["drip"]["every_ms"].as_u64()
            && begun.elapsed() >= Duration::from_millis(2 * every)
        {
            break Some(ErrorKind::Interrupted);
        }
    };
    Heard { bytes, ended }
}

fn judge(scenario: &Value, heard: &Heard) {
    let (name, answer) = (scenario["name"].as_str().unwrap(), &scenario["answer"]);
    let wire = &answer["wire"];
    if wire["stall"] == "before_headers" || wire["reset"] == "before_headers" {
        assert_eq!(heard.bytes, b"", "{name}");
        let due = if wire["stall"].is_null() {
            ErrorKind::ConnectionReset
        } else {
            ErrorKind::WouldBlock
        };
        assert_eq!(heard.ended, Some(due), "{name}");
        return;
    }
    let end = heard.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&heard.bytes[..end]), &heard.bytes[end + 4..]);
    assert!(head.starts_with(&format!("HTTP/1.1 {} ", answer["status"])), "{name}: {head}");
    let fields: Vec<String> = head.lines().skip(1).map(str::to_lowercase).collect();
    assert!(fields.contains(&format!("x-scenario: {name}")), "{name}: {head}");
    for (field, value) in answer["headers"].as_object().into_iter().flatten() {
        let due = format!("{field}: {}", value.as_str().unwrap()).to_lowercase();
        assert!(fields.contains(&due), "{name} lacks {due}: {head}");
    }
    let length = fields.iter().find_map(|line| line.strip_prefix("content-length: "));
    let length: Option<usize> = length.map(|length| length.parse().unwrap());
    if wire.is_object() {
        assert!(!body.is_empty() && Some(body.len()) < length, "{name} breaks off");
        let reset = (wire["reset"] == "mid_body").then_some(ErrorKind::ConnectionReset);
        let slow = wire["drip"].is_object().then_some(ErrorKind::Interrupted);
        assert_eq!(heard.ended, reset.or(slow), "{name}");
        return;
    }
    assert_eq!(heard.ended, None, "{name}");
    let instance = format!("/scenarios/{name}{K0RDENT}");
    let body = if answer["content_length"] == "chunked" { unchunked(body) } else { body.to_vec() };
    match &answer["body"] {
        Value::Null => assert_eq!(body, b"", "{name}"),
        due if due["json"] != Value::Null => {
            let due = due["json"].to_string().replace("{instance}", &instance);
            let due: Value = serde_json::from_str(&due).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), due, "{name}");
        }
        due if due["text"] != Value::Null => {
            assert_eq!(String::from_utf8(body).unwrap(), due["text"].as_str().unwrap(), "{name}");
        }
        due => {
            let fill = due["fill"]["text"].as_str().unwrap().as_bytes();
            assert_eq!(body.len() as u64, due["fill"]["bytes"].as_u64().unwrap(), "{name}");
            assert!(body.chunks(fill.len()).all(|chunk| chunk == fill), "{name}");
        }
    }
}

/// One chunk and the last.
fn unchunked(body: &[u8]) -> Vec<u8> {
    let line = body.windows(2).position(|two| two == b"\r\n").unwrap();
    let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
    assert_eq!(&body[line + 2 + size..], b"\r\n0\r\n\r\n");
    body[line + 2..line + 2 + size].to_vec()
}

#[test]
fn every_scenario_is_what_its_file_says() {
    let server = MockServer::builder().start().unwrap();
    for system in ["rancher", "k0rdent"] {
        let all = scenarios(system);
        assert!(all.len() > 30, "only {} of {system}", all.len());
        for scenario in all {
            judge(&scenario, &ask(&server, &scenario));
        }
    }
}

#[test]
fn everything_else_of_k0rdent_is_answered_as_usual() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let staged = client.below("/scenarios/k0rdent_limit_reached");
    let refused = staged.nobody().send("POST", K0RDENT, Some("{"));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"]["details"][0]["reason"], "kubeconfig_limit_reached");
    let list = staged.get(K0RDENT);
    assert_eq!((list.status, list.header("x-scenario")), (200, Some("k0rdent_limit_reached")));
    assert_eq!(list.json()["kubeconfigs"], json!([]));
    assert_eq!(staged.nobody().get(K0RDENT).status, 401);
    // One about something else leaves it alone, and nothing sticks.
    for base in ["/scenarios/rebac_denied", "/scenarios/rancher_internal", ""] {
        assert_eq!(client.below(base).post(K0RDENT, &json!({})).status, 201, "{base}");
    }
    let made = client.below("/scenarios/k0rdent_ok_200").post(K0RDENT, &json!({}));
    assert_eq!(made.status, 200);
    let link = made.json()["selfLink"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&link).status, 404, "it was never issued");
    let unknown = client.below("/scenarios/k0rdent_limit_reach").post(K0RDENT, &json!({}));
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["details"][0]["reason"], "unknown_scenario");
    assert!(unknown.json()["error"]["message"].as_str().unwrap().contains("k0rdent_limit_reached"));
    let journal = client.journal();
    assert_eq!(journal["requests"][0]["code"], "kubeconfig_limit_reached");
    assert_eq!(journal["requests"][0]["scenario"], "k0rdent_limit_reached");
    assert_eq!(journal["requests"][0]["operation"], "IssueKubeconfig");
}

/// Sessions are refused in their own words only.
#[test]
fn a_scenario_about_kubeconfigs_is_no_fault_and_no_answer_to_sessions() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let staged = client.below("/scenarios/rancher_forbidden");
    let issued = staged.issued(&crate::client::ssh());
    assert_eq!(client.session(&issued["session_id"]).status, 200, "it was really issued");
    let fault = client.post("/__mock/faults", &json!({"scenario": "rancher_forbidden"}));
    assert_eq!(fault.verdict(), "400 invalid_fault");
}
