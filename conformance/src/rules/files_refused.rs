//! Places where `--output-file` cannot or must not write, and failures that must leave the file
//! system as it was.

use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use super::files::{should, to_file};
use super::scene::Scene;
use crate::bench::referee::Phase;
use crate::bench::{Answer, Bench, Family, Ran};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, fail, skip};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        refused("directory", "a directory of that name is refused").check(|bench| {
            std::fs::create_dir(bench.sandbox()?.path("kubeconfig"))?;
            cannot_write(bench, "kubeconfig")
        }),
        refused(
            "directory_with_content",
            "a directory that holds something is refused and keeps it",
        )
        .check(|bench| {
            bench.sandbox()?.write("cwd/kubeconfig/inner", "x", 0o644)?;
            cannot_write(bench, "kubeconfig")
        }),
        refused("trailing_slash", "a name that ends with a slash is refused")
            .check(|bench| cannot_write(bench, "kubeconfig/")),
        refused("dot", "the working directory itself is refused")
            .check(|bench| cannot_write(bench, ".")),
        refused("dot_dot", "the directory above is refused")
            .check(|bench| cannot_write(bench, "..")),
        refused("fifo", "a FIFO is refused, without waiting for a reader").check(|bench| {
            node(bench, FileType::Fifo)?;
            cannot_write(bench, "kubeconfig")
        }),
        refused("device", "a device is refused").check(|bench| {
            node(bench, FileType::CharacterDevice)?;
            cannot_write(bench, "kubeconfig")
        }),
        refused("socket", "a socket is refused").check(|bench| {
            let _held = UnixListener::bind(bench.sandbox()?.path("kubeconfig"))?;
            cannot_write(bench, "kubeconfig")
        }),
        refused("missing_parent", "a directory that is not there is not made")
            .check(|bench| cannot_write(bench, "no/such/kubeconfig")),
        refused("parent_is_a_file", "a file where a directory should be is refused").check(
            |bench| {
                bench.sandbox()?.write("cwd/file", "x", 0o644)?;
                cannot_write(bench, "file/kubeconfig")
            },
        ),
        refused("name_too_long", "a name longer than any file system takes is refused")
            .check(|bench| cannot_write(bench, &"k".repeat(300))),
        refused("read_only_place", "a place where no file can be made is refused")
            .needs([Need::Proc])
            .check(|bench| cannot_write(bench, "/proc/kubeconfig")),
        refused("read_only_directory", "a directory without write permission is refused")
            .needs([Need::Unprivileged])
            .check(|bench| {
                use std::os::unix::fs::PermissionsExt;
                let sealed = bench.sandbox()?.path("sealed");
                std::fs::create_dir(&sealed)?;
                std::fs::set_permissions(&sealed, std::fs::Permissions::from_mode(0o500))?;
                cannot_write(bench, "sealed/kubeconfig")
            }),
        refused(
            "full_disk",
            "a disk that takes no more bytes leaves the old file whole and no new one",
        )
        .claims([Claim::hostile("C8"), Claim::hostile("C26")])
        .check(|bench| full_disk(bench, true)),
        refused(
            "full_disk_new_file",
            "a disk that takes no more bytes leaves no empty file behind",
        )
        .claims([Claim::hostile("C8"), Claim::hostile("C26")])
        .check(|bench| full_disk(bench, false)),
    ];
    rules.extend(unchanged());
    rules
}

fn refused(id: &str, title: &'static str) -> RuleDraft {
    should(&format!("refused.{id}")).title(title).claims([
        Claim::exit("kubeconfig.1"),
        Claim::exit("kubeconfig.1.write_failure"),
        Claim::hostile("C6"),
    ])
}

/// Exit 1 with nothing changed; and no session is left open behind the failure.
fn not_written(scene: &Scene<'_>, ran: &Ran) -> Outcome {
    scene.expect_failure(ran, 1)?;
    let issues = scene.referee.requests_of("IssueSession")?.len();
    let revokes = scene.referee.requests_of("RevokeSession")?.len();
    match (issues, revokes) {
        (0, 0) | (1, 1) => Ok(()),
        seen => {
            fail("sessions issued and revoked", "none, or one and given back", format!("{seen:?}"))
        }
    }
}

