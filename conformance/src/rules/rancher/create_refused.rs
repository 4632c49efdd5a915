//! Creating a kubeconfig where it is refused.

use serde_json::{Value, json};

use super::site::{
    KUBECONFIGS, LIFE, NAMED, NODES, PLAIN, User, call, create, expect_status, expect_unchanged,
    manifest, names,
};
use super::{DOCUMENT, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::expect;

pub(super) const CREATE: &str = "CreateRancherKubeconfig";

/// A creation that is refused.
struct Bad {
    slug: &'static str,
    what: &'static str,
    user: User,
    query: &'static str,
    body: fn() -> Value,
    status: u16,
    reason: &'static str,
    says: &'static str,
    /// Whether the published page says so.
    published: bool,
    seeded: bool,
}

fn spec(spec: &Value) -> Value {
    manifest(spec)
}

const fn bad(
    slug: &'static str,
    what: &'static str,
    body: fn() -> Value,
    says: &'static str,
) -> Bad {
    let (user, query, status, reason) = (User::Wanda, "", 400, "BadRequest");
    Bad { slug, what, user, query, body, status, reason, says, published: false, seeded: true }
}

const STRICT: &str = "?fieldValidation=Strict";

const BAD: [Bad; 23] = [
    Bad {
        user: User::System,
        status: 403,
        reason: "Forbidden",
        published: true,
        ..bad(
            "not_a_user",
            "by system:admin",
            || spec(&json!({})),
            "kubeconfigs.ext.cattle.io is forbidden: user system:admin is not a Rancher user",
        )
    },
    Bad {
        user: User::Disabled,
        status: 401,
        reason: "Unauthorized",
        published: true,
        ..bad("disabled", "by a disabled user", || spec(&json!({})), "")
    },
    Bad {
        published: true,
        ..bad(
            "ttl_beyond",
            "with a ttl above the setting",
            || spec(&json!({"ttl": LIFE + 1})),
            "2592001",
        )
    },
    Bad {
        published: true,
        seeded: false,
        ..bad("ttl_negative", "with a negative ttl", || spec(&json!({"ttl": -1})), "negative")
    },
    Bad {
        seeded: false,
        ..bad("ttl_text", "with a ttl in quotes", || spec(&json!({"ttl": "60"})), "")
    },
    Bad {
        seeded: false,
        ..bad(
            "ttl_fraction",
            "with a ttl of a second and a half",
            || spec(&json!({"ttl": 1.5})),
            "",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "clusters_text",
            "with one cluster instead of a list",
            || spec(&json!({"clusters": "local"})),
            "",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "clusters_numbers",
            "with numbers for clusters",
            || spec(&json!({"clusters": [1]})),
            "",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "duplicate",
            "with a cluster twice",
            || spec(&json!({"clusters": ["local", "local"]})),
            "unique",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "unknown",
            "for a cluster that is not there: 400, not 404,",
            || spec(&json!({"clusters": ["c-m-nowhere"]})),
            "c-m-nowhere",
        )
    },
    Bad {
        status: 403,
        reason: "Forbidden",
        ..bad(
            "not_permitted",
            "for a cluster the user may not use",
            || spec(&json!({"clusters": [NODES]})),
            NODES,
        )
    },
    Bad {
        user: User::Kemal,
        status: 403,
        reason: "Forbidden",
        ..bad(
            "one_not_permitted",
            "for two clusters of which one is not permitted",
            || spec(&json!({"clusters": [PLAIN, NAMED]})),
            NAMED,
        )
    },
    Bad {
        ..bad(
            "by_display_name",
            "for a cluster by its display name",
            || spec(&json!({"clusters": ["downstream1"]})),
            "downstream1",
        )
    },
    Bad {
        ..bad(
            "star_second",
            "with * where it is not the first",
            || spec(&json!({"clusters": ["local", "*"]})),
            "*",
        )
    },
    Bad {
        ..bad(
            "current_elsewhere",
            "with a current context that is not among its clusters",
            || spec(&json!({"clusters": ["local"], "currentContext": PLAIN})),
            PLAIN,
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "current_alone",
            "with a current context and no clusters",
            || spec(&json!({"currentContext": "local"})),
            "currentContext",
        )
    },
    Bad {
        ..bad(
            "current_by_display_name",
            "with a current context by its display name",
            || spec(&json!({"clusters": [PLAIN], "currentContext": "downstream1"})),
            "downstream1",
        )
    },
    Bad {
        query: STRICT,
        seeded: false,
        ..bad(
            "unknown_field",
            "strictly, with a field nobody knows",
            || spec(&json!({"foo": 1})),
            "unknown field \"spec.foo\"",
        )
    },
    Bad {
        query: STRICT,
        seeded: false,
        ..bad(
            "unknown_null",
            "strictly, with nothing in a field nobody knows",
            || spec(&json!({"foo": null})),
            "unknown field \"spec.foo\"",
        )
    },
    Bad {
        query: STRICT,
        seeded: false,
        ..bad(
            "unknown_root",
            "strictly, with a member nobody knows",
            || {
                let mut body = spec(&json!({}));
                body["extra"] = json!(1);
                body
            },
            "unknown field \"extra\"",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "other_kind",
            "of another kind",
            || json!({"apiVersion": "ext.cattle.io/v1", "kind": "Token"}),
            "",
        )
    },
    Bad {
        seeded: false,
        ..bad(
            "other_version",
            "of another version",
            || json!({"apiVersion": "ext.cattle.io/v2", "kind": "Kubeconfig"}),
            "",
        )
    },
    Bad {
        seeded: false,
        status: 422,
        reason: "Invalid",
        ..bad(
            "bad_label",
            "with a label that is none",
            || {
                let mut body = spec(&json!({}));
                body["metadata"] = json!({"labels": {"a b": "c"}});
                body
            },
            "",
        )
    },
];

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = BAD.iter().map(refused).collect();
    rules.extend([no_json(), other_media(), duplicate_member(), switched_off()]);
    rules
}

