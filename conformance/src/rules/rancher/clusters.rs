//! What surrounds the kubeconfigs: clusters, features, settings and users, and what their
//! tokens have in common with these.

use serde_json::json;

use super::site::{
    KUBECONFIGS, MANAGEMENT, MERGE, Made, NAMED, NODES, PLAIN, STRATEGIC, User, call,
    expect_status, get, named, switch,
};
use super::writable::WRITABLE;
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules =
        vec![clusters(), names(), one_cluster(), feature(), strategic(), off_and_on(), off_keeps()];
    rules.extend(KINDS.iter().map(lists));
    rules.extend(KINDS.iter().map(missing));
    rules.extend(KINDS.iter().map(bad_selector));
    rules
}

/// A kind of management.cattle.io: its plural, its operations, and an object of it.
pub(super) struct Kind {
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) kinds: &'static str,
    pub(super) object: &'static str,
}

pub(super) const KINDS: [Kind; 5] = [
    Kind { plural: "clusters", kind: "Cluster", kinds: "Clusters", object: "local" },
    Kind { plural: "features", kind: "Feature", kinds: "Features", object: "ext-kubeconfigs" },
    Kind {
        plural: "settings",
        kind: "Setting",
        kinds: "Settings",
        object: "kubeconfig-default-token-ttl-minutes",
    },
    Kind { plural: "users", kind: "User", kinds: "Users", object: "u-w7drc" },
    Kind { plural: "tokens", kind: "Token", kinds: "Tokens", object: "" },
];

fn lists(kind: &'static Kind) -> Rule {
    should(format!("rancher.management.{}.reads", kind.plural))
        .title(format!("{} can be listed and read one by one by an admin", kind.kinds))
        .source(DOCUMENT, format!("ListRancher{}", kind.kinds))
        .claims([
            Claim::operation(format!("ListRancher{}", kind.kinds), 200),
            Claim::operation(format!("GetRancher{}", kind.kind), 200),
        ])
        .needs(SEEDED)
        .fix("Serve the list and the single read.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = format!("{MANAGEMENT}/{}", kind.plural);
            let list = get(&server, User::Admin, &path)?.expect(200)?;
            let names = named(&list);
            let name = if kind.object.is_empty() {
                names.first().cloned().unwrap_or_default()
            } else {
                kind.object.to_owned()
            };
            expect(names.contains(&name), "the list", &name, names.join(" "))?;
            let one = get(&server, User::Admin, &format!("{path}/{name}"))?.expect(200)?;
            expect_eq("the kind", &json!(kind.kind), &one["kind"])
        })
}

fn missing(kind: &'static Kind) -> Rule {
    should(format!("rancher.management.{}.missing", kind.plural))
        .title(format!("One of {} that is not there is a 404", kind.plural))
        .source(DOCUMENT, format!("GetRancher{}, 404", kind.kind))
        .claims([Claim::refusal(format!("GetRancher{}", kind.kind), 404, "NotFound"), Claim::operation(format!("UpdateRancher{}", kind.kind), 404), Claim::operation(format!("PatchRancher{}", kind.kind), 404), Claim::operation(format!("DeleteRancher{}", kind.kind), 404)])
        .needs(SEEDED)
        .fix("Answer the Status of Kubernetes.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = format!("{MANAGEMENT}/{}/nope", kind.plural);
            let says = format!("{}.management.cattle.io \"nope\" not found", kind.plural);
            expect_status(&get(&server, User::Admin, &path)?, 404, "NotFound", &says)?;
            if WRITABLE.iter().any(|(one, _)| one.plural == kind.plural) {
                let patch = call(&server, User::Admin, "PATCH", &path)?.json(&json!({})).header("content-type", MERGE);
                expect_status(&patch.send()?, 404, "NotFound", &says)?;
                let object = json!({"apiVersion": "management.cattle.io/v3", "kind": kind.kind, "metadata": {"name": "nope"}});
                let put = call(&server, User::Admin, "PUT", &path)?.json(&object).send()?;
                expect_status(&put, 404, "NotFound", &says)?;
            }
            if kind.kind == "Token" {
                expect_status(&call(&server, User::Admin, "DELETE", &path)?.send()?, 404, "NotFound", &says)?;
            }
            Ok(())
        })
}

fn bad_selector(kind: &'static Kind) -> Rule {
    let operation = format!("ListRancher{}", kind.kinds);
    should(format!("rancher.management.{}.malformed_selector", kind.plural))
        .title(format!("A malformed selector on {} is a 400", kind.plural))
        .source(DOCUMENT, format!("{operation}, 400"))
        .claims([Claim::refusal(operation, 400, "BadRequest")])
        .needs(SEEDED)
        .fix("Refuse what cannot be read.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = format!("{MANAGEMENT}/{}?labelSelector=a%20b", kind.plural);
            expect_status(&get(&server, User::Admin, &path)?, 400, "BadRequest", "")
        })
}

