//! Where the entries of a kubeconfig lead, as whom, and when that ends.

use serde_json::{Value, json};

use super::site::{MANAGEMENT, Made, NAMED, NODES, PLAIN, User, call};
use super::{PAGE, PUBLIC, SEEDED, must, should};
use crate::bench::{Bench, Canary, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, broken, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        opens(),
        as_user(),
        until_deleted(),
        until_expired(),
        until_token_deleted(),
        only_permitted(),
        ace_token(),
        until_disabled(),
        rancher_entry(),
    ]
}

fn works(draft: RuleDraft) -> RuleDraft {
    draft
        .claims([
            Claim::operation("CallRancherCluster", 200),
            Claim::operation("CreateRancherKubeconfig", 201),
        ])
        .needs(SEEDED)
}

/// An entry: the path that it leads to on the server, and the token of its user.
struct Entry {
    path: String,
    token: String,
}

fn entry(bench: &Bench, server: &Server, made: &Made<'_>, context: &str) -> Outcome<Entry> {
    let document = made.document()?;
    let find = |list: &str, name: &Value| {
        let mut all = document[list].as_array().into_iter().flatten();
        all.find(|one| one["name"] == *name).cloned().unwrap_or_default()
    };
    let context = find("contexts", &json!(context));
    let url = find("clusters", &context["context"]["cluster"])["cluster"]["server"].clone();
    let token = find("users", &context["context"]["user"])["user"]["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    bench.evidence().hide(Canary::new("kubeconfig token", &token));
    let Ok(url) = url::Url::parse(url.as_str().unwrap_or_default()) else {
        return broken("an entry without a server");
    };
    let path = url.path().trim_end_matches('/');
    let path = path.strip_prefix(server.endpoint().prefix.as_str()).unwrap_or(path).to_owned();
    Ok(Entry { path, token })
}

impl Entry {
    fn status(&self, server: &Server, path: &str) -> Outcome<u16> {
        Ok(server.get(&format!("{}{path}", self.path)).bearer(&self.token).send()?.status())
    }
}

fn opens() -> Rule {
    works(must("rancher.works.opens"))
        .title("The cluster's entry leads to the cluster's API, and its token opens it")
        .source(PUBLIC, "Kubeconfig Resource: clusters managed by Rancher")
        .fix("Serve /k8s/clusters/<id> to the tokens of kubeconfigs.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            expect_eq("its path", &format!("/k8s/clusters/{PLAIN}"), &entry.path)?;
            for path in ["/version", "/api/v1/namespaces", "/api/v1/pods"] {
                expect_eq(path, &200, &entry.status(&server, path)?)?;
            }
            Ok(())
        })
}

fn as_user() -> Rule {
    works(should("rancher.works.as_user"))
        .title("The holder acts as the user who created it")
        .source(PAGE, "The text")
        .fix("Act as the creator.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            let path = format!("{}/apis/authentication.k8s.io/v1/selfsubjectreviews", entry.path);
            let review =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
            let said = server.post(&path, &review).bearer(&entry.token).send()?;
            expect_eq(
                "the user",
                &json!(User::Wanda.name()),
                &said.json()["status"]["userInfo"]["username"],
            )
        })
}

fn until_deleted() -> Rule {
    works(must("rancher.works.until_deleted"))
        .title("Once the kubeconfig is deleted its token opens nothing")
        .source(PUBLIC, "Deleting a Kubeconfig: the tokens are also deleted")
        .claims([Claim::operation("DeleteRancherKubeconfig", 200)])
        .fix("Delete the tokens with the kubeconfig.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            expect_eq("before", &200, &entry.status(&server, "/version")?)?;
            call(&server, User::Wanda, "DELETE", &made.path())?.send()?.expect(200)?;
            expect_eq("after", &401, &entry.status(&server, "/version")?)
        })
}

