//! The operator's credential: which files are taken, and that nothing is sent without one.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::scene::Scene;
use crate::bench::{Bench, Canary, Family};
use crate::rule::{Claim, Level, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, broken, expect, expect_eq, skip};

const TOKEN: &str = "psk_test_c2VjcmV0LWZvci1maWxlcw";

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(insecure(family));
    }
    for mode in [0o600, 0o400] {
        rules.push(
            draft(Level::Should, &format!("mode_{mode:04o}_taken"))
                .title(format!("a token file of mode {mode:04o} is taken"))
                .check(move |bench| {
                    bench.sandbox()?.write("home/t", format!("{TOKEN}\n"), mode)?;
                    taken(bench)
                }),
        );
    }
    for mode in [0o644, 0o640, 0o660, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777] {
        let level = if mode & 0o004 != 0 { Level::Must } else { Level::Should };
        rules.push(
            draft(level, &format!("mode_{mode:04o}_refused"))
                .title(format!("a token file of mode {mode:04o} is refused"))
                .check(move |bench| {
                    bench.sandbox()?.write("home/t", format!("{TOKEN}\n"), mode)?;
                    refused(bench)
                }),
        );
    }
    rules.extend(contents());
    rules.extend(kinds());
    rules
}

fn draft(level: Level, id: &str) -> RuleDraft {
    let id = format!("credentials.{id}");
    match level {
        Level::Must => Rule::must(id, Side::Client).source(Family::Ssh.page(), "Exit codes, 3"),
        Level::Should => Rule::should(id, Side::Client)
            .source("docs/decisions/0012-credential-files.md", "Which credential files are accepted"),
    }
    .claims([Claim::hostile("C11"), Claim::exit("tcp-forward.3.insecure_credentials"), Claim::flag("tcp-forward", "--token-file")])
    .needs([Need::Unix])
    .fix("Open the file, judge what was opened: regular, the caller's own, no bits for group or others, not empty, at most 64 KiB of text; otherwise exit 3 and send nothing.")
}

/// The run with a token file in the home directory.
fn with_file(scene: &Scene<'_>, bench: &Bench, file: &str) -> Outcome<crate::bench::Ran> {
    let file = bench.sandbox()?.home().join(file);
    let ran = scene.run(Family::TcpForward)?.flag("--token-file", file).go()?;
    ran.expect_silent_about(&Canary::new("the credential", TOKEN))?;
    Ok(ran)
}

fn taken(bench: &Bench) -> Outcome {
    taken_from(bench, "t")
}

fn taken_from(bench: &Bench, file: &str) -> Outcome {
    let scene = Scene::honest(bench)?;
    scene.expect_done(&with_file(&scene, bench, file)?)?;
    let request = scene.referee.expect_one_issue()?;
    let bearer = request.headers.get("authorization").map(str::to_owned);
    expect_eq(
        "whether the token was sent as it is",
        &true,
        &(bearer == Some(format!("Bearer {TOKEN}"))),
    )
}

/// 3, nothing sent; and with an honest file the same line goes through.
fn refused(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    scene.expect_unsent(&with_file(&scene, bench, "t")?, 3)?;
    scene.expect_done(&scene.run(Family::TcpForward)?.go()?)
}

/// Refused, or read as the token it is meant to be; never sent with the rest around it.
fn clean_or_refused(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let ran = with_file(&scene, bench, "t")?;
    if ran.exit == crate::bench::Exit::Code(0) {
        let request = scene.referee.expect_one_issue()?;
        let bearer = request.headers.get("authorization").unwrap_or_default().to_owned();
        return expect(
            bearer == format!("Bearer {TOKEN}"),
            "the bearer token",
            "the token alone",
            "something else",
        );
    }
    scene.expect_unsent(&ran, 3)?;
    scene.expect_done(&scene.run(Family::TcpForward)?.go()?)
}

fn insecure(family: Family) -> Rule {
    Rule::must(format!("{}.exit.3.insecure_credentials", family.slug()), Side::Client)
        .source(family.page(), "Exit codes, 3")
        .claims([
            Claim::exit(format!("{}.3", family.name())),
            Claim::exit(format!("{}.3.insecure_credentials", family.name())),
            Claim::flag(family.name(), "--token-file"),
        ])
        .needs([Need::Unix])
        .title(format!(
            "{} ends with 3 when everybody can read the token file, and sends nothing",
            family.name()
        ))
        .fix("Refuse a credential file that group or others may open.")
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let loose = bench.sandbox()?.write("home/loose", "psk_dev_operator\n", 0o644)?;
            let run =
                || Ok::<_, crate::verdict::Reason>(scene.run(family)?.flag("--token-file", &loose));
            scene.expect_unsent(&run()?.go()?, 3)?;
            let ran = run()?.flag("--output", "json").go()?;
            scene.expect_unsent(&ran, 3)?;
            scene.expect_error_document(&ran, 3).map(drop)
        })
}

