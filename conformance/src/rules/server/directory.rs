//! Whoami, projects and resources.

use serde_json::{Value, json};

use super::installation::{
    BETA, ORCHARD, SERVICE, TELEMETRY, VIEWER, WAREHOUSE, expect_refused, sessions_of,
};
use super::{DOCUMENT, must};
use crate::bench::{Bench, Identity, PROJECT_ID, RESOURCE_ID, Server};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule(
            "whoami.person",
            "Whoami",
            "Whoami names the person behind the token and how the login was made",
        )
        .needs([Need::SeededTokens])
        .fix("Answer subject, principal_type user, domain, email, acr and amr of the token.")
        .check(person),
        rule("whoami.service", "Whoami", "Whoami says service of a program, which has no address")
            .fix("Answer principal_type service, and no email.")
            .check(service),
        rule(
            "list_projects.visible",
            "ListProjects",
            "Projects are listed that the caller may view, and no others",
        )
        .fix("Leave out projects whose permission view the caller lacks.")
        .check(visible),
        rule("list_projects.pages", "ListProjects", "Projects are listed page by page")
            .fix("Honour limit and cursor.")
            .check(project_pages),
        rule("get_project.fields", "GetProject", "A project reads alone as it does in the list")
            .fix("Render a project in one place.")
            .check(project_alike),
        rule(
            "list_resources.pages",
            "ListResources",
            "The resources of a project are listed page by page, and no others",
        )
        .fix("List by project; honour limit and cursor.")
        .check(resource_pages),
        rule(
            "get_resource.fields",
            "GetResource",
            "A resource reads alone as it does in the list, with the kinds it serves",
        )
        .fix("Render a resource in one place.")
        .check(resource_alike),
        page_refusal("ListProjects", "list_projects", "invalid_limit", || "/v1/projects".into()),
        page_refusal("ListProjects", "list_projects", "invalid_cursor", || "/v1/projects".into()),
        page_refusal("ListResources", "list_resources", "invalid_limit", resources),
        page_refusal("ListResources", "list_resources", "invalid_cursor", resources),
        must("server.list_projects.foreign_cursor")
            .source(DOCUMENT, "Cursor: for the same caller and the same filters only")
            .claims([
                Claim::refusal("ListResources", 400, "invalid_cursor"),
                Claim::refusal("ListSessions", 400, "invalid_cursor"),
            ])
            .title("A cursor of one list is no cursor of another list, nor of another caller")
            .fix("Bind the cursor to the caller and to the list.")
            .check(foreign_cursor),
    ]
}

fn rule(slug: &str, operation: &'static str, title: &'static str) -> RuleDraft {
    must(format!("server.{slug}"))
        .source(DOCUMENT, format!("{operation}, 200"))
        .claims([Claim::operation(operation, 200)])
        .title(title)
}

fn resources() -> String {
    format!("/v1/projects/{PROJECT_ID}/resources")
}

fn read_as(server: &Server, path: &str, token: &str) -> Outcome<Value> {
    server.get(path).bearer(token).send()?.expect(200)
}

fn person(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let me = read_as(&server, "/v1/auth/whoami", Identity::Operator.token())?;
    for (field, due) in [
        ("principal_type", json!("user")),
        ("subject", json!("0190a8b8-1d00-7000-8000-000000000001")),
        ("principal_scope", json!("domain")),
        ("domain_id", json!("0190a8b8-d000-7000-8000-00000000acde")),
        ("email", json!("olivia@acme.example")),
        ("acr", json!("aal2")),
        ("amr", json!(["pwd", "otp"])),
    ] {
        expect_eq(field, &due, &me[field])?;
    }
    let basic = read_as(&server, "/v1/auth/whoami", Identity::Basic.token())?;
    expect_eq("acr of the weak login", &json!("aal1"), &basic["acr"])?;
    expect_eq("amr of the weak login", &json!(["pwd"]), &basic["amr"])
}

fn service(bench: &Bench) -> Outcome {
    let me = read_as(&bench.server()?, "/v1/auth/whoami", SERVICE)?;
    expect_eq("principal_type", &json!("service"), &me["principal_type"])?;
    expect_eq("email", &Value::Null, &me["email"])
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect()
}

