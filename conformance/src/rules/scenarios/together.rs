//! A sample of the scenarios with both subjects: the client meets the server's own playing of them.

use crate::bench::{Bench, Ending, Family, Scenario};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect_eq};

/// One for each way in which an answer can go wrong, and two that go well.
const SAMPLE: [&str; 12] = [
    "issued",
    "issued_chunked",
    "rebac_denied",
    "permission_denied",
    "step_up_required",
    "forbidden_html",
    "internal",
    "listener_endpoint_absent",
    "oversized",
    "redirect_307_other_port",
    "reset_before_headers",
    "close_mid_body",
];

pub(super) fn all() -> Outcome<Vec<Rule>> {
    SAMPLE.into_iter().map(rule).collect()
}

fn rule(name: &'static str) -> Outcome<Rule> {
    let scenario = Scenario::load(name)?;
    Ok(Rule::should(format!("pair.scenario.{name}"), Side::Pair)
        .title(format!("All three commands meet the server's /scenarios/{name} as the file expects"))
        .source("docs/decisions/0026-choosing-a-behaviour.md", "a scenario in the base URL")
        .claims(Family::ALL.map(|family| Claim::scenario(name, family.name())))
        .needs([Need::Journal, Need::SeededTokens])
        .fix("Give the client the base URL <server>/scenarios/<name>; both sides play the same file.")
        .check(move |bench| Family::ALL.into_iter().try_for_each(|family| meet(bench, &scenario, family))))
}

fn meet(bench: &Bench, scenario: &Scenario, family: Family) -> Outcome {
    let Some(expected) = scenario.expect.get(family.name()) else { return Ok(()) };
    let server = bench.server()?;
    let ssh = bench.fake_ssh(Ending::Status(0))?;
    let run = bench.command(family, &server)?.flag("--server", server.scenario_url(&scenario.name));
    run.args(&expected.args).go()?.expect_exit(expected.exit_code)?;
    server.expect_count("IssueSession", u64::try_from(expected.requests).unwrap_or_default())?;
    server.expect_count("RevokeSession", u64::try_from(expected.revokes).unwrap_or_default())?;
    let started = usize::from(expected.client_started == Some(true));
    expect_eq("the starts of the local ssh client", &started, &ssh.calls()?.len())
}
