//! The commands of the page, typed into a stock kubectl.

use serde_json::{Value, json};

use super::site::{Made, User};
use super::{PUBLIC, SEEDED, must};
use crate::bench::{Bench, Canary, Ran, Run, Server};
use crate::rule::{Claim, Need, Rule};
use crate::verdict::{Outcome, expect, expect_eq, skip};

/// The kubeconfig that the page shows and changes.
pub(super) const ZP786: &str = "kubeconfig-zp786";

/// kubectl in a home of its own, as one user of a server.
pub(super) struct Shell<'b> {
    bench: &'b Bench,
    server: &'b Server,
    user: User,
}

impl<'b> Shell<'b> {
    pub(super) fn kubectl(&self, args: &[&str]) -> Outcome<Run<'b>> {
        let own = self.server.url();
        // A server of somebody else is asked where we were told that it is.
        let url = self.server.https_url().or(own.starts_with("https://").then_some(own.as_str()));
        let Some(url) = url else { return skip("a server that tells its https address") };
        let mut cluster = json!({"server": url});
        if let Some(ca) = self.server.ca_path() {
            cluster["certificate-authority"] = json!(ca);
        }
        let token = self.user.token(self.server)?;
        self.bench.evidence().hide(Canary::new("Rancher token", &token));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "r",
            "clusters": [{"name": "r", "cluster": cluster}],
            "users": [{"name": "r", "user": {"token": token}}],
            "contexts": [{"name": "r", "context": {"cluster": "r", "user": "r"}}],
        });
        let path = self.bench.sandbox()?.write("cwd/kubeconfig", config.to_string(), 0o600)?;
        Ok(self.bench.stock_kubectl()?.env("KUBECONFIG", path).args(args))
    }

    pub(super) fn run(&self, args: &[&str]) -> Outcome<Ran> {
        let ran = self.kubectl(args)?.go()?;
        ran.expect_exit(0)?;
        Ok(ran)
    }

    /// With a manifest on stdin.
    pub(super) fn fed(&self, args: &[&str], stdin: &str) -> Outcome<Ran> {
        let file = self.bench.sandbox()?.write("cwd/stdin", stdin, 0o600)?;
        self.kubectl(args)?.stdin_file(file).go()
    }

    /// Merges into the kubeconfig of the page.
    pub(super) fn merge(&self, patch: &str) -> Outcome<Ran> {
        self.run(&["patch", "kubeconfig", ZP786, "--type", "merge", "-p", patch])
    }

    /// A field of the kubeconfig of the page, as kubectl prints it.
    pub(super) fn field(&self, path: &str) -> Outcome<String> {
        let path = format!("jsonpath={path}");
        let ran = self.run(&["get", "kubeconfig", ZP786, "-o", &path])?;
        Ok(ran.stdout_text().trim().to_owned())
    }

    fn create(&self, spec: &str) -> Outcome<Ran> {
        let manifest = format!("apiVersion: ext.cattle.io/v1\nkind: Kubeconfig\n{spec}");
        self.fed(&["create", "-o", "jsonpath={.status.value}", "-f", "-"], &manifest)
    }
}

