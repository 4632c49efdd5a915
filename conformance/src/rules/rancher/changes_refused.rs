//! Updates and patches that are refused, and change nothing.

use serde_json::json;

use super::site::{KUBECONFIGS, MERGE, Made, PATCH, User, call, expect_status};
use super::{DOCUMENT, PAGE, SEEDED, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        stale(),
        stale_patch(),
        put_missing(),
        foreign(),
        unknown_type(),
        bad_patch(),
        strict(),
        bad_label(),
        uid(),
    ]
}

fn stale() -> Rule {
    should("rancher.update.stale")
        .title("An update of an object that has changed in between is a 409")
        .source(PAGE, "Where 2.12 refuses worse")
        .claims([Claim::refusal("UpdateRancherKubeconfig", 409, "Conflict")])
        .fix("Compare resourceVersion.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let mut object = made.read()?;
            made.patch(MERGE, &json!({"spec": {"description": "x"}}))?.expect(200)?;
            object["spec"]["description"] = json!("y");
            let exchange = call(&server, User::Wanda, "PUT", &made.path())?.json(&object).send()?;
            expect_status(&exchange, 409, "Conflict", "the object has been modified")
        })
}

fn stale_patch() -> Rule {
    should("rancher.patch.stale")
        .title("A patch with an old resourceVersion is a 409, one without never")
        .source(PAGE, "Where 2.12 refuses worse")
        .claims([Claim::refusal("PatchRancherKubeconfig", 409, "Conflict")])
        .fix("Compare resourceVersion where the patch brings one.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let old = made.read()?["metadata"]["resourceVersion"].clone();
            made.patch(MERGE, &json!({"spec": {"description": "x"}}))?.expect(200)?;
            let patch = json!({"metadata": {"resourceVersion": old}, "spec": {"description": "y"}});
            expect_status(&made.patch(MERGE, &patch)?, 409, "Conflict", "")?;
            made.patch(MERGE, &json!({"spec": {"description": "z"}}))?.expect(200).map(drop)
        })
}

fn put_missing() -> Rule {
    should("rancher.update.missing")
        .title("An update of what is not there is a 404, and creates nothing")
        .source(DOCUMENT, "UpdateRancherKubeconfig, 404")
        .claims([
            Claim::refusal("UpdateRancherKubeconfig", 404, "NotFound"),
            Claim::refusal("PatchRancherKubeconfig", 404, "NotFound"),
        ])
        .fix("Do not create on update.")
        .check(|bench| {
            let server = bench.server()?;
            let path = format!("{KUBECONFIGS}/kubeconfig-zzzzz");
            let mut object = super::site::manifest(&json!({}));
            object["metadata"] = json!({"name": "kubeconfig-zzzzz"});
            let exchange = call(&server, User::Wanda, "PUT", &path)?.json(&object).send()?;
            expect_status(&exchange, 404, "NotFound", "kubeconfig-zzzzz")?;
            let patch = call(&server, User::Wanda, "PATCH", &path)?
                .json(&json!({}))
                .header("content-type", MERGE);
            expect_status(&patch.send()?, 404, "NotFound", "kubeconfig-zzzzz")
        })
}

fn foreign() -> Rule {
    should("rancher.patch.foreign")
        .title("Another user's kubeconfig cannot be patched or updated: 404")
        .source(PAGE, "Visibility")
        .claims([
            Claim::refusal("PatchRancherKubeconfig", 404, "NotFound"),
            Claim::refusal("UpdateRancherKubeconfig", 404, "NotFound"),
        ])
        .needs(SEEDED)
        .fix("Look among the caller's own.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let before = made.read()?;
            let patch = call(&server, User::Kemal, "PATCH", &made.path())?
                .json(&json!({"spec": {"description": "x"}}));
            expect_status(
                &patch.header("content-type", MERGE).send()?,
                404,
                "NotFound",
                made.name(),
            )?;
            let put = call(&server, User::Kemal, "PUT", &made.path())?.json(&before).send()?;
            expect_status(&put, 404, "NotFound", made.name())?;
            expect_eq("the object", &before, &made.read()?)
        })
}

