//! IssueKubeconfig where it succeeds: the page's own answer, member by member.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::site::{
    BELA, COLLECTION, ENDLESS, LONGEST_TTL, NOON, at_noon, expect_kept, get, issue, issued, path_of,
};
use super::{DOCUMENT, PAGE, must, should};
use crate::bench::{Bench, Identity, ServerOptions};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, broken, expect, expect_eq};

const ISSUE: &str = "k0rdent Issue kubeconfig page";

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = WISHES.iter().map(issued_for).collect();
    rules.extend([1, 60, 86_400, LONGEST_TTL].map(lifetime));
    rules.extend([members(), created(), default_lifetime(), endless(), whole_number(), no_body()]);
    rules.extend([
        id_pattern(),
        distinct(),
        self_link(),
        location(),
        display(),
        limit(),
        repeats(),
    ]);
    rules
}

fn succeeds(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::operation("IssueKubeconfig", 201)])
}

fn members() -> Rule {
    succeeds(must("k0rdent.issue_kubeconfig.members"))
        .title("The page's own request is answered with the eight members of the page and no other")
        .source(ISSUE, "Response, Kubeconfig credential resource")
        .fix("Answer selfLink, id, uid, displayName, description, issuedFor, createdAt and expiresAt, without an envelope.")
        .check(|bench| {
            let made = issued(&bench.server()?, &json!({"user": "kim", "role": "developer", "ttl": 123}))?;
            let names: BTreeSet<&str> =
                made.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let due: BTreeSet<&str> = [
                "selfLink", "id", "uid", "displayName", "description", "issuedFor", "createdAt", "expiresAt",
            ]
            .into();
            expect_eq("the members", &due, &names)
        })
}

/// What a request names, and for whom its kubeconfig is.
struct Wish {
    slug: &'static str,
    body: &'static str,
    issued_for: &'static str,
}

const WISHES: [Wish; 6] = [
    Wish { slug: "user", body: r#"{"user":"kim"}"#, issued_for: "kim" },
    Wish { slug: "role", body: r#"{"role":"developer"}"#, issued_for: "developer" },
    Wish { slug: "user_and_role", body: r#"{"user":"kim","role":"viewer"}"#, issued_for: "kim" },
    Wish { slug: "neither", body: "{}", issued_for: "olivia" },
    Wish {
        slug: "user_with_signs",
        body: r#"{"user":"Kim \"K\" O'Neil <kim@acme.example>"}"#,
        issued_for: "Kim \"K\" O'Neil <kim@acme.example>",
    },
    Wish {
        slug: "user_beyond_ascii", body: r#"{"user":"김 Ünal 🦀"}"#, issued_for: "김 Ünal 🦀"
    },
];

fn issued_for(wish: &'static Wish) -> Rule {
    let id = format!("k0rdent.issue_kubeconfig.issued_for.{}", wish.slug);
    // The page has one member for either; which of two it is, and whose neither, it does not say.
    let draft = if ["user", "role"].contains(&wish.slug) { must(id) } else { should(id) };
    succeeds(draft)
        .title(format!("issuedFor answers to {}", wish.slug.replace('_', " ")))
        .source(ISSUE, "Response, issuedFor")
        .fix("Put the user into issuedFor, or else the role, or else the caller.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = issue(&server, &json!({})).body(wish.body).send()?.expect(201)?;
            expect_eq("issuedFor", &json!(wish.issued_for), &made["issuedFor"])?;
            let read = get(&server, &path_of(&server, &made)).send()?.expect(200)?;
            expect_eq("issuedFor as it reads", &json!(wish.issued_for), &read["issuedFor"])
        })
}

fn moment(value: &Value) -> Outcome<Timestamp> {
    match value.as_str().and_then(|text| text.parse().ok()) {
        Some(moment) => Ok(moment),
        None => broken(format!("{value} passed for a time")),
    }
}

fn expect_lifetime(made: &Value, seconds: u64) -> Outcome {
    let lasts = moment(&made["expiresAt"])?.duration_since(moment(&made["createdAt"])?);
    let due = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    expect_eq("the lifetime", &due, &lasts)
}

fn lifetime(seconds: u64) -> Rule {
    succeeds(must(format!("k0rdent.issue_kubeconfig.ttl.{seconds}")))
        .title(format!("A ttl of {seconds} puts expiresAt {seconds} seconds after createdAt"))
        .source(ISSUE, "Body, ttl: time-to-live in seconds")
        .fix("Count ttl in seconds, from createdAt.")
        .check(move |bench| {
            let made = issued(&bench.server()?, &json!({"ttl": seconds}))?;
            expect_lifetime(&made, seconds)
        })
}

fn whole_number() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.ttl.whole_number"))
        .title("A ttl without a fraction is an integer, however it is written")
        .source(DOCUMENT, "IssueKubeconfigRequest, ttl")
        .fix("Take every JSON number without a fraction for an integer.")
        .check(|bench| {
            let server = bench.server()?;
            for written in ["60", "60.0", "6e1", "0.6E+2"] {
                let body = format!("{{\"ttl\":{written}}}");
                expect_lifetime(&issue(&server, &json!({})).body(body).send()?.expect(201)?, 60)?;
            }
            Ok(())
        })
}

fn default_lifetime() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.ttl.default"))
        .title("Without a ttl the project's default counts, which is a day in the default world")
        .source(PAGE, "The request, ttl")
        .fix("Take default_ttl_seconds of the project when the request names no ttl.")
        .check(|bench| expect_lifetime(&issued(&bench.server()?, &json!({"user": "kim"}))?, 86_400))
}

