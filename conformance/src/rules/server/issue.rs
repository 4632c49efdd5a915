//! IssueSession where it succeeds: what the answer holds and where it can be read again.

use serde_json::{Value, json};

use super::installation::{SERVICE, issue_as, issued, read, reread, session_path};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Family, Identity, PROJECT_ID, RESOURCE_ID};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Family::ALL.into_iter().map(created).collect();
    rules.extend([Family::Kubeconfig, Family::TcpForward].map(plain_endpoint));
    rules.extend([
        ssh_endpoint(),
        ssh_user_in_uri(),
        location(),
        distinct(),
        unread_fields(),
        nested_group(),
    ]);
    rules
}

fn created(family: Family) -> Rule {
    must(format!("server.issue_session.created.{}", family.kind()))
        .title(format!(
            "An allowed request of kind {} is answered with its own active session",
            family.kind()
        ))
        .source(DOCUMENT, "IssueSession, 201")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Answer 201 with session_id, token, expires_at and the session as asked for.")
        .check(move |bench| {
            let server = bench.server()?;
            let issued = issued(&server, family, Identity::Operator)?;
            let session = &issued["session"];
            let me = read(&server, "/v1/auth/whoami")?;
            for (what, expected, found) in [
                ("session.id", &issued["session_id"], &session["id"]),
                ("session.expires_at", &issued["expires_at"], &session["expires_at"]),
                ("session.project_id", &json!(PROJECT_ID), &session["project_id"]),
                ("session.resource_id", &json!(RESOURCE_ID), &session["resource_id"]),
                ("session.identity_id", &me["subject"], &session["identity_id"]),
                ("session.kind", &json!(family.kind()), &session["kind"]),
                ("session.status", &json!("active"), &session["status"]),
                ("session.target", &family.target(), &session["target"]),
                ("session.last_active_at", &session["issued_at"], &session["last_active_at"]),
            ] {
                expect_eq(what, expected, found)?;
            }
            expect_eq("the session as it reads", session, &reread(&server, &issued)?)?;
            server.expect_count("IssueSession", 1)
        })
}

fn endpoint(bench: &Bench, family: Family) -> Outcome<String> {
    let issued = issued(&bench.server()?, family, Identity::Operator)?;
    Ok(issued["listener_endpoint"].as_str().unwrap_or_default().to_owned())
}

/// A port that can be dialled, after the last colon.
fn expect_port(endpoint: &str) -> Outcome {
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    expect(port.is_some_and(|port| port > 0), "the port of the endpoint", "1 to 65535", endpoint)
}

fn plain_endpoint(family: Family) -> Rule {
    must(format!("server.issue_session.endpoint.{}", family.kind()))
        .title(format!("The listener endpoint of kind {} is host:port, and no URI", family.kind()))
        .source(DOCUMENT, "ListenerEndpoint")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Hand out host:port, with a port from 1 to 65535.")
        .check(move |bench| {
            let endpoint = endpoint(bench, family)?;
            expect(!endpoint.contains("://"), "the endpoint", "host:port", &endpoint)?;
            expect_port(&endpoint)
        })
}

fn ssh_endpoint() -> Rule {
    should("server.issue_session.endpoint.ssh")
        .title("The listener endpoint of kind ssh is a URI that a stock ssh dials as the right user, with the host key pinned")
        .source("docs/decisions/0004-ssh-argument.md", "ssh://<user>;fingerprint=SHA256:<host key>@<host>:<port>")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Write the endpoint as ssh://user;fingerprint=SHA256:...@host:port.")
        .check(|bench| {
            let endpoint = endpoint(bench, Family::Ssh)?;
            let pin = endpoint
                .strip_prefix("ssh://ops;fingerprint=SHA256:")
                .and_then(|rest| rest.split_once('@'));
            let Some((pin, address)) = pin else {
                return fail("the endpoint", "ssh://ops;fingerprint=SHA256:...@host:port", endpoint);
            };
            expect_eq("the length of the fingerprint", &43, &pin.len())?;
            expect(!address.contains('@'), "the endpoint", "one @", &endpoint)?;
            expect_port(address)
        })
}

