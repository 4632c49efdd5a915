//! The configuration file: as private as a token file, read without trust, never rewritten by a run.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::scene::Scene;
use crate::bench::{Bench, Canary, Exit, Family, Ran, Run};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, fail};

const FILE: &str = "home/.config/plexctl/config.json";
const SAVED: &str = "psk_saved_bm9ib2R5LXNob3VsZC1zZWU";

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        draft("unknown_members")
            .title("members of the config file that plexctl does not know are passed over")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let config = json!({"schema": 7, "default_profile": "p", "x": [1, {"y": null}], "profiles":
                    {"p": {"server": scene.referee.url(), "token": SAVED, "colour": "blue"}, "q": {"z": 1}}});
                bench.sandbox()?.write_config(&config)?;
                let ran = bare(bench)?.go()?;
                scene.expect_done(&ran)?;
                ran.expect_no_file_changes()
            }),
        draft("symlink_to_private")
            .title("a config file behind a symlink is read like any other")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write("home/dotfiles/c.json", honest(&scene), 0o600)?;
                std::fs::create_dir_all(bench.sandbox()?.home().join(".config/plexctl"))?;
                symlink(bench.sandbox()?.home().join("dotfiles/c.json"), bench.sandbox()?.root().join(FILE))?;
                scene.expect_done(&bare(bench)?.go()?)
            }),
        draft("no_home")
            .title("without HOME and XDG directories a run that is told everything works")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let run = scene.run(Family::TcpForward)?.env_remove("HOME");
                let ran = run.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME").go()?;
                scene.expect_done(&ran)?;
                ran.expect_no_file_changes()
            }),
        draft("no_home_no_credential")
            .title("without HOME and without a credential the run ends with 3 and no crash")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let run = scene.run(Family::TcpForward)?.without("--token-file").env_remove("HOME");
                let run = run.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME");
                scene.expect_unsent(&run.go()?, 3)?;
                scene.expect_done(&scene.run(Family::TcpForward)?.go()?)
            }),
        draft("relative_xdg_directory")
            .title("a relative XDG_CONFIG_HOME, which the standard says to ignore, is not looked into")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write("cwd/xdg/plexctl/config.json", honest(&scene), 0o600)?;
                let ran = bare(bench)?.env("XDG_CONFIG_HOME", "xdg").go()?;
                let code = matches!(ran.exit, Exit::Code(2 | 3));
                expect(code, "how plexctl ended", "exit code 2 or 3", ran.exit)?;
                ran.expect_stdout_empty()?;
                scene.referee.expect_untouched()?;
                let absolute = bench.sandbox()?.path("xdg");
                scene.expect_done(&bare(bench)?.env("XDG_CONFIG_HOME", absolute).go()?)
            }),
        draft("loose_mode")
            .title("a config file that others can read is refused with 3")
            .claims([Claim::exit("tcp-forward.3.insecure_credentials"), Claim::hostile("C11")])
            .check(|bench| {
                for mode in [0o644, 0o640, 0o666] {
                    let scene = Scene::honest(bench)?;
                    bench.sandbox()?.write(FILE, honest(&scene), mode)?;
                    let ran = bare(bench)?.go()?;
                    ran.expect_exit(3)?;
                    clean(&scene, &ran)?;
                    bench.sandbox()?.write(FILE, honest(&scene), 0o600)?;
                    scene.expect_done(&bare(bench)?.go()?)?;
                }
                Ok(())
            }),
        draft("untouched_when_not_needed")
            .title("a run changes nothing in the config file, loose or broken as it may be")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write(FILE, "{ not json", 0o644)?;
                let ran = scene.run(Family::TcpForward)?.go()?;
                ran.expect_no_file_changes()?;
                scene.expect_silent(&ran)?;
                // Reading the file anyway and refusing it is as good as not reading it.
                if ran.exit == Exit::Code(3) {
                    clean(&scene, &ran)?;
                    std::fs::remove_file(bench.sandbox()?.path(FILE))?;
                    return scene.expect_done(&scene.run(Family::TcpForward)?.go()?);
                }
                scene.expect_done(&ran)
            }),
    ];
    for (slug, title, content) in broken_files() {
        rules.push(draft(&format!("broken.{slug}")).title(title).check(move |bench| {
            let scene = Scene::honest(bench)?;
            bench.sandbox()?.write(FILE, &content, 0o600)?;
            ended_clean(&scene, bench)
        }));
    }
    rules.push(
        draft("broken.symlink_loop")
            .title("a config file that is a link to itself is a plain error")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::create_dir_all(bench.sandbox()?.home().join(".config/plexctl"))?;
                symlink("config.json", bench.sandbox()?.root().join(FILE))?;
                ended_clean(&scene, bench)
            }),
    );
    rules.push(
        draft("broken.directory")
            .title("a directory in the place of the config file is a plain error")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::create_dir_all(bench.sandbox()?.root().join(FILE))?;
                ended_clean(&scene, bench)
            }),
    );
    rules
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("config.{id}"), Side::Client)
        .source("docs/decisions/0014-configuration-file.md", "The configuration file")
        .claims([Claim::flag("tcp-forward", "--profile"), Claim::hostile("C33")])
        .needs([Need::Unix])
        .fix("Read the file like a credential: private, at most 64 KiB, tolerant of unknown members; report what is wrong with it without quoting it.")
}

