//! What all operations share: who is turned away.

use serde_json::json;

use super::site::{KUBECONFIGS, MANAGEMENT, MERGE, User, call, expect_status, get};
use super::{DOCUMENT, SEEDED, should};
use crate::bench::Call;
use crate::rule::{Claim, Rule};

/// Operation, method and path.
const OPERATIONS: [(&str, &str, &str); 38] = [
    ("ListRancherKubeconfigs", "GET", ""),
    ("CreateRancherKubeconfig", "POST", ""),
    ("DeleteRancherKubeconfigs", "DELETE", ""),
    ("GetRancherKubeconfig", "GET", "/kubeconfig-zp786"),
    ("UpdateRancherKubeconfig", "PUT", "/kubeconfig-zp786"),
    ("PatchRancherKubeconfig", "PATCH", "/kubeconfig-zp786"),
    ("DeleteRancherKubeconfig", "DELETE", "/kubeconfig-zp786"),
    ("ListRancherClusters", "GET", "m/clusters"),
    ("GetRancherCluster", "GET", "m/clusters/local"),
    ("ListRancherFeatures", "GET", "m/features"),
    ("GetRancherFeature", "GET", "m/features/ext-kubeconfigs"),
    ("UpdateRancherFeature", "PUT", "m/features/ext-kubeconfigs"),
    ("PatchRancherFeature", "PATCH", "m/features/ext-kubeconfigs"),
    ("ListRancherSettings", "GET", "m/settings"),
    ("GetRancherSetting", "GET", "m/settings/server-url"),
    ("UpdateRancherSetting", "PUT", "m/settings/server-url"),
    ("PatchRancherSetting", "PATCH", "m/settings/server-url"),
    ("ListRancherTokens", "GET", "m/tokens"),
    ("GetRancherToken", "GET", "m/tokens/token-w7drc"),
    ("DeleteRancherToken", "DELETE", "m/tokens/token-w7drc"),
    ("ListRancherUsers", "GET", "m/users"),
    ("GetRancherUser", "GET", "m/users/u-w7drc"),
    ("UpdateRancherUser", "PUT", "m/users/u-w7drc"),
    ("PatchRancherUser", "PATCH", "m/users/u-w7drc"),
    ("DiscoverCore", "GET", "=/api"),
    ("DiscoverCoreResources", "GET", "=/api/v1"),
    ("DiscoverApi", "GET", "=/apis"),
    ("DiscoverGroup", "GET", "=/apis/ext.cattle.io"),
    ("DiscoverResources", "GET", "=/apis/ext.cattle.io/v1"),
    ("ReadOpenApi", "GET", "=/openapi/v3"),
    ("ReadOpenApiGroup", "GET", "=/openapi/v3/apis/ext.cattle.io/v1"),
    ("ReadOpenApi2", "GET", "=/openapi/v2"),
    ("GetKubernetesVersion", "GET", "=/version"),
    ("GetRancherHealth", "GET", "=/livez"),
    ("CreateSelfSubjectReview", "POST", "=/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    (
        "CreateSelfSubjectAccessReview",
        "POST",
        "=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ),
    (
        "CreateSelfSubjectRulesReview",
        "POST",
        "=/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    ),
    ("CallRancherCluster", "GET", "=/k8s/clusters/local/version"),
];

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = OPERATIONS
        .iter()
        .flat_map(|operation| {
            [unauthenticated(operation), disguised(operation)].into_iter().flatten()
        })
        .collect();
    rules.extend([unacceptable(), too_large(), unread(), other_method()]);
    rules
}

/// Operations that have one form only, and give it to everybody.
const ONE_FORM: [&str; 3] = ["ReadOpenApiGroup", "ReadOpenApi2", "CallRancherCluster"];

fn negotiates((id, ..): &Operation) -> bool {
    !ONE_FORM.contains(id) && !id.starts_with("CreateSelfSubject")
}

fn unacceptable() -> Rule {
    let operations = || OPERATIONS.iter().filter(|operation| negotiates(operation));
    should("rancher.everywhere.unacceptable")
        .title("Who takes nothing that is served is told so: 406")
        .source(DOCUMENT, "the responses of all operations, 406")
        .claims(operations().map(|(id, ..)| Claim::refusal(*id, 406, "NotAcceptable")))
        .needs(SEEDED)
        .fix("Read Accept before doing anything.")
        .check(move |bench| {
            let server = bench.server()?;
            for operation in operations() {
                let call = call(&server, User::Admin, operation.1, &path(operation))?;
                let call = dressed(operation.1, call).header("accept", "application/unheard-of");
                expect_status(&call.send()?, 406, "NotAcceptable", "application/json")?;
            }
            get(&server, User::Admin, &format!("{KUBECONFIGS}/kubeconfig-zp786"))?.expect(200)?;
            Ok(())
        })
}

/// One byte more than a Kubernetes API server takes.
const TOO_MUCH: usize = 3 * 1024 * 1024 + 1;

fn too_large() -> Rule {
    let operations = || {
        OPERATIONS.iter().filter(|(id, method, _)| *method != "GET" && *id != "CallRancherCluster")
    };
    should("rancher.everywhere.too_large")
        .title("A body of more than 3 MiB is a 413, and nothing happens")
        .source(DOCUMENT, "the responses of all operations with a body, 413")
        .claims(operations().map(|(id, ..)| Claim::refusal(*id, 413, "RequestEntityTooLarge")))
        .needs(SEEDED)
        .fix("Bound what is read of a body.")
        .check(move |bench| {
            let server = bench.server()?;
            for operation in operations() {
                let call = call(&server, User::Admin, operation.1, &path(operation))?;
                let call = dressed(operation.1, call).body(" ".repeat(TOO_MUCH));
                expect_status(&call.send()?, 413, "RequestEntityTooLarge", "")?;
            }
            get(&server, User::Admin, &format!("{KUBECONFIGS}/kubeconfig-zp786"))?.expect(200)?;
            Ok(())
        })
}

fn unread() -> Rule {
    let operations =
        || OPERATIONS.iter().filter(|(_, method, _)| matches!(*method, "PUT" | "DELETE"));
    should("rancher.everywhere.unread")
        .title("A body of a type that nobody reads is a 415, in a replacement and in a deletion")
        .source(DOCUMENT, "the responses of PUT and DELETE, 415")
        .claims(operations().map(|(id, ..)| Claim::refusal(*id, 415, "UnsupportedMediaType")))
        .needs(SEEDED)
        .fix("Read JSON and YAML, and say so to the rest.")
        .check(move |bench| {
            let server = bench.server()?;
            for operation in operations() {
                let call = call(&server, User::Admin, operation.1, &path(operation))?;
                let call = call.body("x").header("content-type", "text/plain");
                expect_status(&call.send()?, 415, "UnsupportedMediaType", "application/json")?;
            }
            get(&server, User::Admin, &format!("{KUBECONFIGS}/kubeconfig-zp786"))?.expect(200)?;
            Ok(())
        })
}

fn other_method() -> Rule {
    should("rancher.everywhere.method")
        .title("A method that a path does not have is a 405")
        .source(DOCUMENT, "x-outside-operations")
        .claims([Claim::refusal("CreateRancherKubeconfig", 405, "MethodNotAllowed")])
        .needs(SEEDED)
        .fix("Answer 405 for what exists and cannot be done.")
        .check(|bench| {
            let server = bench.server()?;
            for (method, path) in [
                ("PUT", KUBECONFIGS.to_owned()),
                ("POST", format!("{KUBECONFIGS}/kubeconfig-zp786")),
                ("PUT", format!("{MANAGEMENT}/clusters/local")),
                ("DELETE", format!("{MANAGEMENT}/features/ext-kubeconfigs")),
                ("DELETE", "/version".to_owned()),
            ] {
                let call = call(&server, User::Admin, method, &path)?;
                let exchange = dressed(method, call).send()?;
                expect_status(&exchange, 405, "MethodNotAllowed", "")?;
            }
            get(&server, User::Admin, &format!("{KUBECONFIGS}/kubeconfig-zp786"))?.expect(200)?;
            Ok(())
        })
}

type Operation = (&'static str, &'static str, &'static str);

fn path((_, _, path): &Operation) -> String {
    match (path.strip_prefix('='), path.strip_prefix('m')) {
        (Some(whole), _) => whole.to_owned(),
        (None, Some(rest)) => format!("{MANAGEMENT}{rest}"),
        (None, None) => format!("{KUBECONFIGS}{path}"),
    }
}

fn dressed(method: &str, call: Call) -> Call {
    match method {
        "POST" | "PUT" => call.json(&json!({})),
        "PATCH" => call.json(&json!({})).header("content-type", MERGE),
        _ => call,
    }
}

fn slug(id: &str) -> String {
    let mut slug = String::new();
    for c in id.chars() {
        if c.is_ascii_uppercase() && !slug.is_empty() {
            slug.push('_');
        }
        slug.push(c.to_ascii_lowercase());
    }
    slug
}

fn unauthenticated(operation: &'static Operation) -> Option<Rule> {
    let (id, method, _) = *operation;
    let rule = should(format!("rancher.everywhere.unauthenticated.{}", slug(id)))
        .title(format!("{id} without a good token is 401, whether there is none, a wrong one or a disabled user's"))
        .source(DOCUMENT, format!("{id}, 401"))
        .claims([Claim::refusal(id, 401, "Unauthorized")])
        .fix("Ask who calls before anything else.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path(operation);
            let bare = server.call(method, &path);
            let wrong = bare.clone().bearer("token-w7drc:wrong");
            let mut calls = vec![bare, wrong];
            if server.foreign_token().is_none() {
                calls.push(call(&server, User::Disabled, method, &path)?);
            }
            for call in calls {
                expect_status(&dressed(method, call).send()?, 401, "Unauthorized", "")?;
            }
            Ok(())
        });
    Some(rule)
}

/// An ordinary user may not act as somebody else, whatever it is about.
fn disguised(operation: &'static Operation) -> Option<Rule> {
    let (id, method, _) = *operation;
    if id.starts_with("CreateSelfSubject") {
        return None;
    }
    // Elsewhere only what does no harm where the header is not heeded.
    let draft = should(format!("rancher.everywhere.impersonation.{}", slug(id)));
    let draft = if method == "GET" { draft } else { draft.needs(SEEDED) };
    let rule = draft
        .title(format!("{id} in another's name is 403 for an ordinary user"))
        .source(DOCUMENT, format!("{id}, 403"))
        .claims([Claim::refusal(id, 403, "Forbidden")])
        .fix("Let those impersonate whom the rules allow to.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = call(&server, User::Wanda, method, &path(operation))?;
            let call = dressed(method, call).header("impersonate-user", User::Admin.name());
            expect_status(&call.send()?, 403, "Forbidden", "impersonate")
        });
    Some(rule)
}
