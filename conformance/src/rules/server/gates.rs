//! The order of refusals: where two gates would refuse a request, the earlier one answers.

use serde_json::{Value, json};

use super::installation::{
    BASTION, LEDGER, NOBODY, SCANNER, WAREHOUSE, expect_refused, expect_sessions, identity, policy,
    world,
};
use super::{PAGE, must};
use crate::bench::{Call, Canary, Family, Identity, RESOURCE_ID, Server};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect_eq};

/// Two neighbours in the order, violated at once.
struct Pair {
    slug: &'static str,
    title: &'static str,
    status: u16,
    /// The refusal of the earlier gate.
    code: &'static str,
    world: fn(&mut Value),
    call: fn(&Server) -> Outcome<Call>,
}

const PAIRS: [Pair; 14] = [
    Pair {
        slug: "unauthenticated_before_suspended",
        title: "a revoked token of a suspended identity is unauthenticated",
        status: 401,
        code: "unauthenticated",
        world: |world| {
            identity(world, "susan")["tokens"][0]["revoked"] = json!(true);
        },
        call: |server| server.issue(Family::TcpForward, Identity::Suspended),
    },
    Pair {
        slug: "suspended_before_provisioned",
        title: "a suspended identity is told so even where there are no sessions to be had",
        status: 403,
        code: "identity_suspended",
        world: |world| world["access"]["provisioned"] = json!(false),
        call: |server| server.issue(Family::TcpForward, Identity::Suspended),
    },
    Pair {
        slug: "provisioned_before_project_id",
        title: "an installation without sessions does not look at the path",
        status: 501,
        code: "access_session_not_provisioned",
        world: |world| world["access"]["provisioned"] = json!(false),
        call: |server| in_project(server, "42", Identity::Operator),
    },
    Pair {
        slug: "provisioned_before_body",
        title: "an installation without sessions does not look at the body",
        status: 501,
        code: "access_session_not_provisioned",
        world: |world| world["access"]["provisioned"] = json!(false),
        call: |server| Ok(server.issue(Family::Ssh, Identity::Operator)?.body("{")),
    },
    Pair {
        slug: "body_before_project",
        title: "a broken body is refused before the project is looked up",
        status: 400,
        code: "invalid_body",
        world: |_| {},
        call: |server| Ok(in_project(server, NOBODY, Identity::Operator)?.body("{")),
    },
    Pair {
        slug: "target_before_project",
        title: "a target that does not fit is refused before the project is looked up",
        status: 400,
        code: "invalid_target",
        world: |_| {},
        call: |server| {
            let call = in_project(server, NOBODY, Identity::Operator)?;
            Ok(call.edit(|body| body["target"] = json!({"ssh": {"user": "ops"}})))
        },
    },
    Pair {
        slug: "project_before_resource",
        title: "where neither is there, the project is missed first",
        status: 404,
        code: "project_not_found",
        world: |_| {},
        call: |server| {
            let call = in_project(server, NOBODY, Identity::Operator)?;
            Ok(call.edit(|body| body["resource_id"] = json!(NOBODY)))
        },
    },
    Pair {
        slug: "resource_before_authz",
        title: "a missing resource is missed even while relations cannot be checked",
        status: 404,
        code: "resource_not_found",
        world: |world| world["authz"]["available"] = json!(false),
        call: |server| {
            let call = server.issue(Family::TcpForward, Identity::Operator)?;
            Ok(call.edit(|body| body["resource_id"] = json!(NOBODY)))
        },
    },
    Pair {
        slug: "authz_before_relation",
        title: "who would be denied is not, while relations cannot be checked",
        status: 503,
        code: "authz_unavailable",
        world: |world| world["authz"]["available"] = json!(false),
        call: |server| server.issue(Family::Ssh, Identity::Outsider),
    },
    Pair {
        slug: "relation_before_kind",
        title: "who may not act does not learn which kinds a resource serves",
        status: 403,
        code: "rebac_denied",
        world: |_| {},
        call: |server| at_resource(server, Family::Ssh, LEDGER, Identity::Outsider),
    },
    Pair {
        slug: "kind_before_step_up",
        title: "a kind that is not served is refused before a stronger login is asked for",
        status: 400,
        code: "invalid_target",
        world: |_| {},
        call: |server| at_resource(server, Family::Kubeconfig, BASTION, Identity::Basic),
    },
    Pair {
        slug: "relation_before_step_up",
        title: "who may not act does not learn that a stronger login is wanted",
        status: 403,
        code: "rebac_denied",
        world: |world| {
            let token = &mut identity(world, "otto")["tokens"][0];
            token["acr"] = json!("aal1");
            token["amr"] = json!(["pwd"]);
        },
        call: |server| server.issue(Family::Ssh, Identity::Outsider),
    },
    Pair {
        slug: "step_up_before_budget",
        title: "a weak login is told so before a budget is looked at",
        status: 401,
        code: "step_up_required",
        world: |world| policy(world)["max_sessions_per_resource"] = json!(0),
        call: |server| server.issue(Family::Ssh, Identity::Basic),
    },
    Pair {
        slug: "budget_before_signer",
        title: "a used-up budget is refused before the signer is asked",
        status: 429,
        code: "session_limit_exceeded",
        world: |world| {
            policy(world)["max_sessions_per_identity"] = json!(0);
            world["signer"]["available"] = json!(false);
        },
        call: |server| server.issue(Family::TcpForward, Identity::Operator),
    },
];

