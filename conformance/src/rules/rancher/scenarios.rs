//! Whether a server plays the scenarios about Rancher's kubeconfigs as their files say.

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, User, manifest};
use crate::bench::{Bench, Request, Scenario, System};
use crate::rule::Rule;
use crate::rules::scenarios::{bare, draft, expect_played};
use crate::verdict::{Outcome, expect_eq};

pub(super) fn all() -> Outcome<Vec<Rule>> {
    let rule = |scenario: Scenario| {
        let draft = draft(&scenario, System::Rancher)?;
        Ok(draft.check(move |bench| plays(bench, &scenario)))
    };
    Scenario::of(System::Rancher)?.into_iter().map(rule).collect()
}

/// What the scenario is about, asked without a token: nobody has to be let in to be answered so.
fn request(scenario: &Scenario) -> Request {
    let path = format!("/scenarios/{}{KUBECONFIGS}", scenario.name);
    if scenario.operation == "WatchRancherKubeconfigs" {
        return bare("GET", format!("{path}?watch=true"), "", &Value::Null);
    }
    bare("POST", path, "", &manifest(&json!({})))
}

fn plays(bench: &Bench, scenario: &Scenario) -> Outcome {
    let server = bench.server()?;
    expect_played(&server, scenario, &request(scenario))?;
    // kubectl gets to the request by asking for these.
    for path in ["/apis", "/openapi/v3", KUBECONFIGS] {
        let call = server.call_under(&scenario.name, "GET", path);
        let exchange = call.bearer(&User::Wanda.token(&server)?).send()?;
        exchange.expect(200)?;
        let named = exchange.response.headers.get("x-scenario");
        expect_eq("x-scenario", &Some(scenario.name.as_str()), &named)?;
    }
    Ok(())
}
