//! The control plane under judgement: started fresh for one rule, or a namespace of its own on
//! one that already runs; and a plain client to ask it with.

mod start;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::start::READY_LIMIT;
use super::Address;
pub use super::call::Exchange;
use super::call::{Call, Connection, Endpoint};
use super::contract::Generation;
use super::evidence::{Evidence, shown};
use super::process;
use super::world::{Family, Identity, PROJECT_ID, RESOURCE_ID};
use crate::target::{RunningServer, Target};
use crate::verdict::{Outcome, expect_eq, fail, skip};

/// Flags for a server the harness starts: `--contract`, `--world`, `--clock` and so on.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    pub args: Vec<String>,
    /// Passed on as `--contract` where it is not the default.
    pub generation: Generation,
    /// Without the `--seed` that every other server is given.
    unseeded: bool,
}

impl ServerOptions {
    pub fn with(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { args, ..Self::default() }
    }

    /// A server that speaks that generation of the contract, and is judged by it.
    pub fn speaking(generation: Generation) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Keys, ids and ports are then another each time.
    #[must_use]
    pub fn unseeded(self) -> Self {
        Self { unseeded: true, ..self }
    }

    fn is_default(&self) -> bool {
        !self.unseeded && self.args.is_empty() && self.generation == Generation::default()
    }
}

pub struct Server {
    target: Arc<Target>,
    evidence: Evidence,
    base: Endpoint,
    https: Option<String>,
    ca_file: Option<PathBuf>,
    running: Option<RunningServer>,
    child: Option<Child>,
    dir: Option<TempDir>,
}

impl Server {
    /// The base URL without the `/v1`.
    pub fn url(&self) -> String {
        self.base.url()
    }

    /// The https base URL, where the server told one.
    pub fn https_url(&self) -> Option<&str> {
        self.https.as_deref()
    }

