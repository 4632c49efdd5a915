//! Creating a kubeconfig where it succeeds.

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, LIFE, Made, User, call, get, manifest, names, set};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::bench::Exchange;
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

const CREATE: &str = "CreateRancherKubeconfig";

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![
        name(),
        once(),
        name_ignored(),
        generate_name_ignored(),
        labels(),
        label_forced(),
        status_ignored(),
    ];
    rules.extend([
        default_ttl(),
        chosen_ttl(),
        ttl_zero(),
        ttl_at_most(),
        ttl_by_setting(),
        ttl_by_maximum(),
    ]);
    rules.extend([yaml_body(), dry_run(), warned(), ignored_fields()]);
    rules
}

pub(super) fn creates(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::operation(CREATE, 201)])
}

fn name() -> Rule {
    creates(must("rancher.create.name"))
        .title("The name is made by the server: kubeconfig- and five letters or digits, another each time")
        .source(PUBLIC, "Creating a Kubeconfig: the prefix kubeconfig-")
        .fix("Generate names with the prefix kubeconfig- and Kubernetes' own five signs.")
        .check(|bench| {
            let server = bench.server()?;
            let (one, two) = (Made::new(&server, User::Wanda, &json!({}))?, Made::new(&server, User::Wanda, &json!({}))?);
            for made in [&one, &two] {
                let tail = made.name().strip_prefix("kubeconfig-").unwrap_or_default();
                let known = |c: char| "bcdfghjklmnpqrstvwxz2456789".contains(c);
                expect(tail.len() == 5 && tail.chars().all(known), "the name", "kubeconfig- and five signs", made.name())?;
                expect_eq("generateName", &json!("kubeconfig-"), &made.object["metadata"]["generateName"])?;
            }
            expect(one.name() != two.name(), "the second name", "another", two.name())
        })
}

fn once() -> Rule {
    must("rancher.create.value_once")
        .title("status.value is in the answer to the creation, and in no other")
        .source(PUBLIC, "Creating a Kubeconfig: only once")
        .claims([
            Claim::operation(CREATE, 201),
            Claim::operation("GetRancherKubeconfig", 200),
            Claim::operation("PatchRancherKubeconfig", 200),
            Claim::operation("DeleteRancherKubeconfig", 200),
        ])
        .fix("Leave status.value out of everything but the answer to the creation.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            expect(
                made.value().contains("kind: \"Config\""),
                "status.value",
                "a kubeconfig",
                made.value().len(),
            )?;
            let bare = |what: &str, object: &Value| {
                let value = &object["status"]["value"];
                expect(value.is_null(), what, "no status.value", value)
            };
            bare("the object as it reads", &made.read()?)?;
            let list = get(&server, User::Wanda, KUBECONFIGS)?.expect(200)?;
            for item in list["items"].as_array().into_iter().flatten() {
                bare("an item of the list", item)?;
            }
            let patch = json!({"spec": {"description": "x"}});
            bare("the answer to a patch", &made.patch(super::site::MERGE, &patch)?.expect(200)?)?;
            let mut put = made.read()?;
            put["spec"]["description"] = json!("y");
            let put = call(&server, User::Wanda, "PUT", &made.path())?.json(&put).send()?;
            bare("the answer to an update", &put.expect(200)?)?;
            let gone = call(&server, User::Wanda, "DELETE", &made.path())?.send()?.expect(200)?;
            bare("the answer to the deletion", &gone)
        })
}

fn create_with(
    server: &crate::bench::Server,
    change: impl FnOnce(&mut Value),
) -> Outcome<Exchange> {
    let mut body = manifest(&json!({}));
    change(&mut body);
    call(server, User::Wanda, "POST", KUBECONFIGS)?.json(&body).send()
}

fn name_ignored() -> Rule {
    creates(must("rancher.create.name_ignored"))
        .title("metadata.name of a creation is ignored")
        .source(PUBLIC, "Creating a Kubeconfig: fields that are ignored")
        .fix("Make the name yourself, whatever the manifest says.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange =
                create_with(&server, |body| body["metadata"] = json!({"name": "my-own"}))?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            expect(
                made.name().starts_with("kubeconfig-"),
                "the name",
                "kubeconfig-...",
                made.name(),
            )
        })
}

fn generate_name_ignored() -> Rule {
    creates(must("rancher.create.generate_name_ignored"))
        .title("metadata.generateName of a creation is ignored")
        .source(PUBLIC, "Creating a Kubeconfig: fields that are ignored")
        .fix("Make the name yourself, whatever the manifest says.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange =
                create_with(&server, |body| body["metadata"] = json!({"generateName": "mine-"}))?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            expect(
                made.name().starts_with("kubeconfig-"),
                "the name",
                "kubeconfig-...",
                made.name(),
            )
        })
}

