//! The binary: its ready line, its files, its end, its exit codes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls;

use crate::client::{Client, at_noon, ssh};

pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-server"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    binary().args(args).output().unwrap()
}

fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// A running server and its ready document.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    ready: Value,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::of(binary().args(["--port", "0"]).args(args).spawn().unwrap())
    }

    pub(crate) fn of(mut child: Child) -> Self {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Self { child, stdout, ready: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap()
    }

    fn signal(&self, signal: &str) {
        send(signal, &self.child);
    }

    /// Asks it to stop; what else it said, what it complained of, and how it ended.
    pub(crate) fn stop_and_tell(mut self) -> (String, String, Option<i32>) {
        let mut complaints = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let (said, code) = self.stop("-TERM");
        stderr.read_to_string(&mut complaints).unwrap();
        (said, complaints, code)
    }

    /// Asks it to stop; what else it said, and how it ended.
    fn stop(mut self, signal: &str) -> (String, Option<i32>) {
        self.signal(signal);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed, so that its directory goes with it.
        if let Ok(None) = self.child.try_wait() {
            send("-TERM", &self.child);
            let _ = self.child.wait();
        }
    }
}

pub(crate) fn trusting(pem: &str) -> ureq::Agent {
    let certificate = ureq::tls::Certificate::from_pem(pem.as_bytes()).unwrap().to_owned();
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::Specific(Arc::new(vec![certificate])))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build().new_agent()
}

#[test]
fn the_ready_line_is_all_there_is_and_true() {
    let server = Running::start(&["--seed", "7"]);
    assert_eq!(server.ready["event"], "ready");
    assert_eq!(server.ready["pid"], server.child.id());
    let http = Client::new(server.text("http"));
    http.issued(&ssh());
    assert_eq!(http.get("/__mock/ready").json(), server.ready);
    let pem = std::fs::read_to_string(server.text("ca_file")).unwrap();
    let https = Client::new(server.text("https")).with_agent(trusting(&pem));
    https.issued(&ssh());
    assert_eq!(https.journal()["counts"]["IssueSession"], 2);
    let ca = server.text("ca_file").to_owned();
    assert_eq!(server.stop("-TERM"), (String::new(), Some(0)));
    assert!(!Path::new(&ca).exists(), "the temporary certificate is gone");
}

#[test]
fn an_interrupt_and_a_closed_terminal_end_it_well_too() {
    for signal in ["-INT", "-HUP"] {
        let server = Running::start(&[]);
        let ca = server.text("ca_file").to_owned();
        assert_eq!(server.stop(signal).1, Some(0), "{signal}");
        assert!(!Path::new(&ca).exists(), "{signal}");
    }
}

