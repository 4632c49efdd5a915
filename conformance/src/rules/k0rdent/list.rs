//! ListKubeconfigs: whose, in which order, page by page.

use serde_json::{Value, json};

use super::site::{
    COLLECTION, VIEWER, delete, expect_kept, get, get_as, issue_as, issued, path_of,
};
use super::{DOCUMENT, PAGE, should};
use crate::bench::{Identity, Server};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![empty(), order(), own(), elsewhere(), pages(), gone_between(), offsets()];
    rules.extend([sizes(), default_size(), foreign_token(), unread()]);
    rules.extend(QUERIES.iter().map(refused));
    rules
}

fn lists(id: &'static str) -> RuleDraft {
    should(id).claims([Claim::operation("ListKubeconfigs", 200)])
}

fn list(server: &Server, token: &str, query: &str) -> Outcome<Value> {
    get_as(server, token, &format!("{COLLECTION}{query}")).send()?.expect(200)
}

fn ids(page: &Value) -> Vec<String> {
    let all = page["kubeconfigs"].as_array().into_iter().flatten();
    all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
}

/// So many, and their ids.
fn several(server: &Server, count: usize) -> Outcome<Vec<String>> {
    let one = |_| Ok(issued(server, &json!({}))?["id"].as_str().unwrap_or_default().to_owned());
    (0..count).map(one).collect()
}

fn empty() -> Rule {
    lists("k0rdent.list_kubeconfigs.empty")
        .title("A cluster without kubeconfigs has an empty list, without token and total")
        .source(DOCUMENT, "KubeconfigList")
        .fix("Answer {\"kubeconfigs\": []}.")
        .check(|bench| {
            let page = list(&bench.server()?, Identity::Operator.token(), "")?;
            expect_eq("the list", &json!({"kubeconfigs": []}), &page)
        })
}

fn order() -> Rule {
    lists("k0rdent.list_kubeconfigs.order")
        .title("The list has what was issued, in the order of issue, each as it reads alone")
        .source(PAGE, "Lists")
        .fix("List by time of issue, with the whole resource for each.")
        .check(|bench| {
            let server = bench.server()?;
            let due = several(&server, 5)?;
            let page = list(&server, Identity::Operator.token(), "")?;
            expect_eq("the ids", &due, &ids(&page))?;
            for one in page["kubeconfigs"].as_array().into_iter().flatten() {
                let alone = get(&server, &path_of(&server, one)).send()?.expect(200)?;
                expect_eq("one alone", one, &alone)?;
            }
            Ok(())
        })
}

fn own() -> Rule {
    lists("k0rdent.list_kubeconfigs.own")
        .title(
            "Whoever is no administrator sees what is its own, an administrator sees everybody's",
        )
        .source(PAGE, "Who may do what")
        .fix("Leave out of the list what the caller did not issue, but for administrators.")
        .check(|bench| {
            let server = bench.server()?;
            let mine = several(&server, 2)?;
            let theirs =
                issue_as(&server, Identity::Basic.token(), &json!({})).send()?.expect(201)?;
            let theirs = vec![theirs["id"].as_str().unwrap_or_default().to_owned()];
            let seen =
                |token: &str| Ok::<_, crate::verdict::Reason>(ids(&list(&server, token, "")?));
            expect_eq("the operator's", &mine, &seen(Identity::Operator.token())?)?;
            expect_eq("the other's", &theirs, &seen(Identity::Basic.token())?)?;
            expect_eq(
                "the administrator's",
                &[mine, theirs].concat(),
                &seen(Identity::Admin.token())?,
            )?;
            expect_eq("the viewer's", &Vec::<String>::new(), &seen(VIEWER)?)
        })
}

fn elsewhere() -> Rule {
    lists("k0rdent.list_kubeconfigs.elsewhere")
        .title("Another cluster of the project has a list of its own, even under the same id")
        .source(PAGE, "Operations")
        .fix("Keep kubeconfigs by region, project and cluster together.")
        .check(|bench| {
            let server = bench.server()?;
            let made = issued(&server, &json!({}))?;
            let there = COLLECTION.replace("cluster-a1b2c3", "cluster-d4e5f6");
            let page = get(&server, &there).send()?.expect(200)?;
            expect_eq("the other cluster's", &json!({"kubeconfigs": []}), &page)?;
            let id = made["id"].as_str().unwrap_or_default();
            get(&server, &format!("{there}/{id}"))
                .send()?
                .expect_problem(404, "kubeconfig_not_found")
                .map(drop)
        })
}

