//! Reading: whose, by which selector, page by page, and as a table.

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, MERGE, Made, PLAIN, User, call, create, expect_status, get, names};
use super::{DOCUMENT, PAGE, PUBLIC, SEEDED, must, should};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{expect, expect_eq};

const LIST: &str = "ListRancherKubeconfigs";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

pub(super) fn all() -> Vec<Rule> {
    let mut rules = vec![
        own(),
        admin(),
        the_page_s(),
        foreign(),
        missing(),
        pages(),
        bad_continue(),
        table(),
        table_of_one(),
        metadata_only(),
    ];
    rules.extend(SELECTORS.iter().map(selects));
    rules.extend([selector_cannot_widen(), bad_selector(), bad_field(), by_field()]);
    rules
}

fn lists(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::operation(LIST, 200)])
}

fn own() -> Rule {
    lists(must("rancher.list.own"))
        .title("A regular user lists its own kubeconfigs and nobody else's")
        .source(PUBLIC, "Listing Kubeconfigs")
        .needs(SEEDED)
        .fix("Filter lists by the label cattle.io/user-id, but for admins.")
        .check(|bench| {
            let server = bench.server()?;
            let mine = Made::new(&server, User::Kemal, &json!({}))?;
            let theirs = Made::new(&server, User::Wanda, &json!({}))?;
            expect_eq("kemal's", &vec![mine.name().to_owned()], &names(&server, User::Kemal, "")?)?;
            let wandas = names(&server, User::Wanda, "")?;
            let right = wandas.contains(&theirs.name().to_owned())
                && !wandas.contains(&mine.name().to_owned());
            expect(right, "wanda's", "her own only", wandas.join(" "))
        })
}

fn admin() -> Rule {
    lists(must("rancher.list.admin"))
        .title("An admin lists all kubeconfigs")
        .source(PUBLIC, "Listing Kubeconfigs: admins")
        .needs(SEEDED)
        .fix("Let whoever may do everything see everything.")
        .check(|bench| {
            let server = bench.server()?;
            let (one, two) = (
                Made::new(&server, User::Kemal, &json!({}))?,
                Made::new(&server, User::Wanda, &json!({}))?,
            );
            let all = names(&server, User::Admin, "")?;
            for made in [&one, &two] {
                expect(
                    all.contains(&made.name().to_owned()),
                    "the admin's list",
                    made.name(),
                    all.join(" "),
                )?;
            }
            Ok(())
        })
}

fn the_page_s() -> Rule {
    lists(must("rancher.list.page"))
        .title("The kubeconfigs of the page are there from the beginning, and read as it shows")
        .source(PUBLIC, "Listing Kubeconfigs: the table")
        .needs(SEEDED)
        .fix("Furnish the world with them.")
        .check(|bench| {
            let server = bench.server()?;
            let call = call(&server, User::Admin, "GET", KUBECONFIGS)?.header("accept", TABLE);
            let table = call.send()?.expect(200)?;
            let rows = table["rows"].as_array().into_iter().flatten();
            let mut cells: Vec<String> = rows.map(|row| row["cells"].to_string()).collect();
            cells.sort_unstable();
            let due = [
                r#"["kubeconfig-7zvzp","30d","1/1","Complete","12d","u-w7drc","*",""]"#,
                r#"["kubeconfig-jznml","30d","1/1","Complete","12d","u-w7drc","*",""]"#,
                r#"["kubeconfig-zp786","30d","2/2","Complete","18d","user-w5gcf","*","all clusters"]"#,
            ];
            expect_eq("the rows", &due.map(str::to_owned).to_vec(), &cells)
        })
}

fn foreign() -> Rule {
    must("rancher.get.foreign")
        .title("Another user's kubeconfig is not found, in the words of one that is not there; an admin gets it")
        .source(PUBLIC, "Viewing a Kubeconfig")
        .claims([Claim::refusal("GetRancherKubeconfig", 404, "NotFound"), Claim::operation("GetRancherKubeconfig", 200)])
        .needs(SEEDED)
        .fix("Answer 404, never 403, for what is another's.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let says = format!("kubeconfigs.ext.cattle.io \"{}\" not found", made.name());
            expect_status(&get(&server, User::Kemal, &made.path())?, 404, "NotFound", &says)?;
            expect_eq("the admin's", &made.read()?, &get(&server, User::Admin, &made.path())?.expect(200)?)
        })
}

fn missing() -> Rule {
    should("rancher.get.missing")
        .title("A kubeconfig that is not there is a 404 that names it")
        .source(DOCUMENT, "GetRancherKubeconfig, 404")
        .claims([Claim::refusal("GetRancherKubeconfig", 404, "NotFound")])
        .fix("Answer with the Status of Kubernetes, details and all.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange = get(&server, User::Wanda, &format!("{KUBECONFIGS}/nope"))?;
            expect_status(
                &exchange,
                404,
                "NotFound",
                "kubeconfigs.ext.cattle.io \"nope\" not found",
            )?;
            let details = exchange.json()["details"].clone();
            expect_eq(
                "the details",
                &json!(["nope", "ext.cattle.io", "kubeconfigs"]),
                &json!([details["name"], details["group"], details["kind"]]),
            )
        })
}

