//! Two hundred sessions at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, Handle};

use crate::attach::{Trusting, exec};
use crate::client::{Client, k8s, ssh, tcp};
use crate::doors::{Issued, ends_soon};
use crate::process::{Running, trusting};

const SESSIONS: usize = 200;

/// A client that is in.
enum In {
    Shell(Handle<Trusting>),
    Cluster(Client),
    Stream(TcpStream),
}

fn figure(server: &Running, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn enter(n: usize, issued: &Issued, pem: &str) -> In {
    match n % 3 {
        0 => {
            let config = Arc::new(client::Config::default());
            let address = issued.address().to_owned();
            let mut handle = client::connect(config, address, Trusting).await.unwrap();
            let login = handle.authenticate_password("ops", issued.token.as_str()).await;
            assert!(login.unwrap().success());
            In::Shell(handle)
        }
        1 => {
            let api = Client::new(&format!("https://{}", issued.endpoint));
            In::Cluster(api.with_agent(trusting(pem)).token(&issued.token))
        }
        _ => In::Stream(issued.ask("10.0.0.5:5432", &issued.token).0),
    }
}

impl In {
    async fn answers(&mut self, n: usize) {
        match self {
            Self::Shell(handle) => {
                let said = exec(handle, &format!("echo {n}; exit 3")).await;
                assert_eq!(said, (format!("{n}\n"), Some(3)));
            }
            Self::Cluster(api) => {
                let pods = api.get("/api/v1/namespaces/default/pods");
                assert_eq!(pods.status, 200, "{n}: {}", pods.text);
            }
            Self::Stream(stream) => {
                let said = n.to_be_bytes();
                stream.write_all(&said).unwrap();
                let mut back = [0; 8];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(back, said);
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sessions_live_at_once_and_leave_nothing_open() {
    let server = Running::start(&[]);
    let pem = std::fs::read_to_string(server.text("ca_file")).unwrap();
    let people = ["psk_dev_operator", "psk_dev_admin"]
        .map(|token| Client::new(server.text("http")).token(token));
    let idle = figure(&server, "VmRSS:");
    let begun = Instant::now();
    let bodies = [ssh(), k8s(), tcp()];
    let sessions: Vec<Issued> =
        (0..SESSIONS).map(|n| Issued::new(&people[n % 2], &bodies[n % 3])).collect();
    let (issued_in, issued) = (begun.elapsed(), figure(&server, "VmRSS:"));
    let mut clients = Vec::new();
    for (n, session) in sessions.iter().enumerate() {
        clients.push(enter(n, session, &pem).await);
    }
    for _ in 0..2 {
        for (n, one) in clients.iter_mut().enumerate() {
            one.answers(n).await;
        }
    }
    let (resident, threads) = (figure(&server, "VmRSS:"), figure(&server, "Threads:"));
    let told = format!(
        "{SESSIONS} sessions: issued in {issued_in:?}, all in and answering after {:?}; resident \
         {idle} KiB idle, {issued} KiB issued, {resident} KiB in use; {threads} threads\n",
        begun.elapsed()
    );
    std::io::stderr().write_all(told.as_bytes()).unwrap();
    assert!(threads <= 8, "{threads} threads: sessions are to cost none");
    assert!(resident < 300 * 1024, "{resident} KiB");

    let ca = server.text("ca_file").to_owned();
    let begun = Instant::now();
    let (said, complaints, code) = server.stop_and_tell();
    assert_eq!((said.as_str(), complaints.as_str(), code), ("", "", Some(0)));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    for one in &mut clients {
        match one {
            In::Stream(stream) => ends_soon(stream),
            In::Shell(handle) => {
                let closed = async {
                    while !handle.is_closed() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
            }
            In::Cluster(_) => {}
        }
    }
    for session in &sessions {
        assert!(TcpStream::connect(session.address()).is_err(), "{} is open", session.endpoint);
    }
    assert!(!std::path::Path::new(&ca).exists());
}
