//! The journal: what was asked, what was not, and no secret in it.

use serde_json::{Value, json};

use super::installation::{NOBODY, expect_refused, issued, revoke, sessions_of};
use super::should;
use crate::bench::{Bench, Canary, Family, Identity, PROJECT_ID, Server, ServerOptions};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("entry", "An entry says when, what, by whom and what came of it")
            .fix("Note method, path, operation, status, code, identity and session of every request.")
            .check(entry),
        rule("refusal", "A refused request is entered with its status and code")
            .fix("Enter requests that were refused, unauthenticated ones included.")
            .check(refusal),
        rule("absence", "A journal without entries proves that nothing was asked")
            .fix("Enter nothing that was not asked: no control request, no start-up work.")
            .check(absence),
        rule("counts", "Counts go by operation, both spellings of revoke under one name, and unknown routes under `unknown`")
            .fix("Count every request under its operation's name.")
            .check(counts),
        rule("clear", "DELETE empties the journal and its counts")
            .fix("Forget entries, counts and totals.")
            .check(clear),
        rule("no_credentials", "Neither a credential nor a session token is in the journal, in any spelling")
            .fix("Enter the identity a credential stands for, and of a token its kid and jti.")
            .check(no_credentials),
        rule("no_stray_secrets", "A credential put where it does not belong is not repeated by the journal")
            .fix("Leave queries out, and blot out whatever looks like a token in a path.")
            .check(no_stray_secrets),
        should("server.journal.ring")
            .source("docs/decisions/0034-journal.md", "a bounded ring of requests, and counts that are never dropped")
            .claims([Claim::operation("Whoami", 200)])
            .needs([Need::SpawnableServer])
            .title("The ring keeps the newest requests; the counts forget none")
            .fix("Drop the oldest entries beyond --journal, say how many, and keep counting.")
            .check(ring),
        rule("order", "Entries are numbered in the order of the answers, from 1 on")
            .fix("Number entries from 1.")
            .check(order),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.journal.{slug}"))
        .source("docs/decisions/0034-journal.md", "The journal")
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::Journal])
        .title(title)
}

/// The entries, as they stand now.
fn entries(server: &Server) -> Outcome<Vec<Value>> {
    Ok(server.journal()?["requests"].as_array().cloned().unwrap_or_default())
}

fn expect_entry(entry: &Value, due: &Value) -> Outcome {
    for (field, due) in due.as_object().into_iter().flatten() {
        expect_eq(format!("`{field}` of the entry"), due, &entry[field])?;
    }
    let at = entry["at"].as_str().unwrap_or_default().parse::<jiff::Timestamp>();
    expect(at.is_ok(), "`at` of the entry", "a moment", &entry["at"])
}

fn entry(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    let entries = entries(&server)?;
    expect_eq("the number of entries", &1, &entries.len())?;
    let path = sessions_of(PROJECT_ID);
    expect_entry(
        &entries[0],
        &json!({"method": "POST", "operation": "IssueSession", "status": 201,
        "code": null, "identity": "olivia", "session_id": issued["session_id"]}),
    )?;
    let noted = entries[0]["path"].as_str().unwrap_or_default();
    expect(noted.ends_with(&path), "the path of the entry", &path, noted)
}

fn refusal(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    expect_refused(server.issue(Family::Ssh, Identity::Outsider)?, 403, "rebac_denied")?;
    expect_refused(server.get("/v1/auth/whoami"), 401, "unauthenticated")?;
    expect_refused(server.get("/v1/nothing"), 404, "not_found")?;
    let entries = entries(&server)?;
    expect_eq("the number of entries", &3, &entries.len())?;
    expect_entry(
        &entries[0],
        &json!({"operation": "IssueSession", "status": 403,
        "code": "rebac_denied", "identity": "otto", "session_id": null}),
    )?;
    expect_entry(
        &entries[1],
        &json!({"operation": "Whoami", "status": 401,
        "code": "unauthenticated", "identity": null}),
    )?;
    expect_entry(&entries[2], &json!({"operation": "unknown", "status": 404, "code": "not_found"}))
}

fn absence(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for path in ["/__mock/requests", "/__mock/clock", "/__mock/world", "/__mock/ready"] {
        server.control("GET", path, None)?;
    }
    server.freeze_clock("2026-06-01T12:00:00Z")?;
    server.advance_clock(5)?;
    let journal = server.journal()?;
    for (field, due) in
        [("total", json!(0)), ("dropped", json!(0)), ("requests", json!([])), ("counts", json!({}))]
    {
        expect_eq(format!("`{field}` of the journal"), &due, &journal[field])?;
    }
    Ok(())
}

