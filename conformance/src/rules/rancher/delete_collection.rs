//! Deleting some and all, under conditions and for show.

use serde_json::json;

use super::delete::{ALL, options};
use super::site::{KUBECONFIGS, MERGE, Made, User, call, expect_status, get, named, names};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![everybody_s(), of_one_s_own(), by_label(), empty(), dry(), condition()]
}

fn everybody_s() -> Rule {
    must("rancher.delete_collection.all")
        .title("An admin's deletion of the collection takes everybody's, and answers with them")
        .source(PUBLIC, "Deleting a Collection of Kubeconfigs")
        .claims([Claim::operation(ALL, 200)])
        .needs(SEEDED)
        .fix("Delete all that the caller sees, and answer with the list.")
        .check(|bench| {
            let server = bench.server()?;
            let (his, hers) = (
                Made::new(&server, User::Kemal, &json!({}))?,
                Made::new(&server, User::Wanda, &json!({}))?,
            );
            let before = names(&server, User::Admin, "")?;
            for made in [&his, &hers] {
                let there = before.iter().any(|name| name == made.name());
                expect(there, "what the admin sees", made.name(), before.join(" "))?;
            }
            let gone = call(&server, User::Admin, "DELETE", KUBECONFIGS)?.send()?.expect(200)?;
            expect_eq("what was deleted", &before, &named(&gone))?;
            let values = gone["items"].as_array().into_iter().flatten();
            let shown = values.filter(|one| !one["status"]["value"].is_null()).count();
            expect_eq("the texts that were shown again", &0, &shown)?;
            for user in [User::Admin, User::Kemal, User::Wanda] {
                expect_eq("what is left", &Vec::<String>::new(), &names(&server, user, "")?)?;
            }
            for (user, made) in [(User::Kemal, his), (User::Wanda, hers)] {
                let says = format!("{:?} not found", made.name());
                expect_status(&get(&server, user, &made.path())?, 404, "NotFound", &says)?;
            }
            Ok(())
        })
}

fn of_one_s_own() -> Rule {
    must("rancher.delete_collection.own")
        .title("A regular user's deletion of the collection takes its own, and nobody else's")
        .source(PUBLIC, "Deleting a Collection of Kubeconfigs: regular users")
        .claims([Claim::operation(ALL, 200)])
        .needs(SEEDED)
        .fix("Filter as a list is filtered.")
        .check(|bench| {
            let server = bench.server()?;
            let mine = Made::new(&server, User::Kemal, &json!({}))?;
            let others = names(&server, User::Wanda, "")?;
            let gone = call(&server, User::Kemal, "DELETE", KUBECONFIGS)?.send()?.expect(200)?;
            expect_eq("what was deleted", &vec![mine.name().to_owned()], &named(&gone))?;
            expect_eq("wanda's", &others, &names(&server, User::Wanda, "")?)
        })
}

fn by_label() -> Rule {
    must("rancher.delete_collection.by_label")
        .title("A deletion by label takes what has the label, and leaves the rest")
        .source(PUBLIC, "Deleting a Collection of Kubeconfigs: by label")
        .claims([Claim::operation(ALL, 200)])
        .fix("Honour labelSelector in deletions.")
        .check(|bench| {
            let server = bench.server()?;
            let (one, two) = (
                Made::new(&server, User::Wanda, &json!({}))?,
                Made::new(&server, User::Wanda, &json!({}))?,
            );
            one.patch(MERGE, &json!({"metadata": {"labels": {"foo": "bar"}}}))?.expect(200)?;
            let path = format!("{KUBECONFIGS}?labelSelector=foo%3Dbar");
            let gone = call(&server, User::Wanda, "DELETE", &path)?.send()?.expect(200)?;
            expect_eq("what was deleted", &vec![one.name().to_owned()], &named(&gone))?;
            two.read().map(drop)
        })
}

fn empty() -> Rule {
    should("rancher.delete_collection.none")
        .title("A deletion that finds nothing answers an empty list")
        .source(DOCUMENT, "DeleteRancherKubeconfigs, 200")
        .claims([Claim::operation(ALL, 200)])
        .fix("Answer {items: []}, no error.")
        .check(|bench| {
            let server = bench.server()?;
            let path = format!("{KUBECONFIGS}?labelSelector=no-such-label%3Dx");
            let gone = call(&server, User::Wanda, "DELETE", &path)?.send()?.expect(200)?;
            expect_eq("the items", &json!([]), &gone["items"])
        })
}

fn dry() -> Rule {
    should("rancher.delete_collection.dry_run")
        .title("A dry run of the collection's deletion shows and keeps them")
        .source(DOCUMENT, "DeleteRancherKubeconfigs, dryRun")
        .claims([Claim::operation(ALL, 200)])
        .needs(SEEDED)
        .fix("Honour dryRun.")
        .check(|bench| {
            let server = bench.server()?;
            let before = names(&server, User::Wanda, "")?;
            expect(!before.is_empty(), "the list", "some", "none")?;
            call(&server, User::Wanda, "DELETE", &format!("{KUBECONFIGS}?dryRun=All"))?
                .send()?
                .expect(200)?;
            expect_eq("what is left", &before, &names(&server, User::Wanda, "")?)
        })
}

fn condition() -> Rule {
    should("rancher.delete_collection.precondition")
        .title("A condition in the body holds for each: the first it does not fit is a 409")
        .source(PAGE, "Where 2.12 refuses worse")
        .claims([Claim::refusal(ALL, 409, "Conflict")])
        .needs(SEEDED)
        .fix("Apply preconditions to each item, and pass a refusal on.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Kemal, &json!({}))?;
            let body = options(&json!({"uid": "52183e05-d382-47d2-b4b9-d0735823ce90"}));
            let exchange = call(&server, User::Kemal, "DELETE", KUBECONFIGS)?.json(&body).send()?;
            expect_status(&exchange, 409, "Conflict", "UID")?;
            made.read().map(drop)
        })
}
