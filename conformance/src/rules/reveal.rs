//! `--reveal-secrets`: loud, opt-in, and in the audit log before anything is shown.

use std::os::unix::fs::symlink;

use serde_json::Value;

use super::scene::Scene;
use crate::bench::{Answer, Bench, Family, PROJECT_ID, RESOURCE_ID, Ran, contains};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

const LOG: &str = "home/.local/state/plexctl/audit.jsonl";

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![kubeconfig()];
    for family in [Family::Ssh, Family::TcpForward] {
        rules.push(shown(family));
        rules.push(not_asked(family));
        rules.push(audit_line(family));
        rules.push(audit_appends(family));
        rules.push(audit_impossible(family));
        rules.push(audit_link(family));
        rules.push(audit_loose(family));
        rules.push(failed_run(family));
        rules.push(json_output(family));
        rules.push(default_place(family));
    }
    rules
}

fn must(family: Family, id: &str) -> RuleDraft {
    finish(
        family,
        Rule::must(format!("{}.reveal.{id}", family.slug()), Side::Client).source(
            family.page(),
            "a one-line warning is written to stderr and the invocation is audit-logged",
        ),
    )
}

fn should(family: Family, id: &str) -> RuleDraft {
    finish(family, Rule::should(format!("{}.reveal.{id}", family.slug()), Side::Client)
        .source("docs/decisions/0017-reveal-secrets.md", "First, one JSON line is appended to the audit log; if that fails, nothing is revealed and the exit code is 1"))
}

fn finish(family: Family, draft: RuleDraft) -> RuleDraft {
    draft
        .claims([Claim::flag(family.name(), "--reveal-secrets"), Claim::hostile("C3")])
        .needs([Need::Unix])
        .fix("Append the audit line (0600) first, then write one warning line and the token to stderr; stdout never holds it.")
}

fn revealing(scene: &Scene<'_>, family: Family) -> Outcome<Ran> {
    scene.run(family)?.arg("--reveal-secrets").go()
}

/// The token stands on stderr, once, beside one line of warning, and nowhere else.
fn expect_shown(scene: &Scene<'_>, ran: &Ran) -> Outcome {
    let token =
        scene.referee.issued().last().map(|issued| issued.token.clone()).unwrap_or_default();
    let text = ran.stderr_text();
    expect_eq("how often the token is on stderr", &1, &text.matches(&token).count())?;
    let other =
        text.lines().filter(|line| !line.contains(&token) && !line.trim().is_empty()).count();
    let beside = text.lines().any(|line| line.contains(&token) && line.len() > token.len() + 12);
    let one = other == 1 || (other == 0 && beside);
    expect(one, "the warning on stderr", "one line", format!("{other} lines beside the token"))?;
    expect(!contains(&ran.stdout, token.as_bytes()), "stdout", "no token", "it is there")
}

fn shown(family: Family) -> Rule {
    must(family, "shown")
        .title(format!(
            "{} --reveal-secrets shows the token on stderr, once, with a warning",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = revealing(&scene, family)?;
            scene.expect_done(&ran)?;
            expect_shown(&scene, &ran)?;
            ran.expect_silent_about(&bench.credential_canary())
        })
}

fn not_asked(family: Family) -> Rule {
    must(family, "not_asked")
        .title(format!(
            "{} without --reveal-secrets shows no token and writes no audit line",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.go()?;
            scene.expect_done(&ran)?;
            scene.expect_silent(&ran)?;
            ran.expect_no_file_changes()
        })
}

fn lines(ran: &Ran) -> Outcome<Vec<Value>> {
    let content = ran.expect_file(LOG, 0o600)?;
    let text = String::from_utf8_lossy(&content).into_owned();
    expect(text.ends_with('\n'), "the audit log", "to end with a whole line", &text)?;
    let parse = |line: &str| {
        serde_json::from_str(line)
            .or_else(|error| fail("an audit line", "one JSON document", error))
    };
    text.lines().map(parse).collect()
}

fn audit_line(family: Family) -> Rule {
    should(family, "audit_line")
        .title(format!("{} --reveal-secrets leaves one audit line that names what was revealed, but not the secret", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let run = scene.run(family)?.arg("--reveal-secrets").env("USER", "grace").env("LOGNAME", "grace");
            let ran = run.umask(0o000).go()?;
            scene.expect_done(&ran)?;
            let all = lines(&ran)?;
            expect_eq("the number of audit lines", &1, &all.len())?;
            let line = all[0].to_string();
            let session = scene.referee.issued()[0].session_id.clone();
            for word in [PROJECT_ID, RESOURCE_ID, &session, family.name(), "grace"] {
                expect(line.contains(word), "the audit line", format!("{word} in it"), &line)?;
            }
            let time = all[0]["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
            expect(time.is_some(), "the audit line's time", "an RFC 3339 time", &line)?;
            for canary in [scene.referee.session_canary()?, bench.credential_canary()] {
                canary.absent_from_tree(&ran.before, &ran.after, &[])?;
            }
            let directory = ran.after.get("home/.local/state/plexctl").map(|entry| entry.mode);
            expect_eq("the mode of the log's directory", &Some(0o700), &directory)
        })
}

fn audit_appends(family: Family) -> Rule {
    should(family, "audit_appends")
        .title(format!("each {} --reveal-secrets adds a line and leaves the earlier ones alone, twenty at once too", family.name()))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            bench.sandbox()?.write(LOG, "{\"time\":\"2026-01-01T00:00:00Z\"}\n", 0o600)?;
            let ready: Outcome<Vec<_>> =
                (0..20).map(|_| Ok(scene.run(family)?.arg("--reveal-secrets"))).collect();
            let running: Outcome<Vec<_>> = ready?.into_iter().map(crate::bench::Run::spawn).collect();
            let mut last = None;
            for run in running? {
                let ran = run.finish()?;
                ran.expect_exit(0)?;
                last = Some(ran);
            }
            let Some(last) = last else { return Ok(()) };
            let all = lines(&last)?;
            expect_eq("the number of audit lines", &21, &all.len())?;
            expect_eq("the line that was there before", &Some("2026-01-01T00:00:00Z"), &all[0]["time"].as_str())
        })
}

