//! `docs/scenarios.md`: every scenario, what it answers and what a client makes of it.

use std::fmt::Write as _;

use super::{NOTICE, cell, cited};
use crate::bench::referee::{Again, Answer, Body, Conclusion, ContentLength, Created, Phase};
use crate::bench::{Family, Scenario, System};
use crate::verdict::Outcome;

/// The sections, by the tag that a scenario names first.
const SECTIONS: [(&str, &str); 9] = [
    ("refusal", "Refusals"),
    ("status", "Statuses"),
    ("endpoint", "Listener endpoints"),
    ("token", "Tokens"),
    ("body", "Bodies"),
    ("text", "Texts meant for a terminal"),
    ("redirect", "Redirects"),
    ("timing", "Slow answers"),
    ("transport", "Broken transport"),
];

pub(super) fn page() -> Outcome<String> {
    let mut all = Vec::new();
    for name in Scenario::names() {
        all.push(Scenario::load(&name)?);
    }
    let mut text = format!(
        "# Scenarios\n\n{NOTICE}\n\n{} answers to IssueSession, one file each in \
         [fixtures/scenarios](../fixtures/scenarios). Any client that takes a server URL can meet \
         one:\n\n```sh\nmock-server &\nplexctl --server http://127.0.0.1:8080/scenarios/rebac_denied \
         kubeconfig ...   # ends with 77\n```\n\nThe columns k, s and t are the exit codes of \
         kubeconfig, ssh and tcp-forward. A session that was issued and cannot be used is given \
         back with one RevokeSession, marked \u{21a9}. All of it follows from the Exit codes tables \
         of the plexctl kubeconfig, plexctl ssh and plexctl tcp-forward pages; the last column \
         names the decision records where those leave room.\n",
        all.len()
    );
    for (tag, title) in SECTIONS {
        let mut rows = all.iter().filter(|one| one.tags.first().is_some_and(|it| it == tag));
        let Some(first) = rows.next() else { continue };
        let _ = write!(
            text,
            "\n## {title}\n\n| scenario | what happens | answer | k | s | t | |\n|---|---|---|---|---|---|---|\n"
        );
        for scenario in std::iter::once(first).chain(rows) {
            row(&mut text, scenario);
        }
    }
    kubeconfigs(&mut text)?;
    Ok(text)
}

/// The scenarios of the other two systems, which any client of theirs may meet.
fn kubeconfigs(text: &mut String) -> Outcome {
    for (system, title, operation) in [
        (System::Rancher, "Rancher's kubeconfigs", "creations and watches of kubeconfigs"),
        (System::K0rdent, "k0rdent's kubeconfigs", "IssueKubeconfig"),
    ] {
        let all = Scenario::of(system)?;
        let folder = folder(system);
        let _ = write!(
            text,
            "\n## {title}\n\n{} answers to {operation}, in [{folder}](../{folder}), under \
             `/scenarios/<name>` like the others; everything else below that is answered as usual. \
             *Created* says whether a kubeconfig has come to be, *usable* whether the answer may be \
             taken as it is, *again* whether the same request makes sense once more",
            all.len()
        );
        let kubectl = system == System::Rancher;
        text.push_str(match kubectl {
            true => {
                ", and the last column what a stock kubectl ends with, and after how many \
                     requests where that is not one.\n\n| scenario | what happens | answer | \
                     created | usable | again | kubectl |\n|---|---|---|---|---|---|---|\n"
            }
            false => {
                ".\n\n| scenario | what happens | answer | created | usable | again |\n\
                      |---|---|---|---|---|---|\n"
            }
        });
        for scenario in &all {
            let Some(conclusion) = &scenario.conclude else { continue };
            let _ = writeln!(text, "{}", concluded(scenario, conclusion, system));
        }
    }
    Ok(())
}

fn folder(system: System) -> String {
    format!("fixtures/scenarios/{}", system.name())
}

