//! What the cluster's tests stand on: the cluster behind TLS with two callers at the door,
//! and whichever kubectls this machine has.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use base64::Engine as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mock_server::cluster::{Call, Caller, Cluster, ClusterDescription};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub(crate) const VIEWER: &str = "token-of-a-viewer";
pub(crate) const MASTER: &str = "token-of-a-master";

pub(crate) struct Bench {
    home: tempfile::TempDir,
    revoked: watch::Sender<bool>,
    /// Held, because everything served stops with it.
    _runtime: tokio::runtime::Runtime,
}

pub(crate) fn cluster(name: &str) -> Cluster {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/worlds/clusters").join(name);
    let text = std::fs::read_to_string(file).unwrap();
    let description: ClusterDescription = serde_saphyr::from_str(&text).unwrap();
    Cluster::from_description(&description, Timestamp::now()).unwrap()
}

impl Bench {
    pub(crate) fn start(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let signed =
            rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]);
        let rcgen::CertifiedKey { cert, signing_key } = signed.unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let (revoked, revocation) = watch::channel(false);
        let door = Arc::new(Door {
            cluster: cluster(name),
            callers: HashMap::from([
                (VIEWER, Caller::new("ana@example.com", &["developers"])),
                (MASTER, Caller::new("root@example.com", &["system:masters"])),
            ]),
            revocation,
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, door) = (acceptor.clone(), Arc::clone(&door));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let door = Arc::clone(&door);
                        async move { Ok::<_, Infallible>(door.open(request).await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that leaves early is no failure of the server's.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let home = tempfile::tempdir().unwrap();
        for token in [VIEWER, MASTER] {
            std::fs::write(home.path().join(token), kubeconfig(port, &cert.pem(), token)).unwrap();
        }
        Self { home, revoked, _runtime: runtime }
    }

    /// Ends everything that goes on: what revoking a session will do.
    pub(crate) fn revoke(&self) {
        self.revoked.send_replace(true);
    }

    /// kubectl in a home of its own, with nothing of this machine's in its environment.
    pub(crate) fn command(&self, kubectl: &Path, token: &str, args: &[&str]) -> Command {
        let home = self.home.path().join(kubectl.file_name().unwrap());
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(kubectl);
        command
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .env("KUBECONFIG", self.home.path().join(token))
            .args(args)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn kubectl(&self, kubectl: &Path, token: &str, args: &[&str]) -> Ran {
        Ran::from(self.command(kubectl, token, args).output().unwrap())
    }

    pub(crate) fn kubectl_with_input(
        &self,
        kubectl: &Path,
        token: &str,
        args: &[&str],
        input: &str,
    ) -> Ran {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, input.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        Ran::from(self.command(kubectl, token, args).stdin(file).output().unwrap())
    }
}

fn kubeconfig(port: u16, ca: &str, token: &str) -> String {
    let ca = base64::engine::general_purpose::STANDARD.encode(ca);
    format!(
        "apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority-data: {ca}}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
"
    )
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

struct Door {
    cluster: Cluster,
    callers: HashMap<&'static str, Caller>,
    revocation: watch::Receiver<bool>,
}

impl Door {
    async fn open(&self, request: Request<Incoming>) -> Response<Body> {
        let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let Some(caller) = token.and_then(|token| self.callers.get(token)) else {
            let body = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
            let response =
                Response::builder().status(401).header("content-type", "application/json");
            return response.body(Body::from(body)).unwrap();
        };
        let (parts, body) = request.into_parts();
        let bytes = match Limited::new(body, 8 << 20).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let mut revocation = self.revocation.clone();
        let call = Call {
            caller: caller.clone(),
            clock: Arc::new(Timestamp::now),
            ended: Box::pin(async move {
                if revocation.wait_for(|revoked| *revoked).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }),
        };
        self.cluster.answer(call, Request::from_parts(parts, bytes)).await
    }
}
