//! Watching kubeconfigs: what happened, whose, and as a table.

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, MERGE, Made, NAMED, NODES, User, call, create, expect_status, get};
use super::{DOCUMENT, PAGE, SEEDED, should};
use crate::bench::Server;
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![story(), own(), table(), initial(), selected(), bad_version(), too_old()]
}

fn watches(id: &'static str) -> RuleDraft {
    should(id).claims([Claim::operation("ListRancherKubeconfigs", 200)])
}

/// A watch that tells nothing for so long has had its time; it is asked to end before that.
const PATIENCE: Duration = Duration::from_secs(7);

/// What a watch from there on tells until `last` comes, by type and name.
fn events(
    server: &Server,
    user: User,
    query: &str,
    accept: &str,
    last: (&str, &str),
) -> Outcome<Vec<Value>> {
    let path = format!("{KUBECONFIGS}?watch=true&timeoutSeconds=5{query}");
    let told = follow(server, user, &path, accept, |events| {
        events.iter().any(|event| event["type"] == last.0 && name(event) == last.1)
    })?;
    match told {
        Told::Enough(events) => Ok(events),
        Told::Over(text) => fail("the watch", format!("{} of {}", last.0, last.1), text),
    }
}

/// How a watch went on.
pub(super) enum Told {
    Enough(Vec<Value>),
    /// It ended, or fell silent, with no more than this.
    Over(String),
}

/// Follows a watch until what it has told is enough. Whatever the server does meanwhile is its
/// own doing: also saying nothing, and breaking the connection.
pub(super) fn follow(
    server: &Server,
    user: User,
    path: &str,
    accept: &str,
    enough: impl Fn(&[Value]) -> bool,
) -> Outcome<Told> {
    let mut connection = server.own_connection(PATIENCE)?;
    let endpoint = server.endpoint();
    let request = format!(
        "GET {}{path} HTTP/1.0\r\nhost: {}\r\naccept: {accept}\r\nauthorization: Bearer {}\r\n\r\n",
        endpoint.prefix,
        endpoint.authority(),
        user.token(server)?
    );
    connection.write_all(request.as_bytes())?;
    let (mut seen, mut chunk) = (Vec::new(), [0; 8192]);
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let read = connection.read(&mut chunk);
        seen.extend_from_slice(&chunk[..*read.as_ref().unwrap_or(&0)]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let events: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if enough(&events) {
            return Ok(Told::Enough(events));
        }
        match read {
            Ok(0) => return Ok(Told::Over(text)),
            // It may tell other things for ever.
            Ok(_) if Instant::now() > deadline => {
                return Ok(Told::Over(format!("{text} and no end")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Ok(Told::Over(format!("{text} and then {error}"))),
        }
    }
}

fn name(event: &Value) -> &str {
    let row = &event["object"]["rows"][0]["cells"][0];
    event["object"]["metadata"]["name"].as_str().or(row.as_str()).unwrap_or_default()
}

fn told(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| format!("{} {}", event["type"].as_str().unwrap_or_default(), name(event)))
        .collect()
}

fn version(server: &Server, user: User) -> Outcome<String> {
    let list = get(server, user, KUBECONFIGS)?.expect(200)?;
    Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned())
}

fn story() -> Rule {
    watches("rancher.watch.story")
        .title("A watch from a list's version tells of creation, change and deletion, without the value")
        .source(DOCUMENT, "WatchRancherKubeconfigs")
        .fix("Replay what happened since the version, and go on from there.")
        .check(|bench| {
            let server = bench.server()?;
            let from = version(&server, User::Wanda)?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            made.patch(MERGE, &json!({"spec": {"description": "x"}}))?.expect(200)?;
            call(&server, User::Wanda, "DELETE", &made.path())?.send()?.expect(200)?;
            let query = format!("&resourceVersion={from}");
            let events = events(&server, User::Wanda, &query, "application/json", ("DELETED", made.name()))?;
            let told = told(&events);
            let due = ["ADDED", "MODIFIED", "DELETED"].map(|kind| format!("{kind} {}", made.name()));
            let mut distinct = told.clone();
            distinct.dedup();
            expect_eq("the story", &due.to_vec(), &distinct)?;
            let value = events.iter().find(|event| !event["object"]["status"]["value"].is_null());
            expect_eq("an event with the value", &None, &value)
        })
}

fn own() -> Rule {
    watches("rancher.watch.own")
        .title("A regular user's watch tells of its own kubeconfigs only")
        .source(PAGE, "Visibility")
        .fix("Filter watches as lists are filtered.")
        .check(|bench| {
            let server = bench.server()?;
            let from = version(&server, User::Kemal)?;
            let theirs = Made::new(&server, User::Wanda, &json!({}))?;
            let mine = Made::new(&server, User::Kemal, &json!({}))?;
            let query = format!("&resourceVersion={from}");
            let events =
                events(&server, User::Kemal, &query, "application/json", ("ADDED", mine.name()))?;
            let foreign = told(&events).into_iter().find(|one| one.ends_with(theirs.name()));
            expect_eq("an event of another's", &None, &foreign)
        })
}

fn table() -> Rule {
    watches("rancher.watch.table")
        .title("A watch that asks for tables gets each event as one")
        .source(DOCUMENT, "WatchRancherKubeconfigs")
        .fix("Encode events as tables where they are asked for.")
        .check(|bench| {
            let server = bench.server()?;
            let from = version(&server, User::Wanda)?;
            let made = Made::new(&server, User::Wanda, &json!({}))?;
            let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
            let query = format!("&resourceVersion={from}");
            let events = events(&server, User::Wanda, &query, accept, ("ADDED", made.name()))?;
            expect_eq("the kind of the object", &json!("Table"), &events[0]["object"]["kind"])
        })
}

fn initial() -> Rule {
    watches("rancher.watch.from_nothing")
        .title("A watch without a version begins with what is there")
        .source(DOCUMENT, "WatchRancherKubeconfigs")
        .fix("Send what is there as ADDED first.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Kemal, &json!({}))?;
            let events =
                events(&server, User::Kemal, "", "application/json", ("ADDED", made.name()))?;
            expect_eq("the beginning", &vec![format!("ADDED {}", made.name())], &told(&events))
        })
}

