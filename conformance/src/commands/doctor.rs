//! `doctor`: what this machine offers to the rules. Whatever is missing is a skip of some rules,
//! except for what nothing works without.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Trouble;
use super::run::subjects;
use crate::cli::Subjects;
use crate::exit::Ending;
use crate::runner::find_program;
use crate::target::ServerTarget;

/// One thing looked at.
struct Finding {
    what: String,
    /// What to know about it, or why it is not there.
    found: Result<String, String>,
    /// Whether rules can be judged at all without it.
    vital: bool,
}

pub(super) fn doctor(asked: &Subjects, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let mut findings = judged(asked);
    findings.push(Finding {
        what: "a home for sandboxes".to_owned(),
        found: sandbox_is_private(),
        vital: true,
    });
    findings.push(Finding { what: "umask".to_owned(), found: umask_counts(), vital: false });
    findings.push(Finding { what: "/proc".to_owned(), found: proc_is_readable(), vital: false });
    let root = rustix::process::geteuid().is_root();
    findings.push(Finding {
        what: "an ordinary user".to_owned(),
        found: if root { Err("root ignores file modes".to_owned()) } else { Ok("yes".to_owned()) },
        vital: false,
    });
    for program in ["ssh", "kubectl", "strace"] {
        findings.push(Finding {
            what: program.to_owned(),
            found: find_program(program)
                .map(|path| path.display().to_string())
                .ok_or_else(|| "not on PATH; the rules that use it are skipped".to_owned()),
            vital: false,
        });
    }
    let mut ending = Ending::Conforms;
    for finding in findings {
        let (word, text) = match (&finding.found, finding.vital) {
            (Ok(text), _) => ("ok", text),
            (Err(text), false) => ("missing", text),
            (Err(text), true) => {
                ending = Ending::HarnessFailed;
                ("fault", text)
            }
        };
        writeln!(out, "{word:<8} {}: {text}", finding.what)?;
    }
    Ok(ending)
}

/// The subjects start and say something sensible.
fn judged(asked: &Subjects) -> Vec<Finding> {
    let finding = |what: &str, found| Finding { what: what.to_owned(), found, vital: true };
    let (plexctl, server) = match subjects(asked) {
        Ok(found) => found,
        Err(reason) => {
            return vec![finding("the subjects", Err(Trouble::from(reason).to_string()))];
        }
    };
    let mut findings = Vec::new();
    if let Some(path) = &plexctl {
        findings.push(finding("plexctl", starts(path)));
    }
    match &server {
        Some(ServerTarget::Spawn(path)) => findings.push(finding("mock-server", starts(path))),
        Some(ServerTarget::Running(running)) => {
            let kind = if running.control { "with" } else { "without" };
            let text = format!("{} answers, {kind} control routes", running.url);
            findings.push(finding("the server", Ok(text)));
        }
        None => {}
    }
    if findings.is_empty() {
        let why = "none is named, and none lies beside this program".to_owned();
        findings.push(finding("the subjects", Err(why)));
    }
    findings
}

fn starts(path: &Path) -> Result<String, String> {
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let said: String = said.lines().next().unwrap_or_default().chars().take(60).collect();
    if output.status.success() {
        Ok(format!("{} ({said})", path.display()))
    } else {
        Err(format!("{} --version ended with {}", path.display(), output.status))
    }
}

/// A fresh directory under TMPDIR takes files and keeps their modes.
fn sandbox_is_private() -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let dir = tempfile::tempdir().map_err(told)?;
    let file = dir.path().join("probe");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(told)?;
    let mode = fs::metadata(&file).map_err(told)?.permissions().mode() & 0o777;
    if mode != 0o600 {
        return Err(format!("a file made with 0600 has {mode:04o} below {}", dir.path().display()));
    }
    Ok(dir.path().parent().unwrap_or(dir.path()).display().to_string())
}

/// A process started under umask 077 makes files with no bits for others.
fn umask_counts() -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let dir = tempfile::tempdir().map_err(told)?;
    let status = Command::new("/bin/sh")
        .args(["-c", "umask 077 && : > probe"])
        .current_dir(dir.path())
        .status()
        .map_err(told)?;
    let mode = fs::metadata(dir.path().join("probe")).map_err(told)?.permissions().mode() & 0o777;
    match (status.success(), mode) {
        (true, 0o600) => Ok("honoured".to_owned()),
        _ => Err(format!("a file made under 077 has {mode:04o}")),
    }
}

fn proc_is_readable() -> Result<String, String> {
    match fs::read("/proc/self/cmdline") {
        Ok(bytes) if !bytes.is_empty() => Ok("readable".to_owned()),
        Ok(_) => Err("/proc/self/cmdline is empty".to_owned()),
        Err(error) => Err(format!("/proc/self/cmdline: {error}")),
    }
}
