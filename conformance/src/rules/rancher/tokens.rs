//! The tokens behind kubeconfigs: what reading them shows, and what deleting them takes.

use serde_json::{Value, json};

use super::site::{MANAGEMENT, Made, NAMED, User, call, expect_status, get, named};
use super::watch::{Told, follow};
use super::{DOCUMENT, PAGE, SEEDED, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{expect, fail};

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![no_secret(), of_kubeconfig()];
    rules.extend(deletions());
    rules
}

fn no_secret() -> Rule {
    should("rancher.tokens.no_secret")
        .title("A token that is listed, read or watched does not show its secret")
        .source(PAGE, "Tokens")
        .claims([Claim::operation("ListRancherTokens", 200)])
        .needs(SEEDED)
        .fix("Leave the secret out.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let token = made.document()?["users"][0]["user"]["token"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let secret = token.split_once(':').map_or("", |(_, secret)| secret);
            expect(secret.len() > 20, "the secret", "a long one", secret.len())?;
            let hides = |what: &str, text: &str| {
                expect(!text.contains(secret), what, "without the secret", "the secret")
            };
            let path = format!("{MANAGEMENT}/tokens");
            let list = get(&server, User::Admin, &path)?.expect(200)?;
            hides("the list of tokens", &list.to_string())?;
            let name = made.object["status"]["tokens"][0].as_str().unwrap_or_default();
            let one = get(&server, User::Admin, &format!("{path}/{name}"))?.expect(200)?;
            hides("the token by its name", &one.to_string())?;
            let watch = format!("{path}?watch=true&timeoutSeconds=5");
            let told = |events: &[Value]| {
                events.iter().any(|event| event["object"]["metadata"]["name"] == name)
            };
            match follow(&server, User::Admin, &watch, "application/json", told)? {
                Told::Enough(events) => hides("a watch of tokens", &json!(events).to_string()),
                Told::Over(text) => fail("a watch of tokens", name, text),
            }
        })
}

fn of_kubeconfig() -> Rule {
    should("rancher.tokens.of_kubeconfig")
        .title("The backing tokens are there by the names in status.tokens")
        .source(PAGE, "Tokens")
        .claims([Claim::operation("ListRancherTokens", 200)])
        .needs(SEEDED)
        .fix("Keep a token object for each.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [NAMED]}))?;
            let names =
                named(&get(&server, User::Admin, &format!("{MANAGEMENT}/tokens"))?.expect(200)?);
            for token in made.object["status"]["tokens"].as_array().into_iter().flatten() {
                let token = token.as_str().unwrap_or_default().to_owned();
                expect(names.contains(&token), "the tokens", &token, names.join(" "))?;
            }
            Ok(())
        })
}

fn deletions() -> Vec<Rule> {
    let refused = |slug: &'static str, body: Value, status: u16, reason: &'static str| {
        should(format!("rancher.tokens.delete.{slug}"))
            .title(format!(
                "A deletion of a token with {} is a {status}, and the token stays",
                slug.replace('_', " ")
            ))
            .source(DOCUMENT, format!("DeleteRancherToken, {status}"))
            .claims([Claim::refusal("DeleteRancherToken", status, reason)])
            .needs(SEEDED)
            .fix("Judge DeleteOptions as everywhere.")
            .check(move |bench| {
                let server = bench.server()?;
                let made = Made::new(&server, User::Wanda, &json!({}))?;
                let path = format!(
                    "{MANAGEMENT}/tokens/{}",
                    made.object["status"]["tokens"][0].as_str().unwrap_or_default()
                );
                expect_status(
                    &call(&server, User::Admin, "DELETE", &path)?.json(&body).send()?,
                    status,
                    reason,
                    "",
                )?;
                get(&server, User::Admin, &path)?.expect(200).map(drop)
            })
    };
    vec![
        refused("another_kind", json!({"apiVersion": "v1", "kind": "Pod"}), 400, "BadRequest"),
        refused(
            "an_unmet_condition",
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "52183e05-d382-47d2-b4b9-d0735823ce90"}}),
            409,
            "Conflict",
        ),
    ]
}