fn selected() -> Rule {
    watches("rancher.watch.selected")
        .title("A watch by label tells of what has the label")
        .source(DOCUMENT, "WatchRancherKubeconfigs")
        .fix("Honour labelSelector in watches.")
        .check(|bench| {
            let server = bench.server()?;
            let from = version(&server, User::Wanda)?;
            let (other, made) = (
                Made::new(&server, User::Wanda, &json!({}))?,
                Made::new(&server, User::Wanda, &json!({}))?,
            );
            made.patch(MERGE, &json!({"metadata": {"labels": {"foo": "bar"}}}))?.expect(200)?;
            let query = format!("&resourceVersion={from}&labelSelector=foo%3Dbar");
            let events =
                events(&server, User::Wanda, &query, "application/json", ("ADDED", made.name()))?;
            let foreign = told(&events).into_iter().find(|one| one.ends_with(other.name()));
            expect_eq("an event of the other", &None, &foreign)
        })
}

fn bad_version() -> Rule {
    should("rancher.watch.bad_version")
        .title("A watch from a version that is no number is a 400")
        .source(DOCUMENT, "ListRancherKubeconfigs, 400")
        .claims([Claim::refusal("ListRancherKubeconfigs", 400, "BadRequest")])
        .fix("Refuse versions that cannot be read.")
        .check(|bench| {
            let server = bench.server()?;
            let path = format!("{KUBECONFIGS}?watch=true&timeoutSeconds=1&resourceVersion=x");
            expect_status(&get(&server, User::Wanda, &path)?, 400, "BadRequest", "")
        })
}

/// What a store remembers of its changes, and more: this many kubeconfigs come and go.
const MANY: usize = 500;

/// The lists that a continuation may have become too old for.
const LISTS: [(&str, &str); 5] = [
    ("ListRancherKubeconfigs", KUBECONFIGS),
    ("ListRancherClusters", "/apis/management.cattle.io/v3/clusters"),
    ("ListRancherSettings", "/apis/management.cattle.io/v3/settings"),
    ("ListRancherTokens", "/apis/management.cattle.io/v3/tokens"),
    ("ListRancherUsers", "/apis/management.cattle.io/v3/users"),
];

fn too_old() -> Rule {
    should("rancher.watch.too_old")
        .title("What is too old to go on from is 410 Expired: a continuation, and inside a watch a version")
        .source(DOCUMENT, "the responses of lists, 410")
        .claims(LISTS.map(|(id, _)| Claim::refusal(id, 410, "Expired")))
        .needs(SEEDED)
        .fix("Bound what is remembered, and say Expired about what is forgotten.")
        .check(|bench| {
            let server = bench.server()?;
            let from = version(&server, User::Admin)?;
            let begin = |(_, path): (&'static str, &'static str)| -> Outcome<(&str, String)> {
                let page = get(&server, User::Admin, &format!("{path}?limit=1"))?.expect(200)?;
                let next = page["metadata"]["continue"].as_str().unwrap_or_default();
                expect(!next.is_empty(), path, "a continuation", &page["metadata"])?;
                Ok((path, next.to_owned()))
            };
            let begun = LISTS.into_iter().map(begin).collect::<Outcome<Vec<_>>>()?;
            for _ in 0..MANY {
                create(&server, User::Admin, &json!({"clusters": [NAMED, NODES]}))?.expect(201)?;
            }
            call(&server, User::Admin, "DELETE", KUBECONFIGS)?.send()?.expect(200)?;
            for (path, next) in begun {
                let exchange =
                    get(&server, User::Admin, &format!("{path}?limit=1&continue={next}"))?;
                expect_status(&exchange, 410, "Expired", "")?;
            }
            let query = format!("&resourceVersion={from}");
            let events = events(&server, User::Admin, &query, "application/json", ("ERROR", ""))?;
            expect_eq("the reason", &json!("Expired"), &events[0]["object"]["reason"])
        })
}
