//! What ListSessions refuses: limits, filters and cursors that are not its own.

use super::installation::{WAREHOUSE, expect_refused, sessions_of, world_with};
use super::list::{issue_many, page};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Family, Generation, Identity, PROJECT_ID, Server, ServerOptions};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        refusal(
            "invalid_filter",
            "A filter with a value that does not exist is 400 invalid_filter",
        )
        .fix("Refuse unknown statuses and kinds, and identity ids that are no UUIDs.")
        .check(invalid_filter),
        refusal(
            "invalid_limit",
            "A limit that is out of 1 to 200, or no number, is 400 invalid_limit",
        )
        .needs([Need::SpawnableServer])
        .fix("Refuse the limit; only 2026-06 brings a number into range.")
        .check(invalid_limit),
        refusal("invalid_cursor", "A cursor that was not handed out is 400 invalid_cursor")
            .fix("Sign cursors, and refuse what does not verify.")
            .check(invalid_cursor),
        must("server.list_sessions.foreign_cursor")
            .source(DOCUMENT, "Cursor: for the same caller and the same filters only")
            .claims([Claim::refusal("ListSessions", 400, "invalid_cursor")])
            .title("A cursor of another caller, project or filter is 400 invalid_cursor")
            .fix("Bind the cursor to the caller, the project and the filters.")
            .check(foreign_cursor),
    ]
}

fn refusal(code: &'static str, title: &'static str) -> RuleDraft {
    must(format!("server.list_sessions.{code}"))
        .source(DOCUMENT, "ListSessions, 400")
        .claims([Claim::refusal("ListSessions", 400, code)])
        .title(title)
}

fn refuses(server: &Server, query: &str, code: &str) -> Outcome {
    let path = format!("{}?{query}", sessions_of(PROJECT_ID));
    let call = server.get(&path).bearer(&server.token(Identity::Operator)?);
    expect_refused(call, 400, code).map(drop)
}

fn invalid_filter(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for query in [
        "status=alive",
        "status=",
        "status=ACTIVE",
        "kind=rdp",
        "kind=",
        "identity_id=42",
        "identity_id=",
    ] {
        refuses(&server, query, "invalid_filter")?;
    }
    Ok(())
}

fn invalid_limit(bench: &Bench) -> Outcome {
    for generation in Generation::ALL {
        let server = world_with(bench, &ServerOptions::speaking(generation), |_| {})?;
        for query in ["limit=", "limit=many", "limit=1.5", "limit=0x10"] {
            refuses(&server, query, "invalid_limit")?;
        }
        if generation != Generation::June {
            for query in ["limit=0", "limit=-1", "limit=201", "limit=99999999999"] {
                refuses(&server, query, "invalid_limit")?;
            }
        }
    }
    Ok(())
}

fn a_cursor(server: &Server, query: &str) -> Outcome<String> {
    let page = page(server, &format!("limit=1{query}"))?;
    match page["next_cursor"].as_str() {
        Some(cursor) => Ok(cursor.to_owned()),
        None => fail("next_cursor where more follows", "a cursor", &page["next_cursor"]),
    }
}

fn invalid_cursor(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    issue_many(&server, Family::TcpForward, 2)?;
    let cursor = a_cursor(&server, "")?;
    for at in [0, cursor.len() / 2, cursor.len() - 2] {
        let mut bent = cursor.clone();
        let other = if bent[at..].starts_with('A') { "B" } else { "A" };
        bent.replace_range(at..=at, other);
        refuses(&server, &format!("limit=1&cursor={bent}"), "invalid_cursor")?;
    }
    for wrong in ["", "1", "AAAA", "%00", "..%2F..", &cursor[1..], &format!("{cursor}A")] {
        refuses(&server, &format!("limit=1&cursor={wrong}"), "invalid_cursor")?;
    }
    Ok(())
}

fn foreign_cursor(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    issue_many(&server, Family::TcpForward, 3)?;
    let cursor = a_cursor(&server, "&kind=tcp")?;
    page(&server, &format!("kind=tcp&cursor={cursor}"))?;
    for other in ["", "&kind=ssh", "&kind=tcp&status=active"] {
        refuses(&server, &format!("cursor={cursor}{other}"), "invalid_cursor")?;
    }
    let path = |project| format!("{}?kind=tcp&cursor={cursor}", sessions_of(project));
    let admin = server.token(Identity::Admin)?;
    for path in [path(PROJECT_ID), path(WAREHOUSE)] {
        expect_refused(server.get(&path).bearer(&admin), 400, "invalid_cursor")?;
    }
    let operator = server.token(Identity::Operator)?;
    expect_refused(server.get(&path(WAREHOUSE)).bearer(&operator), 400, "invalid_cursor").map(drop)
}
