//! What the journal tells of a listener: refused tokens by their reason, and what happened.

use std::time::Duration;

use serde_json::Value;

use crate::bench::{Server, until};
use crate::verdict::{Outcome, expect_eq};

/// An entry is written when the thing has happened, which a client may know before.
const WRITTEN: Duration = Duration::from_secs(5);

fn entries(server: &Server, operation: &str) -> Outcome<Vec<Value>> {
    let journal = server.journal()?;
    let all = journal["requests"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|entry| entry["operation"] == operation).collect())
}

/// The reasons for which tokens were refused, in order.
pub(super) fn refusals(server: &Server) -> Outcome<Vec<String>> {
    let code = |entry: &Value| entry["code"].as_str().unwrap_or_default().to_owned();
    Ok(entries(server, "RedeemToken")?.iter().map(code).collect())
}

/// At least one token was refused, all of them for that reason.
pub(super) fn expect_refused_as(server: &Server, reason: &str) -> Outcome {
    let mut reasons = refusals(server)?;
    reasons.dedup();
    expect_eq("the reasons in the journal", &vec![reason.to_owned()], &reasons)
}

/// Waits for an event of that name whose path, with its details, holds the text.
pub(super) fn expect_event(server: &Server, name: &str, detail: &str) -> Outcome {
    until(&format!("the event {name} {detail} in the journal"), WRITTEN, || {
        let told = entries(server, "SessionActivity")?;
        let holds = |entry: &Value| {
            entry["code"] == name
                && entry["path"].as_str().is_some_and(|path| path.contains(detail))
        };
        let paths = told.iter().map(|entry| format!("{} {}", entry["code"], entry["path"]));
        Ok(if told.iter().any(holds) { Ok(()) } else { Err(paths.collect::<Vec<_>>().join("; ")) })
    })
}
