//! ListSessions: order, pages, filters.

use serde_json::{Value, json};

use super::installation::{
    LEDGER, NOBODY, WAREHOUSE, issued, read, revoke, session_path, sessions_of,
};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Canary, Family, Identity, PROJECT_ID, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("order", "Sessions are listed in the order of their issue")
            .needs([Need::OwnWorld])
            .fix("List by the order of issue, oldest first.")
            .check(order),
        rule("default_limit", "A page holds 50 sessions when no limit is named")
            .needs([Need::OwnWorld])
            .fix("Page by 50 when `limit` is absent, and send next_cursor only where more follows.")
            .check(default_limit),
        rule("limit", "A page holds as many sessions as the limit says, from 1 to 200")
            .needs([Need::OwnWorld])
            .fix("Honour `limit` from 1 to 200.")
            .check(limit),
        rule("walk", "Following next_cursor shows every session once, at every page size")
            .needs([Need::OwnWorld])
            .fix("Let the cursor name the last session seen, and leave it out on the last page.")
            .check(walk),
        rule("walk_while_issuing", "A session issued during a walk appears once, at the end")
            .needs([Need::OwnWorld])
            .fix("Let a cursor stand for a place in the order of issue, not for a number of items.")
            .check(walk_while_issuing),
        rule("filters", "status, kind and identity_id filter, alone and together")
            .fix("Apply every filter given, and all of them together.")
            .check(filters),
        rule("filtered_walk", "Pages of a filtered list are full and complete")
            .needs([Need::OwnWorld])
            .fix("Filter before paging.")
            .check(filtered_walk),
        rule("unknown_identity", "A filter by an identity that is not there is an empty list")
            .fix("Answer 200 without items when no session matches.")
            .check(unknown_identity),
        rule("own_project", "A list holds the sessions of its own project only")
            .needs([Need::OwnWorld])
            .fix("List by project.")
            .check(own_project),
        rule("without_tokens", "A list never carries a token")
            .fix("Hand a token out in the 201 only.")
            .check(without_tokens),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    must(format!("server.list_sessions.{slug}"))
        .source(DOCUMENT, "ListSessions")
        .claims([Claim::operation("ListSessions", 200)])
        .title(title)
}

pub(super) fn issue_many(server: &Server, family: Family, count: usize) -> Outcome<Vec<Value>> {
    (0..count)
        .map(|_| Ok(issued(server, family, Identity::Operator)?["session_id"].clone()))
        .collect()
}

pub(super) fn page(server: &Server, query: &str) -> Outcome<Value> {
    read(server, &format!("{}?{query}", sessions_of(PROJECT_ID)))
}

fn ids(page: &Value) -> Vec<Value> {
    page["items"].as_array().into_iter().flatten().map(|item| item["id"].clone()).collect()
}

/// All ids of a list, page by page; fails when the pages do not come to an end.
fn walked(server: &Server, query: &str) -> Outcome<Vec<Value>> {
    let mut found = Vec::new();
    let mut next = String::new();
    for _ in 0..100 {
        let page = page(server, &format!("{query}{next}"))?;
        found.extend(ids(&page));
        match page["next_cursor"].as_str() {
            None => return Ok(found),
            Some(cursor) => next = format!("&cursor={cursor}"),
        }
    }
    fail("the pages", "a last one", "a hundred pages and more")
}

fn order(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut all = issue_many(&server, Family::Ssh, 2)?;
    all.extend(issue_many(&server, Family::TcpForward, 2)?);
    all.extend(issue_many(&server, Family::Ssh, 2)?);
    let page = page(&server, "limit=200")?;
    expect_eq("the ids in the list", &all, &ids(&page))?;
    expect_eq("next_cursor of the only page", &Value::Null, &page["next_cursor"])
}

fn default_limit(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut all = issue_many(&server, Family::TcpForward, 50)?;
    let full = page(&server, "")?;
    expect_eq("the first fifty", &all, &ids(&full))?;
    expect_eq("next_cursor where nothing follows", &Value::Null, &full["next_cursor"])?;
    all.extend(issue_many(&server, Family::TcpForward, 1)?);
    let first = page(&server, "")?;
    expect_eq("the items of the first page", &50, &ids(&first).len())?;
    let Some(cursor) = first["next_cursor"].as_str() else {
        return fail("next_cursor where one more follows", "a cursor", &first["next_cursor"]);
    };
    let rest = page(&server, &format!("cursor={cursor}"))?;
    expect_eq("the second page", &all[50..].to_vec(), &ids(&rest))
}

