//! A real kubectl in the sandbox, with a kubeconfig made for one session.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Bench;
use super::canary::Canary;
use super::server::Server;
use super::subject::Run;
use crate::runner::find_program;
use crate::verdict::{Outcome, expect, fail, skip};

pub struct Kubectl<'b> {
    bench: &'b Bench,
    program: PathBuf,
    config: PathBuf,
}

/// It lives for a moment and is alone: collecting garbage, on all cores, is half of what it does.
pub(crate) const FRUGAL: [(&str, &str); 2] = [("GOGC", "off"), ("GOMAXPROCS", "1")];

impl<'b> Kubectl<'b> {
    fn new(bench: &'b Bench, config: PathBuf) -> Outcome<Self> {
        let Some(program) = find_program("kubectl") else { return skip("kubectl on PATH") };
        Ok(Self { bench, program, config })
    }

    pub fn run(&self, args: &[&str]) -> Outcome<Run<'b>> {
        let cache = self.bench.sandbox()?.tmp().join("kube-cache");
        let mut run = self.bench.program(&self.program)?;
        for (name, value) in FRUGAL {
            run = run.env(name, value);
        }
        Ok(run.arg("--kubeconfig").arg(&self.config).arg("--cache-dir").arg(cache).args(args))
    }

    /// What it prints when it succeeds.
    pub fn says(&self, args: &[&str]) -> Outcome<String> {
        let ran = self.run(args)?.go()?;
        let what = format!("kubectl {}", args.join(" "));
        let well = ran.exit == super::Exit::Code(0);
        expect(well, what, "exit code 0", format!("{}: {}", ran.exit, ran.stderr_text()))?;
        Ok(ran.stdout_text())
    }

    /// What it prints, as one JSON document.
    pub fn json(&self, args: &[&str]) -> Outcome<Value> {
        let text = self.says(&[args, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).or_else(|error| {
            crate::verdict::fail(format!("kubectl {} -o json", args.join(" ")), "JSON", error)
        })
    }

    /// What it complains of when it fails, as it has to.
    pub fn fails(&self, args: &[&str]) -> Outcome<String> {
        let ran = self.run(args)?.go()?;
        let failed = matches!(ran.exit, super::Exit::Code(1..));
        let what = format!("kubectl {}", args.join(" "));
        expect(failed, what, "a failure", format!("{}: {}", ran.exit, ran.stdout_text()))?;
        Ok(ran.stderr_text())
    }
}

impl Bench {
    /// The kubectl on PATH, without a kubeconfig.
    pub fn stock_kubectl(&self) -> Outcome<Run<'_>> {
        match find_program("kubectl") {
            Some(program) => self.kubectl_of(&program),
            None => skip("kubectl on PATH"),
        }
    }

    fn kubectl_of(&self, program: &Path) -> Outcome<Run<'_>> {
        let run = self.program(program)?;
        Ok(FRUGAL.into_iter().fold(run, |run, (name, value)| run.env(name, value)))
    }

    /// kubectl for the session of that answer, trusting the server's CA.
    pub fn kubectl(&self, server: &Server, issued: &Value) -> Outcome<Kubectl<'_>> {
        let token = issued["token"].as_str().unwrap_or_default();
        self.kubectl_with(server.ca_path(), issued, token)
    }

    /// The same with another token, or without the CA.
    pub fn kubectl_with(
        &self,
        ca: Option<&Path>,
        issued: &Value,
        token: &str,
    ) -> Outcome<Kubectl<'_>> {
        self.evidence().hide(Canary::new("a session token", token));
        let endpoint = issued["listener_endpoint"].as_str().unwrap_or_default();
        let mut cluster = json!({"server": format!("https://{endpoint}")});
        if let Some(ca) = ca {
            let pem = std::fs::read(ca).or_else(|error| {
                fail("the CA file", "a file", format!("{}: {error}", ca.display()))
            })?;
            cluster["certificate-authority-data"] = json!(STANDARD.encode(pem));
        }
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "session",
            "clusters": [{"name": "session", "cluster": cluster}],
            "contexts": [{"name": "session", "context": {"cluster": "session", "user": "session"}}],
            "users": [{"name": "session", "user": {"token": token}}],
        });
        let name = format!("tmp/kubeconfig-{}", uuid::Uuid::now_v7());
        let config = self.sandbox()?.write(name, config.to_string(), 0o600)?;
        Kubectl::new(self, config)
    }

    /// kubectl with a kubeconfig that somebody else has written.
    pub fn kubectl_at(&self, config: PathBuf) -> Outcome<Kubectl<'_>> {
        Kubectl::new(self, config)
    }
}
