//! Updates and patches: the description and the metadata, and nothing else.

use serde_json::{Value, json};

use super::site::{MERGE, Made, PATCH, PLAIN, STRATEGIC, User, call, expect_status};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = KINDS.iter().map(describes).collect();
    rules
        .extend(FIELDS.iter().flat_map(|field| [true, false].map(|patch| immutable(field, patch))));
    rules.extend([
        labels(),
        annotations(),
        user_label(),
        status(),
        put(),
        version(),
        dry(),
        first_only(),
    ]);
    rules
}

fn patches(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::operation("PatchRancherKubeconfig", 200)])
}

const KINDS: [(&str, &str, &str); 3] = [
    ("merge", MERGE, r#"{"spec":{"description":"Updated description"}}"#),
    ("strategic", STRATEGIC, r#"{"spec":{"description":"Updated description"}}"#),
    ("json", PATCH, r#"[{"op":"add","path":"/spec/description","value":"Updated description"}]"#),
];

fn describes((slug, media, patch): &'static (&'static str, &'static str, &'static str)) -> Rule {
    patches(must(format!("rancher.patch.description.{slug}")))
        .title(format!("A {slug} patch updates the description"))
        .source(PUBLIC, "Updating a Kubeconfig")
        .fix("Apply the patch to the object, and store the description.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"description": "first"}))?;
            made.patch(media, &serde_json::from_str::<Value>(patch)?)?.expect(200)?;
            expect_eq(
                "the description",
                &json!("Updated description"),
                &made.read()?["spec"]["description"],
            )
        })
}

/// A field of the spec, and another value for it.
struct Field {
    name: &'static str,
    value: fn() -> Value,
}

const FIELDS: [Field; 3] = [
    Field { name: "clusters", value: || json!([PLAIN]) },
    Field { name: "currentContext", value: || json!(PLAIN) },
    Field { name: "ttl", value: || json!(61) },
];

fn immutable(field: &'static Field, patch: bool) -> Rule {
    let (verb, by, operation) = if patch {
        ("patch", "a patch", "PatchRancherKubeconfig")
    } else {
        ("update", "an update", "UpdateRancherKubeconfig")
    };
    must(format!("rancher.{verb}.immutable.{}", field.name.to_lowercase()))
        .title(format!(
            "spec.{} cannot be changed by {by}: 400, and it stays as it was",
            field.name
        ))
        .source(PUBLIC, "Updating a Kubeconfig: immutable")
        .claims([Claim::refusal(operation, 400, "BadRequest")])
        .fix("Compare clusters, currentContext and ttl with what is stored.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"ttl": 60}))?;
            let before = made.read()?;
            let exchange = if patch {
                made.patch(MERGE, &json!({"spec": {field.name: (field.value)()}}))?
            } else {
                let mut object = before.clone();
                object["spec"][field.name] = (field.value)();
                call(&server, User::Wanda, "PUT", &made.path())?.json(&object).send()?
            };
            expect_status(
                &exchange,
                400,
                "BadRequest",
                &format!("spec.{} is immutable", field.name),
            )?;
            expect_eq("the object", &before, &made.read()?)
        })
}

fn first_only() -> Rule {
    should("rancher.patch.immutable.first")
        .title("Of several immutable fields the first in the order clusters, currentContext, ttl is named")
        .source(PAGE, "Changes")
        .claims([Claim::refusal("PatchRancherKubeconfig", 400, "BadRequest")])
        .fix("Compare in that order, and stop at the first.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"ttl": 60}))?;
            let exchange = made.patch(MERGE, &json!({"spec": {"ttl": 61, "currentContext": "x"}}))?;
            expect_status(&exchange, 400, "BadRequest", "spec.currentContext is immutable")
        })
}

fn labels() -> Rule {
    patches(must("rancher.patch.labels"))
        .title("A patch adds a label, and null takes it away")
        .source(PUBLIC, "Updating a Kubeconfig: a label")
        .fix("Store labels as patched.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            made.patch(MERGE, &json!({"metadata": {"labels": {"foo": "bar"}}}))?.expect(200)?;
            expect_eq("the label", &json!("bar"), &made.read()?["metadata"]["labels"]["foo"])?;
            made.patch(MERGE, &json!({"metadata": {"labels": {"foo": null}}}))?.expect(200)?;
            expect(made.read()?["metadata"]["labels"]["foo"].is_null(), "the label", "none", "one")
        })
}

