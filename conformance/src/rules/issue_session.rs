//! IssueSession, asked of a control plane directly.

use crate::bench::{Bench, Family, Identity};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    vec![
        Rule::must("server.issue_session.rebac_denied", Side::Server)
            .title("A caller without a relation to the resource is refused as rebac_denied, with the reason")
            .source("plexctl kubeconfig page", "Exit codes, 77")
            .claims([Claim::refusal("IssueSession", 403, "rebac_denied")])
            .needs([Need::SeededTokens])
            .fix("Answer 403 with a problem document whose code is `rebac_denied` when the relation check says no.")
            .check(rebac_denied),
    ]
}

fn rebac_denied(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in Family::ALL {
        let refused = server.issue(family, Identity::Outsider)?.send()?;
        let problem = refused.expect_problem(403, "rebac_denied")?;
        expect_eq("the status inside the problem", &Some(403), &problem["status"].as_u64())?;
    }
    server.expect_count("IssueSession", 3)
}
