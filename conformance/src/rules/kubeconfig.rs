//! The kubeconfig document: minimal, harmless, and read back by others as it was meant.

use std::process::Command;

use serde_json::{Value, json};

use super::scene::Scene;
use crate::bench::{Answer, Bench, FRUGAL, Family};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, Reason, expect, expect_eq, fail};

const KUBECONFIG: Family = Family::Kubeconfig;

pub(crate) fn all() -> Vec<Rule> {
    vec![
        must("one_of_each")
            .title("the document has one cluster, one user and one context, which is named plexsphere and current")
            .check(one_of_each),
        must("bearer_over_https")
            .title("the cluster is the listener over https and the user's only credential is the session token")
            .check(bearer_over_https),
        should("names")
            .title("cluster and user are called plexsphere too")
            .check(|bench| {
                let (_, document) = rendered(bench, Answer::issued())?;
                expect_eq("the cluster's name", &json!("plexsphere"), &document["clusters"][0]["name"])?;
                expect_eq("the user's name", &json!("plexsphere"), &document["users"][0]["name"])
            }),
        must("runs_nothing")
            .title("the document runs no program, turns no verification off and reads no other file")
            .claims([Claim::hostile("C15")])
            .check(runs_nothing),
        must("always_yaml")
            .title("--output governs errors only: the document is the same YAML under text, json and yaml")
            .claims([Claim::flag("kubeconfig", "--output")])
            .check(always_yaml),
        must("groups_stay_in_the_request")
            .title("what is impersonated is the session's affair and does not show up in the document")
            .claims([Claim::flag("kubeconfig", "--impersonate-group")])
            .check(groups_stay),
        should("certificate_authority")
            .title("--certificate-authority embeds the file as certificate-authority-data")
            .needs([Need::Offers("--certificate-authority")])
            .check(certificate_authority),
        should("no_home_kubeconfig")
            .title("an existing ~/.kube/config is not touched, whatever KUBECONFIG says")
            .check(no_home_kubeconfig),
        must("kubectl_reads_it")
            .title("kubectl reads the document: the context, the server and the token are as issued")
            .needs([Need::Program("kubectl")])
            .check(kubectl_reads_it),
        must("endpoint_is_the_issued_one")
            .title("the server is https:// and the listener endpoint, whatever host it names")
            .claims([Claim::hostile("C14")])
            .check(endpoints),
    ]
}

fn must(id: &str) -> RuleDraft {
    finish(Rule::must(format!("kubeconfig.document.{id}"), Side::Client)
        .source(KUBECONFIG.page(), "a single cluster (the proxy listener over https), a single user (the one-time token), one context named plexsphere"))
}

fn should(id: &str) -> RuleDraft {
    finish(
        Rule::should(format!("kubeconfig.document.{id}"), Side::Client)
            .source("docs/decisions/0010-kubeconfig-shape.md", "The shape of the kubeconfig"),
    )
}

fn finish(draft: RuleDraft) -> RuleDraft {
    draft
        .claims([Claim::exit("kubeconfig.0"), Claim::exit("kubeconfig.0.stdout")])
        .fix("Render one cluster, one user and one context with a YAML writer that quotes what a reader of YAML 1.1 would misread.")
}

/// The document on stdout, and the scene that it came from.
pub(super) fn rendered(bench: &Bench, answer: Answer) -> Outcome<(Scene<'_>, Value)> {
    let scene = Scene::answering(bench, answer)?;
    let ran = scene.run(KUBECONFIG)?.go()?;
    scene.expect_done(&ran)?;
    ran.expect_no_file_changes()?;
    ran.expect_silent_about(&bench.credential_canary())?;
    let document = ran.stdout_yaml()?;
    Ok((scene, document))
}

fn one_of_each(bench: &Bench) -> Outcome {
    let (_, document) = rendered(bench, Answer::issued())?;
    expect_eq("apiVersion", &json!("v1"), &document["apiVersion"])?;
    expect_eq("kind", &json!("Config"), &document["kind"])?;
    for list in ["clusters", "users", "contexts"] {
        let count = document[list].as_array().map(Vec::len);
        expect_eq(format!("the number of {list}"), &Some(1), &count)?;
    }
    let context = &document["contexts"][0];
    expect_eq("the context's name", &json!("plexsphere"), &context["name"])?;
    expect_eq("current-context", &json!("plexsphere"), &document["current-context"])?;
    let (cluster, user) = (&document["clusters"][0]["name"], &document["users"][0]["name"]);
    expect_eq("the context's cluster", cluster, &context["context"]["cluster"])?;
    expect_eq("the context's user", user, &context["context"]["user"])
}

fn bearer_over_https(bench: &Bench) -> Outcome {
    let (scene, document) = rendered(bench, Answer::issued())?;
    let issued = scene.referee.issued()[0].body.clone();
    let server = format!("https://{}", issued["listener_endpoint"].as_str().unwrap_or_default());
    let cluster = &document["clusters"][0]["cluster"];
    expect_eq("the cluster", &json!({ "server": server }), cluster)?;
    let user = &document["users"][0]["user"];
    expect_eq(
        "whether the user is the token alone",
        &true,
        &(*user == json!({"token": issued["token"]})),
    )
}

fn runs_nothing(bench: &Bench) -> Outcome {
    let (_, document) = rendered(bench, Answer::issued())?;
    expect_eq("the current context", &json!("plexsphere"), &document["current-context"])?;
    forbid(&document, "")
}

