//! The commands of the page that change and delete, typed into a stock kubectl.

use super::kubectl::{ZP786, rule};
use super::site::User;
use crate::rule::Rule;
use crate::verdict::{expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule(
            "delete",
            "kubectl delete says that it is deleted, and ends",
            "Deleting a Kubeconfig",
            User::Admin,
            |shell| {
                let ran = shell.run(&["delete", "kubeconfig", ZP786])?;
                expect(
                    ran.stdout_text()
                        .contains(r#"kubeconfig.ext.cattle.io "kubeconfig-zp786" deleted"#),
                    "stdout",
                    "deleted",
                    ran.stdout_text(),
                )
            },
        ),
        rule(
            "delete_precondition",
            "kubectl delete --raw with preconditions that do not fit is a conflict",
            "Deleting a Kubeconfig: preconditions",
            User::Admin,
            |shell| {
                let path = "/apis/ext.cattle.io/v1/kubeconfigs/kubeconfig-zp786";
                let body = r#"{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"52183e05-d382-47d2-b4b9-d0735823ce90","resourceVersion":"31331505"}}"#;
                let ran = shell.fed(&["delete", "--raw", path, "-f", "-"], body)?;
                ran.expect_exit(1)?;
                ran.expect_stderr_has("(Conflict)")?;
                shell.run(&["get", "kubeconfig", ZP786]).map(drop)
            },
        ),
        rule(
            "delete_collection",
            "kubectl delete --raw takes the collection, by label and as a whole",
            "Deleting a Collection of Kubeconfigs",
            User::Admin,
            |shell| {
                shell.merge(r#"{"metadata":{"labels":{"foo":"bar"}}}"#)?;
                shell.run(&[
                    "delete",
                    "--raw",
                    "/apis/ext.cattle.io/v1/kubeconfigs?labelSelector=foo%3Dbar",
                ])?;
                let text = shell.run(&["get", "kubeconfig", "-o", "name"])?.stdout_text();
                expect_eq("what is left", &2, &text.lines().count())?;
                shell.run(&["delete", "--raw", "/apis/ext.cattle.io/v1/kubeconfigs"])?;
                shell.run(&["get", "kubeconfig"])?.expect_stderr_has("No resources found")
            },
        ),
        rule(
            "patch_description",
            "kubectl patch updates the description, which then reads so",
            "Updating a Kubeconfig",
            User::Admin,
            |shell| {
                let ran = shell.merge(r#"{"spec":{"description":"Updated description"}}"#)?;
                expect_eq(
                    "stdout",
                    &"kubeconfig.ext.cattle.io/kubeconfig-zp786 patched",
                    &ran.stdout_text().trim(),
                )?;
                expect_eq(
                    "the description",
                    &"Updated description",
                    &shell.field("{.spec.description}")?.as_str(),
                )
            },
        ),
        rule(
            "patch_label",
            "kubectl patch adds a label, which then reads so",
            "Updating a Kubeconfig",
            User::Admin,
            |shell| {
                shell.merge(r#"{"metadata":{"labels":{"foo":"bar"}}}"#)?;
                expect_eq("the label", &"bar", &shell.field("{.metadata.labels.foo}")?.as_str())
            },
        ),
        rule(
            "edit",
            "kubectl edit changes what may be changed",
            "Updating a Kubeconfig",
            User::Admin,
            |shell| {
                let run = shell.kubectl(&["edit", "kubeconfig", ZP786])?;
                let run = run.env("KUBE_EDITOR", "sed -i s/all.clusters/edited/");
                let path = std::env::var_os("PATH").unwrap_or_default();
                let ran = run.env("PATH", path).go()?;
                ran.expect_exit(0)?;
                expect_eq(
                    "the description",
                    &"edited",
                    &shell.field("{.spec.description}")?.as_str(),
                )
            },
        ),
    ]
}
