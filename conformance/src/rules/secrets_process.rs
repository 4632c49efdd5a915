//! What other processes can see of a plexctl that holds a secret: its command line, its core limit.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Signal, getrlimit};

use super::scene::Scene;
use super::secrets::{draft, finished, should_child};
use crate::bench::referee::Phase;
use crate::bench::{Answer, Bench, Canary, Ending, Family};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect, fail, skip};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![parent_core_limit()];
    for family in Family::ALL {
        rules.push(own_arguments(family));
        rules.push(argument_not_repeated(family));
        rules.push(core_limit(family));
    }
    rules
}

/// A run held up by a silent server that has heard its request, looked at through /proc.
fn while_waiting(bench: &Bench, family: Family, look: impl Fn(u32) -> Outcome) -> Outcome {
    let scene = Scene::answering(bench, Answer::issued().stall(Phase::BeforeHeaders))?;
    let run = scene.run(family)?.wrapped_in(["/bin/sh", "-c", RAISED, "sh"]);
    let mut running = run.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.referee.hears_within(Duration::from_millis(10)) {
        if !running.is_alive()? || Instant::now() > deadline {
            return fail("plexctl", "waiting for the server", running.finish()?.exit);
        }
    }
    let looked = look(running.pid());
    running.signal(Signal::KILL)?;
    running.finish()?;
    looked
}

/// Starts plexctl with as high a core limit as we may give it.
const RAISED: &str = "ulimit -S -c $(ulimit -H -c); exec \"$@\"";

/// Where the limit is 0 for everybody, nobody can be seen setting it to 0.
fn expect_raisable() -> Outcome {
    match getrlimit(Resource::Core).maximum {
        Some(0) => skip("a core limit that can be raised"),
        _ => Ok(()),
    }
}

fn own_arguments(family: Family) -> Rule {
    draft(family, "own_arguments", "C1")
        .source(family.page(), "the token never appears on the process table")
        .needs([Need::Proc])
        .title(format!(
            "{}'s own command line holds no secret while it runs, and offers no flag for one",
            family.name()
        ))
        .check(move |bench| {
            while_waiting(bench, family, |pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let own = line.windows(9).any(|window| window == b"--server\0");
                expect(own, "the command line", "plexctl's own", "another")?;
                bench.credential_canary().absent_from("plexctl's command line", &line)
            })?;
            let scene = Scene::honest(bench)?;
            for flag in ["--token", "--bearer-token", "--password"] {
                let ran = scene.run(family)?.args([flag, "psk_given_on_the_line"]).go()?;
                scene.expect_unsent(&ran, 2)?;
            }
            Ok(())
        })
}

fn argument_not_repeated(family: Family) -> Rule {
    let id = format!("{}.secrets.argument_not_repeated", family.slug());
    finished(Rule::should(id, Side::Client), family, "C2")
        .title(format!(
            "{} does not repeat a credential that was given on the command line by mistake",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            for flag in ["--token", "--bearer-token", "--password"] {
                let ran = scene.run(family)?.args([flag, "psk_given_on_the_line"]).go()?;
                scene.expect_unsent(&ran, 2)?;
                ran.expect_silent_about(&Canary::new("the value", "psk_given_on_the_line"))?;
            }
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn core_limit(family: Family) -> Rule {
    Rule::should(format!("{}.secrets.no_core_dump", family.slug()), Side::Client)
        .source("docs/decisions/0021-process.md", "While a token is held, core dumps are off")
        .claims([Claim::hostile("C31"), Claim::exit(format!("{}.0", family.name()))])
        .needs([Need::Proc])
        .fix("Set RLIMIT_CORE to 0 before the credential is read.")
        .title(format!("{} leaves no core dump while it holds a token", family.name()))
        .check(move |bench| {
            expect_raisable()?;
            while_waiting(bench, family, |pid| {
                let limits =
                    std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
                expect(core_is_off(&limits), "the core limit of the waiting plexctl", "0", limits)
            })
        })
}

fn core_is_off(limits: &str) -> bool {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    line.is_some_and(|line| line.split_whitespace().next() == Some("0"))
}

fn parent_core_limit() -> Rule {
    should_child("ssh.secrets.no_core_dump_beside_ssh")
        .source("docs/decisions/0021-process.md", "While a token is held, core dumps are off")
        .claims([Claim::hostile("C31")])
        .needs([Need::Proc])
        .title("plexctl cannot dump core while ssh runs beside it")
        .check(|bench| {
            let scene = Scene::ending(bench, bench.referee()?, Ending::Status(0))?;
            let seen = bench.sandbox()?.tmp().join("limits");
            let script = format!("#!/bin/sh\n/bin/cat /proc/$PPID/limits > '{}'\n", seen.display());
            bench.sandbox()?.write_program("bin/ssh", &script)?;
            expect_raisable()?;
            let run = scene.run(Family::Ssh)?.wrapped_in(["/bin/sh", "-c", RAISED, "sh"]);
            scene.expect_done(&run.go()?)?;
            match std::fs::read_to_string(&seen) {
                Ok(limits) => expect(core_is_off(&limits), "plexctl's core limit", "0", limits),
                Err(_) => fail("the local ssh client", "started", "never started"),
            }
        })
}
