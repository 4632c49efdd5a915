//! Which ssh is run: the first real program of that name in an absolute directory of PATH.

use std::os::unix::fs::symlink;

use super::scene::Scene;
use crate::bench::{Bench, Family};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    vec![
        finish(Rule::must("ssh.path.absent", Side::Client)
            .source(Family::Ssh.page(), "When the local ssh client is absent from PATH the command exits 2 with a \"local ssh client not found\" message"))
            .title("without an ssh on PATH plexctl ssh ends with 2, says that the local ssh client was not found, and burns no session")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::remove_file(bench.sandbox()?.bin().join("ssh"))?;
                let ran = scene.run(Family::Ssh)?.go()?;
                scene.expect_unsent(&ran, 2)?;
                ran.expect_stderr_has("local ssh client not found")?;
                let ran = scene.run(Family::Ssh)?.flag("--output", "json").go()?;
                scene.expect_unsent(&ran, 2)?;
                scene.expect_error_document(&ran, 2).map(drop)
            }),
        draft("other_commands_need_none")
            .title("kubeconfig and tcp-forward work without an ssh client")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::remove_file(bench.sandbox()?.bin().join("ssh"))?;
                for family in [Family::Kubeconfig, Family::TcpForward] {
                    scene.run(family)?.go()?.expect_exit(0)?;
                }
                scene.expect_requests(2, 0)
            }),
        draft("empty_path").title("an empty PATH holds no ssh, not even one in the working directory").check(|bench| {
            not_the_local_one(bench, Some(""))
        }),
        draft("unset_path").title("without a PATH there is no ssh, not even in the working directory").check(|bench| {
            not_the_local_one(bench, None)
        }),
        draft("dot").title("a . in PATH is passed over").check(|bench| not_the_local_one(bench, Some("."))),
        draft("relative").title("a relative directory in PATH is passed over").check(|bench| {
            bench.sandbox()?.write_program("cwd/here/ssh", "#!/bin/sh\nexit 9\n")?;
            not_the_local_one(bench, Some("here:./here"))
        }),
        draft("empty_entries").title("empty entries of PATH are passed over, and the real one is found behind them").check(|bench| {
            local_one(bench)?;
            found_at(bench, |good| format!(":{good}:"))
        }),
        draft("directory_named_ssh").title("a directory named ssh is passed over").check(|bench| {
            std::fs::create_dir_all(bench.sandbox()?.root().join("first/ssh"))?;
            found_behind(bench)
        }),
        draft("not_executable").title("a file named ssh that may not be executed is passed over").check(|bench| {
            bench.sandbox()?.write("first/ssh", "#!/bin/sh\nexit 9\n", 0o644)?;
            found_behind(bench)
        }),
        draft("dangling_link").title("a dangling link named ssh is passed over").check(|bench| {
            std::fs::create_dir_all(bench.sandbox()?.root().join("first"))?;
            symlink("nowhere", bench.sandbox()?.root().join("first/ssh"))?;
            found_behind(bench)
        }),
        draft("missing_directory").title("a directory of PATH that is not there is passed over").check(found_behind),
        draft("only_unusable").title("when every ssh on PATH is unusable, that is as good as none")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::remove_file(bench.sandbox()?.bin().join("ssh"))?;
                bench.sandbox()?.write("bin/ssh", "#!/bin/sh\n", 0o644)?;
                scene.expect_unsent(&scene.run(Family::Ssh)?.go()?, 2)?;
                bench.fake_ssh(crate::bench::Ending::Status(0))?;
                scene.expect_done(&scene.run(Family::Ssh)?.go()?)
            }),
        draft("link_to_a_program").title("a link to a program is a program").check(|bench| {
            let scene = Scene::honest(bench)?;
            let sandbox = bench.sandbox()?;
            std::fs::rename(sandbox.bin().join("ssh"), sandbox.root().join("tmp/real"))?;
            symlink(sandbox.root().join("tmp/real"), sandbox.bin().join("ssh"))?;
            scene.expect_done(&scene.run(Family::Ssh)?.go()?)?;
            scene.ssh.expect_one_call().map(drop)
        }),
    ]
}

fn draft(id: &str) -> RuleDraft {
    finish(Rule::should(format!("ssh.path.{id}"), Side::Client).source(
        "docs/decisions/0003-order-of-judgement.md",
        "for ssh, whether a client is on PATH",
    ))
}

fn finish(draft: RuleDraft) -> RuleDraft {
    draft
        .claims([Claim::exit("ssh.2"), Claim::exit("ssh.2.client_absent"), Claim::hostile("C25")])
        .needs([Need::Unix])
        .fix("Look ssh up in the absolute directories of PATH before anything is sent, and start it by its absolute path.")
}

/// An ssh in the working directory that nobody asked for; it ends with 9.
fn local_one(bench: &Bench) -> Outcome {
    bench.sandbox()?.write_program("cwd/ssh", "#!/bin/sh\n: > ran-the-local-one\nexit 9\n")?;
    Ok(())
}

fn not_the_local_one(bench: &Bench, path: Option<&str>) -> Outcome {
    let scene = Scene::honest(bench)?;
    local_one(bench)?;
    let run = scene.run(Family::Ssh)?;
    let run = match path {
        Some(path) => run.env("PATH", path),
        None => run.env_remove("PATH"),
    };
    scene.expect_unsent(&run.go()?, 2)?;
    scene.expect_done(&scene.run(Family::Ssh)?.go()?)
}

fn found_at(bench: &Bench, path: impl Fn(&str) -> String) -> Outcome {
    let scene = Scene::honest(bench)?;
    let good = bench.sandbox()?.bin().to_string_lossy().into_owned();
    let ran = scene.run(Family::Ssh)?.env("PATH", path(&good)).go()?;
    scene.expect_done(&ran)?;
    ran.expect_no_file_changes()?;
    expect_eq("the number of starts", &1, &scene.ssh.calls()?.len())
}

/// The fake is found although `first/` stands before it in PATH.
fn found_behind(bench: &Bench) -> Outcome {
    let first = bench.sandbox()?.root().join("first");
    found_at(bench, |good| format!("{}:{good}", first.display()))
}
