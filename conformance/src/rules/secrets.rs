//! Secrets stay where they belong: not in arguments, streams, files, other processes or core dumps.

use serde_json::json;

use super::scene::Scene;
use crate::bench::referee::Phase;
use crate::bench::{Answer, Bench, Canary, Family, SshCall};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

/// Everything that usually makes a program talkative.
const TALKATIVE: [(&str, &str); 8] = [
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("PLEXCTL_LOG", "trace"),
    ("PLEXCTL_DEBUG", "1"),
    ("DEBUG", "*"),
    ("LOG_LEVEL", "trace"),
    ("VERBOSE", "9"),
    ("TRACE", "1"),
];

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(talkative(family));
        rules.push(error_paths(family));
        rules.push(echoed_credential(family));
        rules.push(echoed_token(family));
    }
    rules.push(
        child("ssh.secrets.one_variable")
            .title("ssh finds the session token in PLEXCTL_SESSION_TOKEN and in no other variable")
            .check(|bench| {
                let (scene, call) = started(bench, &[])?;
                let token = scene.referee.session_canary()?;
                let names = call.variables_with(&token);
                expect_eq(
                    "the variables with the token",
                    &vec!["PLEXCTL_SESSION_TOKEN".to_owned()],
                    &names,
                )?;
                let issued = scene.referee.issued()[0].token.clone();
                let same = call.env.get("PLEXCTL_SESSION_TOKEN") == Some(&issued);
                expect(
                    same,
                    "PLEXCTL_SESSION_TOKEN",
                    "the token, whole and alone",
                    "something else",
                )
            }),
    );
    rules.push(
        child("ssh.secrets.process_table")
            .title("the token is in no argument of ssh or plexctl")
            .claims([Claim::hostile("C1")])
            .needs([Need::Proc])
            .check(|bench| {
                let (scene, call) = started(bench, &[])?;
                call.expect_argv_silent_about(&scene.referee.session_canary()?)?;
                call.expect_argv_silent_about(&bench.credential_canary())
            }),
    );
    rules.push(
        should_child("ssh.secrets.operator_token_removed")
            .title("PLEXSPHERE_TOKEN is taken out of ssh's environment")
            .check(|bench| {
                let operator = "psk_env_b25seS1mb3ItcGxleGN0bA";
                let (_, call) = started(bench, &[("PLEXSPHERE_TOKEN", operator), ("KEPT", "yes")])?;
                let names = call.variables_with(&Canary::new("the operator's token", operator));
                expect_eq(
                    "the variables with the operator's token",
                    &Vec::<String>::new(),
                    &names,
                )?;
                expect_eq("PLEXSPHERE_TOKEN", &None, &call.env.get("PLEXSPHERE_TOKEN").cloned())?;
                expect_eq(
                    "another variable",
                    &Some("yes".to_owned()),
                    &call.env.get("KEPT").cloned(),
                )
            }),
    );
    rules.push(
        child("ssh.secrets.stale_token_overwritten")
            .title(
                "a PLEXCTL_SESSION_TOKEN left over in the caller's environment does not reach ssh",
            )
            .check(|bench| {
                let (scene, call) =
                    started(bench, &[("PLEXCTL_SESSION_TOKEN", "stale-token-of-yesterday")])?;
                let issued = scene.referee.issued()[0].token.clone();
                let same = call.env.get("PLEXCTL_SESSION_TOKEN") == Some(&issued);
                expect(same, "PLEXCTL_SESSION_TOKEN", "the token just issued", "something else")
            }),
    );
    rules.push(child("ssh.secrets.no_files").title("no file is written on the way to ssh").check(
        |bench| {
            let scene = Scene::honest(bench)?;
            let ran = scene.run(Family::Ssh)?.go()?;
            scene.expect_done(&ran)?;
            scene.ssh.expect_one_call()?;
            ran.expect_no_file_changes()?;
            scene.expect_silent(&ran)
        },
    ));
    rules
}

fn child(id: &'static str) -> RuleDraft {
    finish(Rule::must(id, Side::Client).source(
        Family::Ssh.page(),
        "handing the one-time JWT to that client through the PLEXCTL_SESSION_TOKEN environment variable",
    ))
}

pub(super) fn should_child(id: &'static str) -> RuleDraft {
    finish(Rule::should(id, Side::Client).source(
        "docs/decisions/0005-token-to-ssh.md",
        "The operator's own credential is taken out of the child's environment",
    ))
}

fn finish(draft: RuleDraft) -> RuleDraft {
    draft
        .claims([Claim::exit("ssh.0.client_succeeded"), Claim::hostile("C24")])
        .fix("Set PLEXCTL_SESSION_TOKEN in ssh's environment, remove PLEXSPHERE_TOKEN from it, and let the token be nowhere else.")
}

fn started<'b>(bench: &'b Bench, env: &[(&str, &str)]) -> Outcome<(Scene<'b>, SshCall)> {
    let scene = Scene::honest(bench)?;
    let mut run = scene.run(Family::Ssh)?;
    for (key, value) in env {
        if *key == "PLEXSPHERE_TOKEN" {
            run = run.without("--token-file");
        }
        run = run.env(key, value);
    }
    scene.expect_done(&run.go()?)?;
    let call = scene.ssh.expect_one_call()?;
    Ok((scene, call))
}

