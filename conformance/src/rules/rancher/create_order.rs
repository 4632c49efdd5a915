//! Which refusal of a creation comes first.

use serde_json::{Value, json};

use super::create_refused::CREATE;
use super::site::{NODES, User, create, expect_status};
use super::{DOCUMENT, SEEDED, should};
use crate::rule::{Claim, Rule};

pub(super) fn all() -> Vec<Rule> {
    ORDER.iter().map(first).collect()
}

/// A spec that is wrong in two ways, and what is said of it.
struct Order {
    slug: &'static str,
    user: User,
    spec: fn() -> Value,
    status: u16,
    reason: &'static str,
    says: &'static str,
}

const ORDER: [Order; 7] = [
    Order {
        slug: "user_before_clusters",
        user: User::System,
        spec: || json!({"clusters": ["local", "local"]}),
        status: 403,
        reason: "Forbidden",
        says: "not a Rancher user",
    },
    Order {
        slug: "user_before_ttl",
        user: User::System,
        spec: || json!({"ttl": -1}),
        status: 403,
        reason: "Forbidden",
        says: "not a Rancher user",
    },
    Order {
        slug: "duplicate_before_ttl",
        user: User::Wanda,
        spec: || json!({"clusters": ["local", "local"], "ttl": -1}),
        status: 400,
        reason: "BadRequest",
        says: "unique",
    },
    Order {
        slug: "ttl_before_clusters",
        user: User::Wanda,
        spec: || json!({"clusters": ["c-m-nowhere"], "ttl": -1}),
        status: 400,
        reason: "BadRequest",
        says: "negative",
    },
    Order {
        slug: "unknown_in_order",
        user: User::Wanda,
        spec: || json!({"clusters": ["c-m-nowhere", NODES]}),
        status: 400,
        reason: "BadRequest",
        says: "c-m-nowhere",
    },
    Order {
        slug: "unknown_before_current",
        user: User::Wanda,
        spec: || json!({"clusters": ["c-m-nowhere"], "currentContext": "elsewhere"}),
        status: 400,
        reason: "BadRequest",
        says: "c-m-nowhere",
    },
    Order {
        slug: "permission_before_current",
        user: User::Wanda,
        spec: || json!({"clusters": [NODES], "currentContext": "elsewhere"}),
        status: 403,
        reason: "Forbidden",
        says: NODES,
    },
];

fn first(case: &'static Order) -> Rule {
    should(format!("rancher.create.order.{}", case.slug))
        .title(format!(
            "Of two things that are wrong, {} comes first",
            case.slug.split("_before").next().unwrap_or_default().replace('_', " ")
        ))
        .source(DOCUMENT, "CreateRancherKubeconfig, x-refusal-order")
        .claims([Claim::refusal(CREATE, case.status, case.reason)])
        .needs(SEEDED)
        .fix("Check in the documented order.")
        .check(move |bench| {
            let server = bench.server()?;
            let exchange = create(&server, case.user, &(case.spec)())?;
            expect_status(&exchange, case.status, case.reason, case.says)
        })
}
