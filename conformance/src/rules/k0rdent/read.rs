//! GetKubeconfig and DeleteKubeconfig: whose, how long, and that nothing secret is in it.

use serde_json::json;

use super::callers::OPERATIONS;
use super::site::{
    COLLECTION, VIEWER, at_noon, delete, expect_kept, get, get_as, issue, issue_as, issued, path_of,
};
use super::{DOCUMENT, PAGE, should};
use crate::bench::{Identity, contains};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules =
        vec![reads(), after_expiry(), deletes(), empty_answer(), twice(), others_stay()];
    rules.extend([admin_deletes(), no_secret(), strange_ids()]);
    rules.extend(OPERATIONS.iter().filter(|one| one.single).flat_map(|operation| {
        let by = |slug: &'static str, token: &'static str| {
            should(format!("k0rdent.{}.foreign.{slug}", operation.slug))
                .title(format!("{} of somebody else's kubeconfig by {slug} is a 404, and changes nothing", operation.id))
                .source(PAGE, "Who may do what")
                .claims([Claim::refusal(operation.id, 404, "kubeconfig_not_found")])
                .fix("Look among the caller's own, unless it is an administrator; answer 404, never 403.")
                .check(move |bench| {
                    let server = bench.server()?;
                    let made = issued(&server, &json!({}))?;
                    let id = made["id"].as_str().unwrap_or_default();
                    let call = operation.call(&server, COLLECTION, id).bearer(token);
                    let theirs = call.send()?.expect_problem(404, "kubeconfig_not_found")?;
                    let call = operation.call(&server, COLLECTION, "kubeconfig-000000").bearer(token);
                    let missing = call.send()?.expect_problem(404, "kubeconfig_not_found")?;
                    expect_eq("the refusal", &missing, &theirs)?;
                    expect_kept(&server, 1)
                })
        };
        [by("another_editor", Identity::Basic.token()), by("a_viewer", VIEWER)]
    }));
    rules
}

fn reads() -> Rule {
    should("k0rdent.get_kubeconfig.reads")
        .title("What was issued reads as it was answered, again and again, for its issuer and an administrator")
        .source(DOCUMENT, "GetKubeconfig, 200")
        .claims([Claim::operation("GetKubeconfig", 200)])
        .fix("Answer the same resource that the issue request got.")
        .check(|bench| {
            let server = bench.server()?;
            let made = issued(&server, &json!({"user": "kim", "role": "developer", "ttl": 60}))?;
            let path = path_of(&server, &made);
            for who in [Identity::Operator, Identity::Operator, Identity::Admin] {
                let read = get_as(&server, who.token(), &path).send()?.expect(200)?;
                expect_eq("the resource", &made, &read)?;
            }
            Ok(())
        })
}

fn after_expiry() -> Rule {
    should("k0rdent.get_kubeconfig.after_expiry")
        .title("An expired kubeconfig still reads and is listed, until it is deleted")
        .source(PAGE, "Lists")
        .claims([Claim::operation("GetKubeconfig", 200), Claim::operation("DeleteKubeconfig", 204)])
        .needs([Need::Clock])
        .fix("Keep the resource when its time is up; only its secret is worthless then.")
        .check(|bench| {
            let server = bench.server()?;
            let made = issued(&server, &json!({"ttl": 60}))?;
            server.advance_clock(3600)?;
            let path = path_of(&server, &made);
            expect_eq("the resource", &made, &get(&server, &path).send()?.expect(200)?)?;
            expect_kept(&server, 1)?;
            delete(&server, Identity::Operator.token(), &path).send()?.expect(204)?;
            expect_kept(&server, 0)
        })
}

fn deletes() -> Rule {
    should("k0rdent.delete_kubeconfig.deletes")
        .title("A deleted kubeconfig is in no list and cannot be read")
        .source(DOCUMENT, "DeleteKubeconfig, 204")
        .claims([
            Claim::operation("DeleteKubeconfig", 204),
            Claim::refusal("GetKubeconfig", 404, "kubeconfig_not_found"),
        ])
        .fix("Take it out for good before answering.")
        .check(|bench| {
            let server = bench.server()?;
            let path = path_of(&server, &issued(&server, &json!({}))?);
            delete(&server, Identity::Operator.token(), &path).send()?.expect(204)?;
            get(&server, &path).send()?.expect_problem(404, "kubeconfig_not_found")?;
            expect_kept(&server, 0)
        })
}

fn empty_answer() -> Rule {
    should("k0rdent.delete_kubeconfig.empty_answer")
        .title("The answer to a deletion has no body and no content type")
        .source(DOCUMENT, "DeleteKubeconfig, 204")
        .claims([Claim::operation("DeleteKubeconfig", 204)])
        .fix("Answer a bare 204.")
        .check(|bench| {
            let server = bench.server()?;
            let path = path_of(&server, &issued(&server, &json!({}))?);
            let exchange = delete(&server, Identity::Operator.token(), &path)
                .json(&json!({"force": true}))
                .send()?;
            exchange.expect(204)?;
            let media = exchange.response.headers.get("content-type");
            expect(media.is_none(), "the content type", "none", media.unwrap_or_default())?;
            expect_eq("the body", &0, &exchange.response.body.len())
        })
}

