//! The session token as a canary: while a real client uses it, and afterwards, it stands nowhere
//! but where it has to.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use super::ssh_terminal::PROMPT;
use super::tcp::{leading, met};
use super::tcp_client::{expect_end, heard};
use super::tunnel::Tunnel;
use super::{draft, open};
use crate::bench::{Bench, Canary, Family, Seen, Server, Tap, Tree, holding};
use crate::rule::{Claim, Need, Rule, Side};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        canary(Family::Ssh, "During plexctl ssh the token is in one variable of ssh, and in no argument, log, journal, answer or file")
            .needs([Need::Program("ssh"), Need::Program("setsid")])
            .check(ssh),
        canary(Family::Kubeconfig, "During kubectl the token is in the private kubeconfig, and nowhere else")
            .needs([Need::Program("kubectl"), Need::Offers("--certificate-authority")])
            .check(kubeconfig),
        canary(Family::TcpForward, "While tcp-forward --listen carries and is refused, the token is in no argument, variable, log, journal or file")
            .needs([Need::Offers("--listen")])
            .check(tunnel),
    ]
}

fn canary(family: Family, title: &'static str) -> crate::rule::RuleDraft {
    draft(format!("secrets.{}", family.kind()), Side::Pair)
        .title(title)
        .source("docs/security.md", "Secrets")
        .needs([Need::Proc])
        .claims([Claim::hostile("C1"), Claim::hostile("C2")])
        .fix("Hand the token over by the one way that is documented, and never write it down.")
}

/// The token that went through the tap, as something to search for.
pub(super) fn issued_token(tap: &Tap) -> Outcome<Canary> {
    let exchanges = tap.exchanges()?;
    let token = exchanges.iter().find_map(|one| Some(one.json()["token"].as_str()?.to_owned()));
    match token {
        Some(token) => Ok(Canary::new("the session token", &token)),
        None => fail("what went through the tap", "a session with a token", exchanges.len()),
    }
}

/// Nobody's arguments hold it, and these variables do at the most.
pub(super) fn expect_held_by(canary: &Canary, variables: &[&str]) -> Outcome<Vec<Seen>> {
    let seen = holding(canary);
    for process in &seen {
        let who = format!("the process {} ({})", process.name, process.pid);
        expect(!process.in_arguments, &who, "no token in its arguments", "it stands there")?;
        for variable in &process.variables {
            let known = variables.contains(&variable.as_str());
            expect(known, &who, format!("the token in {variables:?} at the most"), variable)?;
        }
    }
    Ok(seen)
}

/// The server's side: journal, ready document, log and whatever it wrote.
pub(super) fn expect_server_silent(server: &Server, canary: &Canary) -> Outcome {
    for path in ["/__mock/requests", "/__mock/ready", "/__mock/world"] {
        let said = server.control("GET", path, None)?.to_string();
        canary.absent_from(path, said.as_bytes())?;
    }
    for (path, bytes) in server.files()? {
        canary.absent_from(&format!("the server's file {}", path.display()), &bytes)?;
    }
    Ok(())
}

fn ssh(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tap = bench.tap(&server)?;
    bench.real_ssh()?;
    let before = bench.sandbox()?.snapshot()?;
    let mut terminal = bench.command(Family::Ssh, &tap)?.at_terminal(80, 24)?;
    terminal.expect(PROMPT)?;
    let canary = issued_token(&tap)?;
    let seen = expect_held_by(&canary, &["PLEXCTL_SESSION_TOKEN"])?;
    let in_ssh = seen.iter().any(|process| process.name == "ssh");
    expect(in_ssh, "the ssh client's environment", "PLEXCTL_SESSION_TOKEN", format!("{seen:?}"))?;
    // A refusal, an error and an ordinary end, with the token at work all the while.
    terminal.type_in("env; cat /proc/self/environ /nowhere; exit 0\r")?;
    let (_, screen) = terminal.finish()?;
    canary.absent_from("the terminal", &screen)?;
    expect_eq("who holds it afterwards", &Vec::<Seen>::new(), &holding(&canary))?;
    expect_tree_silent(bench, &before, &canary, &[])?;
    expect_server_silent(&server, &canary)
}

