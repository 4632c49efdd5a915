//! Real ssh clients in the sandbox: OpenSSH without anybody's configuration, and what answers
//! its questions; dropbear's client; paramiko.

use std::path::PathBuf;

use serde_json::Value;

use super::Bench;
use super::canary::Canary;
use super::subject::Run;
use crate::runner::{find_program, find_python};
use crate::verdict::{Outcome, fail, skip};

/// Answers as a careful person would: with the pin when the host is unknown, with `no` when ssh
/// did not like that, and with the token otherwise. Each question is written down.
const ASKPASS: &str = r#"#!/bin/sh
printf '%s\n' "$1" >> "$ASKED"
case "$1" in
*"can't be established"*) printf '%s\n' "$PIN" ;;
*"Please type"*) echo no ;;
*) printf '%s\n' "$TOKEN" ;;
esac
"#;

/// ssh takes the home of the account, not of the environment, so each file it would look for there
/// is named elsewhere.
const NOBODYS: [&str; 8] = [
    "-F",
    "/dev/null",
    "-o",
    "GlobalKnownHostsFile=/dev/null",
    "-o",
    "IdentityFile=none",
    "-o",
    "IdentityAgent=none",
];

/// Where a session's endpoint leads, taken apart.
#[derive(Debug, Clone)]
pub struct Login {
    pub endpoint: String,
    pub token: String,
    pub user: String,
    pub host: String,
    pub port: u16,
    /// `SHA256:...` of the host key.
    pub pin: String,
}

impl Login {
    /// From the answer to IssueSession.
    pub fn of(issued: &Value) -> Outcome<Self> {
        let endpoint = issued["listener_endpoint"].as_str().unwrap_or_default();
        let parts = || {
            let (user, rest) = endpoint.strip_prefix("ssh://")?.split_once(";fingerprint=")?;
            let (pin, address) = rest.split_once('@')?;
            let (host, port) = address.rsplit_once(':')?;
            Some((user, pin, host, port.parse().ok()?))
        };
        let Some((user, pin, host, port)) = parts() else {
            return fail("the endpoint", "ssh://<user>;fingerprint=<pin>@<host>:<port>", endpoint);
        };
        Ok(Self {
            endpoint: endpoint.to_owned(),
            token: issued["token"].as_str().unwrap_or_default().to_owned(),
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            pin: pin.to_owned(),
        })
    }

    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }
}

/// A stock OpenSSH in the sandbox of one rule.
pub struct OpenSsh<'b> {
    bench: &'b Bench,
    program: PathBuf,
    askpass: PathBuf,
    asked: PathBuf,
}

impl<'b> OpenSsh<'b> {
    pub(super) fn new(bench: &'b Bench) -> Outcome<Self> {
        let sandbox = bench.sandbox()?;
        let Some(program) = find_program("ssh") else { return skip("ssh on PATH") };
        let askpass = sandbox.write_program("bin/askpass", ASKPASS)?;
        Ok(Self { bench, program, askpass, asked: sandbox.records().join("asked") })
    }

    /// `ssh <options> <endpoint> <command>`; without a command the shell.
    pub fn run(&self, login: &Login, options: &[&str], command: Option<&str>) -> Outcome<Run<'b>> {
        self.bench.evidence().hide(Canary::new("a session token", &login.token));
        let known = self.bench.sandbox()?.home().join("known_hosts");
        let run = self
            .bench
            .program(&self.program)?
            .args(NOBODYS)
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .args(options)
            .arg(&login.endpoint)
            .args(command)
            .env("SSH_ASKPASS", &self.askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("ASKED", &self.asked)
            .env("PIN", &login.pin)
            .env("TOKEN", &login.token);
        Ok(run)
    }

    /// The questions that ssh had to be answered, in order.
    pub fn questions(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.asked).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A client that has done its work leaves without tearing down its interpreter, which now and then
/// crashes on the threads of a library that are still there.
const LEAVE: &str = "import os, sys\nsys.stdout.flush()\nos._exit(0)\n";

impl Bench {
    /// OpenSSH, whose questions are answered from the login.
    pub fn openssh(&self) -> Outcome<OpenSsh<'_>> {
        OpenSsh::new(self)
    }

    /// Puts the real ssh on the subject's PATH, kept away from the account's own files.
    pub fn real_ssh(&self) -> Outcome {
        let Some(program) = find_program("ssh") else { return skip("ssh on PATH") };
        let sandbox = self.sandbox()?;
        let known = sandbox.home().join("known_hosts");
        let script = format!(
            "#!/bin/sh\nexec '{}' {} -o 'UserKnownHostsFile={}' \"$@\"\n",
            program.display(),
            NOBODYS.join(" "),
            known.display()
        );
        sandbox.write_program("bin/ssh", &script)?;
        Ok(())
    }

    /// dropbear's client, which takes the token from its environment.
    pub fn dbclient(&self, login: &Login, options: &[&str], command: &str) -> Outcome<Run<'_>> {
        let Some(program) = find_program("dbclient") else { return skip("dbclient on PATH") };
        self.evidence().hide(Canary::new("a session token", &login.token));
        Ok(self
            .program(program)?
            .args(["-y", "-y", "-p", &login.port.to_string()])
            .args(options)
            .arg(format!("{}@{}", login.user, login.host))
            .arg(command)
            .env("DROPBEAR_PASSWORD", &login.token))
    }

    /// A Python program on paramiko, given the login by its environment.
    pub fn paramiko(&self, login: &Login, program: &str) -> Outcome<Run<'_>> {
        let Some(python) = find_python("paramiko") else { return skip("paramiko for python3") };
        self.evidence().hide(Canary::new("a session token", &login.token));
        let program = format!("{program}\n{LEAVE}");
        let script = self.sandbox()?.write("tmp/client.py", program, 0o600)?;
        Ok(self
            .program(python)?
            // No site of the user, no compiled files.
            .args(["-s", "-B", "-W", "ignore"])
            .arg(script)
            .env("LOGIN_USER", &login.user)
            .env("LOGIN_HOST", &login.host)
            .env("LOGIN_PORT", login.port.to_string())
            .env("LOGIN_PIN", &login.pin)
            .env("TOKEN", &login.token))
    }
}