#[test]
fn asked_twice_it_waits_for_nobody() {
    let server = Running::start(&[]);
    let address = server.text("http").strip_prefix("http://").unwrap().to_owned();
    let ca = server.text("ca_file").to_owned();
    // A request whose body does not come is under way until the server's patience ends.
    let mut slow = std::net::TcpStream::connect(&address).unwrap();
    let head = "POST /v1/authz/check HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                content-length: 9\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    slow.read_exact(&mut [0; 12]).unwrap();
    let asked = std::time::Instant::now();
    server.signal("-INT");
    while std::net::TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(server.stop("-INT").1, Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(4), "it waited all the same");
    assert!(!Path::new(&ca).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn nohup_lets_it_outlive_its_terminal() {
    let mut nohup = Command::new("nohup");
    nohup.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    nohup.args([env!("CARGO_BIN_EXE_mock-server"), "--port", "0"]);
    let server = Running::of(nohup.spawn().unwrap());
    server.signal("-HUP");
    assert_eq!(Client::new(server.text("http")).get("/v1/version").status, 200);
    assert_eq!(server.stop("-TERM").1, Some(0));
}

#[test]
fn a_state_directory_keeps_the_certificate() {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().to_str().unwrap();
    let below = binary().args(["--port", "0", "--state-dir", "."]).current_dir(dir).spawn();
    let first = Running::of(below.unwrap());
    assert!(Path::new(first.text("ca_file")).is_absolute());
    let pem = std::fs::read_to_string(first.text("ca_file")).unwrap();
    first.stop("-TERM");
    let second = Running::start(&["--state-dir", dir]);
    assert_eq!(std::fs::read_to_string(second.text("ca_file")).unwrap(), pem);
    let https = Client::new(second.text("https")).with_agent(trusting(&pem));
    assert_eq!(https.get("/v1/version").status, 200);
}

#[test]
fn the_ready_file_goes_with_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready.json");
    let server = Running::start(&["--ready-file", file.to_str().unwrap()]);
    assert!(file.exists());
    assert_eq!(server.stop("-TERM").1, Some(0));
    assert!(!file.exists());

    // A server that started later with the same file keeps it.
    let server = Running::start(&["--ready-file", file.to_str().unwrap()]);
    std::fs::write(&file, "another server's").unwrap();
    assert_eq!(server.stop("-TERM").1, Some(0));
    assert!(file.exists());
}

#[test]
fn the_ready_file_and_env_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ready.json");
    let file = file.to_str().unwrap();
    let server = Running::start(&["--ready-file", file]);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(written, server.ready);
    let port = server.text("http").rsplit(':').next().unwrap();
    let expected = format!(
        "export PLEXSPHERE_URL={}\nexport PLEXSPHERE_CA_FILE={}\nexport PLEXSPHERE_TOKEN=psk_dev_basic\n",
        server.text("https"),
        server.text("ca_file")
    );
    for source in [["--ready-file", file], ["--port", port]] {
        let output = run(&["env", source[0], source[1], "--token", "psk_dev_basic"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

#[test]
fn a_person_is_greeted_with_lines_to_paste() {
    let mut child = binary().args(["--port", "0", "--output", "text"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut text = String::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        text.push_str(&line);
        text.push('\n');
        if line.starts_with("Stop with") {
            break;
        }
    }
    send("-TERM", &child);
    child.wait().unwrap();
    for token in ["operator", "basic", "outsider", "suspended", "expired", "revoked", "admin"] {
        assert!(text.contains(&format!("psk_dev_{token} ")), "{text}");
    }
    assert!(text.contains("export PLEXSPHERE_URL=https://localhost:"), "{text}");
    assert_eq!(text.matches("--project-id 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0").count(), 6);
}

#[test]
fn failures_are_one_and_usage_is_two() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--port", &port]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message.contains(&format!("127.0.0.1:{port}")) && message.contains("--port"),
        "{message}"
    );
    assert!(output.stdout.is_empty());

    let dir = tempfile::tempdir().unwrap();
    let world = dir.path().join("world.yaml");
    std::fs::write(&world, "name: x\ndomains: []\nsurplus: 1\n").unwrap();
    let output = run(&["--port", "0", "--world", world.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("world.yaml") && message.contains("surplus"), "{message}");
    assert_eq!(run(&["--world", "no-such-file.yaml"]).status.code(), Some(1));
    // The certificate is made meanwhile, and must not outlast a start that failed.
    let temporary = tempfile::tempdir().unwrap();
    for _ in 0..32 {
        let mut failing = binary();
        failing.args(["--port", "0", "--world", world.to_str().unwrap()]);
        failing.env("TMPDIR", temporary.path()).output().unwrap();
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    std::fs::File::create(&world).unwrap().set_len(2 << 20).unwrap();
    let output = run(&["--port", "0", "--world", world.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && message.contains("1 MiB"), "{message}");

    for wrong in [
        &["--port", "70000"][..],
        &["--contract", "2026-05"],
        &["--clock", "noon"],
        &["--nonsense"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty());
    }
    for fine in ["--help", "--version"] {
        assert_eq!(run(&[fine]).status.code(), Some(0));
    }
    assert_eq!(run(&["env", "--ready-file", "no-such-file"]).status.code(), Some(1));
}

#[test]
fn another_address_is_served_with_a_warning() {
    let mut server = Running::start(&["--bind", "0.0.0.0"]);
    assert_eq!(Client::new(server.text("http")).get("/v1/version").status, 200);
    let mut stderr = server.child.stderr.take().unwrap();
    server.stop("-TERM");
    let mut warning = String::new();
    stderr.read_to_string(&mut warning).unwrap();
    assert!(warning.contains("warning") && warning.contains("public"), "{warning}");
}

#[test]
fn the_library_entry_serves_https_and_stops_when_dropped() {
    let server = at_noon().start().unwrap();
    let https = Client::new(server.https_url()).with_agent(trusting(server.ca_pem()));
    https.issued(&ssh());
    let address = server.http_url().strip_prefix("http://").unwrap().to_owned();
    drop((server, https));
    assert!(std::net::TcpStream::connect(address).is_err());
}
