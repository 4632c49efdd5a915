//! Where `--output-file` puts the kubeconfig: private, in one piece, never through a link.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::scene::Scene;
use crate::bench::{Bench, EntryKind, Family, Ran, Run, yaml};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        must("stdout_stays_empty", "the document never touches stdout")
            .title("with --output-file not one byte goes to stdout, and the file holds the document")
            .claims([Claim::hostile("C9")])
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                written(&scene, &ran, "cwd/kubeconfig")?;
                ran.expect_stderr_empty()
            }),
        must("same_document", "written to stdout by default, or to --output-file")
            .title("the file holds the very document that stdout would have had")
            .check(same_document),
        should("longer_file_replaced")
            .title("nothing of an older, longer file is left behind the new document")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write("cwd/kubeconfig", "x: old\n".repeat(4000), 0o600)?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                written(&scene, &ran, "cwd/kubeconfig").map(drop)
            }),
        should("hard_link_keeps_the_old")
            .title("another name of the old file keeps the old content: the file is replaced, not rewritten")
            .claims([Claim::hostile("C8")])
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let old = bench.sandbox()?.write("cwd/kubeconfig", "old\n", 0o600)?;
                std::fs::hard_link(&old, bench.sandbox()?.path("second"))?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                written(&scene, &ran, "cwd/kubeconfig")?;
                expect_eq("the other name's content", &b"old\n".to_vec(), &ran.expect_file("cwd/second", 0o600)?)
            }),
        should("path_forms")
            .title("relative, dotted, nested, absolute and odd names all land where they say")
            .check(path_forms),
        symlink_rule("symlink_to_a_file", "a victim's file stays as it is when a link to it is named")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let victim = bench.sandbox()?.write("home/victim", "precious\n", 0o644)?;
                symlink(&victim, bench.sandbox()?.path("kubeconfig"))?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                expect_eq("the victim", &b"precious\n".to_vec(), &ran.expect_file("home/victim", 0o644)?)?;
                written(&scene, &ran, "cwd/kubeconfig").map(drop)
            }),
        symlink_rule("symlink_to_nothing", "nothing appears where a dangling link points")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                let nowhere = bench.sandbox()?.home().join("not-there");
                symlink(&nowhere, bench.sandbox()?.path("kubeconfig"))?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                expect(ran.after.get("home/not-there").is_none(), "the link's target", "still not there", "it was made")?;
                written(&scene, &ran, "cwd/kubeconfig").map(drop)
            }),
        symlink_rule("symlink_to_itself", "a link that leads in a circle is replaced like any other")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                symlink("kubeconfig", bench.sandbox()?.path("kubeconfig"))?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                written(&scene, &ran, "cwd/kubeconfig").map(drop)
            }),
        symlink_rule("symlinked_directory", "a directory reached by a link is as good as any other")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::create_dir(bench.sandbox()?.home().join("real"))?;
                symlink(bench.sandbox()?.home().join("real"), bench.sandbox()?.path("linked"))?;
                let ran = to_file(&scene, "linked/kubeconfig")?.go()?;
                written(&scene, &ran, "home/real/kubeconfig")?;
                let link = ran.after.get("cwd/linked").map(|entry| entry.kind);
                expect_eq("the link in the path", &Some(EntryKind::Symlink), &link)
            }),
    ];
    for umask in [0o000, 0o022, 0o027, 0o077] {
        rules.push(
            must(&format!("mode_0600_under_umask_{umask:03o}"), "A file sink is created mode 0600")
                .claims([Claim::hostile("C4")])
                .title(format!("a new file has exactly mode 0600 under umask {umask:03o}"))
                .check(move |bench| {
                    let scene = Scene::honest(bench)?;
                    let ran = to_file(&scene, "kubeconfig")?.umask(umask).go()?;
                    written(&scene, &ran, "cwd/kubeconfig")?;
                    expect_eq("the number of changes on disk", &1, &ran.file_changes().len())
                }),
        );
    }
    for mode in [0o644, 0o666, 0o640, 0o604, 0o755, 0o400, 0o000] {
        rules.push(
            must(
                &format!("mode_{mode:04o}_becomes_0600"),
                "Write the kubeconfig to this path (mode 0600)",
            )
            .claims([Claim::hostile("C5")])
            .title(format!(
                "an existing file of mode {mode:04o} ends with mode 0600 and the new content"
            ))
            .check(move |bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write("cwd/kubeconfig", "old\n", mode)?;
                let ran = to_file(&scene, "kubeconfig")?.go()?;
                written(&scene, &ran, "cwd/kubeconfig").map(drop)
            }),
        );
    }
    rules
}

