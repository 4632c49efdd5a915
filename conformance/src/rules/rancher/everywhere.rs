//! What all operations share: who is turned away.

use serde_json::json;

use super::site::{KUBECONFIGS, MANAGEMENT, MERGE, User, call, expect_status};
use super::{DOCUMENT, SEEDED, should};
use crate::bench::Call;
use crate::rule::{Claim, Rule};

/// Operation, method and path.
const OPERATIONS: [(&str, &str, &str); 35] = [
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
    ("DiscoverApi", "GET", "=/apis"),
    ("DiscoverGroup", "GET", "=/apis/ext.cattle.io"),
    ("DiscoverResources", "GET", "=/apis/ext.cattle.io/v1"),
    ("ReadOpenApi", "GET", "=/openapi/v3"),
    ("ReadOpenApiGroup", "GET", "=/openapi/v3/apis/ext.cattle.io/v1"),
    ("ReadOpenApi2", "GET", "=/openapi/v2"),
    ("GetKubernetesVersion", "GET", "=/version"),
    ("CreateSelfSubjectReview", "POST", "=/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    (
        "CreateSelfSubjectAccessReview",
        "POST",
        "=/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    ),
    ("CallRancherCluster", "GET", "=/k8s/clusters/local/version"),
];

pub(super) fn all() -> Vec<Rule> {
    OPERATIONS
        .iter()
        .flat_map(|operation| {
            [unauthenticated(operation), disguised(operation)].into_iter().flatten()
        })
        .collect()
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
        .needs(SEEDED)
        .fix("Ask who calls before anything else.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path(operation);
            let bare = server.call(method, &path);
            let wrong = bare.clone().bearer("token-w7drc:wrong");
            let disabled = call(&server, User::Disabled, method, &path)?;
            for call in [bare, wrong, disabled] {
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
    let rule = should(format!("rancher.everywhere.impersonation.{}", slug(id)))
        .title(format!("{id} in another's name is 403 for an ordinary user"))
        .source(DOCUMENT, format!("{id}, 403"))
        .claims([Claim::refusal(id, 403, "Forbidden")])
        .needs(SEEDED)
        .fix("Let those impersonate whom the rules allow to.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = call(&server, User::Wanda, method, &path(operation))?;
            let call = dressed(method, call).header("impersonate-user", User::Admin.name());
            expect_status(&call.send()?, 403, "Forbidden", "impersonate")
        });
    Some(rule)
}
