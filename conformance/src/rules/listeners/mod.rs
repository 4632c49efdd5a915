//! What a session's listener does, judged by the clients that people have: ssh, dropbear,
//! paramiko, kubectl, curl, psql. Each rule covers a row of `fixtures/contract/listeners.json`.

mod endings;
mod forward;
mod host_shell;
mod k8s_reads;
mod k8s_writes;
mod lands;
mod limits;
mod postgres;
mod secrets;
mod ssh;
mod ssh_others;
mod ssh_refusals;
mod ssh_terminal;
mod tcp;
mod tcp_client;
mod tokens;
mod told;
mod tunnel;
mod wait;

use serde_json::Value;

use crate::bench::{Bench, Family, Identity, Login, PROJECT_ID, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::Outcome;

/// What one-time means, and whose limits a listener keeps.
const ONE_TIME: &str = "docs/decisions/0032-one-time.md";
/// What sessions lead to.
const GUIDE: &str = "docs/mock-server.md";
const SSH_CHANNELS: &str = "RFC 4254";
const SSH_LOGIN: &str = "RFC 4252";

pub(crate) fn all() -> Outcome<Vec<Rule>> {
    let mut rules = endings::all();
    rules.extend(forward::all());
    rules.extend(host_shell::all());
    rules.extend(k8s_reads::all());
    rules.extend(k8s_writes::all());
    rules.extend(lands::all());
    rules.extend(limits::all());
    rules.extend(secrets::all());
    rules.extend(ssh::all());
    rules.extend(ssh_others::all());
    rules.extend(ssh_refusals::all());
    rules.extend(ssh_terminal::all());
    rules.extend(tcp::all());
    rules.extend(tokens::all()?);
    rules.extend(wait::all());
    Ok(rules)
}

/// A rule on a listener, named and claimed by its row.
fn rule(row: &'static str, title: &'static str) -> RuleDraft {
    draft(row.to_owned(), Side::Server).title(title)
}

fn draft(row: String, side: Side) -> RuleDraft {
    Rule::should(format!("listeners.{row}"), side)
        .claims([Claim::listener(row)])
        .needs([Need::SeededTokens, Need::Journal])
}

/// A session of the operator, as its 201 says.
fn open(server: &Server, family: Family) -> Outcome<Value> {
    server.issue(family, Identity::Operator)?.send()?.expect(201)
}

/// The same, for another target.
fn open_for(server: &Server, family: Family, target: &Value) -> Outcome<Value> {
    let call = server.issue(family, Identity::Operator)?;
    call.edit(|body| body["target"] = target.clone()).send()?.expect(201)
}

/// An ssh session on a fresh server, and how to log in.
fn ssh_session(bench: &Bench) -> Outcome<(Server, Login)> {
    let server = bench.server()?;
    let login = Login::of(&open(&server, Family::Ssh)?)?;
    Ok((server, login))
}

fn text_of<'v>(issued: &'v Value, member: &str) -> &'v str {
    issued[member].as_str().unwrap_or_default()
}

fn session_path(issued: &Value) -> String {
    format!("/v1/projects/{PROJECT_ID}/sessions/{}", text_of(issued, "session_id"))
}

fn revoke(server: &Server, issued: &Value) -> Outcome {
    let path = format!("{}/revoke", session_path(issued));
    let call = server.call("POST", &path).bearer(&server.token(Identity::Operator)?);
    call.send()?.expect(204)?;
    Ok(())
}

/// The session as it reads now.
fn reread(server: &Server, issued: &Value) -> Outcome<Value> {
    let call = server.get(&session_path(issued)).bearer(&server.token(Identity::Operator)?);
    call.send()?.expect(200)
}

/// The default world with a change.
fn world(bench: &Bench, edit: impl FnOnce(&mut Value)) -> Outcome<Server> {
    let server = bench.server()?;
    let mut world = server.control("GET", "/__mock/world", None)?;
    edit(&mut world);
    server.control("PUT", "/__mock/world", Some(&world))?;
    Ok(server)
}
