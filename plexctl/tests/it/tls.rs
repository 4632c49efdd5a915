//! Which servers are trusted over https.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::stage::{Play, Sandbox, Server, issued_body, line, receive};

struct Authority {
    pem: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    Authority { pem: issuer.pem(), issuer }
}

/// An https server for any number of requests; its port.
fn serve(authority: &Authority, name: &str) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust us never gets as far as a request.
            if receive(&mut stream).is_some() {
                let body = issued_body("tcp", "127.0.0.1:2400");
                let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n";
                drop(write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()));
                drop(stream.flush());
            }
        }
    });
    port
}

fn run(port: u16, host: &str, ca: Option<&str>) -> (i32, String) {
    let sandbox = Sandbox::new();
    let mut command = sandbox.plexctl();
    command.args(line("tcp-forward")).args(["--server", &format!("https://{host}:{port}")]);
    if let Some(pem) = ca {
        std::fs::write(sandbox.work().join("ca.pem"), pem).unwrap();
        command.args(["--ca-file", "ca.pem"]);
    }
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_given_authority_is_trusted_and_an_unknown_one_is_not() {
    let (ours, other) = (authority(), authority());
    let port = serve(&ours, "localhost");
    assert_eq!(run(port, "localhost", Some(&ours.pem)), (0, String::new()));
    assert_eq!(run(port, "localhost", Some(&format!("{}{}", other.pem, ours.pem))).0, 0);
    for ca in [None, Some(other.pem.as_str())] {
        let (code, stderr) = run(port, "localhost", ca);
        assert_eq!(code, 1);
        assert!(stderr.contains("unknown authority") && stderr.contains("--ca-file"), "{stderr}");
    }
    let (code, stderr) = run(port, "127.0.0.1", Some(&ours.pem));
    assert_eq!(code, 1);
    assert!(stderr.contains("for another name"), "{stderr}");
}

#[test]
fn a_useless_authority_file_is_a_usage_error() {
    for pem in ["", "nonsense"] {
        assert_eq!(run(1, "localhost", Some(pem)).0, 2, "{pem:?}");
    }
}

#[test]
fn a_private_key_is_not_embedded() {
    let sandbox = Sandbox::new();
    let (authority, key) = (authority(), KeyPair::generate().unwrap());
    let run = |pem: &str| {
        std::fs::write(sandbox.work().join("ca.pem"), pem).unwrap();
        let server = Server::start(vec![Play::issued("k8s", "127.0.0.1:6443")]);
        let args = ["--certificate-authority", "ca.pem"];
        let output = sandbox.run(&server, "kubeconfig").args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), server.issues())
    };
    let (code, stdout, issues) = run(&authority.pem);
    assert_eq!((code, issues), (0, 1));
    assert!(stdout.contains("certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS"));
    let (code, stdout, issues) = run(&format!("{}{}", authority.pem, key.serialize_pem()));
    assert_eq!((code, stdout.as_str(), issues), (2, "", 0));
}

#[test]
fn plain_http_behind_an_https_url_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
        }
    });
    let (code, stderr) = run(port, "localhost", None);
    assert_eq!(code, 1);
    assert!(stderr.contains("does not speak tls") && stderr.contains("http://"), "{stderr}");
}
