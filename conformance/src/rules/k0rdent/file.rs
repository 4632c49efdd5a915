//! The file: what is in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::site::{below, expect_kept, issue};
use super::{PAGE, should};
use crate::bench::{Bench, Call, Canary, Exchange, Server, yaml};
use crate::rule::{Claim, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail, skip};

/// A kubeconfig file, taken apart.
pub(super) struct File {
    pub(super) text: String,
    pub(super) document: Value,
    /// The cluster's URL, and its path below the base URL.
    url: String,
    pub(super) path: String,
    pub(super) token: String,
    /// Where the resource is, below the base URL.
    pub(super) link: String,
}

impl File {
    pub(super) fn read(bench: &Bench, server: &Server, exchange: &Exchange) -> Outcome<Self> {
        exchange.expect(201)?;
        let headers = &exchange.response.headers;
        let media = headers.get("content-type").unwrap_or_default();
        expect_eq("the content type of the file", &"application/yaml", &media)?;
        let document = yaml(&exchange.response.body, "the kubeconfig")?;
        let token = document["users"][0]["user"]["token"].as_str().unwrap_or_default().to_owned();
        bench.evidence().hide(Canary::new("kubeconfig token", &token));
        let url = document["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default();
        let Ok(url) = url::Url::parse(url) else {
            return fail("the cluster's server", "a URL", url);
        };
        let link = headers.get("location").unwrap_or_default();
        Ok(Self {
            text: String::from_utf8_lossy(&exchange.response.body).into_owned(),
            path: below(server, url.path()).to_owned(),
            url: url.into(),
            token,
            link: below(server, link).to_owned(),
            document,
        })
    }

    pub(super) fn issued(bench: &Bench, server: &Server, body: &Value) -> Outcome<Self> {
        let call = issue(server, body).header("accept", "application/yaml");
        Self::read(bench, server, &call.send()?)
    }

    /// A request to the cluster, with the file's token; http will do, and costs no handshake.
    pub(super) fn ask(&self, server: &Server, method: &str, path: &str) -> Call {
        server.call(method, &format!("{}{path}", self.path)).bearer(&self.token)
    }

    pub(super) fn status(&self, server: &Server, path: &str) -> Outcome<u16> {
        Ok(self.ask(server, "GET", path).send()?.status())
    }
}
pub(super) fn all() -> Vec<Rule> {
    vec![file(), accept(), authority(), secrets_differ()]
}

pub(super) fn rule(id: &'static str) -> RuleDraft {
    should(id).source(PAGE, "The file").claims([Claim::operation("IssueKubeconfig", 201)])
}

fn file() -> Rule {
    rule("k0rdent.file.shape")
        .title("Whoever asks for YAML gets a kubeconfig with one cluster, one user and one context, and it is not to be stored")
        .fix("Answer application/yaml with a kubeconfig whose current-context leads to the cluster, with Cache-Control: no-store.")
        .check(|bench| {
            let server = bench.server()?;
            let call = issue(&server, &json!({"user": "kim: \"o'\" #1"})).header("accept", "application/yaml");
            let exchange = call.send()?;
            let file = File::read(bench, &server, &exchange)?;
            expect_eq("Cache-Control", &Some("no-store"), &exchange.response.headers.get("cache-control"))?;
            let document = &file.document;
            for (place, due) in [
                ("/apiVersion", json!("v1")),
                ("/kind", json!("Config")),
                ("/clusters/0/name", json!("cluster-a1b2c3")),
                ("/users/0/name", json!("kim: \"o'\" #1")),
                ("/contexts/0/context/cluster", json!("cluster-a1b2c3")),
                ("/contexts/0/context/user", json!("kim: \"o'\" #1")),
            ] {
                expect_eq(place, &Some(&due), &document.pointer(place))?;
            }
            expect_eq("current-context", &document["contexts"][0]["name"], &document["current-context"])?;
            for list in ["clusters", "users", "contexts"] {
                expect_eq(list, &Some(1), &document[list].as_array().map(Vec::len))?;
            }
            expect_kept(&server, 1)
        })
}

fn accept() -> Rule {
    rule("k0rdent.file.accept")
        .title("The resource is the answer unless YAML is preferred to JSON")
        .fix("Choose by quality, then by order; JSON where neither is named.")
        .check(|bench| {
            let server = bench.server()?;
            for (accept, due) in [
                ("*/*", "application/json"),
                ("application/*", "application/json"),
                ("text/html", "application/json"),
                ("application/json, application/yaml", "application/json"),
                ("application/yaml;q=0.5, application/json", "application/json"),
                ("application/yaml;q=0", "application/json"),
                ("application/yaml, */*;q=0.1", "application/yaml"),
                ("application/json;q=0.5, application/yaml;q=0.6", "application/yaml"),
            ] {
                let exchange = issue(&server, &json!({})).header("accept", accept).send()?;
                exchange.expect(201)?;
                expect_eq(accept, &Some(due), &exchange.response.headers.get("content-type"))?;
            }
            Ok(())
        })
}

fn authority() -> Rule {
    rule("k0rdent.file.authority")
        .title("The file brings the authority that the cluster's certificate is under")
        .fix("Put the development CA into certificate-authority-data.")
        .check(|bench| {
            let server = bench.server()?;
            let file = File::issued(bench, &server, &json!({}))?;
            let data = &file.document["clusters"][0]["cluster"]["certificate-authority-data"];
            let brought = STANDARD.decode(data.as_str().unwrap_or_default()).unwrap_or_default();
            let Some(path) = server.ca_path() else { return skip("a server that tells its CA") };
            let due = server.https_url().unwrap_or_default();
            expect(
                !due.is_empty() && file.url.starts_with(due),
                "the cluster's server",
                due,
                &file.url,
            )?;
            let (_, path_of_url) = file.url.split_at(due.len());
            let api = server.over_tls("localhost", "GET", &format!("{path_of_url}/api"))?;
            expect_eq("the API over TLS", &200, &api.bearer(&file.token).send()?.status())?;
            let (known, brought) =
                (std::fs::read_to_string(path)?, String::from_utf8_lossy(&brought));
            let one = brought.trim();
            let whole = one.starts_with("-----BEGIN CERTIFICATE-----")
                && one.ends_with("-----END CERTIFICATE-----");
            // There may be more than one in the file of the server.
            expect(
                whole && known.contains(one),
                "the authority",
                format!("one of {known}"),
                &brought,
            )
        })
}

fn secrets_differ() -> Rule {
    rule("k0rdent.file.secrets_differ")
        .title("Every file has a token of its own, of at least twenty characters")
        .fix("Draw a new secret for every kubeconfig.")
        .check(|bench| {
            let server = bench.server()?;
            let mut tokens = std::collections::BTreeSet::new();
            for _ in 0..10 {
                let file = File::issued(bench, &server, &json!({"user": "kim"}))?;
                expect(
                    file.token.len() >= 20,
                    "the length of the token",
                    "20 or more",
                    file.token.len(),
                )?;
                tokens.insert(file.token);
            }
            expect_eq("how many tokens", &10, &tokens.len())
        })
}