fn endless() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.ttl.endless"))
        .title("In a project without a default a kubeconfig does not expire, and has no expiresAt")
        .source(ISSUE, "Response, expiresAt: if applicable")
        .fix("Leave expiresAt out where there is no end; do not send null.")
        .check(|bench| {
            let server = bench.server()?;
            let made = server.post(ENDLESS, &json!({})).bearer(BELA).send()?.expect(201)?;
            expect(made.get("expiresAt").is_none(), "expiresAt", "none", &made["expiresAt"])?;
            let made = server.post(ENDLESS, &json!({"ttl": 3_153_600_000_u64})).bearer(BELA);
            expect_lifetime(&made.send()?.expect(201)?, 3_153_600_000)?;
            let beyond =
                server.post(ENDLESS, &json!({"ttl": 1_000_000_000_000_000_u64})).bearer(BELA);
            beyond.send()?.expect_problem(400, "ttl_too_long").map(drop)
        })
}

fn created() -> Rule {
    succeeds(must("k0rdent.issue_kubeconfig.created_at"))
        .title("createdAt is the moment of issue, in whole seconds, and expiresAt with it")
        .source(ISSUE, "Response, createdAt")
        .needs([Need::SpawnableServer])
        .fix("Write the clock's time as RFC 3339 in UTC, as the page's example has it.")
        .check(|bench| {
            let made = issued(&at_noon(bench)?, &json!({"ttl": 123}))?;
            expect_eq("createdAt", &json!(NOON), &made["createdAt"])?;
            expect_eq("expiresAt", &json!("2026-06-01T12:02:03Z"), &made["expiresAt"])
        })
}

fn no_body() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.no_body"))
        .title(
            "No field is required, so a request without a body or with an empty object is enough",
        )
        .source(ISSUE, "Body: no field is marked required")
        .fix("Treat a missing body as an empty object.")
        .check(|bench| {
            let server = bench.server()?;
            let bare = server.call("POST", COLLECTION).bearer(Identity::Operator.token());
            let made = bare.send()?.expect(201)?;
            let other = issued(&server, &json!({}))?;
            expect_eq("issuedFor", &other["issuedFor"], &made["issuedFor"])
        })
}

fn id_pattern() -> Rule {
    succeeds(must("k0rdent.issue_kubeconfig.id_pattern"))
        .title("Every id is of the page's pattern, 1 to 63 characters, and lowercase")
        .source(ISSUE, "Response, id: the pattern")
        .fix("Generate ids of lowercase letters, digits and hyphens, a letter first, no hyphen last.")
        .check(|bench| {
            let server = bench.server()?;
            for _ in 0..25 {
                // The contract document holds the pattern, and judges it.
                let made = issued(&server, &json!({}))?;
                let id = made["id"].as_str().unwrap_or_default();
                expect((1..=63).contains(&id.len()), "the id", "1 to 63 characters", id)?;
            }
            Ok(())
        })
}

fn distinct() -> Rule {
    succeeds(must("k0rdent.issue_kubeconfig.distinct"))
        .title("Equal requests get kubeconfigs of their own, each with an id and a uid of its own")
        .source(ISSUE, "Response, uid: server-generated")
        .fix("Generate id and uid anew for every request.")
        .check(|bench| {
            let server = bench.server()?;
            let (mut ids, mut uids) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..20 {
                let made = issued(&server, &json!({"user": "kim"}))?;
                ids.insert(made["id"].to_string());
                uids.insert(made["uid"].to_string());
            }
            expect_eq("how many ids and uids", &(20, 20), &(ids.len(), uids.len()))?;
            expect_kept(&server, 20)
        })
}

