//! Deleting one, under conditions and for show.

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, MANAGEMENT, Made, NAMED, User, call, expect_status, get};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::expect_eq;

const DELETE: &str = "DeleteRancherKubeconfig";
pub(super) const ALL: &str = "DeleteRancherKubeconfigs";

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![
        deletes(),
        tokens_go(),
        foreign(),
        by_admin(),
        twice(),
        both_met(),
        no_content_type(),
        dry(),
    ];
    rules.extend(UNMET.iter().map(unmet));
    rules.extend(MISREAD.iter().map(misread));
    rules.extend([other_kind(), by_token()]);
    rules
}

pub(super) fn options(preconditions: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions})
}

fn deletes() -> Rule {
    must("rancher.delete.deletes")
        .title("A deletion answers with what was deleted, and it is gone")
        .source(PUBLIC, "Deleting a Kubeconfig")
        .claims([
            Claim::operation(DELETE, 200),
            Claim::refusal("GetRancherKubeconfig", 404, "NotFound"),
        ])
        .fix("Delete before answering, and answer with the object.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let body = json!({"propagationPolicy": "Background"});
            let gone = call(&server, User::Wanda, "DELETE", &made.path())?
                .json(&body)
                .send()?
                .expect(200)?;
            expect_eq("what was deleted", &json!(made.name()), &gone["metadata"]["name"])?;
            expect_status(&get(&server, User::Wanda, &made.path())?, 404, "NotFound", made.name())
        })
}

fn tokens_go() -> Rule {
    must("rancher.delete.tokens")
        .title("The tokens of a kubeconfig are deleted with it")
        .source(PUBLIC, "Deleting a Kubeconfig: the tokens are also deleted")
        .claims([Claim::operation(DELETE, 200), Claim::refusal("GetRancherToken", 404, "NotFound")])
        .needs(SEEDED)
        .fix("Delete the backing tokens.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [NAMED]}))?;
            call(&server, User::Wanda, "DELETE", &made.path())?.send()?.expect(200)?;
            for token in made.object["status"]["tokens"].as_array().into_iter().flatten() {
                let token = token.as_str().unwrap_or_default();
                let path = format!("{MANAGEMENT}/tokens/{token}");
                expect_status(&get(&server, User::Admin, &path)?, 404, "NotFound", token)?;
            }
            Ok(())
        })
}

fn foreign() -> Rule {
    must("rancher.delete.foreign")
        .title("A regular user cannot delete another's: 404, and it stays")
        .source(PUBLIC, "Deleting a Kubeconfig: regular users")
        .claims([Claim::refusal(DELETE, 404, "NotFound")])
        .needs(SEEDED)
        .fix("Look among the caller's own.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let exchange = call(&server, User::Kemal, "DELETE", &made.path())?.send()?;
            expect_status(&exchange, 404, "NotFound", made.name())?;
            made.read().map(drop)
        })
}

fn by_admin() -> Rule {
    must("rancher.delete.by_admin")
        .title("An admin deletes anybody's")
        .source(PUBLIC, "Deleting a Kubeconfig: admins")
        .claims([Claim::operation(DELETE, 200)])
        .needs(SEEDED)
        .fix("Let admins delete what is another's.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            call(&server, User::Admin, "DELETE", &made.path())?.send()?.expect(200)?;
            expect_status(&get(&server, User::Wanda, &made.path())?, 404, "NotFound", made.name())
        })
}

fn twice() -> Rule {
    should("rancher.delete.twice")
        .title("Deleting it a second time is a 404")
        .source(DOCUMENT, "DeleteRancherKubeconfig, 404")
        .claims([Claim::refusal(DELETE, 404, "NotFound")])
        .fix("Answer 404 for what is gone.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            call(&server, User::Wanda, "DELETE", &made.path())?.send()?.expect(200)?;
            expect_status(
                &call(&server, User::Wanda, "DELETE", &made.path())?.send()?,
                404,
                "NotFound",
                made.name(),
            )
        })
}

fn both_met() -> Rule {
    must("rancher.delete.preconditions.met")
        .title("With the right uid and resourceVersion it is deleted")
        .source(PUBLIC, "Deleting a Kubeconfig: preconditions")
        .claims([Claim::operation(DELETE, 200)])
        .fix("Compare both with the object's own.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let metadata = made.read()?["metadata"].clone();
            let body = options(
                &json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}),
            );
            call(&server, User::Wanda, "DELETE", &made.path())?
                .json(&body)
                .send()?
                .expect(200)
                .map(drop)
        })
}

