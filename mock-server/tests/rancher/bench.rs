//! What Rancher's tests stand on: a server, kubectl in a home of its own, and plain requests.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use mock_server::{Builder, MockServer};
use serde_json::{Value, json};

pub(crate) const WANDA: &str = "u-w7drc";
pub(crate) const KEMAL: &str = "u-k2mzq";
pub(crate) const ADMIN: &str = "user-w5gcf";
pub(crate) const DISABLED: &str = "u-d5k7z";
pub(crate) const SYSTEM: &str = "system:admin";

pub(crate) const KUBECONFIGS: &str = "/apis/ext.cattle.io/v1/kubeconfigs";

pub(crate) struct Bench {
    pub(crate) server: MockServer,
    home: tempfile::TempDir,
    agent: ureq::Agent,
}

/// An answer to a plain request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// `403 kubeconfigs.ext.cattle.io is forbidden: ...`, or just the number.
    pub(crate) fn verdict(&self) -> String {
        if self.status < 300 {
            return self.status.to_string();
        }
        let status = self.json();
        assert_eq!((&status["kind"], &status["status"]), (&json!("Status"), &json!("Failure")));
        assert_eq!(status["code"], self.status, "{status}");
        format!("{} {}", self.status, status["message"].as_str().unwrap())
    }
}

impl Bench {
    pub(crate) fn start() -> Self {
        Self::with(MockServer::builder())
    }

    pub(crate) fn with(builder: Builder) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        Self { server: builder.start().unwrap(), home: tempfile::tempdir().unwrap(), agent }
    }

    /// The bearer token of a user, as the world lists it.
    pub(crate) fn token(&self, base: &str, user: &str) -> String {
        let world = self.get(&format!("{base}/__mock/world"), "").json();
        let users = world["rancher"]["users"].as_array().unwrap();
        let found = users.iter().find(|one| one["name"] == user).unwrap();
        found["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.http_url()));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, token, &[], "")
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send("POST", path, token, &[("content-type", "application/json")], &body.to_string())
    }

    pub(crate) fn merge(&self, path: &str, token: &str, patch: &Value) -> Answer {
        let media = [("content-type", "application/merge-patch+json")];
        self.send("PATCH", path, token, &media, &patch.to_string())
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let media = [("content-type", "application/json")];
        let body = json!({ "advance_seconds": seconds }).to_string();
        assert_eq!(self.send("PUT", "/__mock/clock", "", &media, &body).status, 200);
    }

    /// Creates a kubeconfig with this spec, which must succeed.
    pub(crate) fn created(&self, token: &str, spec: &Value) -> Value {
        let answer = self.post(KUBECONFIGS, token, &manifest(spec));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// A file with this kubeconfig in it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.home.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// kubectl in an empty home, with nothing of this machine's in its environment.
    pub(crate) fn kubectl(&self, kubectl: &Path, config: &Path, args: &[&str]) -> Command {
        let home = tempfile::Builder::new().tempdir_in(self.home.path()).unwrap().keep();
        let mut command = Command::new(kubectl);
        command
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .env("KUBECONFIG", config)
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// As a user of the world at `base`, in front of which a scenario may stand.
    pub(crate) fn login(&self, base: &str, user: &str) -> PathBuf {
        let world = base.split("/scenarios/").next().unwrap();
        let authority = base64::engine::general_purpose::STANDARD.encode(self.server.ca_pem());
        let document = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("{}{base}", self.server.https_url()),
                "certificate-authority-data": authority,
            }}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": self.token(world, user)}}],
        });
        let name = format!("{}-{user}", base.replace('/', "-")).replace(':', "-");
        self.file(&name, &document.to_string())
    }
}

/// A kubeconfig to be created.
pub(crate) fn manifest(spec: &Value) -> Value {
    json!({ "apiVersion": "ext.cattle.io/v1", "kind": "Kubeconfig", "spec": spec })
}

/// How a command ended.
#[derive(Debug)]
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

/// Runs a command to its end, with this on its stdin.
pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    Ran::from(command.stdin(file).output().unwrap())
}