fn unknown_type() -> Rule {
    should("rancher.patch.media_type")
        .title("A patch of a type that is none is a 415")
        .source(DOCUMENT, "PatchRancherKubeconfig, 415")
        .claims([Claim::refusal("PatchRancherKubeconfig", 415, "UnsupportedMediaType")])
        .fix("Name the types that are taken.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            for media in ["application/json", "text/plain"] {
                expect_status(&made.patch(media, &json!({}))?, 415, "UnsupportedMediaType", "")?;
            }
            Ok(())
        })
}

fn bad_patch() -> Rule {
    should("rancher.patch.malformed")
        .title("A patch that is not of its type is a 400")
        .source(DOCUMENT, "PatchRancherKubeconfig, 400")
        .claims([Claim::refusal("PatchRancherKubeconfig", 400, "BadRequest")])
        .fix("Refuse patches that cannot be read.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let send = |media: &str, body: &str| -> Outcome {
                let call = call(&server, User::Wanda, "PATCH", &made.path())?
                    .body(body)
                    .header("content-type", media);
                expect_status(&call.send()?, 400, "BadRequest", "")
            };
            send(MERGE, "{")?;
            send(PATCH, "{}")?;
            send(PATCH, "[{\"op\":\"fly\"}]")
        })
}

fn strict() -> Rule {
    should("rancher.patch.strict")
        .title("A strict patch with a field nobody knows is refused")
        .source(DOCUMENT, "PatchRancherKubeconfig, fieldValidation")
        .claims([Claim::operation("PatchRancherKubeconfig", 400)])
        .fix("Judge the patched object strictly.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let call = call(
                &server,
                User::Wanda,
                "PATCH",
                &format!("{}?fieldValidation=Strict", made.path()),
            )?;
            let call = call.json(&json!({"spec": {"foo": "x"}})).header("content-type", MERGE);
            let exchange = call.send()?;
            let status = exchange.status();
            expect([400, 422].contains(&status), "the status", "400 or 422", status)?;
            let text = exchange.json().to_string();
            expect(text.contains("spec.foo"), "the message", "spec.foo", text)
        })
}

fn bad_label() -> Rule {
    should("rancher.patch.bad_label")
        .title("A label that is none is a 422 that names its place")
        .source(DOCUMENT, "PatchRancherKubeconfig, 422")
        .claims([
            Claim::refusal("PatchRancherKubeconfig", 422, "Invalid"),
            Claim::refusal("UpdateRancherKubeconfig", 422, "Invalid"),
        ])
        .fix("Judge labels as Kubernetes does.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let labels = json!({"metadata": {"labels": {"foo": "a b"}}});
            expect_status(&made.patch(MERGE, &labels)?, 422, "Invalid", "metadata.labels")?;
            let mut object = made.read()?;
            object["metadata"]["labels"]["foo"] = json!("a b");
            let put = call(&server, User::Wanda, "PUT", &made.path())?.json(&object).send()?;
            expect_status(&put, 422, "Invalid", "metadata.labels")
        })
}

fn uid() -> Rule {
    should("rancher.update.other_uid")
        .title("An update that means another object by its uid is a 409")
        .source(DOCUMENT, "UpdateRancherKubeconfig, 409")
        .claims([Claim::refusal("UpdateRancherKubeconfig", 409, "Conflict")])
        .fix("Compare the uid where the update brings one.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let mut object = made.read()?;
            object["metadata"]["uid"] = json!("52183e05-d382-47d2-b4b9-d0735823ce90");
            let put = call(&server, User::Wanda, "PUT", &made.path())?.json(&object).send()?;
            expect_status(&put, 409, "Conflict", "")
        })
}