    pub fn ca_path(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// The base URL under which every answer is that of the scenario.
    pub fn scenario_url(&self, name: &str) -> String {
        format!("{}/scenarios/{name}", self.url())
    }

    /// A request to a path below the scenario's own base URL.
    pub(crate) fn call_under(&self, scenario: &str, method: &str, path: &str) -> Call {
        let mut base = self.base.clone();
        base.prefix.push_str(&format!("/scenarios/{scenario}"));
        Call::new(base, method, path, self.evidence.clone())
    }

    /// The credential of a seeded identity. A foreign server has only the one we were given.
    pub fn token(&self, identity: Identity) -> Outcome<String> {
        match &self.running {
            Some(running) if !running.control => match identity {
                Identity::Operator => Ok(running.token.clone()),
                _ => skip("the default world and its seeded tokens"),
            },
            _ => Ok(identity.token().to_owned()),
        }
    }

    /// The credential for a server that is not ours, which has nobody we know.
    pub fn foreign_token(&self) -> Option<&str> {
        let running = self.running.as_ref().filter(|running| !running.control)?;
        Some(&running.token)
    }

    /// A request to a path below the base URL, such as `/v1/auth/whoami`.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.base.clone(), method, path, self.evidence.clone())
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).json(body)
    }

    /// An honest IssueSession request; change its body with [`Call::edit`].
    pub fn issue(&self, family: Family, identity: Identity) -> Outcome<Call> {
        let body = json!({
            "resource_id": RESOURCE_ID,
            "kind": family.kind(),
            "target": family.target(),
        });
        let path = format!("/v1/projects/{PROJECT_ID}/sessions");
        Ok(self.post(&path, &body).bearer(&self.token(identity)?))
    }

    /// Bytes sent as they are on a fresh connection; the answer until the server closes, or until
    /// it has been silent for two seconds.
    pub fn raw(&self, bytes: &[u8]) -> Outcome<Vec<u8>> {
        self.base.raw(bytes)
    }

    /// A bare connection, on which a read gives up after `patience`.
    pub(crate) fn connection(
        &self,
        https: bool,
        patience: Duration,
    ) -> Outcome<Box<dyn Connection>> {
        if self.base.guest.is_some() {
            return skip("the default world and its seeded tokens");
        }
        match (https, &self.https) {
            (false, _) => self.base.connect_with_patience(patience),
            (true, Some(url)) => {
                let endpoint = Endpoint::parse(url, self.ca_file.as_deref())?;
                endpoint.connect_with_patience(patience)
            }
            (true, None) => skip("a server that tells its https address"),
        }
    }

    /// A bare connection to where the server was said to be, also to one of somebody else: who
    /// uses it shows a credential that is good there.
    pub(crate) fn own_connection(&self, patience: Duration) -> Outcome<Box<dyn Connection>> {
        self.base.connect_with_patience(patience)
    }

    /// A request over https, to the port of this server under another of its host names.
    pub fn over_tls(&self, host: &str, method: &str, path: &str) -> Outcome<Call> {
        let port = self.https.as_deref().and_then(|url| url.rsplit_once(':')).map(|(_, port)| port);
        let Some(port) = port else { return skip("a server that tells its https address") };
        let mut base = Endpoint::parse(&format!("https://{host}:{port}"), self.ca_file.as_deref())?;
        base.generation = self.base.generation;
        Ok(Call::new(base, method, path, self.evidence.clone()))
    }

    /// Sends the signal to the server we started; [`Server::ended`] waits for what comes of it.
    pub fn signal(&self, signal: rustix::process::Signal) -> Outcome {
        match self.child.as_ref().and_then(process::pid_of) {
            None => skip("a server the harness starts itself"),
            Some(pid) => {
                Ok(rustix::process::kill_process(pid, signal).map_err(std::io::Error::from)?)
            }
        }
    }

    /// The exit code of a server that is about to end; none for a death by signal.
    pub fn ended(&mut self) -> Outcome<Option<i32>> {
        let Some(child) = &mut self.child else {
            return skip("a server the harness starts itself");
        };
        match process::exit_before(child, Instant::now() + READY_LIMIT)? {
            Some(status) => Ok(status.code()),
            None => fail("the server", "an end soon after the signal", "it still runs"),
        }
    }

    /// The journal of this namespace.
    pub fn journal(&self) -> Outcome<Value> {
        self.control("GET", "/__mock/requests", None)
    }

    /// How many requests for that operation this namespace has seen.
    pub fn count(&self, operation: &str) -> Outcome<u64> {
        Ok(self.journal()?["counts"][operation].as_u64().unwrap_or_default())
    }

    pub fn expect_count(&self, operation: &str, count: u64) -> Outcome {
        let found = self.count(operation)?;
        expect_eq(format!("the number of {operation} requests the server saw"), &count, &found)
    }

    /// Stops the clock of this namespace at that moment.
    pub fn freeze_clock(&self, at: &str) -> Outcome {
        self.control("PUT", "/__mock/clock", Some(&json!({"set": at, "freeze": true})))?;
        Ok(())
    }

    pub fn advance_clock(&self, seconds: u64) -> Outcome {
        self.control("PUT", "/__mock/clock", Some(&json!({"advance_seconds": seconds})))?;
        Ok(())
    }

    /// A control request that must succeed for the rule to make sense.
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Outcome<Value> {
        if self.running.as_ref().is_some_and(|running| !running.control) {
            return skip("a server with the mock's control routes");
        }
        let mut call = self.call(method, path).quietly();
        if let Some(body) = body {
            call = call.json(body);
        }
        let exchange = call.send()?;
        match exchange.response.status {
            200..=299 => Ok(exchange.response.json()),
            status => fail(format!("the status of {method} {path}"), "2xx", status),
        }
    }

    /// Whether the process we started still runs; true for one that is not ours.
    pub fn is_alive(&mut self) -> bool {
        match &mut self.child {
            None => true,
            Some(child) => matches!(child.try_wait(), Ok(None)),
        }
    }

    /// The process we started, where it is ours.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Every file below the directory the server was given for home and temporary files, its log
    /// among them.
    pub fn files(&self) -> Outcome<Vec<(PathBuf, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut folders: Vec<PathBuf> = self.dir.iter().map(|dir| dir.path().into()).collect();
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder)? {
                let path = item?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    found.push((path, bytes));
                }
            }
        }
        Ok(found)
    }

    /// Whether nobody else changes what there is: a process or a namespace of its own.
    pub fn has_own_world(&self) -> bool {
        self.base.guest.is_none()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.base
    }

    fn stderr(&self) -> String {
        let path = self.dir.as_ref().map(|dir| dir.path().join("stderr"));
        let bytes = path.and_then(|path| fs::read(path).ok()).unwrap_or_default();
        shown(&bytes)
    }
}

impl Address for Server {
    fn base_url(&self) -> String {
        self.url()
    }

    fn ca_file(&self) -> Option<PathBuf> {
        self.ca_file.clone()
    }
}
