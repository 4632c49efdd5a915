//! What is judged first: usage, then credentials, then the local ssh client, then the server.

use super::scene::Scene;
use crate::bench::{Answer, Family};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

const RECORD: &str = "docs/decisions/0003-order-of-judgement.md";
const FIX: &str = "Judge in this order: the whole command line (2), the credential (3), the ssh client (2), and only then ask the server.";

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(usage_before_credentials(family));
        rules.push(usage_before_insecure_file(family));
        rules.push(usage_before_server(family));
        rules.push(credentials_before_server(family));
    }
    rules.push(
        order("ssh.order.credentials_before_client", Family::Ssh)
            .title("ssh without a credential and without an ssh client ends with 3")
            .claims([Claim::exit("ssh.3.missing_credentials")])
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::remove_file(bench.sandbox()?.bin().join("ssh"))?;
                let ran = scene.run(Family::Ssh)?.without("--token-file").go()?;
                scene.expect_unsent(&ran, 3)?;
                let whole = Scene::honest(bench)?;
                whole.expect_done(&whole.run(Family::Ssh)?.go()?)
            }),
    );
    rules.push(
        order("ssh.order.client_before_request", Family::Ssh)
            .title("ssh without an ssh client burns no session: nothing is sent")
            .claims([Claim::exit("ssh.2.client_absent"), Claim::hostile("C26")])
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                std::fs::remove_file(bench.sandbox()?.bin().join("ssh"))?;
                scene.expect_unsent(&scene.run(Family::Ssh)?.go()?, 2)?;
                bench.fake_ssh(crate::bench::Ending::Status(0))?;
                scene.expect_done(&scene.run(Family::Ssh)?.go()?)
            }),
    );
    rules
}

fn order(id: impl Into<std::borrow::Cow<'static, str>>, family: Family) -> RuleDraft {
    Rule::should(id, Side::Client)
        .source(
            RECORD,
            "Usage first (2), then credentials (3), then the ssh client (2), then the request",
        )
        .claims([Claim::exit(format!("{}.2", family.name())), Claim::hostile("C28")])
        .fix(FIX)
}

fn usage_before_credentials(family: Family) -> Rule {
    order(format!("{}.order.usage_before_credentials", family.slug()), family)
        .title(format!(
            "{} with a malformed id and without a credential ends with 2",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let run = scene.run(family)?.without("--token-file").flag("--project-id", "nope");
            scene.expect_unsent(&run.go()?, 2)?;
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn usage_before_insecure_file(family: Family) -> Rule {
    order(format!("{}.order.usage_before_insecure_file", family.slug()), family)
        .title(format!(
            "{} without a required flag and with a loose token file ends with 2",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            let loose = bench.sandbox()?.write("home/loose", "psk_dev_operator\n", 0o644)?;
            let run = scene.run(family)?.flag("--token-file", loose).without("--resource-id");
            scene.expect_unsent(&run.go()?, 2)?;
            scene.expect_done(&scene.run(family)?.go()?)
        })
}

fn usage_before_server(family: Family) -> Rule {
    order(format!("{}.order.usage_before_server", family.slug()), family)
        .title(format!(
            "{} with a malformed id ends with 2 although the server would refuse the caller",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::answering(bench, Answer::problem(401, "unauthenticated"))?;
            scene.expect_unsent(&scene.run(family)?.flag("--resource-id", "nope").go()?, 2)?;
            // The same run with an honest id does reach the server.
            scene.expect_refused(&scene.run(family)?.go()?, 3)
        })
}

fn credentials_before_server(family: Family) -> Rule {
    order(format!("{}.order.credentials_before_server", family.slug()), family)
        .title(format!("{} without a credential ends with 3 and sends nothing", family.name()))
        .claims([
            Claim::exit(format!("{}.3", family.name())),
            Claim::exit(format!("{}.3.missing_credentials", family.name())),
        ])
        .check(move |bench| -> Outcome {
            let scene = Scene::answering(bench, Answer::problem(403, "rebac_denied"))?;
            let ran = scene.run(family)?.without("--token-file").go()?;
            scene.expect_unsent(&ran, 3)?;
            let ran = scene.run(family)?.without("--token-file").flag("--output", "json").go()?;
            scene.expect_unsent(&ran, 3)?;
            scene.expect_error_document(&ran, 3).map(drop)
        })
}
