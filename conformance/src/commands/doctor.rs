//! `doctor`: what this machine offers to the rules. Whatever is missing is a skip of some rules,
//! except for what nothing works without.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Trouble;
use super::run::subjects;
use crate::bench::{Adapter, Bench, Exit, process, room};
use crate::cli::Subjects;
use crate::exit::Ending;
use crate::runner::{find_program, find_python};
use crate::target::{ServerTarget, Settings, Target};

/// Programs that some rules drive, and what is not judged without each.
const PROGRAMS: [(&str, &str); 7] = [
    ("ssh", "what OpenSSH sees of ssh listeners, and plexctl with a real client"),
    ("dbclient", "what Dropbear sees of ssh listeners"),
    ("kubectl", "what kubectl sees of kubeconfigs and of the clusters behind them"),
    ("psql", "what psql sees of a forward to a database"),
    ("curl", "what curl sees of tcp listeners and tunnels"),
    ("strace", "what a process does that leaves no other trace"),
    ("python3", "rules that drive Python modules, and adapters written in it"),
];

/// What is not judged without an ordinary user.
const AS_ROOT: &str =
    "root ignores file modes; skipped: what a client does that may not read or write a file";

/// A subject that has not answered by then hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

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
        found: if root { Err(AS_ROOT.to_owned()) } else { Ok("yes".to_owned()) },
        vital: false,
    });
    findings.push(Finding { what: "HOME".to_owned(), found: home_is_writable(), vital: false });
    findings.extend(PROGRAMS.iter().map(|(program, lost)| {
        Finding {
            what: (*program).to_owned(),
            found: find_program(program)
                .map(|path| path.display().to_string())
                .ok_or_else(|| format!("not on PATH; skipped without it: {lost}")),
            vital: false,
        }
    }));
    findings.push(Finding {
        what: "paramiko".to_owned(),
        found: find_python("paramiko").map(|python| format!("in {}", python.display())).ok_or_else(
            || {
                "no python3 has it; skipped without it: what paramiko sees of ssh listeners"
                    .to_owned()
            },
        ),
        vital: false,
    });
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
    match (&asked.adapter, &plexctl) {
        (Some(command), _) => findings.push(finding("the adapter", describes(command))),
        (None, Some(path)) => findings.push(finding("plexctl", starts(path))),
        (None, None) => {}
    }
    match &server {
        Some(ServerTarget::Spawn(path)) => findings.push(finding("mock-server", helps(path))),
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

fn describes(command: &str) -> Result<String, String> {
    let adapter =
        Adapter::ask(command, ANSWER_LIMIT).map_err(|why| Trouble::from(why).to_string())?;
    let told = &adapter.description;
    let lacking = match told.unsupported.as_slice() {
        [] => String::new(),
        words => format!(", without {}", words.join(" ")),
    };
    Ok(format!("{} for {} {}{lacking}", adapter.program.display(), told.name, told.version))
}

/// The same in the sandbox of the rules, whose PATH holds no interpreter.
fn starts(path: &Path) -> Result<String, String> {
    let told = helps(path)?;
    let target = Target {
        plexctl: Some(path.to_path_buf()),
        settings: Settings { timeout: ANSWER_LIMIT, ..Settings::default() },
        ..Target::default()
    };
    let bench = Bench::new(Arc::new(target));
    let ran = bench.plexctl().and_then(|run| run.arg("--help").go());
    match ran.map_err(|why| Trouble::from(why).to_string())?.exit {
        Exit::Code(0) => Ok(told),
        exit => Err(format!(
            "{} --help ended with {exit} in the sandbox of the rules, whose PATH holds no interpreter",
            path.display()
        )),
    }
}

/// The program starts and says how it is used; a version is nothing that a page promises.
fn helps(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let child = process::spawn(&mut command).map_err(told)?;
    let ended = process::wait_with_deadline(child, Instant::now() + ANSWER_LIMIT).map_err(told)?;
    let shown = path.display();
    match ended.status {
        None => Err(format!("{shown} --help has not ended after {ANSWER_LIMIT:?}")),
        Some(status) if !status.success() => Err(format!("{shown} --help ended with {status}")),
        Some(_) if ended.stdout.trim_ascii().is_empty() => {
            Err(format!("{shown} --help says nothing on stdout"))
        }
        Some(_) => Ok(shown.to_string()),
    }
}

/// The rules give every run a home of its own; this one is for what a person starts by hand, and
/// for `--keep`.
fn home_is_writable() -> Result<String, String> {
    let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) else {
        return Err("not set; the rules make homes of their own".to_owned());
    };
    let home = Path::new(&home);
    match tempfile::tempfile_in(home) {
        Ok(_) => Ok(format!("{} can be written", home.display())),
        Err(error) => {
            Err(format!("{}: {error}; the rules make homes of their own", home.display()))
        }
    }
}

/// A fresh directory where sandboxes are made takes files, keeps their modes, and lets programs run.
fn sandbox_is_private() -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let dir = room::directory("plexctl-bench-").map_err(told)?;
    let file = dir.path().join("probe");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(told)?;
    let mode = fs::metadata(&file).map_err(told)?.permissions().mode() & 0o777;
    if mode != 0o600 {
        return Err(format!("a file made with 0600 has {mode:04o} below {}", dir.path().display()));
    }
    let script = dir.path().join("script");
    process::write_executable(&script, "#!/bin/sh\nexit 0\n").map_err(told)?;
    let place = dir.path().parent().unwrap_or(dir.path()).display();
    match Command::new(&script).status() {
        Ok(status) if status.success() => Ok(place.to_string()),
        Ok(status) => Err(format!("a script below {place} ended with {status}")),
        Err(error) => Err(format!("a script below {place} cannot be run: {error}; set TMPDIR")),
    }
}

/// A process started under umask 077 makes files with no bits for others.
fn umask_counts() -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let dir = room::directory("plexctl-bench-").map_err(told)?;
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
