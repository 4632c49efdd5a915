//! The bench: everything a rule may touch. One bench serves one rule and vanishes with it.

mod adapter;
mod call;
mod canary;
pub mod contract;
mod deaf;
mod evidence;
mod fake_ssh;
mod guest;
mod http;
pub(crate) mod issued;
pub(crate) mod patience;
pub(crate) mod process;
mod processes;
mod pty;
mod ran;
mod real_kubectl;
mod real_ssh;
pub mod redaction;
pub mod referee;
pub(crate) mod room;
mod running;
mod sandbox;
mod server;
mod streams;
mod subject;
mod tap;
pub(crate) mod tls;
pub mod token;
mod workers;
mod world;

use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

pub use self::adapter::Adapter;
pub use self::call::Call;
pub(crate) use self::call::{Connection, certificates};
pub use self::canary::{Canary, contains};
pub use self::contract::{Generation, System};
pub use self::deaf::{DeafPort, FullPort, with_a_free_port};
pub use self::evidence::Evidence;
pub use self::fake_ssh::{Ending, FakeSsh, SshCall};
pub(crate) use self::guest::Patience;
pub use self::http::{Headers, Request, Response, Wire};
pub use self::issued::Issued;
pub use self::patience::{SOON, Second, until};
pub use self::processes::{Seen, holding};
pub use self::pty::Terminal;
pub use self::ran::{Exit, Ran, yaml};
pub(crate) use self::real_kubectl::FRUGAL;
pub use self::real_kubectl::Kubectl;
pub use self::real_ssh::{Login, OpenSsh};
pub use self::referee::{Answer, Referee, RefereeScript, Scenario};
pub use self::running::Running;
pub use self::sandbox::{Entry, EntryKind, Sandbox, Tree};
pub use self::server::{Exchange, Server, ServerOptions};
pub(crate) use self::subject::quote;
pub use self::subject::{Run, Sink};
pub use self::tap::Tap;
pub use self::tls::Certificate;
pub use self::token::claims_of;
pub use self::world::{Family, Identity, PROJECT_ID, RESOURCE_ID};
use crate::target::{RunningServer, ServerTarget, Target};
use crate::verdict::{Outcome, broken, skip};

/// What a check is given.
pub struct Bench {
    target: Arc<Target>,
    evidence: Evidence,
    sandbox: OnceCell<Sandbox>,
}

/// Something plexctl can be pointed at.
pub trait Address {
    fn base_url(&self) -> String;
    fn ca_file(&self) -> Option<std::path::PathBuf>;
}

impl Bench {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        let evidence = Evidence::default();
        if target.settings.keep {
            evidence.let_stand();
        }
        Self { target, evidence, sandbox: OnceCell::new() }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Where a rule notes what it saw; shown when it fails.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The sandbox of this rule, made at first use.
    pub fn sandbox(&self) -> Outcome<&Sandbox> {
        if self.sandbox.get().is_none() {
            let _ = self.sandbox.set(Sandbox::new(self.target.settings.keep)?);
        }
        match self.sandbox.get() {
            Some(sandbox) => Ok(sandbox),
            None => broken("the sandbox is not there"),
        }
    }

    /// Leaves everything as it is: files on disk, servers running until the target goes.
    pub(crate) fn keep(mut self) {
        if let Some(sandbox) = self.sandbox.get_mut() {
            sandbox.keep();
        }
        self.target.keep(self.evidence.standing());
    }

