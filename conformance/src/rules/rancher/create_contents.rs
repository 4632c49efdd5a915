//! What a new kubeconfig holds: its entries, its current one, its tokens and its text.

use serde_json::{Value, json};

use super::create::creates;
use super::site::{KUBECONFIGS, Made, NAMED, NODES, PLAIN, User, call, get, manifest, set};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule};
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![default_entry(), no_tokens(), dry_value(), head_of_text(), owners()];
    rules.extend(CONTEXTS.iter().map(context));
    rules
}

fn default_entry() -> Rule {
    creates(should("rancher.create.default_entry"))
        .title("Without clusters the text has the one entry rancher, and one token")
        .source(PAGE, "The text")
        .fix("Always write the entry of Rancher itself.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let document = made.document()?;
            expect_eq("current-context", &json!("rancher"), &document["current-context"])?;
            expect_eq("the clusters", &1, &document["clusters"].as_array().map_or(0, Vec::len))?;
            expect_eq("its name", &json!("rancher"), &document["clusters"][0]["name"])?;
            expect_eq(
                "the tokens",
                &1,
                &made.object["status"]["tokens"].as_array().map_or(0, Vec::len),
            )
        })
}

/// Clusters asked for, and the contexts that come of it.
struct Context {
    slug: &'static str,
    what: &'static str,
    spec: fn() -> Value,
    contexts: &'static [&'static str],
    current: &'static str,
    /// The cluster that is written back as the current one.
    chosen: &'static str,
    tokens: usize,
    admin: bool,
}

const CONTEXTS: [Context; 9] = [
    Context {
        slug: "one",
        what: "one cluster",
        spec: || json!({"clusters": [PLAIN]}),
        contexts: &["rancher", "downstream1"],
        current: "downstream1",
        chosen: PLAIN,
        tokens: 1,
        admin: false,
    },
    Context {
        slug: "local",
        what: "the local cluster",
        spec: || json!({"clusters": ["local"]}),
        contexts: &["rancher", "local"],
        current: "local",
        chosen: "local",
        tokens: 1,
        admin: false,
    },
    Context {
        slug: "two_first",
        what: "two clusters and no current one",
        spec: || json!({"clusters": ["local", PLAIN]}),
        contexts: &["rancher", "local", "downstream1"],
        current: "local",
        chosen: "local",
        tokens: 1,
        admin: false,
    },
    Context {
        slug: "two_chosen",
        what: "two clusters and the second as the current one",
        spec: || json!({"clusters": ["local", PLAIN], "currentContext": PLAIN}),
        contexts: &["rancher", "local", "downstream1"],
        current: "downstream1",
        chosen: PLAIN,
        tokens: 1,
        admin: false,
    },
    Context {
        slug: "fqdn",
        what: "a cluster with an endpoint of a name",
        spec: || json!({"clusters": [NAMED]}),
        contexts: &["rancher", "downstream2", "downstream2-fqdn"],
        current: "downstream2-fqdn",
        chosen: NAMED,
        tokens: 2,
        admin: false,
    },
    Context {
        slug: "nodes",
        what: "a cluster with an endpoint and no name",
        spec: || json!({"clusters": [NODES]}),
        contexts: &["rancher", "downstream3", "downstream3-cp-1", "downstream3-cp-2"],
        current: "downstream3-cp-1",
        chosen: NODES,
        tokens: 2,
        admin: true,
    },
    Context {
        slug: "star",
        what: "* for an ordinary user",
        spec: || json!({"clusters": ["*"], "currentContext": PLAIN}),
        contexts: &["rancher", "local", "downstream1", "downstream2", "downstream2-fqdn"],
        current: "downstream1",
        chosen: PLAIN,
        tokens: 2,
        admin: false,
    },
    Context {
        slug: "star_first",
        what: "* and something after it",
        spec: || json!({"clusters": ["*", "no-such-cluster"], "currentContext": "local"}),
        contexts: &["rancher", "local", "downstream1", "downstream2", "downstream2-fqdn"],
        current: "local",
        chosen: "local",
        tokens: 2,
        admin: false,
    },
    Context {
        slug: "star_admin",
        what: "* for the admin",
        spec: || json!({"clusters": ["*"], "currentContext": "local"}),
        contexts: &[
            "rancher",
            "local",
            "downstream1",
            "downstream2",
            "downstream2-fqdn",
            "downstream3",
            "downstream3-cp-1",
            "downstream3-cp-2",
        ],
        current: "local",
        chosen: "local",
        tokens: 3,
        admin: true,
    },
];