fn pages() -> Rule {
    lists(should("rancher.list.pages"))
        .title("With limit and continue the list comes piece by piece, nothing twice")
        .source(DOCUMENT, "ListRancherKubeconfigs, limit and continue")
        .needs(SEEDED)
        .fix("Hand out a continue token while there is more.")
        .check(|bench| {
            let server = bench.server()?;
            for _ in 0..5 {
                create(&server, User::Kemal, &json!({}))?.expect(201)?;
            }
            let whole = names(&server, User::Kemal, "")?;
            for limit in [1, 2, 3, 5] {
                let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
                loop {
                    let page =
                        get(&server, User::Kemal, &format!("{KUBECONFIGS}{query}"))?.expect(200)?;
                    let here = super::site::named(&page);
                    expect(here.len() <= limit, "a page", format!("at most {limit}"), here.len())?;
                    seen.extend(here);
                    let token =
                        page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
                    if token.is_empty() || seen.len() > 5 {
                        break;
                    }
                    let token: String =
                        url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
                    query = format!("?limit={limit}&continue={token}");
                }
                expect_eq(format!("by {limit}"), &whole, &seen)?;
            }
            Ok(())
        })
}

fn bad_continue() -> Rule {
    should("rancher.list.bad_continue")
        .title("A continue token that is none is a 400")
        .source(DOCUMENT, "ListRancherKubeconfigs, 400")
        .claims([Claim::refusal(LIST, 400, "BadRequest")])
        .fix("Refuse tokens that were not handed out.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange =
                get(&server, User::Wanda, &format!("{KUBECONFIGS}?limit=1&continue=nonsense"))?;
            expect_status(&exchange, 400, "BadRequest", "")
        })
}

fn columns(table: &Value) -> Vec<(String, i64)> {
    let all = table["columnDefinitions"].as_array().into_iter().flatten();
    all.map(|one| {
        (
            one["name"].as_str().unwrap_or_default().to_owned(),
            one["priority"].as_i64().unwrap_or(-1),
        )
    })
    .collect()
}

fn table() -> Rule {
    lists(must("rancher.list.table"))
        .title("As a table the list has the page's columns, the wide ones with priority 1")
        .source(PUBLIC, "Listing Kubeconfigs: -o wide")
        .fix(
            "Answer Table with NAME TTL TOKENS STATUS AGE, and USER CLUSTERS DESCRIPTION for wide.",
        )
        .check(|bench| {
            let server = bench.server()?;
            let made =
                Made::new(&server, User::Wanda, &json!({"ttl": 7200, "description": "mine"}))?;
            let call = call(&server, User::Wanda, "GET", KUBECONFIGS)?.header("accept", TABLE);
            let table = call.send()?.expect(200)?;
            expect_eq("the kind", &json!("Table"), &table["kind"])?;
            let due = [
                ("Name", 0),
                ("TTL", 0),
                ("Tokens", 0),
                ("Status", 0),
                ("Age", 0),
                ("User", 1),
                ("Clusters", 1),
                ("Description", 1),
            ];
            let due: Vec<_> =
                due.into_iter().map(|(name, priority)| (name.to_owned(), priority)).collect();
            expect_eq("the columns", &due, &columns(&table))?;
            let rows = table["rows"].as_array().into_iter().flatten();
            let row = rows
                .filter(|row| row["cells"][0] == made.name())
                .map(|row| row["cells"].clone())
                .next()
                .unwrap_or_default();
            let some = json!([row[1], row[2], row[3], row[7]]);
            expect_eq("the row", &json!(["120m", "1/1", "Complete", "mine"]), &some)
        })
}

fn table_of_one() -> Rule {
    must("rancher.get.table")
        .title("A single kubeconfig comes as a table of one row")
        .source(PUBLIC, "Viewing a Kubeconfig")
        .claims([Claim::operation("GetRancherKubeconfig", 200)])
        .needs(SEEDED)
        .fix("Answer Table for a single object as well.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"clusters": ["local", PLAIN]}))?;
            let call = call(&server, User::Wanda, "GET", &made.path())?.header("accept", TABLE);
            let table = call.send()?.expect(200)?;
            let cells = table["rows"][0]["cells"].clone();
            expect_eq("the rows", &1, &table["rows"].as_array().map_or(0, Vec::len))?;
            expect_eq(
                "the name, the user and the clusters",
                &json!([made.name(), User::Wanda.name(), format!("local,{PLAIN}")]),
                &json!([cells[0], cells[5], cells[6]]),
            )
        })
}

fn metadata_only() -> Rule {
    lists(should("rancher.list.table_objects"))
        .title("Rows carry the object's metadata, the object, or nothing, as includeObject says")
        .source(DOCUMENT, "ListRancherKubeconfigs, includeObject")
        .fix("Honour includeObject.")
        .check(|bench| {
            let server = bench.server()?;
            // So that there is a row.
            let _made = Made::new(&server, User::Wanda, &json!({}))?;
            for (include, kind) in [
                ("", json!("PartialObjectMetadata")),
                ("?includeObject=Object", json!("Kubeconfig")),
                ("?includeObject=None", Value::Null),
            ] {
                let call = call(&server, User::Wanda, "GET", &format!("{KUBECONFIGS}{include}"))?;
                let table = call.header("accept", TABLE).send()?.expect(200)?;
                expect_eq(include, &kind, &table["rows"][0]["object"]["kind"])?;
            }
            Ok(())
        })
}

