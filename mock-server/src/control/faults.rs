//! `/__mock/faults`: the next so many answers to an operation go wrong.

use axum::body::Body;
use hyper::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::scenario;
use crate::systems::plexsphere::exchange::{Answer, json as answer};
use crate::systems::plexsphere::{Exchange, Operation, Refusal, staged};
use crate::world::faults::{MOST, Phase};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default = "issue_session")]
    operation: String,
    scenario: String,
    #[serde(default)]
    phase: Phase,
    #[serde(default = "once")]
    times: u32,
}

fn issue_session() -> String {
    Operation::IssueSession.name().to_owned()
}

fn once() -> u32 {
    1
}

pub(super) fn list(x: &Exchange) -> Response<Body> {
    answer(200, &json!({"faults": x.namespace.faults.all()}))
}

pub(super) fn add(x: &Exchange, wish: &Value) -> Answer {
    let wish = Wish::deserialize(wish).map_err(|_| {
        Refusal::invalid_body(
            "send scenario, and any of operation (a name from the contract), phase (before or \
             after) and times (a whole number)",
        )
    })?;
    let invalid = |detail: String| Refusal::new(400, "invalid_fault", detail);
    let operation = Operation::ALL.iter().find(|known| known.name() == wish.operation);
    let operation = *operation.ok_or_else(|| {
        let known: Vec<&str> = Operation::ALL.iter().map(|known| known.name()).collect();
        invalid(format!("operation is one of {}", known.join(", ")))
    })?;
    if wish.times == 0 {
        return Err(invalid("times is 1 or more".to_owned()));
    }
    let scenario = scenario::find(&wish.scenario).map_err(|error| staged::refuse(&error))?;
    let own = Operation::IssueSession;
    let elsewhere = !scenario.is_about(own.name());
    if elsewhere || (scenario.tells_of_a_session() && operation != own) {
        let of = &scenario.operation;
        let detail = format!("the scenario {} is an answer to {of} only", scenario.name);
        return Err(invalid(detail));
    }
    let added = x.namespace.faults.add(operation.name(), wish.scenario, wish.phase, wish.times);
    let fault = added.ok_or_else(|| {
        invalid(format!("at most {MOST} faults are kept; DELETE /__mock/faults clears them"))
    })?;
    Ok(answer(201, &fault))
}
