//! Help and version: on stdout, with 0, from a machine that has no server and no credential.

use super::scene::Scene;
use crate::bench::{Bench, Exit, Family, Ran, Sink};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

/// The rows of the flag tables, and the persistent flags each page names.
pub(super) fn page_flags(family: Family) -> Vec<&'static str> {
    let own: &[&str] = match family {
        Family::Kubeconfig => &["--impersonate-user", "--impersonate-group", "--output-file"],
        Family::Ssh => &["--login-user", "--reveal-secrets"],
        Family::TcpForward => &["--host", "--port", "--local-addr", "--reveal-secrets"],
    };
    let shared = [
        "--project-id",
        "--resource-id",
        "--ttl-seconds",
        "--server",
        "--profile",
        "--token-file",
        "--output",
    ];
    shared.into_iter().chain(own.iter().copied()).collect()
}

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(
            draft(&format!("{}.flags", family.slug()))
                .source(family.page(), "Flags")
                .claims(page_flags(family).into_iter().map(|flag| Claim::flag(family.name(), flag)))
                .title(format!("the help of {} names every flag of its page", family.name()))
                .check(move |bench| {
                    let ran = told(bench, &[family.name(), "--help"])?;
                    let text = ran.stdout_text();
                    for flag in page_flags(family) {
                        expect(
                            text.contains(flag),
                            "the help",
                            format!("{flag} in it"),
                            "not there",
                        )?;
                    }
                    Ok(())
                }),
        );
        rules.push(
            draft(&format!("{}.goes_before_everything", family.slug()))
                .title(format!("{} --help helps, whatever else stands on the line", family.name()))
                .check(move |bench| {
                    let bad = ["--project-id", "nope", "--help"];
                    let ran = told(bench, &[&[family.name()][..], &bad[..]].concat())?;
                    let short = told(bench, &[family.name(), "-h"])?;
                    let named = |ran: &Ran| ran.stdout_text().contains("--resource-id");
                    expect(named(&ran) && named(&short), "the help", "its flags", ran.stdout_text())
                }),
        );
    }
    rules.push(draft("root").title("plexctl --help names the three commands").check(|bench| {
        for flag in ["--help", "-h"] {
            let text = told(bench, &[flag])?.stdout_text();
            for family in Family::ALL {
                expect(text.contains(family.name()), "the help", family.name(), &text)?;
            }
        }
        Ok(())
    }));
    rules.push(draft("version").title("plexctl --version is one line with a number in it").check(
        |bench| {
            let text = told(bench, &["--version"])?.stdout_text();
            expect_eq("the number of lines", &1, &text.lines().count())?;
            let numbered = text.chars().any(|c| c.is_ascii_digit());
            expect(numbered, "the version", "a number", &text)
        },
    ));
    rules.push(
        draft("full_disk")
            .needs([Need::Proc])
            .title(
                "help and version on a full disk are 1, and to a reader that left they end quietly",
            )
            .check(|bench| {
                let root = told(bench, &["--help"])?.stdout_text();
                expect(root.contains("kubeconfig"), "the help", "the commands", root)?;
                for args in [&["--help"][..], &["--version"][..], &["ssh", "--help"][..]] {
                    let full =
                        bench.plexctl()?.args(args).stdout(Sink::To("/dev/full".into())).go()?;
                    full.expect_exit(1)?;
                    full.expect_stderr_lacks("panicked")?;
                    let gone = bench.plexctl()?.args(args).stdout(Sink::BrokenPipe).go()?;
                    let quiet = matches!(gone.exit, Exit::Code(0 | 1) | Exit::Signal(13));
                    expect(quiet, "how plexctl ended", "0, 1 or death by SIGPIPE", gone.exit)?;
                    gone.expect_stderr_lacks("panicked")?;
                }
                Ok(())
            }),
    );
    rules.push(
        draft("unknown_command").title("an unknown command is a usage error on stderr").check(
            |bench| {
                for args in [&["no-such-command"][..], &["kubeconfi"][..], &["--no-such-flag"][..]]
                {
                    let ran = bench.plexctl()?.args(args).go()?;
                    ran.expect_exit(2)?;
                    ran.expect_stdout_empty()?;
                    ran.expect_stderr_says_something()?;
                }
                told(bench, &["--help"]).map(drop)
            },
        ),
    );
    rules
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("help.{id}"), Side::Client)
        .source("docs/decisions/0021-process.md", "Every exit code is one of the documented ones")
        .claims([Claim::hostile("C29")])
        .fix("Print help and version to stdout, exit 0, and do nothing else.")
}

/// A run that only informs: 0, on stdout, without a request, a file or a word on stderr.
fn told(bench: &Bench, args: &[&str]) -> Outcome<Ran> {
    let scene = Scene::honest(bench)?;
    let run = bench.plexctl()?.args(args).env("PLEXSPHERE_URL", scene.referee.url());
    let ran = run.env_remove("HOME").env("PLEXSPHERE_TOKEN", "psk_dev_operator").go()?;
    ran.expect_exit(0)?;
    ran.expect_stderr_empty()?;
    expect(!ran.stdout.is_empty(), "stdout", "something to read", "nothing")?;
    ran.expect_no_file_changes()?;
    ran.expect_silent_about(&bench.credential_canary())?;
    scene.ssh.expect_not_started()?;
    scene.referee.expect_untouched()?;
    Ok(ran)
}
