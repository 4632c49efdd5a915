//! What each command does when it meets a scenario: rules for every file of `fixtures/scenarios`
//! and every command, played by the referee. What a page states is a MUST; what only a decision
//! adds is a SHOULD beside it.

use std::ops::RangeInclusive;

use super::source_of;
use crate::bench::referee::{Expectation, Part, Stdout};
use crate::bench::{Bench, Canary, Ending, Family, Ran, Scenario};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side, Source};
use crate::rules::scene::Scene;
use crate::verdict::{Outcome, broken, expect, fail};

/// A rule for what a page states, and where a decision of ours adds to it, one for all of it.
pub(super) fn rules(scenario: &Scenario, family: Family) -> Outcome<Vec<Rule>> {
    let Some(expected) = scenario.expect.get(family.name()).cloned() else {
        return broken(format!("{} expects nothing of {}", scenario.name, family.name()));
    };
    let id = format!("scenario.{}.{}", scenario.name, family.slug());
    let whole = Demand::whole(expected.clone());
    let Some(decided) = scenario.decided.first() else {
        let source = source_of(scenario, Some(family))?;
        return Ok(vec![rule(Rule::must(id, Side::Client), scenario, family, source, whole)]);
    };
    let decision = Source { page: decided.page.clone().into(), fact: decided.fact.clone().into() };
    let parts: Vec<Part> =
        scenario.decided.iter().flat_map(|one| one.members.iter().copied()).collect();
    if parts.contains(&Part::ExitCode) {
        return Ok(vec![rule(Rule::should(id, Side::Client), scenario, family, decision, whole)]);
    }
    let all = Rule::should(format!("{id}.decided"), Side::Client);
    let stated = Demand::stated(expected, &parts);
    let source = source_of(scenario, Some(family))?;
    Ok(vec![
        rule(Rule::must(id, Side::Client), scenario, family, source, stated),
        rule(all, scenario, family, decision, whole),
    ])
}

fn rule(
    draft: RuleDraft,
    scenario: &Scenario,
    family: Family,
    source: Source,
    demand: Demand,
) -> Rule {
    let name = scenario.name.clone();
    let expected = &demand.expected;
    // The one flag that scenarios use and no page lists.
    let own_flag = expected.args.iter().any(|arg| arg == "--timeout");
    draft
        .title(format!("{} ends with {}: {}", family.name(), expected.exit_code, scenario.title))
        .source(source.page, source.fact)
        .claims([Claim::scenario(name.clone(), family.name())])
        .needs(own_flag.then_some(Need::Offers("--timeout")))
        .fix(format!("{} {}", manners(expected), scenario.why))
        .check(move |bench| meets(bench, &name, family, &demand))
}

/// As much of an expectation as a rule judges.
struct Demand {
    expected: Expectation,
    requests: RangeInclusive<usize>,
    revokes: RangeInclusive<usize>,
}

impl Demand {
    fn whole(expected: Expectation) -> Self {
        let (requests, revokes) = (expected.requests, expected.revokes);
        Self { expected, requests: requests..=requests, revokes: revokes..=revokes }
    }

    /// Without the parts that were only decided. A client need not ask again or give back what it
    /// cannot use, but it asks once, and it does not do more than the decision wants.
    fn stated(mut expected: Expectation, decided: &[Part]) -> Self {
        let from = |part: Part, count: usize, least: usize| match decided.contains(&part) {
            true => least..=count,
            false => count..=count,
        };
        let requests = from(Part::Requests, expected.requests, 1);
        let revokes = from(Part::Revokes, expected.revokes, 0);
        if decided.contains(&Part::StderrHas) {
            expected.stderr_has.clear();
        }
        if decided.contains(&Part::StderrLacks) {
            expected.stderr_lacks.clear();
        }
        Self { expected, requests, revokes }
    }
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

fn meets(bench: &Bench, name: &str, family: Family, demand: &Demand) -> Outcome {
    let expected = &demand.expected;
    let scene = Scene::ending(bench, bench.referee()?.scenario(name)?, Ending::Status(0))?;
    let ran = scene.run(family)?.args(&expected.args).go()?;
    ran.expect_exit(expected.exit_code)?;
    ran.expect_no_file_changes()?;
    scene.expect_requests_within(&demand.requests, &demand.revokes)?;
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
    ran.expect_stdout_word(endpoint)
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
