//! The file is the old one or the new one, whole and private, at every moment: with many writers,
//! with a writer that is killed, and by the system calls it makes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::files::{must, should, to_file, written};
use super::scene::Scene;
use crate::bench::{Bench, EntryKind, yaml};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq, fail, skip};

const WRITERS: usize = 20;
const KILLS: u32 = 16;

pub(crate) fn all() -> Vec<Rule> {
    vec![
        should("parallel_writers")
            .claims([Claim::hostile("C8")])
            .title("twenty writers at once leave one whole private document, and no reader ever sees less")
            .check(parallel_writers),
        should("killed_writer")
            .claims([Claim::hostile("C8")])
            .title("a writer killed at any moment leaves the old file or the new one, whole")
            .check(killed_writer),
        should("interrupted_writer")
            .claims([Claim::hostile("C8"), Claim::hostile("C29")])
            .title("Ctrl-C at any moment leaves the old file or the new one, and nothing beside it")
            .check(interrupted_writer),
        must("private_from_the_first_byte", "A file sink is created mode 0600 because the kubeconfig embeds a bearer token")
            .claims([Claim::hostile("C7")])
            .needs([Need::Proc, Need::Program("strace")])
            .title("the file is private when it is made: exclusively, mode 0600, and no mode is changed once it holds data")
            .check(|bench| system_calls(bench).map(drop)),
        should("renamed_into_place")
            .claims([Claim::hostile("C7"), Claim::hostile("C8")])
            .needs([Need::Proc, Need::Program("strace")])
            .title("the data is synced before the new file is renamed over the target")
            .check(renamed_into_place),
    ]
}

fn parallel_writers(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let path = bench.sandbox()?.path("kubeconfig");
    // All are made ready before the first one starts: making one writes the token file anew.
    let ready: Outcome<Vec<_>> = (0..WRITERS).map(|_| to_file(&scene, "kubeconfig")).collect();
    let running: Outcome<Vec<_>> = ready?.into_iter().map(crate::bench::Run::spawn).collect();
    let mut running = running?;
    let mut last = None;
    while !running.is_empty() {
        // What was whole at the last look still is.
        if let Ok(content) = std::fs::read(&path)
            && last.as_ref() != Some(&content)
        {
            complete(&scene, &content)?;
            last = Some(content);
        }
        let mut still = Vec::new();
        for mut writer in running {
            if writer.is_alive()? {
                still.push(writer);
            } else {
                let ran = writer.finish()?;
                ran.expect_exit(0)?;
                ran.expect_stdout_empty()?;
            }
        }
        running = still;
        // Shorter than writing the file takes, and long enough to leave the writers a processor.
        std::thread::sleep(Duration::from_micros(50));
    }
    expect_eq("the sessions issued", &WRITERS, &scene.referee.issued().len())?;
    let left: Vec<String> = std::fs::read_dir(bench.sandbox()?.cwd())?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    expect_eq("the files left", &vec!["kubeconfig".to_owned()], &left)
}

/// One of the tokens issued so far, in a document that reads from first line to last.
fn complete(scene: &Scene<'_>, content: &[u8]) -> Outcome {
    let document = yaml(content, "the file")?;
    let token = &document["users"][0]["user"]["token"];
    let known = scene.referee.issued().iter().any(|issued| *token == issued.token.as_str());
    expect(known, "the token in the file", "one that was issued", "another or none")?;
    let context = document["current-context"].as_str();
    expect_eq("the document's end", &Some("plexsphere"), &context)
}

/// How long an undisturbed run takes, so that the moments of the disturbed ones cover it.
fn undisturbed(scene: &Scene<'_>) -> Outcome<Duration> {
    let ran = to_file(scene, "first")?.go()?;
    written(scene, &ran, "cwd/first")?;
    Ok(ran.duration)
}

fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Runs that are sent `signal` at moments spread over the whole of a run.
fn disturbed(bench: &Bench, signal: Signal, litter: bool) -> Outcome {
    let scene = Scene::honest(bench)?;
    let mut whole = undisturbed(&scene)?;
    let mut endings = BTreeSet::new();
    for nth in 0..KILLS {
        bench.sandbox()?.write("cwd/kubeconfig", "old\n", 0o644)?;
        let started = Instant::now();
        let running = to_file(&scene, "kubeconfig")?.spawn()?;
        // Early and late ones by turns, so that what is learnt of the length serves the next.
        let moment = whole * (nth * 7 % KILLS) / (KILLS - 2);
        wait_until(started + moment);
        running.signal(signal)?;
        let ran = running.finish()?;
        endings.insert(ran.exit.to_string());
        let died = ran.exit == crate::bench::Exit::Signal(signal.as_raw());
        let ended = ran.exit == crate::bench::Exit::Code(0);
        expect(died || ended, "how plexctl ended", "success or death by the signal", ran.exit)?;
        // The machine may be busier than it was, or idler.
        if ended && moment < whole {
            whole = moment;
        } else if died && moment >= whole {
            whole = moment * 5 / 4;
        }
        ran.expect_stdout_empty()?;
        let Some(entry) = ran.after.get("cwd/kubeconfig") else {
            return fail("the file", "the old one or the new one", "none");
        };
        if entry.content == b"old\n" {
            expect_eq("the old file's mode", &0o644, &entry.mode)?;
        } else {
            complete(&scene, &entry.content)?;
            expect_eq("the new file's mode", &0o600, &entry.mode)?;
        }
        for (path, entry) in ran.after.iter() {
            if entry.kind != EntryKind::File || ran.before.get(path).is_some() {
                continue;
            }
            expect(litter, "the files beside the target", "none", path.display())?;
            // A kill cannot be cleaned up after; what it leaves must at least be private.
            expect_eq("the mode of what was left behind", &0o600, &entry.mode)?;
            std::fs::remove_file(bench.sandbox()?.root().join(path))?;
        }
    }
    bench.evidence().note(format!("endings: {endings:?}"));
    Ok(())
}

fn killed_writer(bench: &Bench) -> Outcome {
    disturbed(bench, Signal::KILL, true)
}

fn interrupted_writer(bench: &Bench) -> Outcome {
    disturbed(bench, Signal::INT, false)
}

/// The file that a line of strace says is written to, by what its descriptor stands for.
fn written_to(line: &str) -> Option<&str> {
    let (call, rest) = line.split_once('<')?;
    let (path, _) = rest.split_once(">, ")?;
    call.contains("write").then_some(path)
}

/// What the file sink asked of the kernel, line by line, and the line that wrote the document.
fn system_calls(bench: &Bench) -> Outcome<(Vec<String>, usize)> {
    let scene = Scene::honest(bench)?;
    let Some(strace) = crate::runner::find_program("strace") else {
        return skip("strace on PATH");
    };
    let log = bench.sandbox()?.records().join("strace");
    let calls = "trace=open,openat,creat,chmod,fchmod,fchmodat,rename,renameat,renameat2,link,linkat,write,writev,pwrite64,fsync,fdatasync,sync_file_range";
    let log_name = log.to_string_lossy().into_owned();
    let strace = strace.to_string_lossy().into_owned();
    let words = [strace.as_str(), "-f", "-qq", "-y", "-s", "64", "-e", calls, "-o", &log_name];
    let ran = to_file(&scene, "kubeconfig")?.umask(0o000).wrapped_in(words).go()?;
    let lines: Vec<String> =
        std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return skip("leave to trace a process");
    }
    written(&scene, &ran, "cwd/kubeconfig")?;
    // The sandbox may itself stand below /dev, in shared memory.
    let root = bench.sandbox()?.root().canonicalize()?.display().to_string();
    let written = lines.iter().enumerate().find_map(|(nth, line)| {
        let file = written_to(line).filter(|file| file.starts_with(&root))?;
        line.contains("apiVersion").then_some((nth, format!("<{file}>")))
    });
    let Some((data, file)) = written else {
        // A process that forbids to be dumped is legible to a tracer with privileges only.
        return skip("leave to read what a traced process writes");
    };
    let device = |line: &str| line.contains("\"/dev/") && !line.contains(&root);
    let makes =
        |line: &str| ["O_CREAT", "O_TMPFILE", "creat("].iter().any(|word| line.contains(word));
    // A call that another thread's comes in between is told in two lines.
    let made = lines[..data]
        .iter()
        .any(|line| line.ends_with(&file) && (makes(line) || line.contains("resumed>")));
    expect(made, "the file's making", "an open with O_CREAT before the data", "none")?;
    for line in lines[..data].iter().filter(|line| makes(line)) {
        if device(line) || line.contains("audit.jsonl") {
            continue;
        }
        let exclusive = line.contains("O_EXCL") || line.contains("O_TMPFILE");
        let private = line.contains(", 0600)") || line.contains(", 0600 <unfinished");
        expect(exclusive && private, "how the file is made", "O_EXCL and mode 0600", line)?;
    }
    for line in &lines[data..] {
        expect(!line.contains("chmod"), "after the data was written", "no change of mode", line)?;
    }
    Ok((lines, data))
}

fn renamed_into_place(bench: &Bench) -> Outcome {
    let (lines, data) = system_calls(bench)?;
    let position = |word: &str| lines.iter().position(|line| line.contains(word));
    let synced = position("fsync(").or_else(|| position("fdatasync("));
    let renamed =
        lines.iter().position(|line| line.contains("rename") && line.contains("kubeconfig"));
    let ordered = matches!((synced, renamed), (Some(b), Some(c)) if data < b && b < c);
    expect(ordered, "the order of write, sync and rename", "in that order", lines.join("\n"))
}