pub(super) fn rule(
    slug: &'static str,
    title: &'static str,
    fact: &'static str,
    user: User,
    check: fn(&Shell<'_>) -> Outcome,
) -> Rule {
    // These need clusters that we know; who else has to be somebody is asked for his token.
    let known = user != User::Wanda || ["create", "create_star", "works"].contains(&slug);
    let needs = if known { &SEEDED[..] } else { &[] };
    must(format!("rancher.kubectl.{slug}"))
        .title(title)
        .source(PUBLIC, fact)
        .claims([Claim::operation("ListRancherKubeconfigs", 200)])
        .needs(needs.iter().copied())
        .needs([Need::Program("kubectl")])
        .fix("Answer kubectl as the page shows.")
        .check(move |bench| {
            let server = bench.server()?;
            check(&Shell { bench, server: &server, user })
        })
}

fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule(
            "api_resources",
            "kubectl api-resources shows the resource",
            "Kubeconfig Resource",
            User::Wanda,
            |shell| {
                let ran = shell.run(&["api-resources", "--api-group=ext.cattle.io"])?;
                let found = words(&ran.stdout_text()).contains(&vec![
                    "kubeconfigs",
                    "ext.cattle.io/v1",
                    "false",
                    "Kubeconfig",
                ]);
                expect(
                    found,
                    "the table",
                    "kubeconfigs ext.cattle.io/v1 false Kubeconfig",
                    ran.stdout_text(),
                )
            },
        ),
        rule(
            "explain",
            "kubectl explain describes it",
            "Kubeconfig Resource",
            User::Wanda,
            |shell| {
                let text = shell.run(&["explain", "kubeconfigs.ext.cattle.io"])?.stdout_text();
                for due in ["KIND:", "Kubeconfig", "<KubeconfigSpec>", "<KubeconfigStatus>"] {
                    expect(text.contains(due), "the text", due, &text)?;
                }
                Ok(())
            },
        ),
        rule(
            "feature",
            "kubectl patch feature switches the API off",
            "Feature Flag",
            User::Admin,
            |shell| {
                let ran = shell.run(&[
                    "patch",
                    "feature",
                    "ext-kubeconfigs",
                    "-p",
                    r#"{"spec":{"value":false}}"#,
                ])?;
                expect_eq(
                    "stdout",
                    &"feature.management.cattle.io/ext-kubeconfigs patched",
                    &ran.stdout_text().trim(),
                )?;
                shell.kubectl(&["get", "kubeconfig"])?.go()?.expect_exit(1)
            },
        ),
        rule(
            "create_forbidden",
            "Whoever is no Rancher user is told so in the page's words",
            "Creating a Kubeconfig",
            User::System,
            |shell| {
                let ran = shell.create("")?;
                ran.expect_exit(1)?;
                ran.expect_stderr_has(r#"Error from server (Forbidden): error when creating "STDIN": kubeconfigs.ext.cattle.io is forbidden: user system:admin is not a Rancher user"#)
            },
        ),
        rule(
            "create",
            "kubectl create prints the kubeconfig for the clusters asked for",
            "Creating a Kubeconfig",
            User::Wanda,
            |shell| {
                let ran = shell.create("spec:\n  clusters: [c-m-p66cdvlj, c-m-fcd3g5h]\n  description: My Kubeconfig\n  currentContext: c-m-p66cdvlj\n")?;
                ran.expect_exit(0)?;
                expect_eq(
                    "current-context",
                    &json!("downstream1"),
                    &ran.stdout_yaml()?["current-context"],
                )
            },
        ),
        rule(
            "create_star",
            "kubectl create for * and for a ttl prints a kubeconfig",
            "Creating a Kubeconfig",
            User::Wanda,
            |shell| {
                for spec in [
                    "spec:\n  clusters: [\"*\"]\n  description: My Kubeconfig\n",
                    "spec:\n  clusters: [c-m-p66cdvlj] # Downstream cluster\n  ttl: 7200 # 2 hours\n",
                ] {
                    let ran = shell.create(spec)?;
                    ran.expect_exit(0)?;
                    expect_eq("the kind", &json!("Config"), &ran.stdout_yaml()?["kind"])?;
                }
                Ok(())
            },
        ),
        rule(
            "list",
            "kubectl get kubeconfig shows the page's table",
            "Listing Kubeconfigs",
            User::Admin,
            |shell| {
                let text = shell.run(&["get", "kubeconfig"])?.stdout_text();
                let lines = words(&text);
                expect_eq(
                    "the columns",
                    &Some(&vec!["NAME", "TTL", "TOKENS", "STATUS", "AGE"]),
                    &lines.first(),
                )?;
                expect(
                    lines.contains(&vec!["kubeconfig-zp786", "30d", "2/2", "Complete", "18d"]),
                    "the rows",
                    "the page's",
                    &text,
                )
            },
        ),
        rule(
            "list_wide",
            "kubectl get kubeconfig -o wide shows the page's wide table",
            "Listing Kubeconfigs",
            User::Admin,
            |shell| {
                let text = shell.run(&["get", "kubeconfig", "-o", "wide"])?.stdout_text();
                let lines = words(&text);
                expect_eq(
                    "the columns",
                    &Some(&vec![
                        "NAME",
                        "TTL",
                        "TOKENS",
                        "STATUS",
                        "AGE",
                        "USER",
                        "CLUSTERS",
                        "DESCRIPTION",
                    ]),
                    &lines.first(),
                )?;
                let due = vec![
                    "kubeconfig-zp786",
                    "30d",
                    "2/2",
                    "Complete",
                    "18d",
                    "user-w5gcf",
                    "*",
                    "all",
                    "clusters",
                ];
                expect(lines.contains(&due), "the rows", due.join(" "), &text)
            },
        ),
        rule(
            "get",
            "kubectl get kubeconfig NAME shows the one",
            "Viewing a Kubeconfig",
            User::Admin,
            |shell| {
                let text = shell.run(&["get", "kubeconfig", "kubeconfig-zp786"])?.stdout_text();
                expect_eq(
                    "the row",
                    &Some(&vec!["kubeconfig-zp786", "30d", "2/2", "Complete", "18d"]),
                    &words(&text).get(1),
                )
            },
        ),
        rule(
            "clusters",
            "kubectl get clusters prints names and display names",
            "Creating a Kubeconfig",
            User::Admin,
            |shell| {
                let path = "-o=jsonpath={.items[*]['metadata.name', 'spec.displayName']}{'\\n'}";
                let text =
                    shell.run(&["get", "clusters.management.cattle.io", path])?.stdout_text();
                for due in ["c-m-p66cdvlj", "downstream1", "local"] {
                    expect(text.contains(due), "stdout", due, &text)?;
                }
                Ok(())
            },
        ),
        rule(
            "works",
            "The kubeconfig that was created lists pods until it is deleted",
            "Kubeconfig Resource",
            User::Wanda,
            |shell| {
                let made =
                    Made::new(shell.server, User::Wanda, &json!({"clusters": ["c-m-p66cdvlj"]}))?;
                let Some(url) = shell.server.https_url() else {
                    return skip("a server that tells its https address");
                };
                // The entries go by the host that was asked; kubectl needs the https one and its authority.
                let mut document: Value = made.document()?;
                let token =
                    document["users"][0]["user"]["token"].as_str().unwrap_or_default().to_owned();
                shell.bench.evidence().hide(Canary::new("kubeconfig token", &token));
                for cluster in document["clusters"].as_array_mut().into_iter().flatten() {
                    let server =
                        cluster["cluster"]["server"].as_str().unwrap_or_default().to_owned();
                    let path = url::Url::parse(&server)
                        .map(|url| url.path().trim_end_matches('/').to_owned())
                        .unwrap_or_default();
                    let ca = shell.server.ca_path().map(|path| path.display().to_string());
                    cluster["cluster"] =
                        json!({"server": format!("{url}{path}"), "certificate-authority": ca});
                }
                let file =
                    shell.bench.sandbox()?.write("cwd/created", document.to_string(), 0o600)?;
                let pods = || {
                    let kubectl = shell.bench.stock_kubectl()?.env("KUBECONFIG", &file);
                    kubectl.args(["get", "pods", "-A"]).go()
                };
                pods()?.expect_exit(0)?;
                super::site::call(shell.server, User::Wanda, "DELETE", &made.path())?
                    .send()?
                    .expect(200)?;
                pods()?.expect_exit(1)
            },
        ),
    ]
}