fn contents() -> Vec<Rule> {
    type Content = fn() -> Vec<u8>;
    let bad: [(&str, &str, Content); 9] = [
        ("empty", "an empty token file is refused", Vec::new),
        ("only_a_newline", "a token file with nothing but a newline is refused", || b"\n".to_vec()),
        ("only_blanks", "a token file of blanks is refused", || b"   \n".to_vec()),
        ("too_large", "a token file over 64 KiB is refused", || vec![b'a'; 64 * 1024 + 2]),
        ("one_mebibyte", "a token file of 1 MiB is refused", || vec![b'a'; 1024 * 1024]),
        ("binary", "a token file that is no text is refused", || vec![0xff, 0xfe, 0x00, 0x80]),
        ("nul", "a token with a NUL in it is refused", || format!("{TOKEN}\0x\n").into_bytes()),
        ("two_lines", "a token file of two lines is refused", || {
            format!("{TOKEN}\n{TOKEN}\n").into_bytes()
        }),
        ("header_injection", "a token that would write a header of its own is refused", || {
            format!("{TOKEN}\r\nX-Injected: 1\n").into_bytes()
        }),
    ];
    let mut rules: Vec<Rule> = bad
        .into_iter()
        .map(|(slug, title, content)| {
            draft(Level::Should, &format!("content.{slug}")).title(title).check(move |bench| {
                bench.sandbox()?.write("home/t", content(), 0o600)?;
                refused(bench)
            })
        })
        .collect();
    for (slug, title, text) in [
        ("newline_dropped", "one newline at the end is dropped", format!("{TOKEN}\n")),
        ("no_newline", "a token file without a newline is taken", TOKEN.to_owned()),
    ] {
        rules.push(draft(Level::Should, &format!("content.{slug}")).title(title).check(
            move |bench| {
                bench.sandbox()?.write("home/t", &text, 0o600)?;
                taken(bench)
            },
        ));
    }
    for (slug, text) in [
        ("carriage_return", format!("{TOKEN}\r\n")),
        ("two_newlines", format!("{TOKEN}\n\n")),
        ("leading_blank", format!(" {TOKEN}\n")),
        ("trailing_blank", format!("{TOKEN} \n")),
        ("byte_order_mark", format!("\u{feff}{TOKEN}\n")),
        ("trailing_tab", format!("{TOKEN}\t")),
    ] {
        rules.push(
            draft(Level::Should, &format!("content.{slug}"))
                .title(format!(
                    "a token file with a {} is refused or read clean, and never sent as it is",
                    slug.replace('_', " ")
                ))
                .check(move |bench| {
                    bench.sandbox()?.write("home/t", &text, 0o600)?;
                    clean_or_refused(bench)
                }),
        );
    }
    rules.push(
        draft(Level::Should, "content.environment")
            .title("PLEXSPHERE_TOKEN with a line break or a control character is refused, and nothing is sent")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                for text in ["a\nb", "a\r\nX-Injected: 1", "a\u{1b}b", " ", "a b"] {
                    let run = scene.run(Family::TcpForward)?.without("--token-file");
                    scene.expect_unsent(&run.env("PLEXSPHERE_TOKEN", text).go()?, 3)?;
                }
                let run = scene.run(Family::TcpForward)?.without("--token-file");
                scene.expect_done(&run.env("PLEXSPHERE_TOKEN", TOKEN).go()?)
            }),
    );
    rules
}

fn kinds() -> Vec<Rule> {
    let kind =
        |id: &str, title: &'static str| draft(Level::Should, &format!("kind.{id}")).title(title);
    vec![
        draft(Level::Must, "kind.missing")
            .title("a token file that is not there is 3")
            .check(refused),
        kind("directory", "a directory in the place of the token file is 3").check(|bench| {
            std::fs::create_dir(bench.sandbox()?.home().join("t"))?;
            refused(bench)
        }),
        kind("fifo", "a FIFO in the place of the token file is 3, without waiting for a writer")
            .claims([Claim::hostile("C30")])
            .check(|bench| {
                let path = bench.sandbox()?.home().join("t");
                mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                    .or_else(|error| broken(format!("mkfifo: {error}")))?;
                refused(bench)
            }),
        kind("device", "a device in the place of the token file is 3").check(|bench| {
            symlink("/dev/zero", bench.sandbox()?.home().join("t"))?;
            refused(bench)
        }),
        kind("symlink_to_private", "a symlink to a private file is taken").check(|bench| {
            bench.sandbox()?.write("home/real", format!("{TOKEN}\n"), 0o600)?;
            symlink("real", bench.sandbox()?.home().join("t"))?;
            taken(bench)
        }),
        kind("symlink_to_loose", "a symlink to a loose file is refused").check(|bench| {
            bench.sandbox()?.write("home/real", format!("{TOKEN}\n"), 0o644)?;
            symlink("real", bench.sandbox()?.home().join("t"))?;
            refused(bench)
        }),
        kind("symlink_to_nothing", "a dangling symlink is refused").check(|bench| {
            symlink("nowhere", bench.sandbox()?.home().join("t"))?;
            refused(bench)
        }),
        kind("symlink_loop", "a symlink that leads in a circle is refused").check(|bench| {
            symlink("t", bench.sandbox()?.home().join("t"))?;
            refused(bench)
        }),
        kind(
            "shared_directory",
            "a private file in a directory where everybody may write is taken: the file is judged",
        )
        .check(|bench| {
            let sandbox = bench.sandbox()?;
            sandbox.write("home/shared/t", format!("{TOKEN}\n"), 0o600)?;
            set_permissions(sandbox.home().join("shared"), Permissions::from_mode(0o777))?;
            taken_from(bench, "shared/t")
        }),
        kind("foreign_owner", "a private file of another user is refused").check(|bench| {
            let path = bench.sandbox()?.write("home/t", format!("{TOKEN}\n"), 0o600)?;
            let other = if rustix::process::geteuid().as_raw() == 65534 { 65533 } else { 65534 };
            if std::os::unix::fs::chown(&path, Some(other), None).is_err() {
                return skip("leave to give a file away");
            }
            refused(bench)
        }),
        kind("unreadable", "a file its owner may not read is refused")
            .needs([Need::Unprivileged])
            .check(|bench| {
                bench.sandbox()?.write("home/t", format!("{TOKEN}\n"), 0o200)?;
                refused(bench)
            }),
    ]
}