fn in_project(server: &Server, project: &str, who: Identity) -> Outcome<Call> {
    let path = format!("/v1/projects/{project}/sessions");
    let body = json!({"resource_id": RESOURCE_ID, "kind": "tcp",
        "target": {"tcp": {"host": "10.0.0.5", "port": 5432}}});
    Ok(server.post(&path, &body).bearer(&server.token(who)?))
}

fn at_resource(server: &Server, family: Family, resource: &str, who: Identity) -> Outcome<Call> {
    Ok(server.issue(family, who)?.edit(|body| body["resource_id"] = json!(resource)))
}

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = PAIRS.iter().map(neighbours).collect();
    rules.push(replay_after_step_up());
    rules.push(replay_before_budget());
    rules.push(project_of_the_path());
    rules.push(signer());
    rules
}

fn neighbours(pair: &'static Pair) -> Rule {
    must(format!("server.gate.{}", pair.slug))
        .title(format!("Of two refusals the earlier gate's is given: {}", pair.title))
        .source(PAGE, "Order of refusals")
        .claims([Claim::refusal("IssueSession", pair.status, pair.code)])
        .fix("Ask the gates in the contract's order (x-refusal-order) and stop at the first that refuses.")
        .check(move |bench| {
            let server = world(bench, pair.world)?;
            expect_refused((pair.call)(&server)?, pair.status, pair.code)?;
            server.expect_count("IssueSession", 1)
        })
}

/// The server with a second, weak login of the operator's.
fn weak_login(world: &mut Value) {
    if let Some(tokens) = identity(world, "olivia")["tokens"].as_array_mut() {
        tokens.push(json!({"token": WEAK, "acr": "aal1", "amr": ["pwd"]}));
    }
}

const WEAK: &str = "psk_dev_operator_by_password";

fn keyed(call: Call) -> Call {
    call.edit(|body| body["idempotency_key"] = json!("one-and-the-same"))
}

fn replay_after_step_up() -> Rule {
    must("server.gate.step_up_before_replay")
        .title(
            "A known idempotency key does not bring the token to a login that is too weak for it",
        )
        .source(PAGE, "Order of refusals")
        .claims([Claim::refusal("IssueSession", 401, "step_up_required")])
        .fix("Look a key up only after the relation check and the step-up have passed.")
        .check(|bench| {
            let server = world(bench, weak_login)?;
            let call = keyed(server.issue(Family::Ssh, Identity::Operator)?);
            let first = call.clone().send()?.expect(201)?;
            let problem = expect_refused(call.clone().bearer(WEAK), 401, "step_up_required")?;
            let token = first["token"].as_str().unwrap_or_default();
            Canary::new("the session token", token)
                .absent_from("the refusal", problem.to_string().as_bytes())?;
            expect_sessions(&server, 1)
        })
}

fn replay_before_budget() -> Rule {
    must("server.gate.replay_before_budget")
        .title("A known idempotency key gets its session although the budget is used up")
        .source(PAGE, "Order of refusals")
        .claims([
            Claim::operation("IssueSession", 201),
            Claim::refusal("IssueSession", 429, "session_limit_exceeded"),
        ])
        .fix("Answer a known key before the budget is asked; a replay spends nothing of it.")
        .check(|bench| {
            let server =
                world(bench, |world| policy(world)["max_sessions_per_identity"] = json!(1))?;
            let plain = server.issue(Family::TcpForward, Identity::Operator)?;
            let first = keyed(plain.clone()).send()?.expect(201)?;
            expect_refused(plain.clone(), 429, "session_limit_exceeded")?;
            for _ in 0..3 {
                let again = keyed(plain.clone()).send()?.expect(201)?;
                expect_eq("the session", &first["session_id"], &again["session_id"])?;
            }
            expect_sessions(&server, 1)
        })
}

fn project_of_the_path() -> Rule {
    must("server.gate.project_of_the_path")
        .title("A resource of another project is not found, though the caller may act on both")
        .source(PAGE, "Order of refusals")
        .claims([Claim::refusal("IssueSession", 404, "resource_not_found")])
        .fix("Look the resource up inside the project that the path names.")
        .check(|bench| {
            let server = bench.server()?;
            let call = at_resource(&server, Family::Ssh, SCANNER, Identity::Admin)?;
            expect_refused(call, 404, "resource_not_found")?;
            let there = in_project(&server, WAREHOUSE, Identity::Admin)?;
            let elsewhere = there.clone().edit(|body| body["resource_id"] = json!(RESOURCE_ID));
            expect_refused(elsewhere, 404, "resource_not_found")?;
            there.edit(|body| body["resource_id"] = json!(SCANNER)).send()?.expect(201)?;
            expect_sessions(&server, 0)
        })
}

fn signer() -> Rule {
    must("server.issue_session.signing_unavailable")
        .title("While the signer is away an issue is 503, and leaves no session, no use of the budget and no key behind")
        .source(PAGE, "Problems, 503 signing_unavailable")
        .claims([Claim::refusal("IssueSession", 503, "signing_unavailable")])
        .fix("Give the place in the budget and the idempotency key back when no token could be signed.")
        .check(|bench| {
            let server = world(bench, |world| {
                policy(world)["max_sessions_per_identity"] = json!(1);
                policy(world)["issues_per_minute"] = json!(2);
                world["signer"]["available"] = json!(false);
            })?;
            let call = keyed(server.issue(Family::Ssh, Identity::Operator)?);
            for _ in 0..4 {
                expect_refused(call.clone(), 503, "signing_unavailable")?;
            }
            expect_sessions(&server, 0)
        })
}