/// Follows the tokens to the end.
fn walk(
    server: &Server,
    size: usize,
    mut each: impl FnMut(usize) -> Outcome,
) -> Outcome<Vec<String>> {
    let (mut seen, mut query, mut page_number) = (Vec::new(), format!("?pageSize={size}"), 0);
    loop {
        let page = list(server, Identity::Operator.token(), &query)?;
        let here = ids(&page);
        expect(here.len() <= size, "the length of a page", format!("at most {size}"), here.len())?;
        seen.extend(here);
        let Some(token) = page["nextPageToken"].as_str() else { return Ok(seen) };
        page_number += 1;
        expect(page_number < 100, "the pages", "an end", "the hundredth")?;
        each(page_number)?;
        query = format!("?pageSize={size}&pageToken={token}");
    }
}

fn pages() -> Rule {
    lists("k0rdent.list_kubeconfigs.pages")
        .title("Page by page the whole list comes, nothing twice, and the last page has no token")
        .source(PAGE, "Lists")
        .fix("Send nextPageToken while there is more, and only then.")
        .check(|bench| {
            let server = bench.server()?;
            let due = several(&server, 6)?;
            for size in [1, 2, 3, 4, 6, 7] {
                expect_eq(format!("by {size}"), &due, &walk(&server, size, |_| Ok(()))?)?;
            }
            let whole = list(&server, Identity::Operator.token(), "?pageSize=6")?;
            expect(whole.get("nextPageToken").is_none(), "the only page", "no token", &whole)
        })
}

fn gone_between() -> Rule {
    lists("k0rdent.list_kubeconfigs.gone_between")
        .title(
            "A token stays good when what it was made after is deleted, and nothing is passed over",
        )
        .source(PAGE, "Lists")
        .fix("Let a token name a place in the order of issue, not a position.")
        .check(|bench| {
            let server = bench.server()?;
            let due = several(&server, 6)?;
            let seen = walk(&server, 2, |page| {
                let Some(last) = due.get(page * 2 - 1) else {
                    return fail("the pages", "3 of them", "more");
                };
                let path = format!("{COLLECTION}/{last}");
                delete(&server, Identity::Operator.token(), &path).send()?.expect(204).map(drop)
            })?;
            expect_eq("what was seen", &due, &seen)?;
            expect_kept(&server, 4)
        })
}

fn offsets() -> Rule {
    lists("k0rdent.list_kubeconfigs.offset")
        .title("With an offset the answer says the total, and begins there")
        .source(PAGE, "Lists")
        .fix("Skip as many as offset says, and send total then, and only then.")
        .check(|bench| {
            let server = bench.server()?;
            let due = several(&server, 5)?;
            for (offset, size, here) in [(0, 2, 0..2), (3, 50, 3..5), (5, 50, 5..5), (99, 1, 5..5)]
            {
                let query = format!("?offset={offset}&pageSize={size}");
                let page = list(&server, Identity::Operator.token(), &query)?;
                expect_eq("the total", &json!(5), &page["total"])?;
                expect_eq(query, &due[here].to_vec(), &ids(&page))?;
            }
            let page = list(&server, Identity::Operator.token(), "?pageSize=2")?;
            expect(page.get("total").is_none(), "the total", "none without an offset", &page)
        })
}

fn sizes() -> Rule {
    lists("k0rdent.list_kubeconfigs.sizes")
        .title("Page sizes from 1 to 500 are taken")
        .source(DOCUMENT, "pageSize")
        .fix("Take 1 to 500.")
        .check(|bench| {
            let server = bench.server()?;
            several(&server, 2)?;
            for (size, due) in [(1, 1), (2, 2), (500, 2)] {
                let page = list(&server, Identity::Operator.token(), &format!("?pageSize={size}"))?;
                expect_eq(format!("how many by {size}"), &due, &ids(&page).len())?;
            }
            Ok(())
        })
}

fn default_size() -> Rule {
    lists("k0rdent.list_kubeconfigs.default_size")
        .title("Without a size a page has fifty")
        .source(DOCUMENT, "pageSize")
        .fix("Let pageSize be 50 when it is not given.")
        .check(|bench| {
            let server = bench.server()?;
            let due = several(&server, 51)?;
            let page = list(&server, Identity::Operator.token(), "")?;
            expect_eq("the first page", &due[..50].to_vec(), &ids(&page))?;
            let token = page["nextPageToken"].as_str().unwrap_or_default();
            let rest = list(&server, Identity::Operator.token(), &format!("?pageToken={token}"))?;
            expect_eq("the second page", &due[50..].to_vec(), &ids(&rest))
        })
}

