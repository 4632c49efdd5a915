//! How errors look: stderr only, one line or one document, with what a person needs to go on.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::bench::referee::Body;
use crate::bench::{Answer, Bench, Family, Ran, yaml};
use crate::rule::{Claim, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in Family::ALL {
        rules.push(text_form(family));
        rules.push(json_form(family));
        rules.push(yaml_form(family));
        rules.push(refusal_details(family));
        rules.push(problem_handed_on(family));
        rules.push(status_named(family));
        rules.push(bounded(family));
        rules.push(usage_document(family));
    }
    rules
}

pub(super) fn draft(family: Family, id: &str) -> RuleDraft {
    Rule::should(format!("{}.errors.{id}", family.slug()), Side::Client)
        .source("docs/decisions/0018-errors.md", "How errors are shown")
        .claims([Claim::flag(family.name(), "--output")])
        .fix("Write errors to stderr only: in text `plexctl: <what>: <why>` and perhaps `hint: ...`; in json and yaml one document {error: {kind, message, hint?, exit_code, http_status?, problem?}}.")
}

/// A failure of every sort, with its code.
fn failures() -> Vec<(i32, Answer)> {
    vec![
        (77, Answer::problem(403, "rebac_denied")),
        (4, Answer::problem(403, "permission_denied")),
        (3, Answer::problem(401, "step_up_required")),
        (1, Answer::problem(503, "signer_unavailable")),
        (1, Answer::text(502, "<html>").header("content-type", "text/html")),
        (1, Answer::text(201, "{").header("content-type", "application/json")),
        (1, Answer::issued_with(json!([{"op": "remove", "path": "/listener_endpoint"}]))),
    ]
}

fn each_failure(
    bench: &Bench,
    family: Family,
    format: &str,
    look: impl Fn(&Ran, i32) -> Outcome,
) -> Outcome {
    for (code, answer) in failures() {
        let scene = Scene::answering(bench, answer)?;
        let ran = scene.run(family)?.flag("--output", format).go()?;
        scene.expect_failure(&ran, code)?;
        look(&ran, code)?;
    }
    Ok(())
}

fn text_form(family: Family) -> Rule {
    draft(family, "text")
        .title(format!(
            "{} says what went wrong in one line that names plexctl, and perhaps a hint",
            family.name()
        ))
        .check(move |bench| {
            each_failure(bench, family, "text", |ran, _| {
                let text = ran.stderr_text();
                let first = text.lines().next().unwrap_or_default();
                let named = first.strip_prefix("plexctl: ").is_some_and(|rest| rest.contains(": "));
                expect(named, "the first line of stderr", "plexctl: <what>: <why>", first)?;
                let named_lines = text.lines().filter(|line| line.starts_with("plexctl: ")).count();
                expect(named_lines <= 2, "stderr", "one error, and perhaps a remark", &text)?;
                expect(text.ends_with('\n'), "stderr", "to end with its line", &text)
            })
        })
}

fn check_document(document: &Value, code: i32) -> Outcome {
    let members: Vec<&String> = document.as_object().into_iter().flat_map(|o| o.keys()).collect();
    expect_eq(
        "the members of the document",
        &vec!["error"],
        &members.iter().map(|m| m.as_str()).collect::<Vec<_>>(),
    )?;
    let error = &document["error"];
    for member in ["kind", "message"] {
        let there = error[member].as_str().is_some_and(|text| !text.is_empty());
        expect(there, format!("error.{member}"), "a text", &error[member])?;
    }
    let kind = error["kind"].as_str().unwrap_or_default();
    let word = kind.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    expect(word, "error.kind", "a word for programs", kind)?;
    expect_eq("error.exit_code", &json!(code), &error["exit_code"])?;
    let known = ["kind", "message", "hint", "exit_code", "http_status", "problem"];
    for key in error.as_object().into_iter().flat_map(|object| object.keys()) {
        expect(known.contains(&key.as_str()), "the members of error", format!("{known:?}"), key)?;
    }
    Ok(())
}

fn json_form(family: Family) -> Rule {
    draft(family, "json")
        .title(format!(
            "{} --output json fails with exactly one JSON document on stderr",
            family.name()
        ))
        .check(move |bench| {
            each_failure(bench, family, "json", |ran, code| {
                let error = ran.error_document()?;
                check_document(&json!({ "error": error }), code)?;
                let whole: Value = serde_json::from_slice(&ran.stderr)?;
                check_document(&whole, code)
            })
        })
}

fn yaml_form(family: Family) -> Rule {
    draft(family, "yaml")
        .title(format!(
            "{} --output yaml fails with exactly one YAML document on stderr",
            family.name()
        ))
        .check(move |bench| {
            each_failure(bench, family, "yaml", |ran, code| {
                check_document(&yaml(&ran.stderr, "stderr")?, code)
            })
        })
}