fn labels() -> Rule {
    creates(should("rancher.create.labels"))
        .title("Labels and annotations of the manifest are kept")
        .source(PAGE, "What is answered")
        .fix("Keep metadata.labels and metadata.annotations.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = create_with(&server, |body| {
                body["metadata"] = json!({"labels": {"foo": "bar"}, "annotations": {"a": "b c"}});
            })?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            let read = made.read()?;
            expect_eq("the label", &json!("bar"), &read["metadata"]["labels"]["foo"])?;
            expect_eq("the annotation", &json!("b c"), &read["metadata"]["annotations"]["a"])
        })
}

fn label_forced() -> Rule {
    creates(should("rancher.create.user_label"))
        .title("The label cattle.io/user-id is the creator's, whatever the manifest says")
        .source(PAGE, "What is answered")
        .needs(SEEDED)
        .fix("Write the label yourself.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = create_with(&server, |body| {
                body["metadata"] = json!({"labels": {"cattle.io/user-id": User::Kemal.name()}});
            })?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            expect_eq(
                "the label",
                &json!(User::Wanda.name()),
                &made.read()?["metadata"]["labels"]["cattle.io/user-id"],
            )
        })
}

fn status_ignored() -> Rule {
    creates(should("rancher.create.status_ignored"))
        .title("A status in the manifest is not looked at")
        .source(PAGE, "What is answered")
        .fix("Make status yourself.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = create_with(&server, |body| {
                body["status"] = json!({"summary": "Mine", "tokens": ["x"]});
            })?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            expect_eq("the summary", &json!("Complete"), &made.object["status"]["summary"])?;
            let tokens = made.object["status"]["tokens"].to_string();
            expect(!tokens.contains("\"x\""), "the tokens", "the server's", tokens)
        })
}

fn expect_ttl(made: &Made<'_>, seconds: i64) -> Outcome {
    expect_eq("spec.ttl", &json!(seconds), &made.object["spec"]["ttl"])?;
    expect_eq("spec.ttl as it reads", &json!(seconds), &made.read()?["spec"]["ttl"])
}

fn default_ttl() -> Rule {
    creates(must("rancher.create.ttl.default"))
        .title("Without a ttl the tokens live thirty days, which is the setting's default")
        .source(PUBLIC, "Creating a Kubeconfig: 30 days by default")
        .needs(SEEDED)
        .fix("Put the default of kubeconfig-default-token-ttl-minutes into spec.ttl, in seconds.")
        .check(|bench| {
            let server = bench.server()?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({}))?, LIFE)
        })
}

fn chosen_ttl() -> Rule {
    creates(must("rancher.create.ttl.chosen"))
        .title("A ttl above zero and inside the setting is taken as it is, in seconds")
        .source(PUBLIC, "Creating a Kubeconfig: ttl")
        .fix("Take spec.ttl as seconds.")
        .check(|bench| {
            let server = bench.server()?;
            for seconds in [30, 60, 7200] {
                expect_ttl(&Made::new(&server, User::Wanda, &json!({"ttl": seconds}))?, seconds)?;
            }
            Ok(())
        })
}

fn ttl_zero() -> Rule {
    creates(should("rancher.create.ttl.zero"))
        .title("A ttl of zero is as none")
        .source(PAGE, "ttl, in seconds")
        .needs(SEEDED)
        .fix("Take 0 for a field that is not there.")
        .check(|bench| {
            let server = bench.server()?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({"ttl": 0}))?, LIFE)
        })
}

fn ttl_at_most() -> Rule {
    creates(must("rancher.create.ttl.at_most"))
        .title("A ttl that equals the setting is taken")
        .source(PUBLIC, "Creating a Kubeconfig: less than or equal")
        .needs(SEEDED)
        .fix("Compare with greater, not with greater or equal.")
        .check(|bench| {
            let server = bench.server()?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({"ttl": LIFE}))?, LIFE)
        })
}

