//! The refusals that many operations share, operation by operation.

use serde_json::json;

use super::installation::{NOBODY, WAREHOUSE, expect_refused, issued, world};
use super::operation::{OPERATIONS, Operation};
use super::{DOCUMENT, must};
use crate::bench::{Call, Family, Identity, PROJECT_ID, RESOURCE_ID, Server};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect};

/// What stands in the path of a request.
struct Ids {
    project: String,
    session: String,
    resource: String,
}

impl Ids {
    /// The examples' project and resource; a session that nobody has.
    fn plain() -> Self {
        Self {
            project: PROJECT_ID.to_owned(),
            session: NOBODY.to_owned(),
            resource: RESOURCE_ID.to_owned(),
        }
    }

    /// The same with a session of the operator's, where the operation is about one.
    fn real(operation: &Operation, server: &Server) -> Outcome<Self> {
        let mut ids = Self::plain();
        if operation.about("{session}") {
            let issued = issued(server, Family::TcpForward, Identity::Operator)?;
            issued["session_id"].as_str().unwrap_or_default().clone_into(&mut ids.session);
        }
        Ok(ids)
    }
}

impl Operation {
    fn about(&self, part: &str) -> bool {
        self.path.contains(part)
    }

    /// Is one of the access sessions, which an installation may lack.
    fn is_access(&self) -> bool {
        self.path.contains("/sessions")
    }

    fn call(&self, server: &Server, ids: &Ids) -> Call {
        let path = self
            .path
            .replace("{project}", &ids.project)
            .replace("{session}", &ids.session)
            .replace("{resource}", &ids.resource);
        let call = server.call(self.method, &path);
        match self.body {
            None => call,
            Some(body) => call.json(&body()),
        }
    }

    fn by(&self, server: &Server, ids: &Ids, who: Identity) -> Outcome<Call> {
        Ok(self.call(server, ids).bearer(&server.token(who)?))
    }

    fn refusal(&self, status: u16, code: &'static str) -> RuleDraft {
        must(format!("server.{}.{code}", self.slug))
            .source(DOCUMENT, format!("{}, {status}", self.id))
            .claims([Claim::refusal(self.id, status, code)])
    }
}

pub(super) fn all() -> Vec<Rule> {
    OPERATIONS.iter().flat_map(of).collect()
}

fn of(operation: &'static Operation) -> Vec<Rule> {
    let mut rules = vec![unauthenticated(operation), suspended(operation)];
    if operation.about("{project}") {
        rules.push(bad_id(operation, "project"));
        rules.push(unknown(operation, "project"));
    }
    if operation.about("{session}") {
        rules.push(bad_id(operation, "session"));
        rules.push(unknown(operation, "session"));
    }
    if operation.about("{resource}") {
        rules.push(bad_id(operation, "resource"));
        rules.push(unknown(operation, "resource"));
    }
    if operation.is_access() {
        rules.push(not_provisioned(operation));
    }
    // A read of one session asks the relations only for a session of somebody else, and a world
    // that is put in place starts without sessions.
    if !operation.about("{session}") && operation.id != "Whoami" {
        rules.push(authz_unavailable(operation));
    }
    // Issuing has a rule of its own; lists of projects leave out instead of refusing.
    if operation.about("{project}") && operation.id != "IssueSession" {
        rules.push(denied(operation));
    }
    rules
}

fn unauthenticated(operation: &'static Operation) -> Rule {
    operation
        .refusal(401, "unauthenticated")
        .title(format!("{} without a valid bearer token is 401, without a challenge", operation.id))
        .fix("Ask for a token that is known, not expired and not revoked before anything else; send WWW-Authenticate only with step_up_required.")
        .check(move |bench| {
            let server = bench.server()?;
            let bare = operation.call(&server, &Ids::plain());
            let operator = server.token(Identity::Operator)?;
            let calls = [
                bare.clone(),
                bare.clone().bearer(""),
                bare.clone().bearer("psk_dev_nobody"),
                bare.clone().bearer(&operator.to_uppercase()),
                bare.clone().header("authorization", &operator),
                bare.clone().header("authorization", &format!("Basic {operator}")),
                bare.clone().bearer(&server.token(Identity::Expired)?),
                bare.bearer(&server.token(Identity::Revoked)?),
            ];
            let count = calls.len() as u64;
            for call in calls {
                expect_refused(call, 401, "unauthenticated")?;
            }
            server.expect_count(operation.counted, count)
        })
}

