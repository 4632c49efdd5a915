//! Whether a server plays the scenarios about k0rdent's kubeconfigs as their files say.

use serde_json::json;

use super::site::COLLECTION;
use crate::bench::{Bench, Identity, Scenario, System};
use crate::rule::Rule;
use crate::rules::scenarios::{bare, draft, expect_played};
use crate::verdict::{Outcome, expect_eq};

pub(super) fn all() -> Outcome<Vec<Rule>> {
    let rule = |scenario: Scenario| {
        let draft = draft(&scenario, System::K0rdent)?;
        Ok(draft.check(move |bench| plays(bench, &scenario)))
    };
    Scenario::of(System::K0rdent)?.into_iter().map(rule).collect()
}

fn plays(bench: &Bench, scenario: &Scenario) -> Outcome {
    let server = bench.server()?;
    let path = format!("/scenarios/{}{COLLECTION}", scenario.name);
    // Without a token: nobody has to be let in to be answered so.
    expect_played(&server, scenario, &bare("POST", path, "", &json!({"user": "kim"})))?;
    let call = server.call_under(&scenario.name, "GET", COLLECTION);
    let exchange = call.bearer(Identity::Operator.token()).send()?;
    exchange.expect(200)?;
    let named = exchange.response.headers.get("x-scenario");
    expect_eq("x-scenario", &Some(scenario.name.as_str()), &named)
}
