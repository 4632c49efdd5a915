//! A body that does not come: every system waits for it only so long, and says so in its own words.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_server::MockServer;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Client, PROJECT, k8s};
use crate::doors::Issued;

const PATIENCE: Duration = Duration::from_millis(150);
/// Much less than the time that a body has when nobody says otherwise.
const SOON: Duration = Duration::from_secs(15);
const KUBECONFIGS: &str =
    "/v1/regions/us-texas-1/projects/project-x9y8z7/compute/clusters/cluster-a1b2c3/kubeconfigs";

fn impatient() -> MockServer {
    MockServer::builder().patience(PATIENCE).start().unwrap()
}

/// A request that promises a hundred bytes and sends one; then the answer to that.
fn half(
    stream: &mut (impl std::io::Read + std::io::Write),
    path: &str,
    token: &str,
) -> (String, Value) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.flush().unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    // Whether the connection then closes with a farewell is not asked here.
    let _ = stream.read_to_end(&mut answer);
    assert!(begun.elapsed() >= PATIENCE, "{path} was answered before its time");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

fn plain(server: &MockServer, path: &str, token: &str) -> (String, Value) {
    let mut stream =
        TcpStream::connect(server.http_url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    half(&mut stream, path, token)
}

fn assert_status((head, said): &(String, Value)) {
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    let found = ["kind", "status", "reason", "code"].map(|member| said[member].clone());
    assert_eq!(found, [json!("Status"), json!("Failure"), json!("Timeout"), json!(408)]);
}

#[test]
fn plexsphere_answers_with_a_problem() {
    let server = impatient();
    let path = format!("/v1/projects/{PROJECT}/sessions");
    let (head, problem) = plain(&server, &path, "psk_dev_operator");
    assert!(
        head.starts_with("HTTP/1.1 408 ") && head.contains("application/problem+json"),
        "{head}"
    );
    assert_eq!(problem["code"], "request_timeout");
    assert_eq!(Client::of(&server).issue(&k8s()).status, 201, "whole bodies are taken");
}

#[test]
fn k0rdent_answers_in_its_envelope_and_its_clusters_with_a_status() {
    let server = impatient();
    let (head, said) = plain(&server, KUBECONFIGS, "psk_dev_operator");
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert_eq!(said["error"]["code"], 408);
    assert_eq!(said["error"]["details"][0]["reason"], "request_timeout");
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let made = agent
        .post(format!("{}{KUBECONFIGS}", server.http_url()))
        .header("authorization", "Bearer psk_dev_operator")
        .header("accept", "application/yaml")
        .send_empty();
    let file: Value =
        serde_saphyr::from_str(&made.unwrap().body_mut().read_to_string().unwrap()).unwrap();
    let at = file["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let at = at.strip_prefix(server.https_url()).unwrap();
    let token = file["users"][0]["user"]["token"].as_str().unwrap();
    assert_status(&plain(&server, &format!("{at}/api/v1/namespaces/shop/configmaps"), token));
}

#[test]
fn rancher_answers_with_a_status() {
    let server = impatient();
    let world = Client::of(&server).get("/__mock/world").json();
    let users = world["rancher"]["users"].as_array().unwrap();
    let wanda = users.iter().find(|user| user["name"] == "u-w7drc").unwrap();
    let token = wanda["token"].as_str().unwrap();
    assert_status(&plain(&server, "/apis/ext.cattle.io/v1/kubeconfigs", token));
    let inside = "/k8s/clusters/c-m-p66cdvlj/api/v1/namespaces/shop/configmaps";
    assert_status(&plain(&server, inside, token));
    // Who may not come in is told so, however slowly the rest arrives.
    let (head, _) = plain(&server, "/apis/ext.cattle.io/v1/kubeconfigs", "nobody:x");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

#[test]
fn the_kubernetes_listener_answers_with_a_status() {
    let server = impatient();
    let issued = Issued::new(&Client::of(&server), &k8s());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let host = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::new(config), host).unwrap();
    let tcp = TcpStream::connect(issued.address()).unwrap();
    tcp.set_read_timeout(Some(SOON)).unwrap();
    let mut stream = StreamOwned::new(tls, tcp);
    assert_status(&half(&mut stream, "/api/v1/namespaces/shop/configmaps", &issued.token));
}
