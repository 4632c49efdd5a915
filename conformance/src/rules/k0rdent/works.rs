//! The file: what it opens, as whom, and when that ends.

use std::io::Read as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::file::{File, rule};
use super::site::{COLLECTION, delete};
use crate::bench::{Identity, Server};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        acts_as(),
        caller_by_default(),
        roles(),
        default_role(),
        until_deleted(),
        until_expired(),
        watch_ends(),
        only_there(),
        only_its_token(),
        clusters_differ(),
        counted(),
        after_reset(),
    ]
}

/// Whom the cluster takes the holder for.
fn whoami(server: &Server, file: &File) -> Outcome<Value> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let exchange = file.ask(server, "POST", path).json(&review).send()?;
    expect_eq("the status of a review of oneself", &201, &exchange.status())?;
    Ok(exchange.json()["status"]["userInfo"].clone())
}

fn acts_as() -> Rule {
    rule("k0rdent.file.acts_as")
        .title("The holder is the user of the request, in the groups of its role")
        .fix("Let the cluster see the user and the role's groups.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(
                bench,
                &server,
                &json!({"user": "kim@acme.example", "role": "developer"}),
            )?;
            let who = whoami(&server, &file)?;
            expect_eq("the user", &json!("kim@acme.example"), &who["username"])?;
            expect_eq("the groups", &json!(["developers", "system:authenticated"]), &who["groups"])
        })
}

fn caller_by_default() -> Rule {
    rule("k0rdent.file.caller_by_default")
        .title("Without a user the holder is whoever asked, also when a role is named")
        .fix("Take the caller's name where no user is named.")
        .check(|bench| {
            let server = bench.server()?;
            for body in [json!({}), json!({"role": "developer"})] {
                let file = File::issued(bench, &server, &body)?;
                expect_eq("the user", &json!("olivia"), &whoami(&server, &file)?["username"])?;
            }
            Ok(())
        })
}

fn roles() -> Rule {
    rule("k0rdent.file.roles")
        .title("What the holder may do follows from the role: an administrator reads secrets, a viewer is told 403")
        .fix("Give the role's groups, and no others.")
        .check(|bench| {
            let server = bench.server()?;
            for (role, pods, secrets) in [("cluster-admin", 200, 200), ("viewer", 200, 403), ("developer", 200, 403)] {
                let file = File::issued(bench, &server, &json!({"user": "kim", "role": role}))?;
                expect_eq(format!("pods as {role}"), &pods, &file.status(&server, "/api/v1/pods")?)?;
                expect_eq(format!("secrets as {role}"), &secrets, &file.status(&server, "/api/v1/secrets")?)?;
            }
            Ok(())
        })
}

fn default_role() -> Rule {
    rule("k0rdent.file.default_role")
        .title("Without a role the project's default role counts")
        .fix("Take default_role of the project when the request names none.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(bench, &server, &json!({"user": "kim"}))?;
            expect_eq("secrets", &403, &file.status(&server, "/api/v1/secrets")?)?;
            expect_eq("pods", &200, &file.status(&server, "/api/v1/pods")?)
        })
}

fn until_deleted() -> Rule {
    rule("k0rdent.file.until_deleted")
        .title("A deleted kubeconfig opens nothing, at once, and others go on")
        .claims([Claim::operation("DeleteKubeconfig", 204)])
        .fix("Forget the secret before answering the deletion.")
        .check(|bench| {
            let server = bench.server()?;
            let (gone, kept) = (
                File::issued(bench, &server, &json!({}))?,
                File::issued(bench, &server, &json!({}))?,
            );
            expect_eq("before", &200, &gone.status(&server, "/api")?)?;
            delete(&server, Identity::Admin.token(), &gone.link).send()?.expect(204)?;
            expect_eq("after", &401, &gone.status(&server, "/api")?)?;
            expect_eq("the other", &200, &kept.status(&server, "/api")?)
        })
}

fn until_expired() -> Rule {
    rule("k0rdent.file.until_expired")
        .title("A kubeconfig opens the cluster until the second of expiresAt, and not in it")
        .needs([Need::SpawnableServer])
        .fix("Compare with the namespace's clock at every request.")
        .check(|bench| {
            let server = super::site::at_noon(bench)?;
            let file = File::issued(bench, &server, &json!({"ttl": 60}))?;
            server.advance_clock(59)?;
            expect_eq("at 59 seconds", &200, &file.status(&server, "/version")?)?;
            server.advance_clock(1)?;
            expect_eq("at 60 seconds", &401, &file.status(&server, "/version")?)
        })
}