    /// The subject without any argument; the environment holds HOME, XDG, TMPDIR and PATH only.
    pub fn plexctl(&self) -> Outcome<Run<'_>> {
        let Some(program) = &self.target.plexctl else {
            return skip("a plexctl to judge");
        };
        let timeout = self.target.settings.timeout;
        let run = Run::new(self.sandbox()?, self.evidence.clone(), program, timeout);
        Ok(match &self.target.adapter {
            Some(adapter) => run.through(adapter),
            None => run,
        })
    }

    /// Another program, run in the same sandbox and by the same rules as the subject.
    pub fn program(&self, path: impl AsRef<std::path::Path>) -> Outcome<Run<'_>> {
        let timeout = self.target.settings.timeout;
        Ok(Run::new(self.sandbox()?, self.evidence.clone(), path.as_ref(), timeout))
    }

    /// The subject with a subcommand, its required flags, `--server` and a private token file
    /// holding the operator's credential.
    pub fn command(&self, family: Family, at: &impl Address) -> Outcome<Run<'_>> {
        self.command_as(family, at, Identity::Operator.token())
    }

    /// The same with another credential.
    pub fn command_as(&self, family: Family, at: &impl Address, token: &str) -> Outcome<Run<'_>> {
        self.evidence.hide(Canary::new("operator credential", token));
        let token_file = self.sandbox()?.write_token(token)?;
        let mut run = self.plexctl()?.arg(family.name()).flag("--server", at.base_url());
        run = run.flag("--token-file", token_file);
        if let Some(ca_file) = at.ca_file() {
            run = run.flag("--ca-file", ca_file);
        }
        for (flag, value) in family.required() {
            run = run.flag(flag, value);
        }
        Ok(run)
    }

    /// A scripted control plane; `start()` it.
    pub fn referee(&self) -> Outcome<RefereeScript<'_>> {
        Ok(RefereeScript::new(self.evidence.clone(), Some(self.sandbox()?)))
    }

    /// Puts a fake `ssh` on the subject's PATH.
    pub fn fake_ssh(&self, ending: Ending) -> Outcome<FakeSsh> {
        Ok(FakeSsh::install(self.sandbox()?, ending)?)
    }

    /// The control plane under judgement: a fresh process, or a fresh namespace of a running one.
    pub fn server(&self) -> Outcome<Server> {
        self.server_with(&ServerOptions::default())
    }

    /// The same with flags of its own; a server we did not start is a skip.
    pub fn server_with(&self, options: &ServerOptions) -> Outcome<Server> {
        Server::start(&self.target, options, self.evidence.clone())
    }

    /// The server's program, for rules about its command line; it runs in the sandbox.
    pub fn server_program(&self) -> Outcome<Run<'_>> {
        match &self.target.server {
            Some(ServerTarget::Spawn(program)) => {
                let timeout = self.target.settings.timeout;
                Ok(Run::new(self.sandbox()?, self.evidence.clone(), program, timeout))
            }
            _ => skip("a server the harness starts itself"),
        }
    }

    /// A recording proxy in front of the server; what passes is judged by the contract.
    pub fn tap(&self, server: &Server) -> Outcome<Tap> {
        Tap::start(server, self.evidence.clone())
    }

    /// A request to another address than the control plane's, such as a session's listener.
    pub fn call_at(
        &self,
        url: &str,
        ca_file: Option<&std::path::Path>,
        method: &str,
        path: &str,
    ) -> Outcome<Call> {
        let endpoint = call::Endpoint::parse(url, ca_file)?;
        Ok(Call::new(endpoint, method, path, self.evidence.clone()))
    }

    /// The operator's credential as something to search for.
    pub fn credential_canary(&self) -> Canary {
        Canary::new("the operator's credential", Identity::Operator.token())
    }
}

impl Address for Referee {
    fn base_url(&self) -> String {
        self.url().to_owned()
    }

    fn ca_file(&self) -> Option<std::path::PathBuf> {
        self.ca_file.clone()
    }
}

/// Whether a running server has the mock's control routes.
pub(crate) fn has_control_routes(url: &str, ca_file: Option<&std::path::Path>) -> Outcome<bool> {
    let endpoint = call::Endpoint::parse(url.trim_end_matches('/'), ca_file)?;
    let ready = Call::new(endpoint, "GET", "/__mock/ready", Evidence::default()).send()?;
    Ok(ready.status() == 200 && ready.json()["event"] == "ready")
}

/// Whether a running server turns the credential away. What else it answers is for the rules.
pub(crate) fn refuses(server: &RunningServer) -> Outcome<bool> {
    let endpoint =
        call::Endpoint::parse(server.url.trim_end_matches('/'), server.ca_file.as_deref())?;
    let asked = Call::new(endpoint, "GET", "/v1/auth/whoami", Evidence::default());
    Ok(asked.bearer(&server.token).send()?.status() == 401)
}

/// Whether anything takes a connection at the address of that base URL.
pub(crate) fn answers_at(url: &str) -> bool {
    call::Endpoint::parse(url.trim_end_matches('/'), None)
        .is_ok_and(|endpoint| endpoint.takes_connections())
}

/// Our own file creation mask, where the system tells it without changing it.
fn own_umask() -> u32 {
    static MASK: OnceLock<u32> = OnceLock::new();
    *MASK.get_or_init(|| {
        std::fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?.trim();
                u32::from_str_radix(line, 8).ok()
            })
            // Never equal to a mask anybody asks for: every run then sets its own.
            .unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests;