fn foreign_token() -> Rule {
    should("k0rdent.list_kubeconfigs.foreign_token")
        .title("A page token is good for its own list and its own caller only")
        .source(DOCUMENT, "ListKubeconfigs, 400 invalid_page_token")
        .claims([Claim::refusal("ListKubeconfigs", 400, "invalid_page_token")])
        .fix("Bind the token to the caller and the collection.")
        .check(|bench| {
            let server = bench.server()?;
            several(&server, 2)?;
            let page = list(&server, Identity::Operator.token(), "?pageSize=1")?;
            let token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
            let query = format!("?pageToken={token}");
            let there = COLLECTION.replace("cluster-a1b2c3", "cluster-d4e5f6");
            let shorter = &query[..query.len() - 1];
            for (who, path) in [
                (Identity::Admin, format!("{COLLECTION}{query}")),
                (Identity::Operator, format!("{there}{query}")),
                (Identity::Operator, format!("{COLLECTION}{shorter}")),
                (Identity::Operator, format!("{COLLECTION}?pageToken=")),
            ] {
                get_as(&server, who.token(), &path)
                    .send()?
                    .expect_problem(400, "invalid_page_token")?;
            }
            list(&server, Identity::Operator.token(), &query).map(drop)
        })
}

fn unread() -> Rule {
    lists("k0rdent.list_kubeconfigs.unread")
        .title("A parameter that nobody knows changes nothing, and is named in the journal")
        .source(PAGE, "Steering")
        .needs([crate::rule::Need::Journal])
        .fix("Ignore unknown parameters, and note their names under `unread`.")
        .check(|bench| {
            let server = bench.server()?;
            let page = list(&server, Identity::Operator.token(), "?limit=1&pagesize=0")?;
            expect_eq("the list", &json!({"kubeconfigs": []}), &page)?;
            let unread = server.journal()?["requests"][0]["unread"].clone();
            expect_eq("the unread parameters", &json!(["?limit", "?pagesize"]), &unread)
        })
}

/// A query, and why it is refused.
struct Query {
    slug: &'static str,
    query: &'static str,
    reason: &'static str,
}

const QUERIES: [Query; 12] = [
    Query { slug: "size_zero", query: "pageSize=0", reason: "invalid_page_size" },
    Query { slug: "size_above", query: "pageSize=501", reason: "invalid_page_size" },
    Query { slug: "size_negative", query: "pageSize=-1", reason: "invalid_page_size" },
    Query { slug: "size_fraction", query: "pageSize=1.5", reason: "invalid_page_size" },
    Query { slug: "size_word", query: "pageSize=many", reason: "invalid_page_size" },
    Query { slug: "size_empty", query: "pageSize=", reason: "invalid_page_size" },
    Query {
        slug: "size_huge",
        query: "pageSize=99999999999999999999999",
        reason: "invalid_page_size",
    },
    Query { slug: "token_made_up", query: "pageToken=AAAAAAAAAAE", reason: "invalid_page_token" },
    Query {
        slug: "token_no_base64",
        query: "pageToken=%F0%9F%A6%80",
        reason: "invalid_page_token",
    },
    Query { slug: "offset_negative", query: "offset=-1", reason: "invalid_offset" },
    Query { slug: "offset_word", query: "offset=all", reason: "invalid_offset" },
    Query { slug: "token_and_offset", query: "pageToken=x&offset=0", reason: "token_and_offset" },
];

fn refused(case: &'static Query) -> Rule {
    should(format!("k0rdent.list_kubeconfigs.query.{}", case.slug))
        .title(format!("A list asked for with {} is 400 {}", case.query, case.reason))
        .source(DOCUMENT, format!("ListKubeconfigs, 400 {}", case.reason))
        .claims([Claim::refusal("ListKubeconfigs", 400, case.reason)])
        .fix("Refuse parameters out of their range; do not bring them into it silently.")
        .check(move |bench| {
            let server = bench.server()?;
            let path = format!("{COLLECTION}?{}", case.query);
            let document = get(&server, &path).send()?.expect_problem(400, case.reason)?;
            let field = document["error"]["details"][0]["field"].as_str().unwrap_or_default();
            expect(case.query.contains(field) && !field.is_empty(), "the field", case.query, field)
        })
}
