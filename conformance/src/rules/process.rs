//! How the process ends: by a documented code or by a signal, whatever becomes of its streams.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::scene::Scene;
use crate::bench::referee::Phase;
use crate::bench::{Answer, Bench, Exit, Family, Ran, Sink};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in [Family::Kubeconfig, Family::TcpForward] {
        rules.push(full_stdout(family));
        rules.push(broken_stdout(family));
    }
    for family in Family::ALL {
        rules.push(lost_stderr(family));
        rules.push(closed_streams(family));
        rules.push(odd_bytes(family));
        rules.push(bad_environment(family));
        rules.push(no_prompt(family));
        for (name, signal) in [("int", Signal::INT), ("term", Signal::TERM)] {
            rules.push(signalled(family, name, signal));
        }
    }
    rules
}

fn draft(family: Family, id: &str) -> RuleDraft {
    Rule::should(format!("{}.process.{id}", family.slug()), Side::Client)
        .source("docs/decisions/0021-process.md", "How the process ends")
        .claims([Claim::hostile("C29"), Claim::exit(format!("{}.1", family.name()))])
        .needs([Need::Unix])
        .fix("Treat every failing write as an error of its own, never panic, and let signals end the process.")
}

/// No panic: neither its code nor its words.
fn no_panic(ran: &Ran) -> Outcome {
    expect(ran.exit != Exit::Code(101), "how plexctl ended", "no panic", ran.exit)?;
    ran.expect_stderr_lacks("panicked")?;
    ran.expect_stderr_lacks("RUST_BACKTRACE")
}

fn full_stdout(family: Family) -> Rule {
    draft(family, "full_stdout")
        .needs([Need::Proc])
        .title(format!("{} ends with 1 when stdout is on a full disk", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            for format in ["text", "json"] {
                let run = scene
                    .run(family)?
                    .flag("--output", format)
                    .stdout(Sink::To("/dev/full".into()));
                let ran = run.go()?;
                ran.expect_exit(1)?;
                no_panic(&ran)?;
                ran.expect_stderr_says_something()?;
                scene.expect_silent(&ran)?;
            }
            scene.referee.expect_requests("IssueSession", 2)
        })
}

fn broken_stdout(family: Family) -> Rule {
    draft(family, "broken_stdout")
        .title(format!("{} ends quietly when its reader has gone", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.stdout(Sink::BrokenPipe).go()?;
            no_panic(&ran)?;
            let quiet = matches!(ran.exit, Exit::Code(0 | 1) | Exit::Signal(13));
            expect(quiet, "how plexctl ended", "exit code 0 or 1, or death by SIGPIPE", ran.exit)?;
            ran.expect_stderr_empty()?;
            scene.referee.expect_requests("IssueSession", 1)
        })
}

fn lost_stderr(family: Family) -> Rule {
    draft(family, "lost_stderr")
        .needs([Need::Proc])
        .title(format!("{} keeps its exit code when stderr cannot be written", family.name()))
        .check(move |bench| {
            for sink in [Sink::To("/dev/full".into()), Sink::BrokenPipe] {
                for (code, answer) in [(77, "rebac_denied"), (4, "permission_denied")] {
                    let scene = Scene::answering(bench, Answer::problem(403, answer))?;
                    for format in ["text", "json"] {
                        let run = scene.run(family)?.flag("--output", format);
                        let ran = run.stderr(sink.clone()).go()?;
                        ran.expect_exit(code)?;
                        ran.expect_stdout_empty()?;
                    }
                    scene.expect_requests(2, 0)?;
                }
                let scene = Scene::honest(bench)?;
                let ran = scene.run(family)?.without("--project-id").stderr(sink.clone()).go()?;
                ran.expect_exit(2)?;
                scene.referee.expect_untouched()?;
            }
            Ok(())
        })
}