fn cannot_write(bench: &Bench, name: &str) -> Outcome {
    let scene = Scene::honest(bench)?;
    not_written(&scene, &to_file(&scene, name)?.go()?)?;
    let again = Scene::honest(bench)?;
    let ran = to_file(&again, name)?.flag("--output", "json").go()?;
    not_written(&again, &ran)?;
    again.expect_error_document(&ran, 1).map(drop)
}

/// Something that is neither file nor directory, called `kubeconfig`, in the working directory.
fn node(bench: &Bench, kind: FileType) -> Outcome {
    let path = bench.sandbox()?.path("kubeconfig");
    // The null device: whatever is written to it is gone.
    let device = if kind == FileType::CharacterDevice { makedev(1, 3) } else { 0 };
    match mknodat(CWD, &path, kind, Mode::RUSR | Mode::WUSR, device) {
        Ok(()) => Ok(()),
        Err(_) => skip("leave to make such a node"),
    }
}

/// A limit of zero bytes for every file, the signal for it ignored: writing fails as on a full disk.
fn full_disk(bench: &Bench, old: bool) -> Outcome {
    let scene = Scene::honest(bench)?;
    if old {
        bench.sandbox()?.write("cwd/kubeconfig", "old\n", 0o640)?;
    }
    let limit = ["/bin/sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"];
    let ran = to_file(&scene, "kubeconfig")?.wrapped_in(limit).go()?;
    scene.expect_given_up(&ran)
}

/// The old file stays exactly as it was, loose mode and all, when there is no session to write.
fn unchanged() -> Vec<Rule> {
    type Make = fn() -> Answer;
    let cases: [(&str, i32, Make); 8] = [
        ("unauthorized", 3, || Answer::problem(401, "unauthenticated")),
        ("forbidden", 4, || Answer::problem(403, "permission_denied")),
        ("rebac_denied", 77, || Answer::problem(403, "rebac_denied")),
        ("server_error", 1, || Answer::problem(503, "unavailable")),
        ("missing_endpoint", 1, || {
            Answer::issued_with(json!([{"op": "remove", "path": "/listener_endpoint"}]))
        }),
        ("missing_token", 1, || Answer::issued_with(json!([{"op": "remove", "path": "/token"}]))),
        ("cut_answer", 1, || Answer::issued().reset(Phase::MidBody)),
        ("not_json", 1, || Answer::text(201, "{").header("content-type", "application/json")),
    ];
    let mut rules = Vec::new();
    for (slug, code, answer) in cases {
        rules.push(
            should(&format!("unchanged.{slug}"))
                .claims([Claim::hostile("C10"), Claim::exit(format!("kubeconfig.{code}"))])
                .title(format!("neither an old file nor an empty place is touched when the run ends with {code} ({slug})"))
                .check(move |bench| {
                    for old in [true, false] {
                        let scene = Scene::answering(bench, answer())?;
                        let name = if old { "old" } else { "new" };
                        if old {
                            bench.sandbox()?.write("cwd/old", "old\n", 0o644)?;
                        }
                        scene.expect_failure(&to_file(&scene, name)?.go()?, code)?;
                        scene.referee.expect_requests("IssueSession", 1)?;
                    }
                    Ok(())
                }),
        );
    }
    rules.push(
        should("unchanged.usage_error")
            .claims([Claim::hostile("C10"), Claim::exit("kubeconfig.2")])
            .title("neither an old file nor an empty place is touched by a usage error or a missing credential")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write("cwd/old", "old\n", 0o644)?;
                for name in ["old", "new"] {
                    let run = || to_file(&scene, name);
                    scene.expect_unsent(&run()?.flag("--project-id", "nope").go()?, 2)?;
                    scene.expect_unsent(&run()?.without("--token-file").go()?, 3)?;
                }
                scene.run(Family::Kubeconfig)?.go()?.expect_exit(0)
            }),
    );
    rules
}
