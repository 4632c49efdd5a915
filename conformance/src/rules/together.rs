//! plexctl and a control plane together, with the tap between them.

use serde_json::json;

use crate::bench::{Bench, Family};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    vec![
        Rule::must("pair.kubeconfig.issued_and_rendered", Side::Pair)
            .title("The kubeconfig on stdout holds the endpoint and the token the control plane issued")
            .source("plexctl kubeconfig page", "plexctl kubeconfig")
            .claims([Claim::exit("kubeconfig.0"), Claim::operation("IssueSession", 201)])
            .needs([Need::SeededTokens])
            .fix("Render `clusters[0].cluster.server` and `users[0].user.token` from the IssuedSession that came back.")
            .check(kubeconfig),
    ]
}

fn kubeconfig(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tap = bench.tap(&server)?;
    let ran = bench.command(Family::Kubeconfig, &tap)?.go()?;
    ran.expect_exit(0)?;
    let exchanges = tap.expect_conforming(1)?;
    let issued = exchanges[0].json();
    let rendered = ran.stdout_yaml()?;
    let endpoint = issued["listener_endpoint"].as_str().unwrap_or_default();
    let cluster = &rendered["clusters"][0]["cluster"]["server"];
    expect_eq("the cluster's server", &json!(format!("https://{endpoint}")), cluster)?;
    expect_eq("the user's token", &issued["token"], &rendered["users"][0]["user"]["token"])?;
    server.expect_count("IssueSession", 1)
}
