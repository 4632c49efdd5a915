//! A client behind an adapter: a program that takes plexctl's command line and drives a client with
//! another one. `docs/conformance/protocol.md` is its contract.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::evidence::{Evidence, shown};
use super::ran::Exit;
use super::sandbox::Sandbox;
use super::subject::Run;
use crate::runner::find_program;
use crate::verdict::{Outcome, broken};

/// The version of the protocol, in the environment of every run.
pub(crate) const VARIABLE: &str = "CONFORMANCE_PROTOCOL";
pub(crate) const VERSION: &str = "1";
/// Its one argument when the adapter is asked to describe itself.
const DESCRIBE: &str = "conformance-describe";
/// The exit status of a request that the client behind it has no way to express.
pub(crate) const CANNOT: i32 = 89;

#[derive(Debug, Clone)]
pub struct Adapter {
    pub program: PathBuf,
    /// Words of the command that come before plexctl's own.
    pub args: Vec<OsString>,
    pub description: Description,
}

/// What an adapter says of the client behind it.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    pub protocol: u32,
    pub name: String,
    pub version: String,
    /// Commands and flags that the client does not have; rules that use one are skipped.
    #[serde(default)]
    pub unsupported: Vec<String>,
}

impl Adapter {
    /// Finds the program of a command such as `python3 adapter.py` and asks it to describe itself.
    /// Relative paths are those of our own working directory, which the rules do not share.
    pub fn ask(command: &str, timeout: Duration) -> Outcome<Self> {
        let mut words = command.split_whitespace();
        let Some(first) = words.next() else { return broken("--adapter names no program") };
        let found =
            if first.contains('/') { Some(PathBuf::from(first)) } else { find_program(first) };
        let Some(program) = found.filter(|path| path.is_file()) else {
            return broken(format!("--adapter: there is no program {first}"));
        };
        let program = std::path::absolute(program)?;
        let args: Vec<OsString> = words.map(absolute_if_file).collect();
        // As every rule runs it: one that cannot start there is told of now, and not by each rule.
        let sandbox = Sandbox::new(false)?;
        let run = Run::new(&sandbox, Evidence::default(), &program, timeout);
        let run = run.args(&args).arg(DESCRIBE).env(VARIABLE, VERSION);
        let ended = run.go()?;
        if ended.exit != Exit::Code(0) {
            let said = shown(&ended.stderr);
            return broken(format!(
                "{command} {DESCRIBE} ended with {} where 0 is due, in the sandbox of the rules, \
                 whose PATH holds no interpreter: {said}",
                ended.exit
            ));
        }
        let description: Description = serde_json::from_slice(&ended.stdout)
            .or_else(|error| broken(format!("{command} {DESCRIBE}: {error}")))?;
        if description.protocol.to_string() != VERSION {
            return broken(format!(
                "{command} speaks protocol {}, this harness {VERSION}",
                description.protocol
            ));
        }
        Ok(Self { program, args, description })
    }

    /// The first word of a command line that the client does not have.
    pub(crate) fn lacks(&self, args: &[OsString]) -> Option<&str> {
        let used = |word: &&String| {
            args.iter().filter_map(|arg| arg.to_str()).any(|arg| {
                arg == word.as_str()
                    || (word.starts_with("--")
                        && arg
                            .strip_prefix(word.as_str())
                            .is_some_and(|rest| rest.starts_with('=')))
            })
        };
        self.description.unsupported.iter().find(used).map(String::as_str)
    }
}

fn absolute_if_file(word: &str) -> OsString {
    let path = Path::new(word);
    match std::path::absolute(path) {
        Ok(absolute) if path.is_file() => absolute.into(),
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(dir: &Path, script: &str) -> Outcome<Adapter> {
        let path = dir.join("adapter");
        crate::bench::process::write_executable(&path, &format!("#!/bin/sh\n{script}\n")).unwrap();
        Adapter::ask(&format!("/bin/sh {}", path.display()), Duration::from_secs(10))
    }

    #[test]
    fn an_adapter_says_what_its_client_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let honest = r#"echo '{"protocol":1,"name":"x","version":"1","later":1,"unsupported":["ssh","--profile"]}'"#;
        let adapter_of = adapter(dir.path(), honest).unwrap();
        assert_eq!(adapter_of.description.name, "x");
        let lacks = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            adapter_of.lacks(&args).map(str::to_owned)
        };
        assert_eq!(lacks("ssh --login-user ops").as_deref(), Some("ssh"));
        assert_eq!(lacks("kubeconfig --profile=x").as_deref(), Some("--profile"));
        assert_eq!(lacks("kubeconfig --project-id x"), None);
        for wrong in ["exit 1", "echo {}", r#"echo '{"protocol":2,"name":"x","version":"1"}'"#] {
            assert!(adapter(dir.path(), wrong).is_err(), "{wrong}");
        }
    }
}