/// Members through which a kubeconfig acts: programs, files, proxies, switched-off checks.
fn forbid(value: &Value, path: &str) -> Outcome {
    let banned = [
        "exec",
        "auth-provider",
        "insecure-skip-tls-verify",
        "certificate-authority",
        "client-certificate",
        "client-key",
        "tokenFile",
        "proxy-url",
        "username",
        "password",
    ];
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let here = format!("{path}/{key}");
                expect(!banned.contains(&key.as_str()), "the kubeconfig", "no such member", &here)?;
                forbid(inner, &here)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| forbid(item, path)),
        _ => Ok(()),
    }
}

fn always_yaml(bench: &Bench) -> Outcome {
    let endpoint = json!([{"op": "replace", "path": "/token", "value": "tok.en-1"}]);
    let scene = Scene::answering(bench, Answer::issued_with(endpoint))?;
    let plain = scene.run(KUBECONFIG)?.go()?;
    scene.expect_done(&plain)?;
    plain.stdout_yaml()?;
    for format in ["text", "json", "yaml"] {
        let ran = scene.run(KUBECONFIG)?.flag("--output", format).go()?;
        ran.expect_exit(0)?;
        let same = ran.stdout == plain.stdout;
        expect(
            same,
            format!("stdout under --output {format}"),
            "the same bytes",
            ran.stdout_text(),
        )?;
    }
    let json = serde_json::from_slice::<Value>(&plain.stdout).is_ok();
    expect(!json, "stdout", "YAML for people, not JSON", "JSON")
}

fn groups_stay(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let run = scene.run(KUBECONFIG)?.args(["--impersonate-group", "system:masters"]);
    let ran = run.args(["--impersonate-group", "ops-q7"]).go()?;
    scene.expect_done(&ran)?;
    for word in ["system:masters", "ops-q7", "platform-admin"] {
        let has = ran.stdout_text().contains(word);
        expect(!has, "the kubeconfig", format!("no {word:?} in it"), "it is there")?;
    }
    expect_eq("the context", &json!("plexsphere"), &ran.stdout_yaml()?["current-context"])
}

fn certificate_authority(bench: &Bench) -> Outcome {
    use base64::Engine;
    let scene = Scene::with(bench, bench.referee()?.tls(crate::bench::Certificate::Trusted))?;
    let Some(ca_file) = scene.referee.ca_file().map(std::path::Path::to_path_buf) else {
        return Err(Reason::Broken("the referee has no CA file".into()));
    };
    let ran = scene.run(KUBECONFIG)?.flag("--certificate-authority", &ca_file).go()?;
    scene.expect_done(&ran)?;
    let document = ran.stdout_yaml()?;
    let data = document["clusters"][0]["cluster"]["certificate-authority-data"].as_str();
    let decoded = base64::engine::general_purpose::STANDARD.decode(data.unwrap_or_default());
    let same = decoded.ok() == std::fs::read(&ca_file).ok();
    expect(same, "certificate-authority-data", "the file, in base64", format!("{data:?}"))?;
    let missing = bench.sandbox()?.path("missing.pem");
    let ran = scene.run(KUBECONFIG)?.flag("--certificate-authority", missing).go()?;
    ran.expect_stdout_empty()?;
    scene.expect_requests(1, 0)
}

fn no_home_kubeconfig(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let old =
        bench.sandbox()?.write("home/.kube/config", "apiVersion: v1\nkind: Config\n", 0o600)?;
    let other = bench.sandbox()?.path("elsewhere");
    for target in [&old, &other] {
        let ran = scene.run(KUBECONFIG)?.env("KUBECONFIG", target).go()?;
        ran.expect_exit(0)?;
        ran.expect_no_file_changes()?;
        ran.stdout_yaml()?;
    }
    scene.expect_requests(2, 0)
}

fn endpoints(bench: &Bench) -> Outcome {
    for endpoint in ["100.64.0.12:40443", "[fd00::12]:1", "node-7.mesh.example:65535"] {
        let patch = json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]);
        let (_, document) = rendered(bench, Answer::issued_with(patch))?;
        let server = json!(format!("https://{endpoint}"));
        expect_eq("the server", &server, &document["clusters"][0]["cluster"]["server"])?;
    }
    Ok(())
}

fn kubectl_reads_it(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    let ran = scene.run(KUBECONFIG)?.go()?;
    scene.expect_done(&ran)?;
    let issued = scene.referee.issued()[0].body.clone();
    let seen = kubectl_view(bench, &ran.stdout)?;
    let server = format!("https://{}", issued["listener_endpoint"].as_str().unwrap_or_default());
    expect_eq(
        "the server kubectl sees",
        &json!(server),
        &seen["clusters"][0]["cluster"]["server"],
    )?;
    let same = seen["users"][0]["user"]["token"] == issued["token"];
    expect(same, "the token kubectl sees", "the one issued", "another")?;
    expect_eq("the current context", &json!("plexsphere"), &seen["current-context"])
}

/// The document as kubectl reads it.
pub(super) fn kubectl_view(bench: &Bench, document: &[u8]) -> Outcome<Value> {
    let Some(kubectl) = crate::runner::find_program("kubectl") else {
        return Err(Reason::Skip("kubectl on PATH".into()));
    };
    let file = bench.sandbox()?.write("tmp/as-kubectl-reads-it", document, 0o600)?;
    let output = Command::new(kubectl)
        .args(["config", "view", "--raw", "-o", "json", "--kubeconfig"])
        .arg(&file)
        .env_clear()
        .env("HOME", bench.sandbox()?.tmp())
        .envs(FRUGAL)
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return fail("kubectl reading the kubeconfig", "no complaint", said);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