fn limit(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let all = issue_many(&server, Family::TcpForward, 4)?;
    for limit in [1, 3, 4, 5, 200] {
        let page = page(&server, &format!("limit={limit}"))?;
        let due = limit.min(4);
        expect_eq(format!("a page of {limit}"), &all[..due].to_vec(), &ids(&page))?;
        let more = page["next_cursor"].is_string();
        expect_eq(format!("whether more than {limit} follow"), &(limit < 4), &more)?;
    }
    Ok(())
}

fn walk(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let all = issue_many(&server, Family::TcpForward, 7)?;
    for limit in [1, 2, 3, 6, 7, 8] {
        let found = walked(&server, &format!("limit={limit}"))?;
        expect_eq(format!("the list by pages of {limit}"), &all, &found)?;
    }
    Ok(())
}

fn walk_while_issuing(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut all = issue_many(&server, Family::TcpForward, 4)?;
    let first = page(&server, "limit=2")?;
    all.extend(issue_many(&server, Family::Ssh, 1)?);
    let cursor = first["next_cursor"].as_str().unwrap_or_default();
    let rest = page(&server, &format!("limit=50&cursor={cursor}"))?;
    let mut found = ids(&first);
    found.extend(ids(&rest));
    expect_eq("the pages together", &all, &found)
}

/// Sessions of two kinds, two identities and two states: the operator's ssh, tcp and ended tcp,
/// and an ssh of the administrator's.
fn mixed(server: &Server) -> Outcome<[Value; 4]> {
    let ssh = issued(server, Family::Ssh, Identity::Operator)?;
    let tcp = issued(server, Family::TcpForward, Identity::Operator)?;
    let ended = issued(server, Family::TcpForward, Identity::Operator)?;
    revoke(server, &ended)?.send()?.expect(204)?;
    let other = issued(server, Family::Ssh, Identity::Admin)?;
    Ok([ssh, tcp, ended, other])
}

fn filters(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let all = mixed(&server)?;
    let me = &all[0]["session"]["identity_id"];
    let me = me.as_str().unwrap_or_default();
    let cases: [(String, &[usize]); 9] = [
        ("status=active".into(), &[0, 1, 3]),
        ("status=revoked".into(), &[2]),
        ("status=expired".into(), &[]),
        ("kind=ssh".into(), &[0, 3]),
        ("kind=k8s".into(), &[]),
        (format!("identity_id={me}"), &[0, 1, 2]),
        (format!("identity_id={me}&kind=tcp"), &[1, 2]),
        (format!("identity_id={me}&kind=tcp&status=active"), &[1]),
        (format!("kind=ssh&status=revoked&identity_id={me}"), &[]),
    ];
    for (query, due) in cases {
        let due: Vec<Value> = due.iter().map(|at| all[*at]["session_id"].clone()).collect();
        expect_eq(format!("the list by {query}"), &due, &ids(&page(&server, &query)?))?;
    }
    Ok(())
}

fn filtered_walk(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut due = Vec::new();
    for _ in 0..4 {
        issue_many(&server, Family::Ssh, 2)?;
        due.extend(issue_many(&server, Family::TcpForward, 1)?);
    }
    let first = page(&server, "kind=tcp&limit=3")?;
    expect_eq("the first page of the kind", &due[..3].to_vec(), &ids(&first))?;
    expect_eq("the list of the kind", &due, &walked(&server, "kind=tcp&status=active&limit=1")?)
}

fn unknown_identity(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    issue_many(&server, Family::TcpForward, 1)?;
    let page = page(&server, &format!("identity_id={NOBODY}"))?;
    expect_eq("the items", &json!([]), &page["items"])
}

fn own_project(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let first = issue_many(&server, Family::TcpForward, 1)?;
    let elsewhere = ids(&read(&server, &sessions_of(WAREHOUSE))?);
    let strange = elsewhere.contains(&first[0]);
    expect(!strange, "the sessions of the other project", "not this one", json!(elsewhere))?;
    let call = server.issue(Family::TcpForward, Identity::Operator)?;
    let other = call.edit(|body| body["resource_id"] = json!(LEDGER)).send()?.expect(201)?;
    let found = ids(&page(&server, "")?);
    // Whoever else asks this server may have sessions in the list, too.
    let both = found.contains(&first[0]) && found.contains(&other["session_id"]);
    expect(both, "the sessions of both resources", "both in it", json!(found))
}

fn without_tokens(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    for family in Family::ALL {
        let issued = issued(&server, family, Identity::Operator)?;
        let canary = Canary::new("the session token", issued["token"].as_str().unwrap_or_default());
        for path in [sessions_of(PROJECT_ID), session_path(&issued)] {
            let body = read(&server, &path)?.to_string();
            canary.absent_from(&path, body.as_bytes())?;
            expect(!body.contains("\"token\""), &*path, "no member called token", "one")?;
        }
    }
    Ok(())
}