fn self_link() -> Rule {
    must("k0rdent.issue_kubeconfig.self_link")
        .title("selfLink is the path of the resource: the collection and the id, and it can be read there")
        .source(ISSUE, "Response, selfLink")
        .claims([Claim::operation("IssueKubeconfig", 201), Claim::operation("GetKubeconfig", 200)])
        .fix("Build selfLink of the request's path and the id, below the base URL.")
        .check(|bench| {
            let server = bench.server()?;
            let made = issued(&server, &json!({"user": "kim", "role": "viewer", "ttl": 60}))?;
            let id = made["id"].as_str().unwrap_or_default();
            expect_eq("the selfLink", &format!("{COLLECTION}/{id}"), &path_of(&server, &made))?;
            expect_eq("the resource there", &made, &get(&server, &path_of(&server, &made)).send()?.expect(200)?)
        })
}

fn location() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.location"))
        .title("Location says what selfLink says")
        .source(DOCUMENT, "IssueKubeconfig, 201, Location")
        .fix("Send the selfLink as Location with the 201.")
        .check(|bench| {
            let exchange = issue(&bench.server()?, &json!({})).send()?;
            let made = exchange.expect(201)?;
            let location = exchange.response.headers.get("location").unwrap_or_default();
            expect_eq("the Location", &made["selfLink"].as_str().unwrap_or_default(), &location)
        })
}

fn display() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.display"))
        .title("displayName and description tell a person for whom and in which role it is")
        .source(PAGE, "The answer")
        .fix("Name the user and the cluster in displayName, the role in description.")
        .check(|bench| {
            let made = issued(&bench.server()?, &json!({"user": "kim", "role": "developer"}))?;
            let says = |member: &str, word: &str| {
                let text = made[member].as_str().unwrap_or_default();
                expect(text.contains(word), member, word, text)
            };
            says("displayName", "kim")?;
            says("description", "kim")?;
            says("description", "developer")
        })
}

fn limit() -> Rule {
    should("k0rdent.issue_kubeconfig.limit")
        .title("A cluster keeps so many and no more: 429, until one is deleted")
        .source(DOCUMENT, "IssueKubeconfig, 429 kubeconfig_limit_reached")
        .claims([
            Claim::refusal("IssueKubeconfig", 429, "kubeconfig_limit_reached"),
            Claim::operation("DeleteKubeconfig", 204),
        ])
        .needs([Need::SpawnableServer])
        .fix("Count what the cluster keeps, expired ones too, against most_per_cluster.")
        .check(|bench| {
            let server = bench.server_with(&ServerOptions::with(&["--world", "tiny"]))?;
            let first = issued(&server, &json!({}))?;
            issued(&server, &json!({}))?;
            issue(&server, &json!({})).send()?.expect_problem(429, "kubeconfig_limit_reached")?;
            server.advance_clock(60)?;
            issue(&server, &json!({})).send()?.expect_problem(429, "kubeconfig_limit_reached")?;
            let path = path_of(&server, &first);
            super::site::delete(&server, Identity::Operator.token(), &path).send()?.expect(204)?;
            issued(&server, &json!({}))?;
            expect_kept(&server, 2)
        })
}

fn repeats() -> Rule {
    succeeds(should("k0rdent.issue_kubeconfig.repeats"))
        .title("Two servers with one seed and one clock give the same answers, another seed others")
        .source("docs/decisions/0030-determinism.md", "same seed, same bytes")
        .needs([Need::SpawnableServer])
        .fix("Take ids, uids and secrets from the seed.")
        .check(|bench| {
            let one = |bench: &Bench, seed: &str| -> Outcome<Value> {
                let options = ServerOptions::with(&["--clock", NOON, "--seed", seed]);
                issued(&bench.server_with(&options)?, &json!({"user": "kim"}))
            };
            let first = one(bench, "41")?;
            expect_eq("the second answer", &first, &one(bench, "41")?)?;
            let other = one(bench, "42")?;
            let differs = other["id"] != first["id"] && other["uid"] != first["uid"];
            expect(differs, "another seed's answer", "another id and uid", &other)
        })
}