pub(super) fn draft(family: Family, id: &str, hostile: &'static str) -> RuleDraft {
    finished(Rule::must(format!("{}.secrets.{id}", family.slug()), Side::Client), family, hostile)
}

pub(super) fn finished(draft: RuleDraft, family: Family, hostile: &'static str) -> RuleDraft {
    draft
        .source("docs/decisions/0018-errors.md", "Errors go to stderr")
        .claims([Claim::hostile(hostile), Claim::exit(format!("{}.1", family.name()))])
        .fix("Keep tokens out of everything that is shown, logged, passed as an argument or written, but for the one place that is meant for them.")
}

fn talkative(family: Family) -> Rule {
    draft(family, "talkative", "C2")
        .source(family.page(), "the token is not printed")
        .title(format!(
            "no environment variable makes {} show a secret it should not",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let mut run = scene.run(family)?;
            for (key, value) in TALKATIVE {
                run = run.env(key, value);
            }
            let ran = run.go()?;
            scene.expect_done(&ran)?;
            ran.expect_silent_about(&bench.credential_canary())?;
            let token = scene.referee.session_canary()?;
            token.absent_from("stderr", &ran.stderr)?;
            token.absent_from_tree(&ran.before, &ran.after, &[])?;
            if family != Family::Kubeconfig {
                token.absent_from("stdout", &ran.stdout)?;
            }
            Ok(())
        })
}

fn error_paths(family: Family) -> Rule {
    finished(
        Rule::should(format!("{}.secrets.error_paths", family.slug()), Side::Client),
        family,
        "C2",
    )
    .title(format!(
        "no failure of {} shows the credential or the token of a session it got, in text or JSON",
        family.name()
    ))
    .check(move |bench| {
        let broken = |op: serde_json::Value| Answer::issued_with(json!([op]));
        let answers = [
            (3, Answer::problem(401, "unauthenticated")),
            (77, Answer::problem(403, "rebac_denied")),
            (1, Answer::problem(500, "internal")),
            (1, Answer::issued().reset(Phase::MidBody)),
            (1, broken(json!({"op": "remove", "path": "/listener_endpoint"}))),
            (1, broken(json!({"op": "replace", "path": "/session_id", "value": "nope"}))),
            (1, broken(json!({"op": "replace", "path": "/expires_at", "value": 5}))),
            (1, broken(json!({"op": "replace", "path": "/session/kind", "value": "other"}))),
            (1, broken(json!({"op": "replace", "path": "/session", "value": [1]}))),
        ];
        for (code, answer) in answers {
            for format in ["text", "json", "yaml"] {
                let scene = Scene::answering(bench, answer.clone())?;
                let mut run = scene.run(family)?.flag("--output", format);
                for (key, value) in TALKATIVE {
                    run = run.env(key, value);
                }
                let ran = run.go()?;
                scene.expect_failure(&ran, code)?;
                scene.referee.expect_requests("IssueSession", 1)?;
            }
        }
        Ok(())
    })
}

fn echoed_credential(family: Family) -> Rule {
    Rule::should(format!("{}.secrets.echoed_credential", family.slug()), Side::Client)
        .source("docs/decisions/0018-errors.md", "How errors are shown")
        .claims([Claim::hostile("C2"), Claim::exit(format!("{}.4", family.name()))])
        .fix("Blot the credential out of what a server says before it is shown.")
        .title(format!("a server that repeats the credential in its refusal does not make {} show it", family.name()))
        .check(move |bench| {
            for format in ["text", "json", "yaml"] {
                let answer = Answer::problem(403, "permission_denied");
                let detail = "the token psk_dev_operator may not do that";
                let body = json!({"type": "https://plexsphere.com/errors/permission-denied", "title": detail,
                    "status": 403, "detail": detail, "instance": "/x", "code": "permission_denied",
                    "reason": detail, "correlation_id": "psk_dev_operator"});
                let answer = Answer { body: Some(crate::bench::referee::Body::Json(body)), ..answer };
                let scene = Scene::answering(bench, answer)?;
                let ran = scene.run(family)?.flag("--output", format).go()?;
                scene.expect_refused(&ran, 4)?;
            }
            Ok(())
        })
}

fn echoed_token(family: Family) -> Rule {
    Rule::should(format!("{}.secrets.token_in_another_member", family.slug()), Side::Client)
        .source("docs/decisions/0018-errors.md", "How errors are shown")
        .claims([Claim::hostile("C2"), Claim::exit(format!("{}.1", family.name()))])
        .fix(
            "Name the member that is wrong without repeating what it holds, or blot the token out.",
        )
        .title(format!(
            "a session whose other members hold the token does not make {} show it",
            family.name()
        ))
        .check(move |bench| {
            for member in ["/expires_at", "/listener_endpoint", "/session/kind"] {
                let answer =
                    Answer::issued_with(json!([{"op": "copy", "from": "/token", "path": member}]));
                let scene = Scene::answering(bench, answer)?;
                let ran = scene.run(family)?.go()?;
                scene.expect_failure(&ran, 1)?;
                scene.expect_requests(1, 1)?;
            }
            Ok(())
        })
}