fn annotations() -> Rule {
    patches(must("rancher.patch.annotations"))
        .title("A patch adds an annotation")
        .source(PUBLIC, "Updating a Kubeconfig: an annotation")
        .fix("Store annotations as patched.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            made.patch(MERGE, &json!({"metadata": {"annotations": {"note": "a b"}}}))?
                .expect(200)?;
            expect_eq(
                "the annotation",
                &json!("a b"),
                &made.read()?["metadata"]["annotations"]["note"],
            )
        })
}

fn user_label() -> Rule {
    patches(should("rancher.patch.user_label"))
        .title("The label cattle.io/user-id comes back whatever a patch does to it")
        .source(PAGE, "Changes")
        .needs(SEEDED)
        .fix("Force the label on every update.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            for value in [json!(User::Kemal.name()), Value::Null] {
                made.patch(MERGE, &json!({"metadata": {"labels": {"cattle.io/user-id": value}}}))?
                    .expect(200)?;
                expect_eq(
                    "the label",
                    &json!(User::Wanda.name()),
                    &made.read()?["metadata"]["labels"]["cattle.io/user-id"],
                )?;
            }
            Ok(())
        })
}

fn status() -> Rule {
    patches(should("rancher.patch.status"))
        .title("A patch of status is not looked at")
        .source(PAGE, "Changes")
        .fix("Keep status out of updates.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            made.patch(MERGE, &json!({"status": {"summary": "Mine", "value": "x"}}))?
                .expect(200)?;
            let read = made.read()?;
            expect_eq(
                "the summary and the value",
                &json!(["Complete", null]),
                &json!([read["status"]["summary"], read["status"]["value"]]),
            )
        })
}

fn put() -> Rule {
    must("rancher.update.description")
        .title(
            "An update of the description is stored, under a new resourceVersion and the same uid",
        )
        .source(PUBLIC, "Updating a Kubeconfig")
        .claims([Claim::operation("UpdateRancherKubeconfig", 200)])
        .fix("Take a PUT of the whole object.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let before = made.read()?;
            let mut object = before.clone();
            object["spec"]["description"] = json!("Updated description");
            let after = call(&server, User::Wanda, "PUT", &made.path())?
                .json(&object)
                .send()?
                .expect(200)?;
            expect_eq(
                "the description",
                &json!("Updated description"),
                &made.read()?["spec"]["description"],
            )?;
            expect_eq("the uid", &before["metadata"]["uid"], &after["metadata"]["uid"])?;
            let version = &after["metadata"]["resourceVersion"];
            expect(
                *version != before["metadata"]["resourceVersion"],
                "the resourceVersion",
                "another",
                version,
            )
        })
}

fn version() -> Rule {
    patches(should("rancher.patch.version"))
        .title("A patch that changes something changes the resourceVersion, which kubectl looks at")
        .source(DOCUMENT, "PatchRancherKubeconfig, 200")
        .fix("Count versions up.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let before = made.read()?["metadata"]["resourceVersion"].clone();
            let after = made.patch(MERGE, &json!({"spec": {"description": "x"}}))?.expect(200)?;
            expect(
                after["metadata"]["resourceVersion"] != before,
                "the resourceVersion",
                "another",
                &before,
            )
        })
}

fn dry() -> Rule {
    patches(should("rancher.patch.dry_run"))
        .title("A dry run shows the change and keeps the object")
        .source(DOCUMENT, "PatchRancherKubeconfig, dryRun")
        .fix("Store nothing in a dry run.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let before = made.read()?;
            let call = call(&server, User::Wanda, "PATCH", &format!("{}?dryRun=All", made.path()))?;
            let call =
                call.json(&json!({"spec": {"description": "x"}})).header("content-type", MERGE);
            expect_eq(
                "what it shows",
                &json!("x"),
                &call.send()?.expect(200)?["spec"]["description"],
            )?;
            expect_eq("the object", &before, &made.read()?)
        })
}