fn concluded(scenario: &Scenario, conclusion: &Conclusion, system: System) -> String {
    let name = &scenario.name;
    let created = match conclusion.created {
        None => "",
        Some(Created::No) => "no",
        Some(Created::Yes) => "yes",
        Some(Created::Unknown) => "?",
    };
    let usable = match conclusion.usable {
        None => "",
        Some(false) => "no",
        Some(true) => "yes",
    };
    let again = match conclusion.again {
        Again::No => "no",
        Again::Later => "later",
        Again::AfterALook => "after a look",
    };
    let (title, answer) = (cell(&scenario.title), cell(&answer(&scenario.answer, system)));
    let folder = folder(system);
    let mut line = format!(
        "| [{name}](../{folder}/{name}.json) | {title} | {answer} | {created} | {usable} | {again} |"
    );
    if let Some(kubectl) = &conclusion.kubectl {
        let _ = write!(line, " {}", kubectl.exit_code);
        if kubectl.requests > 1 {
            let _ = write!(line, ", {} requests", kubectl.requests);
        }
        line.push_str(" |");
    }
    line
}

fn row(text: &mut String, scenario: &Scenario) {
    let name = &scenario.name;
    let ends = Family::ALL.map(|family| {
        let Some(expected) = scenario.expect.get(family.name()) else { return String::new() };
        let revoked = if expected.revokes > 0 { " \u{21a9}" } else { "" };
        format!("{}{revoked}", expected.exit_code)
    });
    let records: Vec<String> = scenario
        .source
        .iter()
        .filter(|source| source.page.starts_with("docs/"))
        .map(|source| cited(&source.page))
        .collect();
    let _ = writeln!(
        text,
        "| [{name}](../fixtures/scenarios/{name}.json) | {} | {} | {} | {} |",
        cell(&scenario.title),
        cell(&answer(&scenario.answer, System::Plexsphere)),
        ends.join(" | "),
        records.join(" "),
    );
}

/// The answer in a few words.
fn answer(answer: &Answer, system: System) -> String {
    let wire = answer.wire.clone().unwrap_or_default();
    if wire.raw.is_some() {
        return "raw bytes".to_owned();
    }
    let (status, mut words) = match &answer.body {
        None => (200, Vec::new()),
        Some(Body::Issued { patch }) if patch.as_array().is_none_or(Vec::is_empty) => {
            (201, vec!["session".to_owned()])
        }
        Some(Body::Issued { .. }) => (201, vec!["session, patched".to_owned()]),
        Some(Body::Json(document)) => {
            let code = system.code(document).as_str().map(|code| format!("`{}`", plain(code)));
            (200, vec![code.unwrap_or_else(|| "json".to_owned())])
        }
        Some(Body::Text(_)) => (200, vec!["text".to_owned()]),
        Some(Body::Base64(_)) => (200, vec!["bytes".to_owned()]),
        Some(Body::Fill { bytes: Some(bytes), .. }) => (200, vec![format!("{bytes} bytes")]),
        Some(Body::Fill { bytes: None, .. }) => (200, vec!["without end".to_owned()]),
    };
    words.insert(0, answer.status.unwrap_or(status).to_string());
    words.extend(answer.content_encoding.clone());
    match &answer.content_length {
        Some(ContentLength::Declared(length)) => words.push(format!("declares {length} bytes")),
        Some(ContentLength::Word(word)) if word == "chunked" => words.push("chunked".to_owned()),
        Some(ContentLength::Word(_)) => words.push("until close".to_owned()),
        None => {}
    }
    for (what, phase) in [("stalls", wire.stall), ("reset", wire.reset), ("closed", wire.close)] {
        let place = match phase {
            None => continue,
            Some(Phase::BeforeHeaders) => "before the head",
            Some(Phase::MidHeaders) => "in the head",
            Some(Phase::MidBody) => "in the body",
        };
        words.push(format!("{what} {place}"));
    }
    if let Some(delay) = wire.delay_before_ms {
        words.push(format!("after {delay} ms"));
    }
    if let Some(drip) = wire.drip {
        words.push(format!("{} bytes every {} ms", drip.bytes, drip.every_ms));
    }
    words.join(", ")
}

/// What stands in a code of a hostile answer must not reach a page.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && *c != '`').collect()
}
