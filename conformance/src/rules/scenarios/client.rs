//! What each command does when it meets a scenario: a rule for every file of `fixtures/scenarios`
//! and every command, played by the referee.

use super::source_of;
use crate::bench::referee::{Expectation, Stdout};
use crate::bench::{Bench, Canary, Ending, Family, Ran, Scenario};
use crate::rule::{Claim, Level, Need, Rule, Side};
use crate::rules::scene::Scene;
use crate::verdict::{Outcome, broken, expect, fail};

pub(super) fn rule(scenario: &Scenario, family: Family) -> Outcome<Rule> {
    let Some(expected) = scenario.expect.get(family.name()).cloned() else {
        return broken(format!("{} expects nothing of {}", scenario.name, family.name()));
    };
    let (level, source) = source_of(scenario, Some(family))?;
    let name = scenario.name.clone();
    let id = format!("scenario.{name}.{}", family.slug());
    let draft = match level {
        Level::Must => Rule::must(id, Side::Client),
        Level::Should => Rule::should(id, Side::Client),
    };
    // The one flag that scenarios use and no page lists.
    let own_flag = expected.args.iter().any(|arg| arg == "--timeout");
    Ok(draft
        .title(format!("{} ends with {}: {}", family.name(), expected.exit_code, scenario.title))
        .source(source.page, source.fact)
        .claims([Claim::scenario(name.clone(), family.name())])
        .needs(own_flag.then_some(Need::Offers("--timeout")))
        .fix(format!("{} {}", manners(&expected), scenario.why))
        .check(move |bench| meets(bench, &name, family, &expected)))
}

/// The expectation as an instruction.
fn manners(expected: &Expectation) -> String {
    let revoke = match expected.revokes {
        0 => "no revoke",
        _ => "one revoke of the session that cannot be used",
    };
    format!(
        "Send {} IssueSession request{} and {revoke}, end with {}.",
        expected.requests,
        if expected.requests == 1 { "" } else { "s" },
        expected.exit_code,
    )
}

fn meets(bench: &Bench, name: &str, family: Family, expected: &Expectation) -> Outcome {
    let scene = Scene::ending(bench, bench.referee()?.scenario(name)?, Ending::Status(0))?;
    let ran = scene.run(family)?.args(&expected.args).go()?;
    ran.expect_exit(expected.exit_code)?;
    ran.expect_no_file_changes()?;
    scene.expect_requests(expected.requests, expected.revokes)?;
    match expected.stdout {
        Stdout::Empty => ran.expect_stdout_empty()?,
        Stdout::Payload => expect_payload(&scene, &ran, family)?,
    }
    if expected.exit_code != 0 {
        ran.expect_stderr_says_something()?;
    }
    for text in &expected.stderr_has {
        ran.expect_stderr_has(text)?;
    }
    for text in &expected.stderr_lacks {
        ran.expect_stderr_lacks(text)?;
    }
    expect_nothing_leaked(bench, &scene, &ran, expected)?;
    if expected.client_started == Some(true) {
        scene.ssh.expect_one_call().map(drop)
    } else {
        scene.ssh.expect_not_started()
    }
}

/// What was promised stands on stdout, made of what was answered.
fn expect_payload(scene: &Scene<'_>, ran: &Ran, family: Family) -> Outcome {
    let issued = scene.referee.issued();
    let Some(issued) = issued.last() else {
        return fail("the sessions handed out", "one", "none");
    };
    let endpoint = issued.body["listener_endpoint"].as_str().unwrap_or_default();
    if family == Family::Kubeconfig {
        let document = ran.stdout_yaml()?;
        let at = format!("https://{endpoint}");
        let server = &document["clusters"][0]["cluster"]["server"];
        expect(*server == at.as_str(), "the server of the kubeconfig", &at, server)?;
        let token = &document["users"][0]["user"]["token"];
        // Neither of the two is shown.
        return expect(*token == issued.token, "the token", "the one issued", "another");
    }
    let wanted = format!("listener_endpoint: {endpoint}");
    let has = ran.stdout_text().lines().any(|line| line == wanted);
    expect(has, "stdout", format!("the line {wanted:?}"), ran.stdout_text())
}

/// No secret on a stream, but for the token in a payload that exists to carry it.
fn expect_nothing_leaked(
    bench: &Bench,
    scene: &Scene<'_>,
    ran: &Ran,
    expected: &Expectation,
) -> Outcome {
    ran.expect_silent_about(&bench.credential_canary())?;
    for issued in scene.referee.issued() {
        // A word or a number for a token is found everywhere and proves nothing.
        if issued.token.len() < 16 {
            continue;
        }
        let canary = Canary::new("the session token", &issued.token);
        canary.absent_from("stderr", &ran.stderr)?;
        let carries =
            expected.stdout == Stdout::Payload && ran.stdout_text().contains("kind: Config");
        if !carries {
            canary.absent_from("stdout", &ran.stdout)?;
        }
        for call in scene.ssh.calls()? {
            call.expect_argv_silent_about(&canary)?;
        }
    }
    Ok(())
}