fn audit_impossible(family: Family) -> Rule {
    should(family, "audit_impossible")
        .title(format!(
            "{} reveals nothing and ends with 1 when the audit log cannot be written",
            family.name()
        ))
        .claims([Claim::exit(format!("{}.1", family.name()))])
        .check(move |bench| {
            let sandbox = bench.sandbox()?;
            sandbox.write("home/file", "x", 0o600)?;
            std::fs::create_dir_all(sandbox.home().join("dir/plexctl/audit.jsonl"))?;
            let places = [sandbox.home().join("file"), sandbox.home().join("dir")];
            for place in places {
                let scene = Scene::honest(bench)?;
                let run = scene.run(family)?.arg("--reveal-secrets").env("XDG_STATE_HOME", &place);
                let ran = run.go()?;
                scene.expect_failure(&ran, 1)?;
                given_back(&scene)?;
                expect_goes_through(&scene, family)?;
            }
            Ok(())
        })
}

/// Without the flag the same line is a success: it was the log that was refused.
fn expect_goes_through(scene: &Scene<'_>, family: Family) -> Outcome {
    scene.run(family)?.go()?.expect_exit(0)
}

/// No session was asked for, or it was revoked.
fn given_back(scene: &Scene<'_>) -> Outcome {
    let issues = scene.referee.requests_of("IssueSession")?.len();
    let revokes = scene.referee.requests_of("RevokeSession")?.len();
    expect_eq("the sessions left open", &0, &issues.saturating_sub(revokes))
}

fn audit_link(family: Family) -> Rule {
    should(family, "audit_link")
        .title(format!("{} does not write its audit line through a symlink", family.name()))
        .claims([Claim::hostile("C6")])
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let victim = bench.sandbox()?.write("home/victim", "precious\n", 0o600)?;
            std::fs::create_dir_all(bench.sandbox()?.home().join(".local/state/plexctl"))?;
            symlink(victim, bench.sandbox()?.root().join(LOG))?;
            let ran = revealing(&scene, family)?;
            scene.expect_failure(&ran, 1)?;
            given_back(&scene)?;
            expect_goes_through(&scene, family)
        })
}

fn audit_loose(family: Family) -> Rule {
    should(family, "audit_loose")
        .title(format!(
            "an audit log that others can read does not stay so under {}",
            family.name()
        ))
        .claims([Claim::hostile("C5")])
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            bench.sandbox()?.write(LOG, "", 0o644)?;
            let ran = revealing(&scene, family)?;
            if ran.exit == crate::bench::Exit::Code(0) {
                expect_shown(&scene, &ran)?;
                return expect_eq("the number of audit lines", &1, &lines(&ran)?.len());
            }
            scene.expect_failure(&ran, 1)?;
            given_back(&scene)?;
            expect_goes_through(&scene, family)
        })
}

fn failed_run(family: Family) -> Rule {
    should(family, "nothing_to_reveal")
        .title(format!(
            "{} --reveal-secrets reveals and logs nothing when no session was issued",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::answering(bench, Answer::problem(403, "rebac_denied"))?;
            let ran = revealing(&scene, family)?;
            ran.expect_exit(77)?;
            ran.expect_stdout_empty()?;
            let logged = ran.after.get(LOG).is_some_and(|entry| !entry.content.is_empty());
            expect(!logged, "the audit log", "no line", "a line")?;
            scene.expect_silent(&ran)?;
            scene.expect_requests(1, 0)
        })
}

fn json_output(family: Family) -> Rule {
    should(family, "json_output")
        .title(format!("{} --reveal-secrets --output json keeps the token out of stdout and shows it on stderr", family.name()))
        .claims([Claim::flag(family.name(), "--output")])
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(family)?.arg("--reveal-secrets").flag("--output", "json").go()?;
            scene.expect_done(&ran)?;
            let token = scene.referee.session_canary()?;
            token.absent_from("stdout", &ran.stdout)?;
            expect(token.find(&ran.stderr).is_some(), "stderr", "the token", "no token")?;
            if family == Family::TcpForward {
                ran.stdout_json()?;
            }
            Ok(())
        })
}

fn default_place(family: Family) -> Rule {
    should(family, "default_place")
        .title(format!(
            "without XDG_STATE_HOME {} keeps its audit log below HOME/.local/state",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let run = scene.run(family)?.arg("--reveal-secrets").env_remove("XDG_STATE_HOME");
            let ran = run.go()?;
            scene.expect_done(&ran)?;
            expect_eq("the number of audit lines", &1, &lines(&ran)?.len())?;
            expect_shown(&scene, &ran)
        })
}

fn kubeconfig() -> Rule {
    should(Family::Kubeconfig, "inert")
        .title("kubeconfig takes --reveal-secrets and does nothing with it")
        .check(|bench: &Bench| {
            let scene = Scene::honest(bench)?;
            let ran = revealing(&scene, Family::Kubeconfig)?;
            scene.expect_done(&ran)?;
            ran.stdout_yaml()?;
            ran.expect_no_file_changes()?;
            ran.expect_stderr_empty()
        })
}