const UNMET: [(&str, &str, &str); 4] = [
    ("uid", r#"{"uid":"52183e05-d382-47d2-b4b9-d0735823ce90"}"#, "UID"),
    ("resource_version", r#"{"resourceVersion":"1"}"#, "ResourceVersion"),
    ("both", r#"{"uid":"52183e05-d382-47d2-b4b9-d0735823ce90","resourceVersion":"1"}"#, "UID"),
    ("resource_version_text", r#"{"resourceVersion":"x"}"#, "ResourceVersion"),
];

fn unmet((slug, preconditions, says): &'static (&'static str, &'static str, &'static str)) -> Rule {
    must(format!("rancher.delete.preconditions.{slug}"))
        .title(format!(
            "A deletion on a condition that is not met ({}) is a 409, and nothing is deleted",
            slug.replace('_', " ")
        ))
        .source(PUBLIC, "Deleting a Kubeconfig: preconditions")
        .claims([Claim::refusal(DELETE, 409, "Conflict")])
        .fix("Compare uid first, then resourceVersion; delete only when all are met.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let body = options(&serde_json::from_str(preconditions)?);
            let exchange =
                call(&server, User::Wanda, "DELETE", &made.path())?.json(&body).send()?;
            expect_status(&exchange, 409, "Conflict", says)?;
            made.read().map(drop)
        })
}

/// Options that are none, by what is wrong with them.
const MISREAD: [(&str, &str); 8] = [
    ("uid_number", r#"{"preconditions":{"uid":5}}"#),
    ("resource_version_number", r#"{"preconditions":{"resourceVersion":5}}"#),
    ("preconditions_list", r#"{"preconditions":[]}"#),
    ("dry_run_text", r#"{"dryRun":"All"}"#),
    ("dry_run_other", r#"{"dryRun":["Foo"]}"#),
    ("grace_text", r#"{"gracePeriodSeconds":"0"}"#),
    ("other_version", r#"{"apiVersion":"v9","kind":"DeleteOptions"}"#),
    ("other_propagation", r#"{"propagationPolicy":"Later"}"#),
];

fn misread((slug, options): &'static (&'static str, &'static str)) -> Rule {
    should(format!("rancher.delete.options.{slug}"))
        .title(format!(
            "Options that cannot be read ({}) are a 400, and nothing is deleted",
            slug.replace('_', " ")
        ))
        .source(DOCUMENT, "DeleteRancherKubeconfig, 400")
        .claims([Claim::refusal(DELETE, 400, "BadRequest"), Claim::refusal(ALL, 400, "BadRequest")])
        .fix("Read DeleteOptions by type; what is misread deletes what was not meant.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            for path in [made.path(), format!("{KUBECONFIGS}?labelSelector=no-such-label%3Dx")] {
                let body: serde_json::Value = serde_json::from_str(options)?;
                let exchange = call(&server, User::Wanda, "DELETE", &path)?.json(&body).send()?;
                expect_status(&exchange, 400, "BadRequest", "")?;
            }
            made.read().map(drop)
        })
}

fn no_content_type() -> Rule {
    must("rancher.delete.no_content_type")
        .title("Options without a content type, as kubectl --raw sends them, are read all the same")
        .source(PUBLIC, "Deleting a Kubeconfig: delete --raw -f -")
        .claims([Claim::refusal(DELETE, 409, "Conflict")])
        .fix("Read the body by its content.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let body = options(&json!({"uid": "52183e05-d382-47d2-b4b9-d0735823ce90"})).to_string();
            let exchange = call(&server, User::Wanda, "DELETE", &made.path())?.body(body).send()?;
            expect_status(&exchange, 409, "Conflict", "UID")?;
            made.read().map(drop)
        })
}

fn dry() -> Rule {
    should("rancher.delete.dry_run")
        .title("A dry run deletes nothing, asked for in the query or in the body")
        .source(DOCUMENT, "DeleteRancherKubeconfig, dryRun")
        .claims([Claim::operation(DELETE, 200)])
        .fix("Honour dryRun in both places.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            call(&server, User::Wanda, "DELETE", &format!("{}?dryRun=All", made.path()))?
                .send()?
                .expect(200)?;
            call(&server, User::Wanda, "DELETE", &made.path())?
                .json(&json!({"dryRun": ["All"]}))
                .send()?
                .expect(200)?;
            made.read().map(drop)
        })
}

fn other_kind() -> Rule {
    should("rancher.delete.other_kind")
        .title("A body of another kind is a 400, and nothing is deleted")
        .source(DOCUMENT, "DeleteRancherKubeconfig, 400")
        .claims([Claim::refusal(DELETE, 400, "BadRequest"), Claim::refusal(ALL, 400, "BadRequest")])
        .fix("Take DeleteOptions only.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let body = json!({"apiVersion": "v1", "kind": "Pod"});
            for path in [made.path(), KUBECONFIGS.to_owned()] {
                let exchange = call(&server, User::Wanda, "DELETE", &path)?.json(&body).send()?;
                expect_status(&exchange, 400, "BadRequest", "")?;
            }
            made.read().map(drop)
        })
}

fn by_token() -> Rule {
    should("rancher.delete.last_token")
        .title("When the last of its tokens is deleted, the kubeconfig goes too; before, its count goes down")
        .source(PAGE, "Tokens")
        .claims([Claim::operation("DeleteRancherToken", 200)])
        .needs(SEEDED)
        .fix("Drop the owner reference with the token, and the object with the last one.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [NAMED]}))?;
            let tokens: Vec<String> = made.object["status"]["tokens"].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            expect_eq("the tokens", &2, &tokens.len())?;
            let delete = |token: &str| call(&server, User::Admin, "DELETE", &format!("{MANAGEMENT}/tokens/{token}"))?.send()?.expect(200);
            delete(&tokens[0])?;
            expect_eq("the owners", &1, &made.read()?["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len))?;
            delete(&tokens[1])?;
            expect_status(&get(&server, User::Wanda, &made.path())?, 404, "NotFound", made.name())
        })
}