fn watch_ends() -> Rule {
    rule("k0rdent.file.watch_ends")
        .title("A watch under way ends when its kubeconfig is deleted")
        .claims([Claim::operation("DeleteKubeconfig", 204)])
        .fix("End what a holder has open together with the kubeconfig.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(bench, &server, &json!({}))?;
            let mut connection = server.connection(false, Duration::from_secs(10))?;
            let request = format!(
                "GET {}{}/api/v1/namespaces?watch=true&timeoutSeconds=600 HTTP/1.1\r\nhost: localhost\r\n\
                 authorization: Bearer {}\r\nconnection: close\r\n\r\n",
                server.endpoint().prefix, file.path, file.token
            );
            connection.write_all(request.as_bytes())?;
            let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
            while !seen.windows(5).any(|five| five == b"ADDED") {
                match connection.read(&mut chunk) {
                    Ok(0) => return fail("the watch", "events", String::from_utf8_lossy(&seen)),
                    Ok(read) => seen.extend_from_slice(&chunk[..read]),
                    Err(error) => return fail("the watch", "events", error),
                }
            }
            delete(&server, Identity::Operator.token(), &file.link).send()?.expect(204)?;
            // Its patience is the bound; a watch that goes on fails the read.
            match connection.read_to_end(&mut seen) {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(()),
                Err(error) => fail("the watch", "an end with the kubeconfig", error),
            }
        })
}

fn only_there() -> Rule {
    rule("k0rdent.file.only_there")
        .title("A file opens its own cluster and no other, and no operation of the API")
        .claims([Claim::refusal("ListKubeconfigs", 401, "unauthenticated")])
        .fix("Bind the secret to the cluster.")
        .check(|bench| {
            let server = bench.server()?;
            let mut file = File::issued(bench, &server, &json!({"role": "cluster-admin"}))?;
            server
                .get(COLLECTION)
                .bearer(&file.token)
                .send()?
                .expect_problem(401, "unauthenticated")?;
            let own = file.path.clone();
            for (from, to) in [
                ("cluster-a1b2c3", "cluster-d4e5f6"),
                ("cluster-a1b2c3", "nowhere"),
                ("us-texas-1", "eu-north-1"),
            ] {
                file.path = own.replace(from, to);
                expect_eq(
                    format!("the status at {}", file.path),
                    &401,
                    &file.status(&server, "/api")?,
                )?;
            }
            Ok(())
        })
}

fn only_its_token() -> Rule {
    rule("k0rdent.file.only_its_token")
        .title("The cluster takes no other token, and none at all is a 401 in Kubernetes' own form")
        .fix("Know the secrets that were issued for the cluster, and nothing else.")
        .check(|bench| {
            let server = bench.server()?;
            let mut file = File::issued(bench, &server, &json!({}))?;
            let Some((end, _)) = file.token.char_indices().next_back() else {
                return fail("the token of the file", "a secret", "nothing");
            };
            let shorter = file.token[..end].to_owned();
            for token in [shorter.as_str(), "", Identity::Admin.token(), "k0kc_"] {
                token.clone_into(&mut file.token);
                let exchange = file.ask(&server, "GET", "/api").send()?;
                expect_eq("the status", &401, &exchange.status())?;
                let said = exchange.json();
                expect_eq("the kind", &json!("Status"), &said["kind"])?;
                expect_eq("the reason", &json!("Unauthorized"), &said["reason"])?;
            }
            Ok(())
        })
}

fn clusters_differ() -> Rule {
    rule("k0rdent.file.clusters_differ")
        .title("What is written into one cluster is not in another")
        .fix("Simulate every cluster of every project by itself.")
        .check(|bench| {
            let server = bench.server()?;
            let here = File::issued(bench, &server, &json!({"role": "cluster-admin"}))?;
            let there = COLLECTION.replace("cluster-a1b2c3", "cluster-d4e5f6");
            let call = server
                .post(&there, &json!({"role": "cluster-admin"}))
                .bearer(Identity::Operator.token());
            let other =
                File::read(bench, &server, &call.header("accept", "application/yaml").send()?)?;
            let body =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "only-here"}});
            let made = here.ask(&server, "POST", "/api/v1/namespaces").json(&body).send()?;
            expect_eq("the namespace", &201, &made.status())?;
            expect_eq("here", &200, &here.status(&server, "/api/v1/namespaces/only-here")?)?;
            expect_eq("there", &404, &other.status(&server, "/api/v1/namespaces/only-here")?)
        })
}

fn counted() -> Rule {
    rule("k0rdent.file.counted")
        .title("What a holder asks of the cluster is in the journal, as ClusterRequest and under the user's name")
        .needs([Need::Journal])
        .fix("Journal requests to clusters too.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(bench, &server, &json!({"user": "kim"}))?;
            file.status(&server, "/api/v1/pods?limit=1")?;
            file.status(&server, "/api/v1/secrets")?;
            server.expect_count("ClusterRequest", 2)?;
            let journal = server.journal()?;
            let last = &journal["requests"][2];
            expect_eq("the entry", &json!(["kim", 403]), &json!([last["identity"], last["status"]]))
        })
}

fn after_reset() -> Rule {
    rule("k0rdent.file.after_reset")
        .title("A reset of the namespace makes its files worthless")
        .fix("Forget the secrets with the world they were issued in.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(bench, &server, &json!({}))?;
            expect_eq("before", &200, &file.status(&server, "/api")?)?;
            server.control("POST", "/__mock/reset", None)?;
            expect_eq("after", &401, &file.status(&server, "/api")?)
        })
}