fn refused(case: &'static Bad) -> Rule {
    let id = format!("rancher.create.refused.{}", case.slug);
    let (draft, page) = if case.published { (must(id), PUBLIC) } else { (should(id), DOCUMENT) };
    let draft = if case.seeded { draft.needs(SEEDED) } else { draft };
    draft
        .title(format!("A creation {} is {} {}, and leaves nothing behind", case.what, case.status, case.reason))
        .source(page, "Creating a Kubeconfig")
        .claims([Claim::refusal(CREATE, case.status, case.reason)])
        .fix("Check before anything is stored, and answer with a Status whose message names what is wrong.")
        .check(move |bench| {
            let server = bench.server()?;
            let before = names(&server, User::Wanda, "")?;
            let path = format!("{KUBECONFIGS}{}", case.query);
            let exchange = call(&server, case.user, "POST", &path)?.json(&(case.body)()).send()?;
            expect_status(&exchange, case.status, case.reason, case.says)?;
            expect_unchanged(&before, &server, User::Wanda)
        })
}

fn no_json() -> Rule {
    should("rancher.create.refused.no_json")
        .title("A body that is no object is a 400, whatever is wrong with it")
        .source(DOCUMENT, "CreateRancherKubeconfig, 400")
        .claims([Claim::refusal(CREATE, 400, "BadRequest")])
        .fix("Answer 400 to what cannot be read.")
        .check(|bench| {
            let server = bench.server()?;
            for body in ["", "{", "[]", "null", "7", "{} {}", "\u{0}"] {
                let call =
                    call(&server, User::Wanda, "POST", KUBECONFIGS)?.json(&json!({})).body(body);
                expect_status(&call.send()?, 400, "BadRequest", "")?;
            }
            Ok(())
        })
}

fn other_media() -> Rule {
    should("rancher.create.refused.media_type")
        .title("A body of a kind that nobody reads is a 415")
        .source(DOCUMENT, "CreateRancherKubeconfig, 415")
        .claims([Claim::refusal(CREATE, 415, "UnsupportedMediaType")])
        .fix("Read JSON and YAML; answer 415 to the rest.")
        .check(|bench| {
            let server = bench.server()?;
            for media in ["text/plain", "application/xml"] {
                let call =
                    call(&server, User::Wanda, "POST", KUBECONFIGS)?.json(&manifest(&json!({})));
                expect_status(
                    &call.header("content-type", media).send()?,
                    415,
                    "UnsupportedMediaType",
                    "",
                )?;
            }
            Ok(())
        })
}

fn duplicate_member() -> Rule {
    should("rancher.create.refused.duplicate_field")
        .title("A field that is there twice is refused by the strict")
        .source(DOCUMENT, "CreateRancherKubeconfig, fieldValidation")
        .claims([Claim::refusal(CREATE, 400, "BadRequest")])
        .fix("Notice duplicates while reading.")
        .check(|bench| {
            let server = bench.server()?;
            let body = r#"{"apiVersion":"ext.cattle.io/v1","kind":"Kubeconfig","spec":{"ttl":60,"ttl":61}}"#;
            let path = format!("{KUBECONFIGS}{STRICT}");
            let exchange = call(&server, User::Wanda, "POST", &path)?.json(&json!({})).body(body).send()?;
            expect_status(&exchange, 400, "BadRequest", "spec.ttl")
        })
}

fn switched_off() -> Rule {
    must("rancher.create.refused.switched_off")
        .title("With the feature off there is no such resource to create")
        .source(PUBLIC, "Feature Flag")
        .claims([
            Claim::refusal(CREATE, 404, "NotFound"),
            Claim::operation("PatchRancherFeature", 200),
        ])
        .needs(SEEDED)
        .fix("Answer 404 while ext-kubeconfigs is false.")
        .check(|bench| {
            let server = bench.server()?;
            super::site::switch(&server, false)?;
            let exchange = create(&server, User::Wanda, &json!({}))?;
            expect_status(&exchange, 404, "NotFound", "could not find the requested resource")?;
            super::site::switch(&server, true)?;
            let again = create(&server, User::Wanda, &json!({}))?;
            expect(again.status() == 201, "after it is on again", 201, again.status())?;
            Ok(())
        })
}