/// A label selector, and whether it takes an object labelled foo=bar, tier=one.
struct Selector {
    slug: &'static str,
    text: &'static str,
    takes: bool,
}

const SELECTORS: [Selector; 10] = [
    Selector { slug: "equal", text: "foo%3Dbar", takes: true },
    Selector { slug: "equal_twice", text: "foo%3D%3Dbar", takes: true },
    Selector { slug: "equal_other", text: "foo%3Dbaz", takes: false },
    Selector { slug: "unequal", text: "foo%21%3Dbaz", takes: true },
    Selector { slug: "among", text: "foo%20in%20(bar,baz)", takes: true },
    Selector { slug: "not_among", text: "foo%20notin%20(bar,baz)", takes: false },
    Selector { slug: "exists", text: "foo", takes: true },
    Selector { slug: "exists_not", text: "%21foo", takes: false },
    Selector { slug: "both", text: "foo%3Dbar,tier%3Done", takes: true },
    Selector { slug: "both_not", text: "foo%3Dbar,tier%3Dtwo", takes: false },
];

fn selects(case: &'static Selector) -> Rule {
    lists(should(format!("rancher.list.selector.{}", case.slug)))
        .title(format!(
            "The selector {} {} what is labelled foo=bar and tier=one",
            case.slug.replace('_', " "),
            if case.takes { "takes" } else { "leaves out" }
        ))
        .source(PAGE, "Where 2.12 refuses worse")
        .fix("Read the whole grammar of label selectors.")
        .check(move |bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let labels = json!({"metadata": {"labels": {"foo": "bar", "tier": "one"}}});
            made.patch(MERGE, &labels)?.expect(200)?;
            let found = names(&server, User::Wanda, &format!("?labelSelector={}", case.text))?;
            expect_eq(
                "whether it is in the list",
                &case.takes,
                &found.contains(&made.name().to_owned()),
            )
        })
}

fn selector_cannot_widen() -> Rule {
    lists(should("rancher.list.selector.cannot_widen"))
        .title("No selector shows a regular user what is another's")
        .source(PAGE, "Visibility")
        .needs(SEEDED)
        .fix("Add the user's filter to the selector; do not let one replace the other.")
        .check(|bench| {
            let server = bench.server()?;
            let query = format!("?labelSelector=cattle.io%2Fuser-id%3D{}", User::Wanda.name());
            expect_eq(
                "what kemal sees",
                &Vec::<String>::new(),
                &names(&server, User::Kemal, &query)?,
            )
        })
}

fn bad_selector() -> Rule {
    should("rancher.list.selector.malformed")
        .title("A malformed label selector is a 400")
        .source(PAGE, "Where 2.12 refuses worse")
        .claims([Claim::refusal(LIST, 400, "BadRequest")])
        .fix("Answer 400 to selectors that cannot be read.")
        .check(|bench| {
            let server = bench.server()?;
            for text in ["foo%20in", "%3Dbar", "foo%20in%20(bar", "a%20b"] {
                let exchange =
                    get(&server, User::Wanda, &format!("{KUBECONFIGS}?labelSelector={text}"))?;
                expect_status(&exchange, 400, "BadRequest", "")?;
            }
            Ok(())
        })
}

fn bad_field() -> Rule {
    should("rancher.list.field_selector.unknown")
        .title("A field selector on a field that cannot be selected by is a 400")
        .source(DOCUMENT, "ListRancherKubeconfigs, fieldSelector")
        .claims([Claim::refusal(LIST, 400, "BadRequest")])
        .fix("Take metadata.name, refuse what is unknown.")
        .check(|bench| {
            let server = bench.server()?;
            let exchange =
                get(&server, User::Wanda, &format!("{KUBECONFIGS}?fieldSelector=spec.ttl%3D60"))?;
            expect_status(&exchange, 400, "BadRequest", "spec.ttl")
        })
}

fn by_field() -> Rule {
    lists(should("rancher.list.field_selector.name"))
        .title("A field selector by name finds that one, which kubectl waits for deletions with")
        .source(DOCUMENT, "ListRancherKubeconfigs, fieldSelector")
        .fix("Take fieldSelector metadata.name.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let other = Made::new(&server, User::Wanda, &json!({}))?;
            let query = format!("?fieldSelector=metadata.name%3D{}", made.name());
            expect_eq(
                "what is found",
                &vec![made.name().to_owned()],
                &names(&server, User::Wanda, &query)?,
            )?;
            let found = names(
                &server,
                User::Wanda,
                &format!("?fieldSelector=metadata.name%21%3D{}", made.name()),
            )?;
            expect(
                found.contains(&other.name().to_owned())
                    && !found.contains(&made.name().to_owned()),
                "the others",
                other.name(),
                found.join(" "),
            )
        })
}
