//! The commands over https, with and without the CA that the server's certificate comes from.

use super::{expect_one_request, expect_refused, should};
use crate::bench::{Bench, Ending, Family, Identity, Server};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    Family::ALL
        .into_iter()
        .flat_map(|family| [trusted(family), denied(family), unknown_ca(family)])
        .collect()
}

fn https(server: &Server) -> Outcome<String> {
    match server.https_url() {
        Some(url) => Ok(url.to_owned()),
        None => fail("the ready line", "a member `https`", "none"),
    }
}

fn draft(family: Family, slug: &str, code: i32, trigger: &str) -> crate::rule::RuleDraft {
    should(format!("pair.https.{slug}.{}", family.slug()))
        .source("docs/decisions/0016-server-trust.md", "system roots, plus --ca-file")
        .claims([Claim::exit(format!("{}.{code}.{trigger}", family.name())), Claim::hostile("C23")])
        .needs([Need::SpawnableServer, Need::Journal])
}

fn trusted(family: Family) -> Rule {
    let trigger = match family {
        Family::Kubeconfig => "stdout",
        Family::Ssh => "client_succeeded",
        Family::TcpForward => "resolved",
    };
    draft(family, "trusted", 0, trigger)
        .title(format!("{} over https with --ca-file gets its session", family.name()))
        .fix("Trust the certificates of --ca-file for the server's name.")
        .check(move |bench| {
            let server = bench.server()?;
            let ssh = bench.fake_ssh(Ending::Status(0))?;
            let ran = bench.command(family, &server)?.flag("--server", https(&server)?).go()?;
            ran.expect_exit(0)?;
            ran.expect_no_file_changes()?;
            ran.expect_silent_about(&bench.credential_canary())?;
            let entry = expect_one_request(&server, family)?;
            expect_eq("the status", &Some(201), &entry["status"].as_u64())?;
            if family == Family::Ssh {
                ssh.expect_one_call().map(drop)
            } else {
                ssh.expect_not_started()
            }
        })
}

fn denied(family: Family) -> Rule {
    draft(family, "denied", 77, "rebac_denied")
        .title(format!("{} over https by somebody without a relation ends with 77", family.name()))
        .fix("Read the problem document alike over both schemes.")
        .check(move |bench| {
            let server = bench.server()?;
            let ssh = bench.fake_ssh(Ending::Status(0))?;
            let run = bench.command_as(family, &server, Identity::Outsider.token())?;
            let ran = run.flag("--server", https(&server)?).go()?;
            expect_refused(bench, &ran, &ssh, 77)?;
            let entry = expect_one_request(&server, family)?;
            expect_eq("the code in the journal", &Some("rebac_denied"), &entry["code"].as_str())
        })
}

fn unknown_ca(family: Family) -> Rule {
    draft(family, "unknown_ca", 1, "transport")
        .title(format!(
            "{} sends nothing to a server whose certificate it cannot trust",
            family.name()
        ))
        .fix("Verify the certificate before a byte of the request, with no way around it.")
        .check(move |bench| untrusted(bench, family))
}

fn untrusted(bench: &Bench, family: Family) -> Outcome {
    let server = bench.server()?;
    let ssh = bench.fake_ssh(Ending::Status(0))?;
    let run = bench.command(family, &server)?.without("--ca-file");
    let ran = run.flag("--server", https(&server)?).go()?;
    expect_refused(bench, &ran, &ssh, 1)?;
    let journal = server.journal()?;
    expect_eq("the requests the server saw", &Some(0), &journal["total"].as_u64())
}
