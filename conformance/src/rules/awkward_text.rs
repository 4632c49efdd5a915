//! Tokens and endpoints that a careless YAML writer or a YAML 1.1 reader would turn into something
//! else: read back identical, or refused with 1.

use serde_json::{Value, json};

use super::kubeconfig::kubectl_view;
use super::scene::Scene;
use crate::bench::{Answer, Bench, Family};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect_eq};

/// Printable, without blanks: what a bearer token may be made of.
const TOKENS: [&str; 72] = [
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Y",
    "N",
    "Yes",
    "NO",
    "On",
    "OFF",
    "true",
    "false",
    "True",
    "FALSE",
    "null",
    "Null",
    "NULL",
    "~",
    "0",
    "00",
    "007",
    "0o17",
    "0x1F",
    "0b101",
    "1_000",
    "1e3",
    "1.5",
    "+1",
    "-1",
    ".5",
    "5.",
    ".inf",
    "-.INF",
    ".nan",
    "12:30",
    "12:30:45",
    "190:20:30",
    "2026-07-17",
    "2026-07-17T09:00:00Z",
    "<<",
    "=",
    "-",
    "?",
    ":",
    ",",
    "-a",
    "?a",
    ":a",
    "a:",
    "#a",
    "a#b",
    "&a",
    "*a",
    "!a",
    "!!str",
    "|",
    ">",
    "%a",
    "@a",
    "`a`",
    "'a'",
    "\"a\"",
    "[a]",
    "{a}",
    "{{a}}",
    "a\\nb",
    "---",
    "...",
    "${TOKEN}",
    "\u{7e}\u{21}",
];

/// Tokens that must not be written down at all.
const REFUSED: [&str; 12] = [
    "",
    " ",
    "a b",
    " a",
    "a ",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "a\u{0}b",
    "a\u{1b}[2J",
    "a\u{85}b",
    "a\u{202e}b",
];

/// Endpoints that would write a second member, close a quote, or leave the authority of the URL.
const ENDPOINTS: [&str; 24] = [
    "h:1\ninsecure-skip-tls-verify: true\nx:1",
    "h\r\n:22",
    "h :22",
    " h:22",
    "h:22 ",
    "h\t:22",
    "h\u{0}:22",
    "h\u{1b}[31m:22",
    "-oProxyCommand=x:22",
    "ssh://ops@h:22",
    "https://h:22",
    "h:0",
    "h:65536",
    "h:99999",
    "h",
    "h:",
    ":22",
    "h:22/x",
    "user@h:22",
    "h?a:22",
    "h#a:22",
    "h\u{202e}:22",
    "h:-1",
    "h:22:",
];

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        draft("tokens_read_back")
            .title("every printable token reads back as itself by a YAML reader")
            .check(|bench| each_token(bench, |_, document| Ok(document.clone()))),
        draft("tokens_read_back_by_kubectl")
            .title("every printable token reads back as itself by kubectl, which reads YAML 1.1")
            .needs([Need::Program("kubectl")])
            .check(tokens_by_kubectl),
        draft("tokens_refused")
            .claims([Claim::exit("kubeconfig.1.render_failure")])
            .title("a token with blanks, control or direction characters is refused with 1 and the session given back")
            .check(|bench| {
                for token in REFUSED {
                    unusable(bench, "/token", token)?;
                }
                Ok(())
            }),
    ];
    for (nth, endpoint) in ENDPOINTS.into_iter().enumerate() {
        rules.push(
            draft(&format!("endpoint_{:02}", nth + 1))
                .source("docs/decisions/0007-endpoint-safety.md", "What a listener endpoint may be")
                .claims([Claim::exit("kubeconfig.1.render_failure"), Claim::hostile("C14")])
                .title(format!("no kubeconfig is written for the endpoint {endpoint:?}"))
                .check(move |bench| unusable(bench, "/listener_endpoint", endpoint)),
        );
    }
    rules
}

fn draft(id: &str) -> RuleDraft {
    Rule::should(format!("kubeconfig.text.{id}"), Side::Client)
        .source("docs/decisions/0047-yaml-writer.md", "quoting for readers of YAML 1.1")
        .claims([Claim::exit("kubeconfig.0"), Claim::hostile("C15"), Claim::hostile("C16")])
        .fix("Refuse what is no token or no endpoint; write the rest so that YAML 1.1 reads it as the same string.")
}

/// Renders every token of the list in one scene and compares what `read` makes of it.
fn each_token(bench: &Bench, read: impl Fn(&[u8], &Value) -> Outcome<Value>) -> Outcome {
    let mut script = bench.referee()?;
    for token in TOKENS {
        let patch = json!([{"op": "replace", "path": "/token", "value": token}]);
        script = script.answer(Answer::issued_with(patch));
    }
    let scene = Scene::with(bench, script)?;
    for token in TOKENS {
        let ran = scene.run(Family::Kubeconfig)?.go()?;
        ran.expect_exit(0)?;
        let document = read(&ran.stdout, &ran.stdout_yaml()?)?;
        let user = &document["users"][0]["user"];
        expect_eq("the user as it reads back", &json!({ "token": token }), user)?;
        for list in ["clusters", "users", "contexts"] {
            expect_eq(list, &Some(1), &document[list].as_array().map(Vec::len))?;
        }
    }
    scene.expect_requests(TOKENS.len(), 0)
}

/// One process of kubectl for all: the documents are merged under names of their own.
fn tokens_by_kubectl(bench: &Bench) -> Outcome {
    let mut script = bench.referee()?;
    for token in TOKENS {
        let patch = json!([{"op": "replace", "path": "/token", "value": token}]);
        script = script.answer(Answer::issued_with(patch));
    }
    let scene = Scene::with(bench, script)?;
    let mut users = String::new();
    for (nth, token) in TOKENS.into_iter().enumerate() {
        let ran = scene.run(Family::Kubeconfig)?.go()?;
        ran.expect_exit(0)?;
        let document = ran.stdout_text();
        let Some(line) = document
            .lines()
            .find(|line| line.trim_start().trim_start_matches("- ").starts_with("token:"))
        else {
            // Another layout than block style: then kubectl reads the whole document by itself.
            let seen = kubectl_view(bench, &ran.stdout)?;
            expect_eq("the token kubectl sees", &json!(token), &seen["users"][0]["user"]["token"])?;
            continue;
        };
        let line = line.trim_start().trim_start_matches("- ");
        users.push_str(&format!("- name: u{nth}\n  user:\n    {line}\n"));
    }
    let merged = format!("apiVersion: v1\nkind: Config\nusers:\n{users}");
    let seen = kubectl_view(bench, merged.as_bytes())?;
    for user in seen["users"].as_array().into_iter().flatten() {
        let nth = user["name"].as_str().and_then(|name| name[1..].parse::<usize>().ok());
        let token = nth.and_then(|nth| TOKENS.get(nth)).copied().unwrap_or_default();
        expect_eq("the token kubectl sees", &json!(token), &user["user"]["token"])?;
    }
    scene.expect_requests(TOKENS.len(), 0)
}

fn unusable(bench: &Bench, member: &str, value: &str) -> Outcome {
    let patch = json!([{"op": "replace", "path": member, "value": value}]);
    let scene = Scene::answering(bench, Answer::issued_with(patch))?;
    let file = scene.file("kubeconfig")?;
    let ran = scene.run(Family::Kubeconfig)?.flag("--output-file", file).go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    ran.expect_no_file_changes()?;
    scene.expect_requests(1, 1)?;
    scene.referee.expect_one_revoke()
}
