//! The real mock control plane, as a process beside the tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::stage::{PROJECT, Sandbox};

/// Public: it opens the mock and nothing else.
pub(crate) const DEV_TOKEN: &str = "psk_dev_operator";

/// A mock with a world of its own.
pub(crate) struct Mock {
    child: Child,
    pub(crate) url: String,
    pub(crate) https: String,
    pub(crate) ca_file: String,
}

impl Mock {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["--port", "0", "--output", "json"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        Self { child, url: text("http"), https: text("https"), ca_file: text("ca_file") }
    }

    /// One call, as the operator; the body of the answer.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {DEV_TOKEN}\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\
             \r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {head}\n{body}");
        body.to_owned()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.call("GET", path, "")).unwrap()
    }

    pub(crate) fn change_world(&self, change: impl FnOnce(&mut Value)) {
        let mut world = self.json("/__mock/world");
        change(&mut world);
        self.call("PUT", "/__mock/world", &world.to_string());
    }

    pub(crate) fn advance(&self, seconds: u32) {
        self.call("PUT", "/__mock/clock", &format!(r#"{{"advance_seconds":{seconds}}}"#));
    }

    pub(crate) fn session(&self, id: &str) -> Value {
        self.json(&format!("/v1/projects/{PROJECT}/sessions/{id}"))
    }

    pub(crate) fn revoke(&self, id: &str) {
        let path = format!("/v1/projects/{PROJECT}/sessions/{id}/revoke");
        self.call("POST", &path, r#"{"revoke_reason":"policy_violation"}"#);
    }

    pub(crate) fn journal(&self) -> String {
        self.call("GET", "/__mock/requests", "")
    }

    /// Points a command of the sandbox at this mock, over https, and lets it find real programs.
    pub(crate) fn environment(&self, sandbox: &Sandbox) -> Vec<(String, String)> {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", sandbox.path("bin").display());
        [
            ("HOME", sandbox.home().display().to_string()),
            ("PATH", path),
            ("PLEXSPHERE_URL", self.https.clone()),
            ("PLEXSPHERE_CA_FILE", self.ca_file.clone()),
            ("PLEXSPHERE_TOKEN", DEV_TOKEN.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        signal(&self.child, rustix::process::Signal::TERM);
        self.child.wait().ok();
    }
}

pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).ok();
}

/// `MOCK_SERVER_BIN`, or one nested `cargo build` into the place this test was built into: cargo
/// holds no lock while tests run.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("MOCK_SERVER_BIN").filter(|path| !path.is_empty()) {
            return std::path::absolute(path).unwrap();
        }
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command
            .args(["build", "--quiet", "-p", "mock-server", "--bin", "mock-server"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        // What cargo tells a test about its package; build scripts that watch these would take them
        // for a change and build everything anew.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            let of_the_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
            if of_the_test.iter().any(|start| name.starts_with(start)) || name == "OUT_DIR" {
                command.env_remove(&key);
            }
        }
        let plexctl = Path::new(env!("CARGO_BIN_EXE_plexctl"));
        let profile = plexctl.parent().unwrap();
        let name = profile.file_name().unwrap().to_str().unwrap();
        command.args(["--profile", if name == "debug" { "dev" } else { name }]);
        command.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(command.status().unwrap().success(), "the mock-server does not build");
        plexctl.with_file_name("mock-server")
    })
}

/// Whether a program is there. A test that needs it says so and skips; where everything has to be
/// there (CI_REQUIRE_TOOLS), it fails.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        assert!(std::env::var_os("CI_REQUIRE_TOOLS").is_none(), "{program} is not there");
        #[expect(clippy::print_stderr, reason = "a skip must be seen")]
        {
            eprintln!("SKIP: {program} not found");
        }
    }
    found
}