fn visible(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let cases: [(&str, &[&str]); 5] = [
        (Identity::Operator.token(), &[PROJECT_ID, WAREHOUSE]),
        (Identity::Admin.token(), &[PROJECT_ID, WAREHOUSE]),
        (VIEWER, &[PROJECT_ID]),
        (BETA, &[TELEMETRY]),
        (Identity::Outsider.token(), &[ORCHARD]),
    ];
    for (token, due) in cases {
        let page = read_as(&server, "/v1/projects", token)?;
        let mut seen = ids(&page);
        seen.sort_unstable();
        let mut due = due.to_vec();
        due.sort_unstable();
        expect_eq(format!("the projects of {token}"), &due, &seen)?;
    }
    Ok(())
}

/// Walks a list one by one and compares it with the whole.
fn expect_pages(server: &Server, path: &str, token: &str, least: usize) -> Outcome {
    let whole = read_as(server, path, token)?;
    let whole = ids(&whole);
    expect(whole.len() >= least, path, format!("{least} items or more"), whole.len())?;
    let mut query = "?limit=1".to_owned();
    for (at, id) in whole.iter().enumerate() {
        let page = read_as(server, &format!("{path}{query}"), token)?;
        expect_eq(format!("page {at} of {path}"), &vec![*id], &ids(&page))?;
        let last = at + 1 == whole.len();
        expect_eq("whether a page follows", &!last, &page["next_cursor"].is_string())?;
        query = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    Ok(())
}

fn project_pages(bench: &Bench) -> Outcome {
    expect_pages(&bench.server()?, "/v1/projects", Identity::Operator.token(), 2)
}

fn resource_pages(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    expect_pages(&server, &resources(), Identity::Operator.token(), 4)?;
    let page = read_as(&server, &resources(), Identity::Operator.token())?;
    for item in page["items"].as_array().into_iter().flatten() {
        expect_eq("the project of a resource", &json!(PROJECT_ID), &item["project_id"])?;
    }
    Ok(())
}

fn expect_alike(bench: &Bench, list: &str) -> Outcome<Value> {
    let server = bench.server()?;
    let token = Identity::Operator.token();
    let page = read_as(&server, list, token)?;
    for item in page["items"].as_array().into_iter().flatten() {
        let path = format!("{list}/{}", item["id"].as_str().unwrap_or_default());
        expect_eq(&*path, item, &read_as(&server, &path, token)?)?;
    }
    Ok(page)
}

fn project_alike(bench: &Bench) -> Outcome {
    let page = expect_alike(bench, "/v1/projects")?;
    expect(ids(&page).contains(&PROJECT_ID), "the projects", PROJECT_ID, page["items"].to_string())
}

fn resource_alike(bench: &Bench) -> Outcome {
    let page = expect_alike(bench, &resources())?;
    let found = page["items"].as_array().into_iter().flatten().find(|one| one["id"] == RESOURCE_ID);
    let kinds = found.map(|one| one["kinds"].clone());
    expect_eq("the kinds of the examples' resource", &Some(json!(["ssh", "k8s", "tcp"])), &kinds)
}

fn page_refusal(
    operation: &'static str,
    slug: &str,
    code: &'static str,
    path: fn() -> String,
) -> Rule {
    must(format!("server.{slug}.{code}"))
        .source(DOCUMENT, format!("{operation}, 400"))
        .claims([Claim::refusal(operation, 400, code)])
        .title(format!("{operation} refuses what is no limit or cursor of its own with {code}"))
        .fix("Check limit and cursor alike for every list.")
        .check(move |bench| {
            let server = bench.server()?;
            let wrong: &[&str] = if code == "invalid_limit" {
                &["limit=", "limit=x", "limit=0", "limit=-1", "limit=201"]
            } else {
                &[
                    "cursor=",
                    "cursor=1",
                    "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                    "cursor=%F0%9F%92%A5",
                ]
            };
            for query in wrong {
                let call = server.get(&format!("{}?{query}", path()));
                expect_refused(call.bearer(&server.token(Identity::Operator)?), 400, code)?;
            }
            Ok(())
        })
}

fn foreign_cursor(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let (operator, admin) = (Identity::Operator.token(), Identity::Admin.token());
    let page = read_as(&server, "/v1/projects?limit=1", operator)?;
    let cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    for (list, token) in [
        ("/v1/projects".to_owned(), admin),
        (resources(), operator),
        (sessions_of(PROJECT_ID), operator),
    ] {
        let call = server.get(&format!("{list}?cursor={cursor}")).bearer(token);
        expect_refused(call, 400, "invalid_cursor")?;
    }
    Ok(())
}
