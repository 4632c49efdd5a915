//! The forms that answers come in.

use serde_json::{Value, json};

use super::site::{KUBECONFIGS, Made, User, call, get};
use super::{PAGE, should};
use crate::bench::yaml;
use crate::rule::{Claim, Rule};
use crate::verdict::expect_eq;

pub(super) fn all() -> Vec<Rule> {
    vec![in_yaml()]
}

fn in_yaml() -> Rule {
    should("rancher.forms.yaml")
        .title("Who asks for YAML gets the same objects, lists and refusals in YAML")
        .source(PAGE, "Forms")
        .claims([
            Claim::operation("ListRancherKubeconfigs", 200),
            Claim::operation("GetRancherKubeconfig", 200),
            Claim::refusal("GetRancherKubeconfig", 404, "NotFound"),
        ])
        .fix("Negotiate application/yaml beside application/json.")
        .check(|bench| {
            let server = bench.server()?;
            let made = Made::new(&server, User::Wanda, &json!({"description": "yes"}))?;
            let label = format!("{KUBECONFIGS}?fieldSelector=metadata.name%3D{}", made.name());
            for path in [made.path(), label, format!("{KUBECONFIGS}/kubeconfig-nope")] {
                let plain = get(&server, User::Wanda, &path)?;
                let call = call(&server, User::Wanda, "GET", &path)?;
                let other = call.header("accept", "application/yaml").send()?;
                expect_eq("the status", &plain.status(), &other.status())?;
                let media = other.response.headers.get("content-type").unwrap_or_default();
                expect_eq("the content type", &"application/yaml", &media)?;
                let read: Value = yaml(&other.response.body, "the answer")?;
                let due = |mut document: Value| {
                    // Others may be at work between the two.
                    document["metadata"]["resourceVersion"].take();
                    document
                };
                expect_eq("what it says", &due(plain.json()), &due(read))?;
            }
            Ok(())
        })
}
