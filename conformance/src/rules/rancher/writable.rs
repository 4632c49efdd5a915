//! Changing what surrounds the kubeconfigs: features, settings and users.

use serde_json::{Value, json};

use super::clusters::{KINDS, Kind};
use super::site::{MANAGEMENT, MERGE, User, call, expect_status, get};
use super::{DOCUMENT, SEEDED, should};
use crate::rule::{Claim, Rule};
use crate::verdict::expect_eq;

pub(super) fn all() -> Vec<Rule> {
    let all = |kind| [put(kind), stale(kind), bad(kind), media(kind), invalid(kind)];
    WRITABLE.iter().flat_map(all).collect()
}

/// Those that can be changed, and a member that may.
pub(super) const WRITABLE: [(&Kind, &str); 3] =
    [(&KINDS[1], "spec"), (&KINDS[2], "value"), (&KINDS[3], "displayName")];

type Writable = (&'static Kind, &'static str);

fn path_of((kind, _): &Writable) -> String {
    format!("{MANAGEMENT}/{}/{}", kind.plural, kind.object)
}

fn value_of((kind, _): &Writable) -> Value {
    if kind.kind == "Feature" { json!({"value": true}) } else { json!("7") }
}

fn put(writable: &'static Writable) -> Rule {
    let (kind, field) = writable;
    should(format!("rancher.management.{}.writes", kind.plural))
        .title(format!("{} can be updated and patched by an admin", kind.kinds))
        .source(DOCUMENT, format!("UpdateRancher{}", kind.kind))
        .claims([
            Claim::operation(format!("UpdateRancher{}", kind.kind), 200),
            Claim::operation(format!("PatchRancher{}", kind.kind), 200),
        ])
        .needs(SEEDED)
        .fix("Store the change.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path_of(writable);
            let mut object = get(&server, User::Admin, &path)?.expect(200)?;
            object[field] = value_of(writable);
            call(&server, User::Admin, "PUT", &path)?.json(&object).send()?.expect(200)?;
            let read = get(&server, User::Admin, &path)?.expect(200)?;
            expect_eq(*field, &value_of(writable), &read[field])?;
            let patch = call(&server, User::Admin, "PATCH", &path)?
                .json(&json!({"metadata": {"labels": {"foo": "bar"}}}));
            patch.header("content-type", MERGE).send()?.expect(200)?;
            expect_eq(
                "the label",
                &json!("bar"),
                &get(&server, User::Admin, &path)?.expect(200)?["metadata"]["labels"]["foo"],
            )
        })
}

fn stale(writable: &'static Writable) -> Rule {
    let kind = writable.0;
    should(format!("rancher.management.{}.stale", kind.plural))
        .title(format!("A stale update of one of {} is a 409", kind.plural))
        .source(DOCUMENT, format!("UpdateRancher{}, 409", kind.kind))
        .claims([
            Claim::refusal(format!("UpdateRancher{}", kind.kind), 409, "Conflict"),
            Claim::refusal(format!("PatchRancher{}", kind.kind), 409, "Conflict"),
        ])
        .needs(SEEDED)
        .fix("Compare resourceVersion.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path_of(writable);
            let object = get(&server, User::Admin, &path)?.expect(200)?;
            let patch = |body: &Value| {
                call(&server, User::Admin, "PATCH", &path)?
                    .json(body)
                    .header("content-type", MERGE)
                    .send()
            };
            patch(&json!({"metadata": {"labels": {"foo": "bar"}}}))?.expect(200)?;
            let put = call(&server, User::Admin, "PUT", &path)?.json(&object).send()?;
            expect_status(&put, 409, "Conflict", "")?;
            let version = &object["metadata"]["resourceVersion"];
            expect_status(
                &patch(
                    &json!({"metadata": {"resourceVersion": version, "labels": {"foo": "baz"}}}),
                )?,
                409,
                "Conflict",
                "",
            )
        })
}

fn bad(writable: &'static Writable) -> Rule {
    let kind = writable.0;
    should(format!("rancher.management.{}.malformed", kind.plural))
        .title(format!("A change of one of {} that cannot be read is a 400", kind.plural))
        .source(DOCUMENT, format!("UpdateRancher{}, 400", kind.kind))
        .claims([
            Claim::refusal(format!("UpdateRancher{}", kind.kind), 400, "BadRequest"),
            Claim::refusal(format!("PatchRancher{}", kind.kind), 400, "BadRequest"),
        ])
        .needs(SEEDED)
        .fix("Refuse what cannot be read.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path_of(writable);
            let put =
                call(&server, User::Admin, "PUT", &path)?.json(&json!({})).body("{").send()?;
            expect_status(&put, 400, "BadRequest", "")?;
            let patch =
                call(&server, User::Admin, "PATCH", &path)?.body("{").header("content-type", MERGE);
            expect_status(&patch.send()?, 400, "BadRequest", "")
        })
}

fn media(writable: &'static Writable) -> Rule {
    let kind = writable.0;
    should(format!("rancher.management.{}.media_type", kind.plural))
        .title(format!("A patch of one of {} of no known type is a 415", kind.plural))
        .source(DOCUMENT, format!("PatchRancher{}, 415", kind.kind))
        .claims([Claim::refusal(format!("PatchRancher{}", kind.kind), 415, "UnsupportedMediaType")])
        .needs(SEEDED)
        .fix("Name the types that are taken.")
        .check(move |bench| {
            let server = bench.server()?;
            let patch = call(&server, User::Admin, "PATCH", &path_of(writable))?.json(&json!({}));
            expect_status(
                &patch.header("content-type", "text/plain").send()?,
                415,
                "UnsupportedMediaType",
                "",
            )
        })
}

fn invalid(writable: &'static Writable) -> Rule {
    let kind = writable.0;
    should(format!("rancher.management.{}.bad_label", kind.plural))
        .title(format!("A label that is none is a 422 on {} too", kind.plural))
        .source(DOCUMENT, format!("PatchRancher{}, 422", kind.kind))
        .claims([
            Claim::refusal(format!("PatchRancher{}", kind.kind), 422, "Invalid"),
            Claim::refusal(format!("UpdateRancher{}", kind.kind), 422, "Invalid"),
        ])
        .needs(SEEDED)
        .fix("Judge labels as Kubernetes does.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = path_of(writable);
            let labels = json!({"metadata": {"labels": {"foo": "a b"}}});
            let patch = call(&server, User::Admin, "PATCH", &path)?
                .json(&labels)
                .header("content-type", MERGE);
            expect_status(&patch.send()?, 422, "Invalid", "metadata.labels")?;
            let mut object = get(&server, User::Admin, &path)?.expect(200)?;
            object["metadata"]["labels"] = json!({"foo": "a b"});
            let put = call(&server, User::Admin, "PUT", &path)?.json(&object).send()?;
            expect_status(&put, 422, "Invalid", "metadata.labels")
        })
}