pub(super) fn denial() -> Answer {
    let body = json!({"type": "https://plexsphere.com/errors/rebac-denied", "title": "Permission denied",
        "status": 403, "detail": "No relation permits it.", "instance": "{instance}", "code": "rebac_denied",
        "reason": "insufficient_relation_q7", "correlation_id": "01J8Z3N4Q5R6S7T8V9W0X1Y2Z3",
        "relation_path": ["resource:r1#act", "team:t9#member"]});
    let answer = Answer::problem(403, "rebac_denied");
    Answer { body: Some(Body::Json(body)), ..answer }
}

fn refusal_details(family: Family) -> Rule {
    draft(family, "refusal_details")
        .source(
            "docs/decisions/0001-exit-77-needs-the-code.md",
            "reason and correlation_id are always shown when present",
        )
        .title(format!("{} shows the reason and the correlation id of a refusal", family.name()))
        .check(move |bench| {
            for code in ["rebac_denied", "permission_denied"] {
                let mut answer = denial();
                if let Some(Body::Json(body)) = &mut answer.body {
                    body["code"] = json!(code);
                }
                let scene = Scene::answering(bench, answer)?;
                let ran = scene.run(family)?.go()?;
                scene.expect_refused(&ran, if code == "rebac_denied" { 77 } else { 4 })?;
                ran.expect_stderr_has("insufficient_relation_q7")?;
                ran.expect_stderr_has("01J8Z3N4Q5R6S7T8V9W0X1Y2Z3")?;
            }
            Ok(())
        })
}

fn problem_handed_on(family: Family) -> Rule {
    draft(family, "problem")
        .title(format!(
            "{} hands the server's problem and status on in its error document",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::answering(bench, denial())?;
            for format in ["json", "yaml"] {
                let ran = scene.run(family)?.flag("--output", format).go()?;
                scene.expect_failure(&ran, 77)?;
                let error = yaml(&ran.stderr, "stderr")?["error"].clone();
                expect_eq("http_status", &json!(403), &error["http_status"])?;
                for (member, value) in [
                    ("code", "rebac_denied"),
                    ("reason", "insufficient_relation_q7"),
                    ("correlation_id", "01J8Z3N4Q5R6S7T8V9W0X1Y2Z3"),
                ] {
                    expect_eq(member, &json!(value), &error["problem"][member])?;
                }
                expect_eq(
                    "relation_path",
                    &json!(["resource:r1#act", "team:t9#member"]),
                    &error["problem"]["relation_path"],
                )?;
            }
            Ok(())
        })
}

fn status_named(family: Family) -> Rule {
    draft(family, "status")
        .title(format!("{} names the HTTP status of a failure it cannot explain", family.name()))
        .check(move |bench| {
            for status in [418, 429, 500, 503] {
                let scene = Scene::answering(bench, Answer::empty(status))?;
                let ran = scene.run(family)?.go()?;
                scene.expect_refused(&ran, 1)?;
                ran.expect_stderr_has(&status.to_string())?;
                let ran = scene.run(family)?.flag("--output", "json").go()?;
                expect_eq("http_status", &json!(status), &ran.error_document()?["http_status"])?;
            }
            Ok(())
        })
}

fn bounded(family: Family) -> Rule {
    draft(family, "bounded")
        .claims([Claim::hostile("C19")])
        .title(format!("{} does not pour a long refusal over the terminal", family.name()))
        .check(move |bench| {
            let mut answer = denial();
            if let Some(Body::Json(body)) = &mut answer.body {
                body["detail"] = json!("word ".repeat(40_000));
                body["reason"] = json!("r".repeat(100_000));
                body["correlation_id"] = json!("c".repeat(100_000));
                body["title"] = json!("t".repeat(100_000));
            }
            let scene = Scene::answering(bench, answer)?;
            let ran = scene.run(family)?.go()?;
            scene.expect_refused(&ran, 77)?;
            let length = ran.stderr.len();
            expect(length <= 16 * 1024, "stderr", "at most 16 KiB", format!("{length} bytes"))
        })
}

fn usage_document(family: Family) -> Rule {
    draft(family, "usage")
        .claims([Claim::exit(format!("{}.2", family.name()))])
        .title(format!(
            "{} gives usage errors the same form, those of the flag parser too",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::honest(bench)?;
            for args in [
                &["--no-such-flag"][..],
                &["stray"][..],
                &["--ttl-seconds", "x"][..],
                &["--project-id"][..],
            ] {
                let json = scene.run(family)?.flag("--output", "json").args(args).go()?;
                scene.expect_unsent(&json, 2)?;
                check_document(&json!({"error": json.error_document()?}), 2)?;
                let yaml_run = scene.run(family)?.args(["--output=yaml"]).args(args).go()?;
                scene.expect_unsent(&yaml_run, 2)?;
                check_document(&yaml(&yaml_run.stderr, "stderr")?, 2)?;
            }
            Ok(())
        })
}