fn suspended(operation: &'static Operation) -> Rule {
    operation
        .refusal(403, "identity_suspended")
        .title(format!("{} by a suspended identity is a plain 403, no ReBAC denial", operation.id))
        .fix("Refuse a suspended identity with 403 identity_suspended, without `reason`, before the request is looked at.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = operation.by(&server, &Ids::plain(), Identity::Suspended)?;
            expect_refused(call, 403, "identity_suspended")?;
            server.expect_count(operation.counted, 1)
        })
}

fn bad_id(operation: &'static Operation, part: &'static str) -> Rule {
    let code = match part {
        "project" => "invalid_project_id",
        "session" => "invalid_session_id",
        _ => "invalid_resource_id",
    };
    operation
        .refusal(400, code)
        .title(format!(
            "{} with a {part} id that is no hyphenated UUID is 400 {code}",
            operation.id
        ))
        .fix("Take ids in the path in the hyphenated form of a UUID only.")
        .check(move |bench| {
            let server = bench.server()?;
            for wrong in [
                "42",
                "not-a-uuid",
                "0190a8b8a0c07a0a8a0aa0a0a0a0a0c0",
                "%7B0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0%7D",
                "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0cg",
            ] {
                let call = operation.by(&server, &with(part, wrong), Identity::Operator)?;
                expect_refused(call, 400, code)?;
            }
            server.expect_count(operation.counted, 5)
        })
}

fn with(part: &str, id: &str) -> Ids {
    let mut ids = Ids::plain();
    match part {
        "project" => id.clone_into(&mut ids.project),
        "session" => id.clone_into(&mut ids.session),
        _ => id.clone_into(&mut ids.resource),
    }
    ids
}

fn unknown(operation: &'static Operation, part: &'static str) -> Rule {
    let code = match part {
        "project" => "project_not_found",
        "session" => "session_not_found",
        _ => "resource_not_found",
    };
    operation
        .refusal(404, code)
        .title(format!(
            "{} of a {part} that is not there, or not in that place, is 404 {code}",
            operation.id
        ))
        .fix("Look ids up inside the project the path names, and say which of them is not there.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = operation.by(&server, &with(part, NOBODY), Identity::Admin)?;
            expect_refused(call, 404, code)?;
            if part == "project" {
                return Ok(());
            }
            // What is there, asked for under another project that the caller may see as well.
            let mut elsewhere = Ids::real(operation, &server)?;
            WAREHOUSE.clone_into(&mut elsewhere.project);
            let call = operation.by(&server, &elsewhere, Identity::Admin)?;
            expect_refused(call, 404, code)?;
            server.expect_count(operation.counted, 2)
        })
}

fn not_provisioned(operation: &'static Operation) -> Rule {
    operation
        .refusal(501, "access_session_not_provisioned")
        .title(format!("{} is 501 on an installation without mediated sessions", operation.id))
        .fix("Answer 501 access_session_not_provisioned to who is authenticated, before the request is looked at.")
        .check(move |bench| {
            let server = world(bench, |world| world["access"]["provisioned"] = json!(false))?;
            let call = operation.by(&server, &Ids::plain(), Identity::Operator)?;
            expect_refused(call, 501, "access_session_not_provisioned")?;
            server.expect_count(operation.counted, 1)
        })
}

fn authz_unavailable(operation: &'static Operation) -> Rule {
    operation
        .refusal(503, "authz_unavailable")
        .title(format!(
            "{} is 503 while relations cannot be checked, neither allowed nor denied",
            operation.id
        ))
        .fix("When the relation service is away, decide nothing: 503 authz_unavailable.")
        .check(move |bench| {
            let server = world(bench, |world| world["authz"]["available"] = json!(false))?;
            for who in [Identity::Operator, Identity::Outsider] {
                let call = operation.by(&server, &Ids::plain(), who)?;
                expect_refused(call, 503, "authz_unavailable")?;
            }
            server.expect_count(operation.counted, 2)
        })
}

fn denied(operation: &'static Operation) -> Rule {
    operation
        .refusal(403, "rebac_denied")
        .title(format!("{} by somebody without a relation is rebac_denied, with a reason", operation.id))
        .fix("Answer 403 rebac_denied with reason, relation_path and correlation_id when the relations do not permit the operation.")
        .check(move |bench| {
            let server = bench.server()?;
            let ids = Ids::real(operation, &server)?;
            let call = operation.by(&server, &ids, Identity::Outsider)?;
            let problem = expect_refused(call, 403, "rebac_denied")?;
            let path = problem["relation_path"].as_array().map_or(0, Vec::len);
            expect(path > 0, "relation_path of the denial", "the relations tried", "none")?;
            server.expect_count(operation.counted, 1)
        })
}