fn twice() -> Rule {
    should("k0rdent.delete_kubeconfig.twice")
        .title("Deleting it a second time is a 404")
        .source(DOCUMENT, "DeleteKubeconfig, 404 kubeconfig_not_found")
        .claims([Claim::refusal("DeleteKubeconfig", 404, "kubeconfig_not_found")])
        .fix("Answer 404 for what is not there any more.")
        .check(|bench| {
            let server = bench.server()?;
            let path = path_of(&server, &issued(&server, &json!({}))?);
            delete(&server, Identity::Operator.token(), &path).send()?.expect(204)?;
            for who in [Identity::Operator, Identity::Admin] {
                delete(&server, who.token(), &path)
                    .send()?
                    .expect_problem(404, "kubeconfig_not_found")?;
            }
            Ok(())
        })
}

fn others_stay() -> Rule {
    should("k0rdent.delete_kubeconfig.others_stay")
        .title("Deleting one leaves the others as they were")
        .source(DOCUMENT, "DeleteKubeconfig, 204")
        .claims([Claim::operation("DeleteKubeconfig", 204)])
        .fix("Delete by id, and nothing else.")
        .check(|bench| {
            let server = bench.server()?;
            let made = [(); 3].map(|()| issued(&server, &json!({"user": "kim"})));
            let [first, second, third] = made;
            let (first, second, third) = (first?, second?, third?);
            delete(&server, Identity::Operator.token(), &path_of(&server, &second))
                .send()?
                .expect(204)?;
            let page = get(&server, COLLECTION).send()?.expect(200)?;
            expect_eq("those that are left", &json!([first, third]), &page["kubeconfigs"])
        })
}

fn admin_deletes() -> Rule {
    should("k0rdent.delete_kubeconfig.by_administrator")
        .title("An administrator of the project deletes anybody's")
        .source(PAGE, "Who may do what")
        .claims([Claim::operation("DeleteKubeconfig", 204)])
        .fix("Let administrators delete what others issued.")
        .check(|bench| {
            let server = bench.server()?;
            let made =
                issue_as(&server, Identity::Basic.token(), &json!({})).send()?.expect(201)?;
            delete(&server, Identity::Admin.token(), &path_of(&server, &made))
                .send()?
                .expect(204)?;
            expect_kept(&server, 0)
        })
}

fn no_secret() -> Rule {
    should("k0rdent.get_kubeconfig.no_secret")
        .title("The secret of a file is in the file's answer only: not when it is read, listed or journalled")
        .source(PAGE, "The file")
        .claims([Claim::operation("GetKubeconfig", 200), Claim::operation("ListKubeconfigs", 200)])
        .needs([Need::Journal])
        .fix("Show the secret in the answer that creates it, and nowhere again.")
        .check(|bench| {
            let server = bench.server()?;
            let call = issue(&server, &json!({"user": "kim"})).header("accept", "application/yaml");
            let file = super::file::File::read(bench, &server, &call.send()?)?;
            for path in [file.link.as_str(), COLLECTION] {
                let exchange = get(&server, path).header("accept", "application/yaml").send()?;
                exchange.expect(200)?;
                expect(!contains(&exchange.response.body, file.token.as_bytes()), path, "without the secret", "the secret")?;
            }
            let misplaced = format!("{COLLECTION}/{}", file.token);
            get(&server, &misplaced).send()?.expect_problem(404, "kubeconfig_not_found")?;
            let journal = server.journal()?.to_string();
            expect(!journal.contains(&file.token), "the journal", "without the secret", "the secret")
        })
}

fn strange_ids() -> Rule {
    should("k0rdent.get_kubeconfig.strange_ids")
        .title("An id that no kubeconfig can have is a 404 like any other")
        .source(DOCUMENT, "GetKubeconfig, 404 kubeconfig_not_found")
        .claims([Claim::refusal("GetKubeconfig", 404, "kubeconfig_not_found")])
        .needs([Need::SpawnableServer])
        .fix("Compare ids as they are written; decode nothing, and mind no length.")
        .check(|bench| {
            let server = at_noon(bench)?;
            issued(&server, &json!({}))?;
            let long = "k".repeat(4000);
            for id in [
                "K",
                "..",
                ".",
                "%2e%2e",
                "%00",
                "a%2Fb",
                "*",
                "kubeconfig-",
                "-",
                "'",
                long.as_str(),
            ] {
                get(&server, &format!("{COLLECTION}/{id}"))
                    .send()?
                    .expect_problem(404, "kubeconfig_not_found")?;
            }
            Ok(())
        })
}