fn broken_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let deep = "[".repeat(30_000);
    vec![
        ("empty", "an empty config file is a plain error", Vec::new()),
        (
            "cut",
            "a config file cut in the middle is a plain error",
            format!("{{\"profiles\": {{\"p\": {{\"token\": \"{SAVED}\"").into_bytes(),
        ),
        (
            "not_json",
            "a config file that is no JSON is a plain error that does not quote it",
            format!("token = \"{SAVED}\"").into_bytes(),
        ),
        (
            "wrong_types",
            "a config file with members of the wrong type is a plain error",
            format!("{{\"default_profile\": 5, \"profiles\": \"{SAVED}\"}}").into_bytes(),
        ),
        ("array", "a config file that is a list is a plain error", b"[]".to_vec()),
        ("binary", "a config file that is no text is a plain error", vec![0xff, 0x00, 0xfe, 0x80]),
        ("deep", "a config file of thirty thousand brackets is a plain error", deep.into_bytes()),
        ("huge", "a config file over 64 KiB is a plain error", vec![b' '; 70_000]),
    ]
}

fn honest(scene: &Scene<'_>) -> String {
    json!({"default_profile": "p", "profiles": {"p": {"server": scene.referee.url(), "token": SAVED}}}).to_string()
}

/// tcp-forward with its required flags only: server and token have to come from the file.
fn bare(bench: &Bench) -> Outcome<Run<'_>> {
    let mut run = bench.plexctl()?.arg(Family::TcpForward.name());
    for (flag, value) in Family::TcpForward.required() {
        run = run.args([flag, value]);
    }
    Ok(run)
}

/// A usage or credential error in plain words: no crash, no secret, nothing sent.
fn ended_clean(scene: &Scene<'_>, bench: &Bench) -> Outcome {
    // The server is told, so that a client that ignores the broken file would be heard.
    let ran = bare(bench)?.env("PLEXSPHERE_URL", scene.referee.url()).go()?;
    let code = match ran.exit {
        Exit::Code(code @ (2 | 3)) => code,
        other => return fail("how plexctl ended", "exit code 2 or 3", other),
    };
    clean(scene, &ran)?;
    let run = bare(bench)?.env("PLEXSPHERE_URL", scene.referee.url());
    let json = run.flag("--output", "json").go()?;
    scene.expect_error_document(&json, code)?;
    clean(scene, &json)
}

fn clean(scene: &Scene<'_>, ran: &Ran) -> Outcome {
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    ran.expect_no_file_changes()?;
    ran.expect_silent_about(&Canary::new("the saved token", SAVED))?;
    scene.referee.expect_untouched()
}