fn context(case: &'static Context) -> Rule {
    creates(must(format!("rancher.create.contexts.{}", case.slug)))
        .title(format!("A kubeconfig for {} has its contexts, its current one and its tokens", case.what))
        .source(PUBLIC, "Creating a Kubeconfig: clusters, currentContext, ACE")
        .needs(SEEDED)
        .fix("Write rancher, each cluster by its display name, then its own endpoints; count a token for each cluster with one.")
        .check(move |bench| {
            let server = bench.server()?;
            let user = if case.admin { User::Admin } else { User::Wanda };
            let made = Made::new(&server, user, &(case.spec)())?;
            let document = made.document()?;
            let named = |list: &str| {
                let all = document[list].as_array().into_iter().flatten();
                let mut names: Vec<String> = all.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect();
                names.sort_unstable();
                names
            };
            let mut due: Vec<String> = case.contexts.iter().map(|&name| name.to_owned()).collect();
            due.sort_unstable();
            expect_eq("the contexts", &due, &named("contexts"))?;
            expect_eq("the clusters", &due, &named("clusters"))?;
            expect_eq("current-context", &json!(case.current), &document["current-context"])?;
            expect_eq("spec.currentContext", &json!(case.chosen), &made.object["spec"]["currentContext"])?;
            expect_eq("the tokens", &case.tokens, &made.object["status"]["tokens"].as_array().map_or(0, Vec::len))?;
            for context in document["contexts"].as_array().into_iter().flatten() {
                let user = &context["context"]["user"];
                let known = document["users"].as_array().into_iter().flatten().any(|one| one["name"] == *user);
                expect(known, "the user of a context", "one of the users", user)?;
            }
            Ok(())
        })
}

fn no_tokens() -> Rule {
    creates(should("rancher.create.no_tokens"))
        .title("With kubeconfig-generate-token at false the text asks a program, and there are no tokens")
        .source(PAGE, "Tokens")
        .needs(SEEDED)
        .fix("Write exec stanzas instead of tokens under that setting.")
        .check(|bench| {
            let server = bench.server()?;
            set(&server, "kubeconfig-generate-token", "false")?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [PLAIN]}))?;
            let user = &made.document()?["users"][0]["user"];
            expect_eq("the program", &json!("rancher"), &user["exec"]["command"])?;
            expect(user["token"].is_null(), "the token", "none", "a token")?;
            expect_eq("the tokens", &0, &made.object["status"]["tokens"].as_array().map_or(0, Vec::len))
        })
}

fn dry_value() -> Rule {
    creates(should("rancher.create.dry_value"))
        .title("The text of a dry run asks a program, and holds no token")
        .source(DOCUMENT, "CreateRancherKubeconfig, 201")
        .fix("Mint no token in a dry run.")
        .check(|bench| {
            let server = bench.server()?;
            let call = call(&server, User::Wanda, "POST", &format!("{KUBECONFIGS}?dryRun=All"))?;
            let object = call.json(&manifest(&json!({}))).send()?.expect(201)?;
            let text = object["status"]["value"].as_str().unwrap_or_default();
            expect(text.contains("exec:"), "the text", "exec", text)?;
            expect(!text.contains("token: "), "the text", "no token", "a token")
        })
}

fn head_of_text() -> Rule {
    creates(should("rancher.create.text"))
        .title("The text says of itself what it is called, when it was made and how long it lives")
        .source(PAGE, "The text")
        .fix("Begin the text with comments for name, createdTimestamp and ttl.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"ttl": 60}))?;
            let comments: Vec<&str> =
                made.value().lines().take_while(|line| line.starts_with('#')).collect();
            let comments = comments.join("\n");
            let created = made.object["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
            for due in [made.name(), created, "ttl: 60"] {
                expect(comments.contains(due), "the comments", due, &comments)?;
            }
            Ok(())
        })
}

fn owners() -> Rule {
    creates(should("rancher.create.owners"))
        .title("Each token owns the kubeconfig, and is there as an object of the user's")
        .source(PAGE, "Tokens")
        .claims([Claim::operation("GetRancherToken", 200)])
        .needs(SEEDED)
        .fix("Write an owner reference for each token.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": [NAMED]}))?;
            let owners =
                made.object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
            let owned: Vec<&Value> = owners.iter().map(|one| &one["name"]).collect();
            let tokens: Vec<&Value> =
                made.object["status"]["tokens"].as_array().into_iter().flatten().collect();
            expect_eq("the owners", &tokens, &owned)?;
            for token in tokens {
                let path = format!(
                    "{}/tokens/{}",
                    super::site::MANAGEMENT,
                    token.as_str().unwrap_or_default()
                );
                get(&server, User::Admin, &path)?.expect(200)?;
            }
            Ok(())
        })
}