pub(super) fn must(id: &str, fact: &'static str) -> RuleDraft {
    finish(
        Rule::must(format!("files.{id}"), Side::Client).source(Family::Kubeconfig.page(), fact),
        id,
    )
}

pub(super) fn should(id: &str) -> RuleDraft {
    let source = "docs/decisions/0011-output-file.md";
    finish(
        Rule::should(format!("files.{id}"), Side::Client)
            .source(source, "How --output-file is written"),
        id,
    )
}

fn finish(draft: RuleDraft, id: &str) -> RuleDraft {
    draft
        .claims([
            Claim::exit("kubeconfig.0.output_file"),
            Claim::flag("kubeconfig", "--output-file"),
            Claim::file(id.to_owned()),
        ])
        .needs([Need::Unix])
        .fix("Make a new file with O_CREAT|O_EXCL and mode 0600 in the target's directory, write, sync, rename it over the target.")
}

fn symlink_rule(id: &str, title: &'static str) -> RuleDraft {
    should(id).title(title).claims([Claim::hostile("C6")])
}

/// kubeconfig with `--output-file`, relative to the working directory.
pub(super) fn to_file<'b>(scene: &Scene<'b>, name: &str) -> Outcome<Run<'b>> {
    Ok(scene.run(Family::Kubeconfig)?.flag("--output-file", name))
}

/// Success, a silent stdout, and the session's kubeconfig in a private file at `path`.
pub(super) fn written(scene: &Scene<'_>, ran: &Ran, path: impl AsRef<Path>) -> Outcome<Value> {
    ran.expect_exit(0)?;
    ran.expect_stdout_empty()?;
    let content = ran.expect_file(path, 0o600)?;
    let document = yaml(&content, "the file")?;
    let issued = scene.referee.issued();
    let token = &document["users"][0]["user"]["token"];
    let known = issued.iter().any(|issued| *token == issued.token.as_str());
    expect(known, "the token in the file", "one that was issued", "another or none")?;
    scene.expect_requests(issued.len(), 0)?;
    scene.expect_silent(ran)?;
    Ok(document)
}

fn same_document(bench: &Bench) -> Outcome {
    let patch = serde_json::json!([{"op": "replace", "path": "/token", "value": "tok.en-1"}]);
    let scene = Scene::answering(bench, crate::bench::Answer::issued_with(patch))?;
    let shown = scene.run(Family::Kubeconfig)?.go()?;
    shown.expect_exit(0)?;
    let ran = to_file(&scene, "kubeconfig")?.go()?;
    ran.expect_exit(0)?;
    ran.expect_stdout_empty()?;
    let same = ran.expect_file("cwd/kubeconfig", 0o600)? == shown.stdout;
    expect(same && !shown.stdout.is_empty(), "the file", "what stdout showed", "something else")
}

fn path_forms(bench: &Bench) -> Outcome {
    let sandbox = bench.sandbox()?;
    std::fs::create_dir(sandbox.path("sub"))?;
    let absolute = sandbox.home().join("absolute.yaml");
    for (name, lands) in [
        ("plain", "cwd/plain"),
        ("./dotted", "cwd/dotted"),
        ("sub/nested", "cwd/sub/nested"),
        ("sub/../up", "cwd/up"),
        ("../cwd/round", "cwd/round"),
        ("a b", "cwd/a b"),
        ("--dashed", "cwd/--dashed"),
        ("caf\u{e9}", "cwd/caf\u{e9}"),
        ("#~$x;y", "cwd/#~$x;y"),
        (absolute.to_str().unwrap_or_default(), "home/absolute.yaml"),
    ] {
        let scene = Scene::honest(bench)?;
        let run = scene.run(Family::Kubeconfig)?.arg(format!("--output-file={name}"));
        let ran = run.go()?;
        written(&scene, &ran, lands)?;
        expect_eq("the number of changes on disk", &1, &ran.file_changes().len())?;
    }
    Ok(())
}
