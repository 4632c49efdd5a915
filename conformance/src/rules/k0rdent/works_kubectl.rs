//! The file in the hands of a stock kubectl.

use serde_json::{Value, json};

use super::file::File;
use super::site::delete;
use super::{PAGE, should};
use crate::bench::{Bench, Identity, Ran, Server};
use crate::rule::{Claim, Need, Rule};
use crate::runner::find_program;
use crate::verdict::{Outcome, expect, expect_eq, skip};

pub(super) fn all() -> Vec<Rule> {
    vec![reads(), is_known(), is_held_back(), ends()]
}

/// The file on disk, and kubectl with it in a home of its own.
fn kubectl(bench: &Bench, file: &File, args: &[&str]) -> Outcome<Ran> {
    let Some(kubectl) = find_program("kubectl") else { return skip("kubectl on PATH") };
    let path = bench.sandbox()?.write("cwd/k0rdent.kubeconfig", &file.text, 0o600)?;
    bench.program(kubectl)?.env("KUBECONFIG", path).args(args).go()
}

fn rule(
    id: &'static str,
    title: &'static str,
    fix: &'static str,
    check: fn(&Bench, &Server) -> Outcome,
) -> Rule {
    should(id)
        .title(title)
        .source(PAGE, "The file")
        .claims([Claim::operation("IssueKubeconfig", 201)])
        .needs([Need::Program("kubectl")])
        .fix(fix)
        .check(move |bench| check(bench, &bench.server()?))
}

fn reads() -> Rule {
    rule(
        "k0rdent.kubectl.reads",
        "kubectl takes the file as it comes and lists the cluster's pods",
        "Write a kubeconfig that needs nothing but itself.",
        |bench, server| {
            let file = File::issued(bench, server, &json!({"user": "kim"}))?;
            let ran = kubectl(bench, &file, &["get", "pods", "-A"])?;
            ran.expect_exit(0)?;
            expect(
                ran.stdout_text().starts_with("NAMESPACE"),
                "stdout",
                "a table of pods",
                ran.stdout_text(),
            )
        },
    )
}

fn is_known() -> Rule {
    rule(
        "k0rdent.kubectl.whoami",
        "kubectl auth whoami names the user of the request and the groups of its role",
        "Let the cluster see the user and the role's groups.",
        |bench, server| {
            let file = File::issued(bench, server, &json!({"user": "kim", "role": "developer"}))?;
            let ran = kubectl(bench, &file, &["auth", "whoami", "-o", "json"])?;
            ran.expect_exit(0)?;
            let who: Value = ran.stdout_json()?["status"]["userInfo"].clone();
            let due = json!(["kim", ["developers", "system:authenticated"]]);
            expect_eq("who it is", &due, &json!([who["username"], who["groups"]]))
        },
    )
}

fn is_held_back() -> Rule {
    rule(
        "k0rdent.kubectl.forbidden",
        "kubectl is told by name what its role may not",
        "Give the role's groups, and no others.",
        |bench, server| {
            let file = File::issued(bench, server, &json!({"user": "kim", "role": "viewer"}))?;
            let ran = kubectl(bench, &file, &["get", "secrets", "-A"])?;
            ran.expect_exit(1)?;
            ran.expect_stderr_has("Forbidden")?;
            ran.expect_stderr_has("\"kim\"")
        },
    )
}

fn ends() -> Rule {
    rule(
        "k0rdent.kubectl.ends",
        "kubectl is turned away once the kubeconfig is deleted",
        "Forget the secret before answering the deletion.",
        |bench, server| {
            let file = File::issued(bench, server, &json!({"role": "cluster-admin"}))?;
            kubectl(bench, &file, &["get", "namespaces"])?.expect_exit(0)?;
            delete(server, Identity::Operator.token(), &file.link).send()?.expect(204)?;
            let ran = kubectl(bench, &file, &["get", "namespaces"])?;
            ran.expect_exit(1)?;
            ran.expect_stderr_has("logged in")
        },
    )
}
