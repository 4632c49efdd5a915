//! Discovery, OpenAPI, version and who one is: what kubectl asks before it does anything.

use serde_json::{Value, json};

use super::site::{User, call, get, switch};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect, expect_eq, fail};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

pub(super) fn all() -> Vec<Rule> {
    vec![
        plain(),
        group(),
        core(),
        aggregated("v2", AGGREGATED),
        aggregated("v2beta1", BETA),
        gone_when_off(),
        openapi(),
        explained(),
        validated(),
        openapi2(),
        version(),
        whoami(),
        may_i(),
        unknown_group(),
        bad_review(),
        what_may_i(),
        alive(),
        nowhere(),
    ]
}

fn resource(list: &Value) -> Outcome<Value> {
    let mut all = list["resources"].as_array().into_iter().flatten();
    match all.find(|one| one["name"] == "kubeconfigs").cloned() {
        Some(found) => Ok(found),
        None => fail("the resources", "kubeconfigs", list),
    }
}

fn plain() -> Rule {
    must("rancher.discovery.resource")
        .title("The group lists kubeconfigs, cluster-scoped, with all eight verbs")
        .source(PUBLIC, "Kubeconfig Resource: kubectl api-resources")
        .claims([Claim::operation("DiscoverResources", 200)])
        .fix("Serve the APIResourceList of ext.cattle.io/v1.")
        .check(|bench| {
            let server = bench.server()?;
            let list = get(&server, User::Wanda, "/apis/ext.cattle.io/v1")?.expect(200)?;
            let found = resource(&list)?;
            expect_eq(
                "what it is",
                &json!(["Kubeconfig", false, "kubeconfig"]),
                &json!([found["kind"], found["namespaced"], found["singularName"]]),
            )?;
            let mut verbs: Vec<&str> =
                found["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            verbs.sort_unstable();
            expect_eq(
                "the verbs",
                &vec![
                    "create",
                    "delete",
                    "deletecollection",
                    "get",
                    "list",
                    "patch",
                    "update",
                    "watch",
                ],
                &verbs,
            )
        })
}

fn group() -> Rule {
    should("rancher.discovery.group")
        .title("The group is among the groups, and says its version")
        .source(DOCUMENT, "DiscoverGroup")
        .claims([Claim::operation("DiscoverApi", 200), Claim::operation("DiscoverGroup", 200)])
        .fix("Serve APIGroupList and APIGroup.")
        .check(|bench| {
            let server = bench.server()?;
            let groups = get(&server, User::Wanda, "/apis")?.expect(200)?;
            let names = groups["groups"].to_string();
            expect(names.contains("\"ext.cattle.io\""), "the groups", "ext.cattle.io", names)?;
            let group = get(&server, User::Wanda, "/apis/ext.cattle.io")?.expect(200)?;
            expect_eq(
                "the version",
                &json!("ext.cattle.io/v1"),
                &group["preferredVersion"]["groupVersion"],
            )
        })
}

fn core() -> Rule {
    should("rancher.discovery.core")
        .title("The core API says its version")
        .source(DOCUMENT, "DiscoverCore")
        .claims([Claim::operation("DiscoverCore", 200)])
        .fix("Serve /api.")
        .check(|bench| {
            let server = bench.server()?;
            let versions = get(&server, User::Wanda, "/api")?.expect(200)?;
            expect_eq("the versions", &json!(["v1"]), &versions["versions"])
        })
}

fn aggregated(name: &'static str, media: &'static str) -> Rule {
    should(format!("rancher.discovery.aggregated.{name}"))
        .title(format!("Aggregated discovery {name} is answered under its own media type"))
        .source(DOCUMENT, "DiscoverApi")
        .claims([Claim::operation("DiscoverApi", 200)])
        .fix("Answer APIGroupDiscoveryList with the parameters in the content type, which kubectl reads the kind from.")
        .check(move |bench| {
            let server = bench.server()?;
            let exchange = call(&server, User::Wanda, "GET", "/apis")?.header("accept", media).send()?;
            let list = exchange.expect(200)?;
            let said = exchange.response.headers.get("content-type").unwrap_or_default().replace(' ', "");
            expect_eq("the content type", &media, &said.as_str())?;
            expect_eq("the kind", &json!("APIGroupDiscoveryList"), &list["kind"])?;
            expect(list.to_string().contains("\"kubeconfigs\""), "the list", "kubeconfigs", "none")
        })
}

fn gone_when_off() -> Rule {
    must("rancher.discovery.switched_off")
        .title("With the feature off kubeconfigs are not among the resources")
        .source(PUBLIC, "Feature Flag")
        .claims([Claim::operation("DiscoverApi", 200)])
        .needs(SEEDED)
        .fix("Leave the resource out of discovery while the feature is off.")
        .check(|bench| {
            let server = bench.server()?;
            let listed = || {
                Ok::<_, crate::verdict::Reason>(
                    call(&server, User::Wanda, "GET", "/apis")?
                        .header("accept", AGGREGATED)
                        .send()?
                        .expect(200)?
                        .to_string()
                        .contains("\"kubeconfigs\""),
                )
            };
            expect_eq("before", &true, &listed()?)?;
            switch(&server, false)?;
            expect_eq("while it is off", &false, &listed()?)?;
            switch(&server, true)?;
            expect_eq("after", &true, &listed()?)
        })
}

fn document(server: &crate::bench::Server) -> Outcome<Value> {
    let index = get(server, User::Wanda, "/openapi/v3")?.expect(200)?;
    let path = index["paths"]["apis/ext.cattle.io/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = path.strip_prefix(server.endpoint().prefix.as_str()).unwrap_or(&path).to_owned();
    get(server, User::Wanda, &path)?.expect(200)
}

fn openapi() -> Rule {
    must("rancher.openapi.index")
        .title("OpenAPI v3 has a document for the group, at the path that the index names")
        .source(PUBLIC, "Kubeconfig Resource: kubectl explain")
        .claims([Claim::operation("ReadOpenApi", 200), Claim::operation("ReadOpenApiGroup", 200)])
        .fix("Serve /openapi/v3 and the group's document.")
        .check(|bench| document(&bench.server()?).map(drop))
}

fn explained() -> Rule {
    must("rancher.openapi.explain")
        .title("The document describes the fields of spec and status, for explain to show")
        .source(PUBLIC, "Kubeconfig Resource: kubectl explain")
        .claims([Claim::operation("ReadOpenApiGroup", 200)])
        .fix("Describe each property of the schemas.")
        .check(|bench| {
            let document = document(&bench.server()?)?;
            let schemas = &document["components"]["schemas"];
            for (schema, fields) in [
                (
                    "io.cattle.ext.v1.KubeconfigSpec",
                    ["clusters", "currentContext", "description", "ttl"],
                ),
                ("io.cattle.ext.v1.KubeconfigStatus", ["conditions", "summary", "tokens", "value"]),
            ] {
                for field in fields {
                    let said = schemas[schema]["properties"][field]["description"]
                        .as_str()
                        .unwrap_or_default();
                    expect(!said.is_empty(), format!("{schema}.{field}"), "a description", "none")?;
                }
            }
            Ok(())
        })
}

fn validated() -> Rule {
    should("rancher.openapi.field_validation")
        .title("The patch operation names fieldValidation, without which kubectl create does not validate here")
        .source(DOCUMENT, "ReadOpenApiGroup")
        .claims([Claim::operation("ReadOpenApiGroup", 200)])
        .fix("List fieldValidation among the parameters of the patch operation itself.")
        .check(|bench| {
            let document = document(&bench.server()?)?;
            let patch = &document["paths"]["/apis/ext.cattle.io/v1/kubeconfigs/{name}"]["patch"];
            let kind = &patch["x-kubernetes-group-version-kind"]["kind"];
            expect_eq("the kind", &json!("Kubeconfig"), kind)?;
            let named = patch["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "fieldValidation" && one["in"] == "query");
            expect(named, "the parameters", "fieldValidation", &patch["parameters"])
        })
}

fn openapi2() -> Rule {
    should("rancher.openapi.v2")
        .title("OpenAPI v2 is answered, empty, so that old kubectls go on")
        .source(PAGE, "What is answered")
        .claims([Claim::operation("ReadOpenApi2", 200)])
        .fix("Answer an empty protobuf document.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = get(&server, User::Wanda, "/openapi/v2")?;
            expect_eq("the status", &200, &exchange.status())
        })
}

fn version() -> Rule {
    should("rancher.version")
        .title("The version says major and minor")
        .source(DOCUMENT, "GetKubernetesVersion")
        .claims([Claim::operation("GetKubernetesVersion", 200)])
        .fix("Serve /version.")
        .check(|bench| {
            let said = get(&bench.server()?, User::Wanda, "/version")?.expect(200)?;
            expect(
                said["gitVersion"].as_str().is_some_and(|text| text.starts_with("v1.")),
                "the version",
                "v1...",
                &said,
            )
        })
}

fn whoami() -> Rule {
    should("rancher.whoami")
        .title("A review of oneself names the user")
        .source(PAGE, "What is answered")
        .claims([Claim::operation("CreateSelfSubjectReview", 201)])
        .fix("Answer SelfSubjectReview.")
        .check(|bench| {
            let server = bench.server()?;
            let body =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
            let foreign = server.foreign_token().is_some();
            let all = [User::Wanda, User::Admin, User::System];
            for user in all.into_iter().take(if foreign { 1 } else { all.len() }) {
                let call = call(
                    &server,
                    user,
                    "POST",
                    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                )?;
                let said = call.json(&body).send()?.expect(201)?;
                let name = &said["status"]["userInfo"]["username"];
                // Who we are elsewhere, only that server knows.
                if foreign {
                    let named = name.as_str().is_some_and(|name| !name.is_empty());
                    expect(named, "the user", "a name", name)?;
                } else {
                    expect_eq("the user", &json!(user.name()), name)?;
                }
            }
            Ok(())
        })
}

fn may_i() -> Rule {
    should("rancher.can_i")
        .title("Any user may create kubeconfigs, and is told so")
        .source(PAGE, "What is answered")
        .claims([Claim::operation("CreateSelfSubjectAccessReview", 201)])
        .fix("Answer SelfSubjectAccessReview by the rules.")
        .check(|bench| {
            let server = bench.server()?;
            let body = |verb: &str, resource: &str, group: &str| json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": verb, "resource": resource, "group": group}}});
            let asked = [
                (User::Wanda, "create", "kubeconfigs", "ext.cattle.io", true),
                (User::Wanda, "patch", "features", "management.cattle.io", false),
                (User::Admin, "patch", "features", "management.cattle.io", true),
            ];
            let known = if server.foreign_token().is_some() { 2 } else { asked.len() };
            for (user, verb, resource, group, may) in asked.into_iter().take(known) {
                let call = call(&server, user, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")?;
                let said = call.json(&body(verb, resource, group)).send()?.expect(201)?;
                expect_eq(format!("{verb} {resource}"), &json!(may), &said["status"]["allowed"])?;
            }
            Ok(())
        })
}

fn unknown_group() -> Rule {
    should("rancher.discovery.unknown")
        .title("A group or a document that is not there is a 404")
        .source(DOCUMENT, "DiscoverGroup, 404")
        .claims([
            Claim::operation("DiscoverGroup", 404),
            Claim::operation("DiscoverResources", 404),
            Claim::operation("ReadOpenApiGroup", 404),
            Claim::operation("DiscoverCore", 404),
            Claim::operation("DiscoverApi", 404),
        ])
        .fix("Answer 404 for what is not served.")
        .check(|bench| {
            let server = bench.server()?;
            for path in [
                "/apis/no.such.group",
                "/apis/ext.cattle.io/v9",
                "/openapi/v3/apis/no.such.group/v1",
            ] {
                expect_eq(path, &404, &get(&server, User::Wanda, path)?.status())?;
            }
            Ok(())
        })
}

fn bad_review() -> Rule {
    should("rancher.can_i.malformed")
        .title("A review that cannot be read is a 400")
        .source(DOCUMENT, "CreateSelfSubjectAccessReview, 400")
        .claims([
            Claim::refusal("CreateSelfSubjectAccessReview", 400, "BadRequest"),
            Claim::refusal("CreateSelfSubjectRulesReview", 400, "BadRequest"),
        ])
        .fix("Refuse what cannot be read.")
        .check(|bench| {
            let server = bench.server()?;
            for review in ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] {
                let path = format!("/apis/authorization.k8s.io/v1/{review}");
                let call = call(&server, User::Wanda, "POST", &path)?.json(&json!({})).body("{");
                super::site::expect_status(&call.send()?, 400, "BadRequest", "")?;
            }
            Ok(())
        })
}

fn what_may_i() -> Rule {
    should("rancher.can_i.everything")
        .title("Asked for all that one may do, it names kubeconfigs")
        .source(DOCUMENT, "CreateSelfSubjectRulesReview, 201")
        .claims([Claim::operation("CreateSelfSubjectRulesReview", 201)])
        .fix("Answer SelfSubjectRulesReview by the rules.")
        .check(|bench| {
            let server = bench.server()?;
            let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}});
            let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
            let said = call(&server, User::Wanda, "POST", path)?.json(&body).send()?.expect(201)?;
            let mut rules = said["status"]["resourceRules"].as_array().into_iter().flatten();
            let grants = |rule: &Value| {
                let has = |list: &str, word: &str| {
                    let words = rule[list].as_array().into_iter().flatten();
                    words.filter_map(Value::as_str).any(|one| one == word || one == "*")
                };
                has("apiGroups", "ext.cattle.io") && has("resources", "kubeconfigs") && has("verbs", "create")
            };
            expect(rules.any(grants), "the rules", "create kubeconfigs", &said["status"])
        })
}

fn alive() -> Rule {
    should("rancher.health")
        .title("Asked whether it lives, the server says ok")
        .source(DOCUMENT, "GetRancherHealth, 200")
        .claims([Claim::operation("GetRancherHealth", 200)])
        .needs(SEEDED)
        .fix("Serve /livez to those who may.")
        .check(|bench| {
            let exchange = get(&bench.server()?, User::Admin, "/livez")?;
            expect_eq("the status", &200, &exchange.status())?;
            expect_eq("the body", &b"ok".as_slice(), &exchange.response.body.as_slice())
        })
}

fn nowhere() -> Rule {
    should("rancher.cluster.nowhere")
        .title("What a cluster's API does not have is a 404 there")
        .source(DOCUMENT, "CallRancherCluster, 404")
        .claims([Claim::refusal("CallRancherCluster", 404, "NotFound")])
        .needs(SEEDED)
        .fix("Answer as that cluster's API.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = get(&server, User::Admin, "/k8s/clusters/local/nowhere")?;
            super::site::expect_status(&exchange, 404, "NotFound", "")
        })
}