fn closed_streams(family: Family) -> Rule {
    draft(family, "closed_streams")
        .title(format!(
            "{} with no stream open at all does its work or fails, and never crashes",
            family.name()
        ))
        .check(move |bench| {
            for closing in [
                "exec \"$@\" <&-",
                "exec \"$@\" >&-",
                "exec \"$@\" 2>&-",
                "exec \"$@\" <&- >&- 2>&-",
            ] {
                let scene = Scene::honest(bench)?;
                let ran = scene.run(family)?.wrapped_in(["/bin/sh", "-c", closing, "sh"]).go()?;
                no_panic(&ran)?;
                let code = matches!(ran.exit, Exit::Code(0 | 1));
                expect(code, "how plexctl ended", "exit code 0 or 1", ran.exit)?;
                ran.expect_no_file_changes()?;
                scene.referee.expect_requests("IssueSession", 1)?;
            }
            Ok(())
        })
}

fn odd_bytes(family: Family) -> Rule {
    draft(family, "odd_bytes")
        .claims([Claim::exit(format!("{}.2", family.name()))])
        .title(format!("{} refuses arguments that are no text with 2", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let odd = OsStr::from_bytes(b"\xff\xfe\x80");
            for flag in ["--project-id", "--server", "--output", "--ttl-seconds"] {
                let ran = scene.run(family)?.flag(flag, odd).go()?;
                no_panic(&ran)?;
                scene.expect_unsent(&ran, 2)?;
            }
            let ran = scene.run(family)?.arg(odd).go()?;
            scene.expect_unsent(&ran, 2)?;
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn bad_environment(family: Family) -> Rule {
    draft(family, "odd_environment")
        .title(format!(
            "{} is not upset by an environment that is no text or no sense",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let odd = OsStr::from_bytes(b"\xff\xfe\x80");
            let mut run = scene.run(family)?;
            for name in ["LANG", "LC_ALL", "TERM", "COLUMNS", "USER", "ODD", "NO_COLOR", "TZ"] {
                run = run.env(name, odd);
            }
            let ran = run.go()?;
            no_panic(&ran)?;
            scene.expect_done(&ran)?;
            let ran = scene.run(family)?.without("--server").env("PLEXSPHERE_URL", odd).go()?;
            no_panic(&ran)?;
            ran.expect_exit(2)?;
            let ran =
                scene.run(family)?.without("--token-file").env("PLEXSPHERE_TOKEN", odd).go()?;
            no_panic(&ran)?;
            ran.expect_exit(3)?;
            scene.expect_requests(1, 0)
        })
}

fn no_prompt(family: Family) -> Rule {
    draft(family, "no_prompt")
        .claims([Claim::hostile("C30"), Claim::exit(format!("{}.3", family.name()))])
        .title(format!(
            "{} asks no question: what is missing is an error, and stdin is left alone",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let typed = bench.sandbox()?.write("tmp/typed", "psk_dev_operator\nyes\n", 0o600)?;
            let run = scene.run(family)?.without("--token-file").stdin_file(typed);
            let ran = run.timeout(Duration::from_secs(5)).go()?;
            scene.expect_unsent(&ran, 3)?;
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

/// Signalled while it waits for the server.
fn signalled(family: Family, name: &str, signal: Signal) -> Rule {
    draft(family, &format!("signal_{name}"))
        .title(format!(
            "SIG{} ends {} by that signal while it waits for the server",
            name.to_uppercase(),
            family.name()
        ))
        .check(move |bench| interrupted(bench, family, signal))
}

fn interrupted(bench: &Bench, family: Family, signal: Signal) -> Outcome {
    let scene = Scene::answering(bench, Answer::issued().stall(Phase::BeforeHeaders))?;
    let mut run = scene.run(family)?;
    if family == Family::Kubeconfig {
        run = run.flag("--output-file", "kubeconfig");
    }
    let mut running = run.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.referee.hears_within(Duration::from_millis(10)) {
        if Instant::now() > deadline || !running.is_alive()? {
            let ran = running.finish()?;
            return fail("plexctl", "waiting for the server", ran.exit);
        }
    }
    running.signal(signal)?;
    let ran = running.finish()?;
    expect_eq("how plexctl ended", &Exit::Signal(signal.as_raw()), &ran.exit)?;
    ran.expect_stdout_empty()?;
    ran.expect_no_file_changes()?;
    scene.expect_silent(&ran)
}