fn clusters() -> Rule {
    must("rancher.clusters.permitted")
        .title("A user lists the clusters it may use, an admin all")
        .source(PUBLIC, "Creating a Kubeconfig: listing clusters")
        .claims([Claim::operation("ListRancherClusters", 200)])
        .needs(SEEDED)
        .fix("Filter clusters by permission.")
        .check(|bench| {
            let server = bench.server()?;
            let seen = |user| {
                Ok::<_, crate::verdict::Reason>(named(
                    &get(&server, user, &format!("{MANAGEMENT}/clusters"))?.expect(200)?,
                ))
            };
            let mut all = seen(User::Admin)?;
            all.sort_unstable();
            expect_eq(
                "the admin's",
                &[NODES, NAMED, PLAIN, "local"].map(str::to_owned).to_vec(),
                &all,
            )?;
            for (user, due) in
                [(User::Wanda, &[NAMED, PLAIN, "local"][..]), (User::Kemal, &[PLAIN][..])]
            {
                let mut theirs = seen(user)?;
                theirs.sort_unstable();
                expect_eq(
                    format!("those of {}", user.name()),
                    &due.to_vec(),
                    &theirs.iter().map(String::as_str).collect(),
                )?;
            }
            Ok(())
        })
}

fn names() -> Rule {
    must("rancher.clusters.names")
        .title("A cluster has its name and its display name where the page looks for them")
        .source(PUBLIC, "Creating a Kubeconfig: the jsonpath")
        .claims([Claim::operation("ListRancherClusters", 200)])
        .needs(SEEDED)
        .fix("Put the display name into spec.displayName.")
        .check(|bench| {
            let server = bench.server()?;
            let list = get(&server, User::Admin, &format!("{MANAGEMENT}/clusters"))?.expect(200)?;
            let items = list["items"].as_array().into_iter().flatten();
            let pairs: Vec<String> = items
                .map(|one| {
                    format!(
                        "{} {}",
                        one["metadata"]["name"].as_str().unwrap_or_default(),
                        one["spec"]["displayName"].as_str().unwrap_or_default()
                    )
                })
                .collect();
            for due in ["local local", "c-m-p66cdvlj downstream1"] {
                expect(pairs.contains(&due.to_owned()), "the names", due, pairs.join(", "))?;
            }
            Ok(())
        })
}

fn one_cluster() -> Rule {
    should("rancher.clusters.forbidden")
        .title("A cluster that the user may not use is a 403 by name")
        .source(DOCUMENT, "GetRancherCluster, 403")
        .claims([Claim::refusal("GetRancherCluster", 403, "Forbidden")])
        .needs(SEEDED)
        .fix("Refuse by rules.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = get(&server, User::Wanda, &format!("{MANAGEMENT}/clusters/{NODES}"))?;
            expect_status(&exchange, 403, "Forbidden", NODES)
        })
}

fn feature() -> Rule {
    must("rancher.feature.default")
        .title("The feature ext-kubeconfigs is there, and enabled by default")
        .source(PUBLIC, "Feature Flag")
        .claims([Claim::operation("GetRancherFeature", 200)])
        .needs(SEEDED)
        .fix("Furnish the feature with default true.")
        .check(|bench| {
            let server = bench.server()?;
            let feature =
                get(&server, User::Admin, &format!("{MANAGEMENT}/features/ext-kubeconfigs"))?
                    .expect(200)?;
            expect_eq("the default", &json!(true), &feature["status"]["default"])
        })
}

fn strategic() -> Rule {
    must("rancher.feature.patch")
        .title("The page's patch of the feature, which is a strategic one, is taken")
        .source(PUBLIC, "Feature Flag: kubectl patch feature")
        .claims([Claim::operation("PatchRancherFeature", 200)])
        .needs(SEEDED)
        .fix("Take strategic merge patches of features.")
        .check(|bench| {
            let server = bench.server()?;
            let path = format!("{MANAGEMENT}/features/ext-kubeconfigs");
            let patch = call(&server, User::Admin, "PATCH", &path)?
                .json(&json!({"spec": {"value": false}}));
            let after = patch.header("content-type", STRATEGIC).send()?.expect(200)?;
            expect_eq("spec.value", &json!(false), &after["spec"]["value"])
        })
}

fn off_and_on() -> Rule {
    must("rancher.feature.off")
        .title("Switched off, the API is gone from its paths; switched on again, it is back")
        .source(PUBLIC, "Feature Flag")
        .claims([
            Claim::refusal("ListRancherKubeconfigs", 404, "NotFound"),
            Claim::refusal("GetRancherKubeconfig", 404, "NotFound"),
            Claim::refusal("DeleteRancherKubeconfigs", 404, "NotFound"),
        ])
        .needs(SEEDED)
        .fix("Serve the resource only while the feature is on.")
        .check(|bench| {
            let server = bench.server()?;
            switch(&server, false)?;
            for (method, path) in [
                ("GET", KUBECONFIGS.to_owned()),
                ("DELETE", KUBECONFIGS.to_owned()),
                ("GET", format!("{KUBECONFIGS}/kubeconfig-zp786")),
            ] {
                let exchange = call(&server, User::Admin, method, &path)?.send()?;
                expect_status(&exchange, 404, "NotFound", "could not find the requested resource")?;
            }
            switch(&server, true)?;
            get(&server, User::Admin, KUBECONFIGS)?.expect(200).map(drop)
        })
}

fn off_keeps() -> Rule {
    should("rancher.feature.keeps")
        .title("What was there before the feature was off is there again after")
        .source(PAGE, "The feature")
        .claims([Claim::operation("PatchRancherFeature", 200)])
        .needs(SEEDED)
        .fix("Hide, do not delete.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let before = made.read()?;
            switch(&server, false)?;
            switch(&server, true)?;
            expect_eq("the object", &before, &made.read()?)
        })
}
