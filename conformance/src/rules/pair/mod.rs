//! Rules about plexctl and a control plane together: the real client against the real server.

mod examples;
mod identities;
mod secure;

use serde_json::Value;

use crate::bench::{Bench, Canary, FakeSsh, Family, Ran, Server};
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = identities::all();
    rules.extend(secure::all());
    rules.extend(examples::all());
    rules
}

fn should(id: String) -> RuleDraft {
    Rule::should(id, Side::Pair).needs([Need::SeededTokens])
}

fn must(id: String) -> RuleDraft {
    Rule::must(id, Side::Pair).needs([Need::SeededTokens])
}

/// A refusal as its caller sees it: the code, a word on stderr, and nothing else anywhere.
fn expect_refused(bench: &Bench, ran: &Ran, ssh: &FakeSsh, code: i32) -> Outcome {
    ran.expect_exit(code)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    ran.expect_no_file_changes()?;
    ran.expect_silent_about(&bench.credential_canary())?;
    ssh.expect_not_started()
}

/// The session that was issued is the one that was put to use.
fn expect_used(family: Family, ran: &Ran, ssh: &FakeSsh, issued: &Value) -> Outcome {
    ran.expect_exit(0)?;
    let endpoint = issued["listener_endpoint"].as_str().unwrap_or_default();
    let token = Canary::new("the session token", issued["token"].as_str().unwrap_or_default());
    token.absent_from("stderr", &ran.stderr)?;
    match family {
        Family::Kubeconfig => {
            let rendered = ran.stdout_yaml()?;
            let server = &rendered["clusters"][0]["cluster"]["server"];
            expect_eq("the cluster's server", &Value::from(format!("https://{endpoint}")), server)?;
            expect_eq(
                "the user's token",
                &issued["token"],
                &rendered["users"][0]["user"]["token"],
            )?;
            ssh.expect_not_started()
        }
        Family::Ssh => {
            let call = ssh.expect_one_call()?;
            expect_eq("the arguments of ssh", &vec![endpoint.to_owned()], &call.args)?;
            token.absent_from("stdout", &ran.stdout)?;
            call.expect_argv_silent_about(&token)?;
            let holding = call.variables_with(&token);
            expect_eq(
                "the variables that hold the token",
                &vec!["PLEXCTL_SESSION_TOKEN".to_owned()],
                &holding,
            )
        }
        Family::TcpForward => {
            token.absent_from("stdout", &ran.stdout)?;
            ran.expect_stdout_word(endpoint)?;
            ssh.expect_not_started()
        }
    }
}

/// The server saw one issue of that kind, understood all of it, and nothing else.
fn expect_one_request(server: &Server, family: Family) -> Outcome<Value> {
    let journal = server.journal()?;
    expect_eq("the requests the server saw", &Value::from(1), &journal["total"])?;
    let entry = journal["requests"][0].clone();
    expect_eq("the operation", &Value::from("IssueSession"), &entry["operation"])?;
    expect_eq("the fields nobody read", &Value::from(Vec::<Value>::new()), &entry["unread"])?;
    if !entry["kind"].is_null() {
        expect_eq("the kind", &Value::from(family.kind()), &entry["kind"])?;
    }
    Ok(entry)
}