fn ssh_user_in_uri() -> Rule {
    should("server.issue_session.endpoint.ssh_user_encoded")
        .title("A directory account in an ssh endpoint is percent-encoded, so that the URI keeps its parts")
        .source("docs/decisions/0009-user-and-host-text.md", "percent-encoded where a URI is built")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Percent-encode everything but unreserved characters of the user.")
        .check(|bench| {
            let server = bench.server()?;
            let call = server.issue(Family::Ssh, Identity::Operator)?;
            let call = call.edit(|body| body["target"]["ssh"]["user"] = json!("CORP\\an a@x.org"));
            let issued = call.send()?.expect(201)?;
            let endpoint = issued["listener_endpoint"].as_str().unwrap_or_default();
            let begins = endpoint.starts_with("ssh://CORP%5Can%20a%40x.org;fingerprint=");
            expect(begins, "the endpoint", "ssh://CORP%5Can%20a%40x.org;fingerprint=...", endpoint)?;
            let user = &issued["session"]["target"]["ssh"]["user"];
            expect_eq("the user in the session", &json!("CORP\\an a@x.org"), user)
        })
}

fn location() -> Rule {
    must("server.issue_session.location")
        .title("The Location of a new session is the path at which it can be read")
        .source(DOCUMENT, "IssueSession, Location")
        .claims([Claim::operation("IssueSession", 201), Claim::operation("GetSession", 200)])
        .fix("Send Location with the path of the single read, below the base URL of the request.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = server.issue(Family::TcpForward, Identity::Operator)?.send()?;
            let issued = exchange.expect(201)?;
            let location = exchange.response.headers.get("location").unwrap_or_default();
            let path = location.strip_prefix(&exchange.prefix).unwrap_or_default();
            expect_eq("the Location", &session_path(&issued).as_str(), &path)?;
            let session = read(&server, path)?;
            expect_eq("the id at the Location", &issued["session_id"], &session["id"])
        })
}

fn distinct() -> Rule {
    must("server.issue_session.distinct")
        .title("Without an idempotency key every issue is a session of its own, its id a UUID of version 7")
        .source(DOCUMENT, "IssueSessionRequest, idempotency_key")
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Make a new id and a new token for every request that names no key.")
        .check(|bench| {
            let server = bench.server()?;
            let (mut ids, mut tokens, mut times) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..10 {
                let issued = issued(&server, Family::Ssh, Identity::Operator)?;
                let id = issued["session_id"].as_str().unwrap_or_default().to_owned();
                let parsed = uuid::Uuid::parse_str(&id).unwrap_or_default();
                let version = parsed.get_version_num();
                expect(version == 7, "the session id", "a UUID of version 7", &id)?;
                // Of one millisecond they may be in any order.
                times.push(parsed.get_timestamp().map(|time| time.to_unix()));
                ids.push(id);
                tokens.push(issued["token"].to_string());
            }
            expect(times.is_sorted(), "the times in the ids", "growing", ids.join(" "))?;
            for list in [&mut ids, &mut tokens] {
                list.sort();
                list.dedup();
                expect_eq("how many are distinct", &10, &list.len())?;
            }
            Ok(())
        })
}

fn unread_fields() -> Rule {
    should("server.issue_session.unread_fields")
        .title("A field the contract does not know is taken, and named in the journal as unread")
        .source(PAGE, "Closed requests, open answers")
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::Journal])
        .fix("Ignore unknown request fields, and note their names under `unread`.")
        .check(|bench| {
            let server = bench.server()?;
            let call = server.issue(Family::Ssh, Identity::Operator)?.edit(|body| {
                body["ttl_seconds"] = json!(900);
                body["target"]["ssh"]["shell"] = json!("/bin/sh");
            });
            call.send()?.expect(201)?;
            let journal = server.journal()?;
            let unread = journal["requests"][0]["unread"].to_string();
            for field in ["ttl_seconds", "shell"] {
                expect(unread.contains(field), "the unread fields", field, &unread)?;
            }
            let known = unread.contains("resource_id") || unread.contains("kind");
            expect(!known, "the unread fields", "none that was read", &unread)
        })
}

fn nested_group() -> Rule {
    should("server.issue_session.nested_group")
        .title(
            "Whoever is an operator by a group inside a group may act, be it a person or a service",
        )
        .source(
            "docs/decisions/0026-choosing-a-behaviour.md",
            "the answers follow from identities, relations and policies",
        )
        .claims([Claim::operation("IssueSession", 201)])
        .fix("Follow members of groups through groups.")
        .check(|bench| {
            let server = bench.server()?;
            let me = server.get("/v1/auth/whoami").bearer(SERVICE).send()?.expect(200)?;
            expect_eq("the principal", &Value::from("service"), &me["principal_type"])?;
            for family in Family::ALL {
                let issued = issue_as(&server, family, SERVICE)?.send()?.expect(201)?;
                expect_eq("whose session", &me["subject"], &issued["session"]["identity_id"])?;
            }
            Ok(())
        })
}
