//! Every seeded identity with every command, through the recording tap.

use super::{expect_one_request, expect_refused, expect_used, must};
use crate::bench::{Bench, Ending, Family, Identity};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect_eq};

const IDENTITIES: [(Identity, &str); 7] = [
    (Identity::Operator, "operator"),
    (Identity::Basic, "basic"),
    (Identity::Outsider, "outsider"),
    (Identity::Suspended, "suspended"),
    (Identity::Expired, "expired"),
    (Identity::Revoked, "revoked"),
    (Identity::Admin, "admin"),
];

/// What the server answers, and what the command makes of it.
struct Fate {
    status: u16,
    code: Option<&'static str>,
    exit: i32,
    trigger: &'static str,
}

fn fate(who: Identity, family: Family) -> Fate {
    let refused = |status, code, exit, trigger| Fate { status, code: Some(code), exit, trigger };
    match who {
        Identity::Outsider => refused(403, "rebac_denied", 77, "rebac_denied"),
        Identity::Suspended => refused(403, "identity_suspended", 4, "forbidden"),
        Identity::Expired | Identity::Revoked => refused(401, "unauthenticated", 3, "unauthorized"),
        Identity::Basic if family != Family::TcpForward => {
            refused(401, "step_up_required", 3, "step_up_required")
        }
        Identity::Operator | Identity::Admin | Identity::Basic => {
            let trigger = match family {
                Family::Kubeconfig => "stdout",
                Family::Ssh => "client_succeeded",
                Family::TcpForward => "resolved",
            };
            Fate { status: 201, code: None, exit: 0, trigger }
        }
    }
}

pub(super) fn all() -> Vec<Rule> {
    IDENTITIES
        .into_iter()
        .flat_map(|(who, name)| Family::ALL.map(|family| rule(who, name, family)))
        .collect()
}

fn rule(who: Identity, name: &str, family: Family) -> Rule {
    let fate = fate(who, family);
    let claim = match fate.code {
        None => Claim::operation("IssueSession", 201),
        Some(code) => Claim::refusal("IssueSession", fate.status, code),
    };
    must(format!("pair.identity.{name}.{}", family.slug()))
        .source(family.page(), format!("Exit codes, {}", fate.exit))
        .claims([Claim::exit(format!("{}.{}.{}", family.name(), fate.exit, fate.trigger)), claim])
        .needs([Need::Journal])
        .title(format!(
            "{} by the seeded {name} is answered {} and ends with {}",
            family.name(),
            fate.status,
            fate.exit
        ))
        .fix(
            "Send the request the contract describes, and map the answer as the page's table says.",
        )
        .check(move |bench| check(bench, who, family))
}

fn check(bench: &Bench, who: Identity, family: Family) -> Outcome {
    let fate = fate(who, family);
    let server = bench.server()?;
    let tap = bench.tap(&server)?;
    let ssh = bench.fake_ssh(Ending::Status(0))?;
    let ran = bench.command_as(family, &tap, who.token())?.go()?;
    let exchanges = tap.expect_conforming(1)?;
    let answer = exchanges[0].json();
    expect_eq("the status the server answered", &fate.status, &exchanges[0].status())?;
    expect_eq("its problem code", &fate.code, &answer["code"].as_str())?;
    match fate.code {
        None => expect_used(family, &ran, &ssh, &answer)?,
        Some(_) => expect_refused(bench, &ran, &ssh, fate.exit)?,
    }
    let entry = expect_one_request(&server, family)?;
    expect_eq("the status in the journal", &Some(u64::from(fate.status)), &entry["status"].as_u64())
}