fn counts(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = server.token(Identity::Operator)?;
    let issued = issued(&server, Family::Ssh, Identity::Operator)?;
    revoke(&server, &issued)?.send()?.expect(204)?;
    let path = format!("{}:revoke", super::installation::session_path(&issued));
    server.call("POST", &path).bearer(&operator).send()?.expect(204)?;
    for path in [
        "/v1/healthz",
        "/healthz",
        "/readyz",
        "/v1/version",
        "/v1/openapi.json",
        "/.well-known/jwks.json",
        "/v1/projects",
    ] {
        server.get(path).bearer(&operator).send()?.expect(200)?;
    }
    server.get("/nothing/here").send()?.expect(404)?;
    server.call("DELETE", "/v1/projects").send()?.expect(405)?;
    let journal = server.journal()?;
    let due = json!({"IssueSession": 1, "RevokeSession": 2, "GetHealth": 3, "GetVersion": 1,
        "GetOpenApi": 1, "GetJwks": 1, "ListProjects": 1, "unknown": 2});
    expect_eq("the counts", &due, &journal["counts"])?;
    expect_eq("the total", &json!(12), &journal["total"])
}

fn clear(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    issued(&server, Family::Ssh, Identity::Operator)?;
    server.control("DELETE", "/__mock/requests", None)?;
    let journal = server.journal()?;
    expect_eq("the total", &json!(0), &journal["total"])?;
    expect_eq("the counts", &json!({}), &journal["counts"])?;
    issued(&server, Family::Ssh, Identity::Operator)?;
    server.expect_count("IssueSession", 1)
}

fn no_credentials(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut canaries = vec![
        Canary::new("the operator's credential", Identity::Operator.token()),
        Canary::new("an unknown credential", "psk_dev_somebody_unknown"),
        Canary::new("the idempotency key", "a-key-nobody-should-see"),
    ];
    for family in Family::ALL {
        let call = server.issue(family, Identity::Operator)?;
        let call = call.edit(|body| body["idempotency_key"] = json!("a-key-nobody-should-see"));
        let issued = call.send()?.expect(201)?;
        canaries.push(Canary::new("a session token", issued["token"].as_str().unwrap_or_default()));
    }
    let call = server.issue(Family::Ssh, Identity::Operator)?;
    expect_refused(call.bearer("psk_dev_somebody_unknown"), 401, "unauthenticated")?;
    let journal = server.journal()?;
    for canary in canaries {
        canary.absent_from("the journal", journal.to_string().as_bytes())?;
    }
    let mark = &journal["requests"][0]["token"];
    expect_eq(
        "the jti by which a token is named",
        &journal["requests"][0]["session_id"],
        &mark["jti"],
    )?;
    expect(mark["kid"].is_string(), "the kid by which a token is named", "one", mark)
}

fn no_stray_secrets(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let operator = Identity::Operator.token();
    let token = issued(&server, Family::Ssh, Identity::Operator)?["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for secret in [operator, &token] {
        for path in [
            format!("/v1/projects?token={secret}"),
            format!("/v1/projects/{secret}"),
            format!("/{secret}"),
            format!("{}/{secret}/revoke", sessions_of(NOBODY)),
        ] {
            server.get(&path).bearer(secret).send()?;
        }
        server.post(&sessions_of(PROJECT_ID), &json!({secret: 1})).bearer(operator).send()?;
        server
            .call("POST", "/v1/authz/check")
            .bearer(operator)
            .header("content-type", secret)
            .body("{}")
            .send()?;
    }
    let journal = server.journal()?.to_string();
    for (label, secret) in [("the credential", operator), ("the session token", &token)] {
        Canary::new(label, secret).absent_from("the journal", journal.as_bytes())?;
    }
    Ok(())
}

fn ring(bench: &Bench) -> Outcome {
    let server = bench.server_with(&ServerOptions::with(&["--journal", "3"]))?;
    let operator = server.token(Identity::Operator)?;
    for _ in 0..10 {
        server.get("/v1/auth/whoami").bearer(&operator).send()?.expect(200)?;
    }
    let journal = server.journal()?;
    let numbers: Vec<_> = entries(&server)?.iter().map(|entry| entry["seq"].clone()).collect();
    expect_eq("the entries kept", &json!([8, 9, 10]), &json!(numbers))?;
    expect_eq("how many were dropped", &json!(7), &journal["dropped"])?;
    expect_eq("the total", &json!(10), &journal["total"])?;
    server.expect_count("Whoami", 10)
}

fn order(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for path in ["/v1/version", "/v1/healthz", "/v1/auth/whoami"] {
        server.get(path).send()?;
    }
    let seen: Vec<_> =
        entries(&server)?.iter().map(|entry| json!([entry["seq"], entry["operation"]])).collect();
    let due = json!([[1, "GetVersion"], [2, "GetHealth"], [3, "Whoami"]]);
    expect_eq("number and operation of the entries", &due, &json!(seen))
}
