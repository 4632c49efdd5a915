//! The six examples of the three command pages, as they are printed there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{expect_one_request, must};
use crate::bench::{
    Bench, Ending, Family, Identity, PROJECT_ID, RESOURCE_ID, Ran, Run, Server, yaml,
};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq, fail};

struct Example {
    slug: &'static str,
    family: Family,
    title: &'static str,
    /// What follows the server and the two ids.
    args: &'static [&'static str],
    flags: &'static [&'static str],
}

const EXAMPLES: [Example; 6] = [
    Example {
        slug: "kubeconfig.to_stdout",
        family: Family::Kubeconfig,
        title: "Emit a kubeconfig to stdout",
        args: &["--impersonate-user", "platform-admin"],
        flags: &["--impersonate-user"],
    },
    Example {
        slug: "kubeconfig.to_a_file",
        family: Family::Kubeconfig,
        title: "Write a kubeconfig to a 0600 file, asserting groups",
        args: &[
            "--impersonate-user",
            "platform-admin",
            "--impersonate-group",
            "system:masters",
            "--impersonate-group",
            "ops",
            "--output-file",
            "./plexsphere.kubeconfig",
        ],
        flags: &["--impersonate-group", "--output-file"],
    },
    Example {
        slug: "ssh.open",
        family: Family::Ssh,
        title: "Open a mediated SSH session as a login user",
        args: &["--login-user", "ops"],
        flags: &["--login-user"],
    },
    Example {
        slug: "ssh.bounded_and_revealed",
        family: Family::Ssh,
        title: "Open a session with a bounded TTL and reveal the token",
        args: &["--login-user", "ops", "--ttl-seconds", "900", "--reveal-secrets"],
        flags: &["--ttl-seconds", "--reveal-secrets"],
    },
    Example {
        slug: "tcp_forward.local_port",
        family: Family::TcpForward,
        title: "Forward a local port to a Resource target",
        args: &["--host", "10.0.0.5", "--port", "5432"],
        flags: &["--host", "--port"],
    },
    Example {
        slug: "tcp_forward.bound_and_revealed",
        family: Family::TcpForward,
        title: "Bind a fixed local address and reveal the token",
        args: &[
            "--host",
            "10.0.0.5",
            "--port",
            "5432",
            "--local-addr",
            "127.0.0.1:15432",
            "--reveal-secrets",
        ],
        flags: &["--local-addr", "--reveal-secrets"],
    },
];

pub(super) fn all() -> Vec<Rule> {
    EXAMPLES.iter().map(rule).collect()
}

fn rule(example: &'static Example) -> Rule {
    let family = example.family;
    must(format!("pair.example.{}", example.slug))
        .source(family.page(), format!("Examples: {}", example.title))
        .claims(example.flags.iter().map(|flag| Claim::flag(family.name(), *flag)))
        .claims([Claim::flag(family.name(), "--server"), Claim::operation("IssueSession", 201)])
        .needs([Need::SpawnableServer, Need::Journal])
        .title(format!("The page's example works as printed: {}", example.title))
        .fix("Make the page's own example work against the seeded control plane.")
        .check(move |bench| check(bench, example))
}

/// The example as a shell would run it after `eval "$(mock-server env)"`.
fn run<'b>(bench: &'b Bench, server: &Server, example: &Example) -> Outcome<Run<'b>> {
    let (Some(url), Some(ca_file)) = (server.https_url(), server.ca_path()) else {
        return fail("the ready line", "a member `https`", "none");
    };
    Ok(bench
        .plexctl()?
        .env("PLEXSPHERE_URL", url)
        .env("PLEXSPHERE_CA_FILE", ca_file)
        .env("PLEXSPHERE_TOKEN", Identity::Operator.token())
        .args([example.family.name(), "--server", url])
        .args(["--project-id", PROJECT_ID, "--resource-id", RESOURCE_ID])
        .args(example.args))
}

fn check(bench: &Bench, example: &'static Example) -> Outcome {
    let server = bench.server()?;
    let ssh = bench.fake_ssh(Ending::Status(0))?;
    let ran = run(bench, &server, example)?.go()?;
    ran.expect_exit(0)?;
    ran.expect_silent_about(&bench.credential_canary())?;
    let entry = expect_one_request(&server, example.family)?;
    expect_eq("the status", &Some(201), &entry["status"].as_u64())?;
    let id = entry["session_id"].as_str().unwrap_or_default();
    let path = format!("/v1/projects/{PROJECT_ID}/sessions/{id}");
    let session = server.get(&path).bearer(Identity::Operator.token()).send()?.expect(200)?;
    match example.family {
        Family::Kubeconfig => {
            ssh.expect_not_started()?;
            kubeconfig(&ran, example, &session)?;
        }
        Family::Ssh => {
            let call = ssh.expect_one_call()?;
            expect_eq("the number of arguments of ssh", &1, &call.args.len())?;
            ran.expect_stdout_empty()?;
        }
        Family::TcpForward => {
            ssh.expect_not_started()?;
            // The listener's address, and the local one.
            let addresses: BTreeSet<SocketAddr> =
                ran.stdout_words().iter().filter_map(|word| word.parse().ok()).collect();
            expect(addresses.len() >= 2, "stdout", "two addresses", ran.stdout_text())?;
            if example.args.contains(&"--local-addr") {
                ran.expect_stdout_word("127.0.0.1:15432")?;
            }
        }
    }
    if example.args.contains(&"--ttl-seconds") {
        let moment = |name: &str| {
            let text = session[name].as_str().unwrap_or_default();
            text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).unwrap_or_default()
        };
        expect_eq("the TTL granted", &900, &(moment("expires_at") - moment("issued_at")))?;
    }
    revealed(&ran, example)
}

fn kubeconfig(ran: &Ran, example: &Example, session: &serde_json::Value) -> Outcome {
    let to_file = example.args.contains(&"--output-file");
    let document = if to_file {
        ran.expect_stdout_empty()?;
        yaml(&ran.expect_file("cwd/plexsphere.kubeconfig", 0o600)?, "the kubeconfig")?
    } else {
        ran.expect_no_file_changes()?;
        ran.stdout_yaml()?
    };
    expect_eq("the context", &Some("plexsphere"), &document["current-context"].as_str())?;
    let groups = &session["target"]["k8s"]["impersonate_groups"];
    let asked = groups.as_array().map_or(0, Vec::len);
    expect_eq("the groups that were asked for", &(if to_file { 2 } else { 0 }), &asked)
}

/// A session token is on stderr when, and only when, that was asked for.
fn revealed(ran: &Ran, example: &Example) -> Outcome {
    let asked = example.args.contains(&"--reveal-secrets");
    let shown = ran.stderr_text().contains("eyJ");
    expect_eq("whether stderr shows the token", &asked, &shown)?;
    let logged = ran.file_changes().iter().any(|line| line.contains("audit.jsonl"));
    expect_eq("whether the invocation was audit-logged", &asked, &logged)
}