fn ttl_by_setting() -> Rule {
    must("rancher.create.ttl.by_setting")
        .title("The setting kubeconfig-default-token-ttl-minutes rules the default and the most")
        .source(PUBLIC, "Creating a Kubeconfig: the setting, expressed in seconds")
        .claims([
            Claim::operation(CREATE, 201),
            Claim::refusal(CREATE, 400, "BadRequest"),
            Claim::operation("PatchRancherSetting", 200),
        ])
        .needs(SEEDED)
        .fix("Read the setting at every creation; minutes there, seconds in the spec.")
        .check(|bench| {
            let server = bench.server()?;
            set(&server, "kubeconfig-default-token-ttl-minutes", "10")?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({}))?, 600)?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({"ttl": 600}))?, 600)?;
            let beyond = super::site::create(&server, User::Wanda, &json!({"ttl": 601}))?;
            super::site::expect_status(&beyond, 400, "BadRequest", "601")
        })
}

fn ttl_by_maximum() -> Rule {
    creates(should("rancher.create.ttl.by_maximum"))
        .title("The setting auth-token-max-ttl-minutes bounds the default, and 0 there is no bound")
        .source(PAGE, "ttl, in seconds")
        .needs(SEEDED)
        .fix("Take the smaller of both settings; 0 of the maximum bounds nothing.")
        .check(|bench| {
            let server = bench.server()?;
            set(&server, "auth-token-max-ttl-minutes", "5")?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({}))?, 300)?;
            set(&server, "auth-token-max-ttl-minutes", "0")?;
            expect_ttl(&Made::new(&server, User::Wanda, &json!({}))?, LIFE)
        })
}

fn yaml_body() -> Rule {
    creates(should("rancher.create.yaml_body"))
        .title("A manifest may be sent as YAML")
        .source(DOCUMENT, "CreateRancherKubeconfig, request")
        .fix("Read application/yaml too.")
        .check(|bench| {
            let server = bench.server()?;
            let text = "apiVersion: ext.cattle.io/v1\nkind: Kubeconfig\nspec:\n  ttl: 60\n";
            let call = call(&server, User::Wanda, "POST", KUBECONFIGS)?.body(text);
            let made = Made::of(
                &server,
                User::Wanda,
                &call.header("content-type", "application/yaml").send()?,
            )?;
            expect_ttl(&made, 60)
        })
}

fn dry_run() -> Rule {
    creates(should("rancher.create.dry_run"))
        .title("With dryRun=All a name is made and nothing is kept")
        .source(DOCUMENT, "CreateRancherKubeconfig, dryRun")
        .fix("Judge and answer as ever, and store nothing.")
        .check(|bench| {
            let server = bench.server()?;
            let before = names(&server, User::Wanda, "")?;
            let call = call(&server, User::Wanda, "POST", &format!("{KUBECONFIGS}?dryRun=All"))?;
            let object = call.json(&manifest(&json!({"ttl": 60}))).send()?.expect(201)?;
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            expect(name.starts_with("kubeconfig-"), "the name", "kubeconfig-...", name)?;
            super::site::expect_unchanged(&before, &server, User::Wanda)?;
            let read = get(&server, User::Wanda, &format!("{KUBECONFIGS}/{name}"))?;
            super::site::expect_status(&read, 404, "NotFound", name)
        })
}

fn warned() -> Rule {
    creates(should("rancher.create.unknown_warned"))
        .title(
            "Unless told to be strict, an unknown field is dropped, and named in a Warning header",
        )
        .source(DOCUMENT, "CreateRancherKubeconfig, fieldValidation")
        .fix("Default to fieldValidation=Warn.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = super::site::create(&server, User::Wanda, &json!({"foo": 1}))?;
            let made = Made::of(&server, User::Wanda, &exchange)?;
            let warning = exchange.response.headers.get("warning").unwrap_or_default();
            expect(warning.contains("spec.foo"), "the Warning", "spec.foo", warning)?;
            expect(
                made.object["spec"].get("foo").is_none(),
                "the spec",
                "without it",
                &made.object["spec"],
            )
        })
}

fn ignored_fields() -> Rule {
    creates(should("rancher.create.unknown_ignored"))
        .title("With fieldValidation=Ignore an unknown field is dropped without a word")
        .source(DOCUMENT, "CreateRancherKubeconfig, fieldValidation")
        .fix("Honour fieldValidation=Ignore.")
        .check(|bench| {
            let server = bench.server()?;
            let path = format!("{KUBECONFIGS}?fieldValidation=Ignore");
            let exchange = call(&server, User::Wanda, "POST", &path)?
                .json(&manifest(&json!({"foo": 1})))
                .send()?;
            drop(Made::of(&server, User::Wanda, &exchange)?);
            let warning = exchange.response.headers.get("warning");
            expect(warning.is_none(), "the Warning", "none", warning.unwrap_or_default())
        })
}
