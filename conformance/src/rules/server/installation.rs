//! The default world as the rules know it, worlds made to measure from it, and the short ways to
//! a session.

use serde_json::{Value, json};

use crate::bench::{Bench, Call, Family, Identity, PROJECT_ID, Server, ServerOptions};
use crate::verdict::{Outcome, expect_eq};

/// May look at the project and act on nothing.
pub(super) const VIEWER: &str = "psk_dev_viewer";
/// Was an operator under a caveat that ended with the year 2025.
pub(super) const CONTRACTOR: &str = "psk_dev_contractor";
/// Logged in with a message to a telephone: strong enough by context, not by method.
pub(super) const SMS: &str = "psk_dev_sms";
/// A program, an operator by a group inside a group.
pub(super) const SERVICE: &str = "psk_dev_service";
/// The owner of the other company's project.
pub(super) const BETA: &str = "psk_dev_beta";

pub(super) const WAREHOUSE: &str = "0190a8b8-a0c0-7a0a-8a0a-000000000002";
pub(super) const TELEMETRY: &str = "0190a8b8-a0c0-7a0a-8a0a-0000000000b1";
pub(super) const ORCHARD: &str = "0190a8b8-a0c0-7a0a-8a0a-0000000000c1";
/// Serves ssh only.
pub(super) const BASTION: &str = "0190a8b8-d3e3-7d3d-8d3d-000000000011";
/// Serves tcp only.
pub(super) const LEDGER: &str = "0190a8b8-d3e3-7d3d-8d3d-000000000013";
/// Serves ssh and tcp, in the warehouse.
pub(super) const SCANNER: &str = "0190a8b8-d3e3-7d3d-8d3d-000000000021";
/// An id that nobody has.
pub(super) const NOBODY: &str = "0190a8b8-ffff-7fff-8fff-ffffffffffff";
pub(super) const NOON: &str = "2026-06-01T12:00:00Z";

/// The server with the default world changed by `edit`; the world starts without sessions.
pub(super) fn world(bench: &Bench, edit: impl FnOnce(&mut Value)) -> Outcome<Server> {
    world_of(bench.server()?, edit)
}

/// The same for a server started with flags.
pub(super) fn world_with(
    bench: &Bench,
    options: &ServerOptions,
    edit: impl FnOnce(&mut Value),
) -> Outcome<Server> {
    world_of(bench.server_with(options)?, edit)
}

pub(super) fn world_of(server: Server, edit: impl FnOnce(&mut Value)) -> Outcome<Server> {
    let mut world = server.control("GET", "/__mock/world", None)?;
    edit(&mut world);
    server.control("PUT", "/__mock/world", Some(&world))?;
    Ok(server)
}

/// The session policy of the domain that the examples' project belongs to.
pub(super) fn policy(world: &mut Value) -> &mut Value {
    &mut world["domains"][0]["session_policy"]
}

/// One identity of the world, by name.
pub(super) fn identity<'w>(world: &'w mut Value, name: &str) -> &'w mut Value {
    let identities = world["identities"].as_array();
    let at = identities
        .and_then(|all| all.iter().position(|one| one["name"] == name))
        .unwrap_or_default();
    &mut world["identities"][at]
}

/// An issued session: the body of the 201, judged by the contract.
pub(super) fn issued(server: &Server, family: Family, who: Identity) -> Outcome<Value> {
    server.issue(family, who)?.send()?.expect(201)
}

/// An issue request by a bearer that has no place among the [`Identity`]s.
pub(super) fn issue_as(server: &Server, family: Family, token: &str) -> Outcome<Call> {
    Ok(server.issue(family, Identity::Operator)?.bearer(token))
}

/// The path of the sessions of a project.
pub(super) fn sessions_of(project: &str) -> String {
    format!("/v1/projects/{project}/sessions")
}

/// The path of one session of the examples' project.
pub(super) fn session_path(issued: &Value) -> String {
    format!("{}/{}", sessions_of(PROJECT_ID), issued["session_id"].as_str().unwrap_or_default())
}

/// Reads as the operator.
pub(super) fn read(server: &Server, path: &str) -> Outcome<Value> {
    server.get(path).bearer(&server.token(Identity::Operator)?).send()?.expect(200)
}

/// The session as it reads now.
pub(super) fn reread(server: &Server, issued: &Value) -> Outcome<Value> {
    read(server, &session_path(issued))
}

pub(super) fn revoke(server: &Server, issued: &Value) -> Outcome<Call> {
    let path = format!("{}/revoke", session_path(issued));
    Ok(server.call("POST", &path).bearer(&server.token(Identity::Operator)?))
}

/// The examples' project holds exactly this many sessions, living and ended.
pub(super) fn expect_sessions(server: &Server, count: usize) -> Outcome {
    // In a world that others use, too, the number says nothing.
    if !server.has_own_world() {
        return Ok(());
    }
    let path = format!("{}?limit=200", sessions_of(PROJECT_ID));
    let page = read(server, &path)?;
    let found = page["items"].as_array().map_or(0, Vec::len);
    expect_eq("the number of sessions in the project", &count, &found)
}

/// Sends a request that must be refused with that status and code.
pub(super) fn expect_refused(call: Call, status: u16, code: &str) -> Outcome<Value> {
    let problem = call.send()?.expect_problem(status, code)?;
    expect_eq("the status inside the problem", &json!(status), &problem["status"])?;
    Ok(problem)
}
