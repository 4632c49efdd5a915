//! A server's text on its way to a terminal: nothing in it may act on the terminal.

use serde_json::json;

use super::errors::{denial, draft};
use super::scene::Scene;
use crate::bench::referee::Body;
use crate::bench::{Answer, Exit, Family, Ran};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    Family::ALL
        .into_iter()
        .flat_map(|family| {
            [control_characters(family), at_a_terminal(family), json_escapes(family)]
        })
        .collect()
}

/// Everything a terminal would act on: ESC and CSI, C1, BEL, CR, OSC titles and clipboards, bidi.
const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;cm0=\u{7}\u{9b}31m\u{8}\rb\u{202e}c\u{2066}d\u{200f}\u{85}\u{7f}e";

fn hostile() -> Answer {
    let mut answer = denial();
    if let Some(Body::Json(body)) = &mut answer.body {
        for member in ["title", "detail", "reason", "correlation_id", "type", "instance"] {
            body[member] = json!(HOSTILE);
        }
        body["relation_path"] = json!([HOSTILE, HOSTILE]);
        body[HOSTILE] = json!(HOSTILE);
    }
    answer
}

/// No character that a terminal acts on, but for line breaks.
fn expect_tame(ran: &Ran, also_c1: bool) -> Outcome {
    let text = ran.stderr_text();
    let wild = text.chars().find(|c| {
        let control = c.is_control() && *c != '\n' && (also_c1 || c.is_ascii());
        control || (also_c1 && matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    });
    let shown = wild.map(|c| c.escape_unicode().to_string());
    expect(wild.is_none(), "stderr", "no control or direction character", shown.unwrap_or_default())
}

fn control_characters(family: Family) -> Rule {
    draft(family, "control_characters")
        .claims([Claim::hostile("C17"), Claim::hostile("C18")])
        .title(format!(
            "nothing a server says makes {} write a control or direction character",
            family.name()
        ))
        .check(move |bench| {
            let page = Answer::text(502, HOSTILE).header("content-type", "text/html");
            for (code, answer) in [(77, hostile()), (1, page)] {
                let scene = Scene::answering(bench, answer)?;
                let ran = scene.run(family)?.go()?;
                scene.expect_refused(&ran, code)?;
                expect_tame(&ran, true)?;
            }
            for member in ["/listener_endpoint", "/expires_at", "/session_id", "/session/kind"] {
                let patch = json!([{"op": "replace", "path": member, "value": HOSTILE}]);
                let scene = Scene::answering(bench, Answer::issued_with(patch))?;
                let ran = scene.run(family)?.go()?;
                scene.expect_failure(&ran, 1)?;
                expect_tame(&ran, true)?;
            }
            Ok(())
        })
}

/// What a terminal is made to do by a server. A client may colour its own words there.
const ACTS: [&str; 8] =
    ["\u{1b}[2J", "\u{1b}]", "\u{7}", "\u{8}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{200f}"];

fn at_a_terminal(family: Family) -> Rule {
    draft(family, "at_a_terminal")
        .claims([Claim::hostile("C17"), Claim::hostile("C18")])
        .needs([Need::Program("setsid")])
        .title(format!("nothing a server says reaches the terminal of {} raw", family.name()))
        .check(move |bench| {
            let page = Answer::text(502, HOSTILE).header("content-type", "text/html");
            for (code, answer) in [(77, hostile()), (1, page)] {
                let scene = Scene::answering(bench, answer)?;
                let (exit, screen) = scene.run(family)?.at_terminal(80, 24)?.finish()?;
                expect_eq("how it ended", &Exit::Code(code), &exit)?;
                let screen = String::from_utf8_lossy(&screen);
                expect(!screen.trim().is_empty(), "the screen", "a word", "nothing")?;
                let acts = ACTS.iter().find(|text| screen.contains(**text));
                let shown = acts.map(|text| text.escape_unicode().to_string());
                expect(acts.is_none(), "the screen", "nothing raw", shown.unwrap_or_default())?;
                scene.expect_requests(1, 0)?;
            }
            Ok(())
        })
}

fn json_escapes(family: Family) -> Rule {
    draft(family, "json_escapes")
        .claims([Claim::hostile("C17")])
        .title(format!(
            "{} --output json keeps a server's text whole, with every control character escaped",
            family.name()
        ))
        .check(move |bench| {
            let scene = Scene::answering(bench, hostile())?;
            let ran = scene.run(family)?.flag("--output", "json").go()?;
            scene.expect_refused(&ran, 77)?;
            expect_tame(&ran, true)?;
            let error = ran.error_document()?;
            expect_eq("the reason, read back", &json!(HOSTILE), &error["problem"]["reason"])
        })
}
