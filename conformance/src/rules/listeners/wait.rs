//! `--wait`: from contract 2026-08 on, a node tells its listener some time after the session was
//! issued. Here it tells it when the rule says so.

use std::time::Duration;

use serde_json::{Value, json};

use super::{draft, reread};
use crate::bench::{Bench, Family, Generation, Server, ServerOptions, until};
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

/// The first question comes with the session; a busy machine may need longer to ask it.
const ASKED: Duration = Duration::from_secs(10);

pub(super) fn all() -> Vec<Rule> {
    vec![
        waits("wait.comes", "With --wait the kubeconfig comes when the node has told its listener")
            .fix("Read the session again until it has an endpoint, and go on with that.")
            .check(comes),
        waits(
            "wait.not_asked",
            "Without --wait a session without an endpoint is 1, revoked, and the hint names --wait",
        )
        .fix("Say which flag waits, and give the session back.")
        .check(not_asked),
        waits(
            "wait.over",
            "A node that tells nothing in the time of --wait is 1, and the session is revoked",
        )
        .fix("Stop when the time is over, and give the session back.")
        .check(over),
    ]
}

fn waits(row: &'static str, title: &'static str) -> RuleDraft {
    draft(row.to_owned(), Side::Pair)
        .title(title)
        .source(
            "docs/decisions/0022-endpoint-of-the-newest-contract.md",
            "1, with a hint, unless waiting was asked for",
        )
        .needs([Need::SpawnableServer, Need::Offers("--wait")])
}

/// A server of the newest contract, whose nodes tell their listeners after so long.
fn server(bench: &Bench) -> Outcome<Server> {
    let server = bench.server_with(&ServerOptions::speaking(Generation::August))?;
    tell_after(&server, 3600)?;
    Ok(server)
}

fn tell_after(server: &Server, seconds: u32) -> Outcome {
    let wish = json!({"report_delay_seconds": seconds});
    server.control("PUT", "/__mock/listeners", Some(&wish))?;
    Ok(())
}

/// The one session of the server, as it reads now.
fn session(server: &Server) -> Outcome<Value> {
    let journal = server.journal()?;
    let all = journal["requests"].as_array().cloned().unwrap_or_default();
    let issued: Vec<&Value> =
        all.iter().filter(|entry| entry["operation"] == "IssueSession").collect();
    expect_eq("the sessions that were issued", &1, &issued.len())?;
    reread(server, issued[0])
}

fn expect_given_back(server: &Server) -> Outcome {
    let session = session(server)?;
    expect_eq("the session's status", &json!("revoked"), &session["status"])?;
    expect_eq("the reason", &json!("operator_request"), &session["revoke_reason"])
}

fn comes(bench: &Bench) -> Outcome {
    let server = server(bench)?;
    let mut running = bench.command(Family::Kubeconfig, &server)?.flag("--wait", "60").spawn()?;
    until("a question for the session", ASKED, || {
        let ended = !running.is_alive()?;
        let asked = server.count("GetSession")? > 0;
        Ok(if asked || ended { Ok(()) } else { Err("none yet".into()) })
    })?;
    expect(running.is_alive()?, "plexctl without an endpoint", "it waits", "it has ended")?;
    tell_after(&server, 0)?;
    let ran = running.finish()?;
    ran.expect_exit(0)?;
    let session = session(&server)?;
    let due = format!("https://{}", session["listener_endpoint"].as_str().unwrap_or_default());
    let cluster = ran.stdout_yaml()?["clusters"][0]["cluster"]["server"].clone();
    expect_eq("the cluster's address", &json!(due), &cluster)?;
    expect_eq("the session's status", &json!("active"), &session["status"])
}

fn not_asked(bench: &Bench) -> Outcome {
    let server = server(bench)?;
    let ran = bench.command(Family::Kubeconfig, &server)?.go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_has("--wait")?;
    server.expect_count("GetSession", 0)?;
    expect_given_back(&server)
}

fn over(bench: &Bench) -> Outcome {
    let server = server(bench)?;
    let ran = bench.command(Family::Kubeconfig, &server)?.flag("--wait", "0.5").go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    let asked = server.count("GetSession")?;
    expect(asked > 0, "the questions for the session", "at least one", asked)?;
    expect_given_back(&server)
}