pub(super) fn expect_tree_silent(
    bench: &Bench,
    before: &Tree,
    canary: &Canary,
    except: &[&Path],
) -> Outcome {
    canary.absent_from_tree(before, &bench.sandbox()?.snapshot()?, except)
}

fn kubeconfig(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tap = bench.tap(&server)?;
    let sandbox = bench.sandbox()?;
    let before = sandbox.snapshot()?;
    let file = sandbox.path("kubeconfig");
    let Some(ca) = server.ca_path() else {
        return crate::verdict::skip("a server that tells its CA");
    };
    let run = bench.command(Family::Kubeconfig, &tap)?;
    let ran = run.flag("--certificate-authority", ca).flag("--output-file", &file).go()?;
    ran.expect_exit(0)?;
    let canary = issued_token(&tap)?;
    ran.expect_silent_about(&canary)?;
    let own = Path::new("cwd/kubeconfig");
    let written = ran.expect_file(own, 0o600)?;
    expect(
        canary.find(&written).is_some(),
        "the kubeconfig",
        "the token in it",
        "it is not there",
    )?;
    let kubectl = bench.kubectl_at(file)?;
    let seen = sandbox.write("tmp/seen", "", 0o600)?;
    let run = kubectl.run(&["get", "pods", "-A", "-w", "-v", "8"])?;
    let watching = run.stdout(crate::bench::Sink::To(seen)).spawn()?;
    super::told::expect_event(&server, "api_request", "verb=watch")?;
    expect_held_by(&canary, &[])?;
    super::revoke(&server, &tap.exchanges()?[0].json())?;
    let ran = watching.finish()?;
    canary.absent_from("what kubectl says", &ran.stderr)?;
    // The same token once more: what is said about a session that is over holds no token either.
    let other = open(&server, Family::Kubeconfig)?;
    let endpoint = super::text_of(&other, "listener_endpoint");
    let url = format!("https://{endpoint}");
    let token = tap.exchanges()?[0].json()["token"].as_str().unwrap_or_default().to_owned();
    let refused = bench.call_at(&url, Some(ca), "GET", "/version")?.bearer(&token).send()?;
    expect_eq("the answer to a token of another session", &401, &refused.status())?;
    canary.absent_from("that answer", &refused.response.body)?;
    expect_tree_silent(bench, &before, &canary, &[own])?;
    expect_server_silent(&server, &canary)
}

fn tunnel(bench: &Bench) -> Outcome {
    let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = leading(bench, &there.local_addr()?.to_string())?;
    let tap = bench.tap(&server)?;
    let before = bench.sandbox()?.snapshot()?;
    let tunnel = Tunnel::open(bench, &tap)?;
    let canary = issued_token(&tap)?;
    let mut stream = tunnel.connect()?;
    let mut far = met(&there)?;
    far.write_all(b"welcome")?;
    let mut greeting = [0_u8; 7];
    heard(&mut stream, "what the target says", &mut greeting)?;
    expect_eq("what the target says", &b"welcome", &&greeting)?;
    expect_held_by(&canary, &[])?;
    // A client that cannot be served is complained of, with the token at hand.
    drop((stream, far, there));
    expect_end(&mut tunnel.connect()?, Duration::from_secs(15))?;
    tunnel.signal(rustix::process::Signal::TERM)?;
    let ran = tunnel.expect_end(&["terminated"])?;
    ran.expect_silent_about(&canary)?;
    expect_eq("who holds it afterwards", &Vec::<Seen>::new(), &holding(&canary))?;
    expect_tree_silent(bench, &before, &canary, &[])?;
    expect_server_silent(&server, &canary)
}