fn until_expired() -> Rule {
    works(must("rancher.works.until_expired"))
        .title("The token opens the cluster for ttl seconds, and not longer")
        .source(PUBLIC, "Creating a Kubeconfig: ttl")
        .needs([Need::Clock])
        .fix("Compare the token's end with the clock at every request.")
        .check(|bench| {
            let server = bench.server()?;
            server.freeze_clock("2027-01-01T00:00:00Z")?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN], "ttl": 60}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            server.advance_clock(59)?;
            expect_eq("at 59 seconds", &200, &entry.status(&server, "/version")?)?;
            server.advance_clock(2)?;
            expect_eq("at 61 seconds", &401, &entry.status(&server, "/version")?)
        })
}

fn until_token_deleted() -> Rule {
    works(should("rancher.works.until_token_deleted"))
        .title("Once its token is deleted the entry opens nothing")
        .source(PAGE, "Tokens")
        .claims([Claim::operation("DeleteRancherToken", 200)])
        .fix("Forget a token that is deleted.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            expect_eq("before", &200, &entry.status(&server, "/version")?)?;
            let token = made.object["status"]["tokens"][0].as_str().unwrap_or_default();
            call(&server, User::Admin, "DELETE", &format!("{MANAGEMENT}/tokens/{token}"))?
                .send()?
                .expect(200)?;
            expect_eq("after", &401, &entry.status(&server, "/version")?)
        })
}

fn only_permitted() -> Rule {
    works(should("rancher.works.only_permitted"))
        .title("The shared token opens no cluster that its user may not use")
        .source(PAGE, "The text")
        .fix("Ask for the user's permission at the cluster's door.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let mut entry = entry(bench, &server, &made, "downstream1")?;
            expect_eq("its own cluster", &200, &entry.status(&server, "/version")?)?;
            entry.path = entry.path.replace(PLAIN, NODES);
            let status = entry.status(&server, "/version")?;
            expect([401, 403, 404].contains(&status), "the status elsewhere", "a refusal", status)
        })
}

fn ace_token() -> Rule {
    works(should("rancher.works.ace_token"))
        .title("The token of a cluster's own endpoint opens that cluster and no other")
        .source(PAGE, "Tokens")
        .fix("Scope such tokens to their cluster.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [NAMED, PLAIN]}))?;
            let mut own = entry(bench, &server, &made, "downstream2")?;
            expect_eq("its own", &200, &own.status(&server, "/version")?)?;
            own.path = own.path.replace(NAMED, PLAIN);
            let status = own.status(&server, "/version")?;
            expect([401, 403].contains(&status), "another cluster", "401 or 403", status)
        })
}

fn until_disabled() -> Rule {
    works(should("rancher.works.until_disabled"))
        .title("Once its user is disabled the kubeconfig opens nothing")
        .source(PAGE, "Who there is")
        .claims([Claim::operation("PatchRancherUser", 200)])
        .fix("Ask at every request whether the user is enabled.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let entry = entry(bench, &server, &made, "downstream1")?;
            expect_eq("before", &200, &entry.status(&server, "/version")?)?;
            let path = format!("{MANAGEMENT}/users/{}", User::Wanda.name());
            let patch =
                call(&server, User::Admin, "PATCH", &path)?.json(&json!({"enabled": false}));
            patch.header("content-type", super::site::MERGE).send()?.expect(200)?;
            expect_eq("after", &401, &entry.status(&server, "/version")?)
        })
}

fn rancher_entry() -> Rule {
    should("rancher.works.rancher_entry")
        .title("The entry rancher leads to Rancher itself, where its holder lists its kubeconfigs")
        .source(PAGE, "The text")
        .claims([Claim::operation("CreateRancherKubeconfig", 201)])
        .fix("Take the tokens of kubeconfigs at Rancher's own API.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let entry = entry(bench, &server, &made, "rancher")?;
            let list = server
                .get(&format!("{}{}", entry.path, super::site::KUBECONFIGS))
                .bearer(&entry.token)
                .send()?;
            let names = super::site::named(&list.expect(200)?);
            let found = names.iter().any(|name| name == made.name());
            expect(found, "the list", made.name(), names.join(" "))
        })
}
