//! What the harness itself costs a rule, and what a whole run costs against no more than starting
//! the same programs as often.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Setup;
use crate::process::Server;
use crate::report::Table;

/// Processor seconds, user and system.
struct Times {
    own: f64,
    /// Of all that it started and waited for.
    children: f64,
}

/// A whole run of the catalogue; what it reports, and what it took.
fn run(setup: &Setup, more: &[&str]) -> (Value, Times) {
    let mut child = Command::new(setup.bin.join("conformance"))
        .args(["run", "--output", "json"])
        .args(more)
        .arg("--plexctl")
        .arg(setup.bin.join("plexctl"))
        .arg("--mock-server")
        .arg(setup.bin.join("mock-server"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Reading to the end waits for the exit without reaping, so that the kernel still knows the times.
    let report = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    let times = loop {
        let (state, times) = times_of(&child.id().to_string());
        if state == "Z" {
            break times;
        }
        std::thread::yield_now();
    };
    assert!(child.wait().unwrap().success(), "the harness does not pass our own binaries");
    (report, times)
}

fn times_of(pid: &str) -> (String, Times) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let seconds = |at: usize| {
        (fields[at].parse::<u64>().unwrap() + fields[at + 1].parse::<u64>().unwrap()) as f64 / 100.0
    };
    (fields[0].to_owned(), Times { own: seconds(11), children: seconds(13) })
}

/// Own user and system time of a whole run, divided by the rules it judged; and all of it, against
/// as many bare starts.
pub(crate) fn overhead(setup: &Setup, table: &mut Table) {
    let (report, times) = run(setup, &[]);
    let rules = report["rules"].as_array().unwrap().len();
    let each = times.own / rules as f64;
    table.row(
        "conformance: own processor time a rule",
        "1.5 ms",
        format!("{:.2} ms", each * 1e3),
        format!("{rules} rules"),
        each / 1.5e-3,
        "<= 1",
        each <= 1.5e-3,
    );

    // What was started is in the evidence, which costs something to write: so of another run.
    let started = starts(setup, &run(setup, &["--trace"]).0);
    let whole = times.own + times.children;
    let (ours, others): (Vec<_>, Vec<_>) =
        started.into_iter().partition(|(program, _)| program.starts_with(&setup.bin));
    let said = |starts: &[(PathBuf, usize)]| {
        let one = |(program, count): &(PathBuf, usize)| {
            format!("{count} of {}", program.file_name().unwrap().to_string_lossy())
        };
        starts.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let (bare, foreign) = (cost(&ours), cost(&others));
    table.row(
        "conformance: a whole run, with all that it starts",
        "as many bare starts of its subjects",
        format!("{whole:.1} s"),
        format!("{bare:.1} s ({})", said(&ours)),
        whole / bare,
        "<= 1.5",
        whole / bare <= 1.5,
    );
    table.row(
        "conformance: a whole run, with all that it starts",
        "as many bare starts of all these programs",
        format!("{whole:.1} s"),
        format!("{:.1} s (also {})", bare + foreign, said(&others)),
        whole / (bare + foreign),
        "(for comparison)",
        true,
    );
}

/// How often each program was started in a traced run.
fn starts(setup: &Setup, report: &Value) -> Vec<(PathBuf, usize)> {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let notes = report["rules"].as_array().unwrap().iter().flat_map(|rule| {
        rule["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str)
    });
    for note in notes {
        let line = note.lines().next().unwrap_or_default();
        let ran = ["ran: ", "at a terminal: "].iter().find_map(|start| line.strip_prefix(start));
        let program = match (ran, line.strip_prefix("started: ")) {
            // A wrapper, such as the shell that sets a umask, is its subject before it is replaced.
            (Some(ran), _) => program_of(&setup.bin.join("plexctl"), ran),
            (None, Some(_)) => Some(setup.bin.join("mock-server")),
            (None, None) => None,
        };
        if let Some(program) = program {
            *counts.entry(program).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

/// The program of a line that can be pasted into a shell: `cd DIR; umask 022; env -i K=V... WORDS`.
fn program_of(plexctl: &Path, line: &str) -> Option<PathBuf> {
    let words = line.split_once("env -i ")?.1;
    if words.contains(&plexctl.display().to_string()) {
        return Some(plexctl.to_owned());
    }
    let program = words.split(' ').find(|word| word.starts_with('/'))?;
    Some(PathBuf::from(program))
}

/// The processor time of starting each of them so often, one after the other, to no purpose.
fn cost(starts: &[(PathBuf, usize)]) -> f64 {
    let before = times_of("self").1.children;
    for (program, count) in starts {
        let name = program.file_name().unwrap().to_string_lossy();
        for _ in 0..*count {
            if name == "mock-server" {
                drop(Server::start(program, &["--port", "0", "--output", "json"]));
                continue;
            }
            let idle: &[&str] = match &*name {
                "kubectl" => &["version", "--client"],
                "ssh" => &["-V"],
                _ => &["--version"],
            };
            let quiet = || Stdio::null();
            let mut command = Command::new(program);
            let _ended =
                command.args(idle).stdin(quiet()).stdout(quiet()).stderr(quiet()).status().unwrap();
        }
    }
    times_of("self").1.children - before
}
