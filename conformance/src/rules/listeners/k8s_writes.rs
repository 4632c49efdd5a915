//! Who may change the cluster behind a k8s session, and that it really changes.

use serde_json::{Value, json};

use super::k8s_reads::{kubectl, session_of};
use super::{GUIDE, open_for};
use crate::bench::{Bench, Family, Kubectl};
use crate::rule::Rule;
use crate::verdict::{Outcome, expect, expect_eq, fail};

const MASTERS: &str = "only system:masters may write";

pub(super) fn all() -> Vec<Rule> {
    vec![
        kubectl("k8s.forbidden", "Whoever is not of system:masters may write nothing: Forbidden, naming user, verb and resource")
            .source(GUIDE, MASTERS)
            .fix("Refuse create, update, patch and delete with a Status of reason Forbidden.")
            .check(forbidden),
        kubectl("k8s.namespaces_written", "system:masters creates, labels and deletes namespaces")
            .source(GUIDE, MASTERS)
            .fix("Keep namespaces in memory, and empty one when it is deleted.")
            .check(namespaces),
        kubectl("k8s.configmaps_written", "system:masters creates, patches in each way and deletes config maps")
            .source(GUIDE, MASTERS)
            .fix("Apply strategic, merge and JSON patches to the object in memory.")
            .check(configmaps),
        kubectl("k8s.pods_written", "system:masters runs and deletes pods")
            .source(GUIDE, MASTERS)
            .fix("Take a pod as a stock kubectl sends it, give it a node and a phase, and let it be deleted.")
            .check(pods),
        kubectl("k8s.conflicts", "What is there cannot be created again, and a stale update is a conflict")
            .source(GUIDE, MASTERS)
            .fix("Answer AlreadyExists for a name that is taken, and Conflict for an old resourceVersion.")
            .check(conflicts),
        kubectl("k8s.shared", "What one session writes, another of the same resource reads")
            .source(GUIDE, "What sessions lead to, k8s")
            .fix("Let the sessions of a resource share one cluster.")
            .check(shared),
    ]
}

fn masters(bench: &Bench) -> Outcome<(crate::bench::Server, Kubectl<'_>)> {
    let (server, issued) = session_of(bench, "root", &["system:masters"])?;
    let kubectl = bench.kubectl(&server, &issued)?;
    Ok((server, kubectl))
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"made": "here"}},
        "spec": {"containers": [{"name": "main", "image": "busybox:1.37"}]},
    })
}

fn file(bench: &Bench, name: &str, object: &Value) -> Outcome<String> {
    let path = bench.sandbox()?.write(format!("tmp/{name}"), object.to_string(), 0o600)?;
    Ok(path.to_string_lossy().into_owned())
}

fn forbidden(bench: &Bench) -> Outcome {
    let (server, issued) = session_of(bench, "ana", &["developers"])?;
    let kubectl = bench.kubectl(&server, &issued)?;
    let path = file(bench, "pod.json", &pod("mine"))?;
    let patch = r#"{"data":{"currency":"USD"}}"#;
    for (args, verb) in [
        (&["create", "ns", "mine"][..], "create"),
        (&["create", "configmap", "mine", "-n", "shop"], "create"),
        (&["create", "--validate=false", "-f", &path], "create"),
        (&["delete", "pod", "-n", "bank", "ledger-0", "--wait=false"], "delete"),
        (&["delete", "ns", "bank", "--wait=false"], "delete"),
        (&["patch", "configmap", "-n", "shop", "settings", "-p", patch], "patch"),
        (&["label", "pod", "-n", "bank", "ledger-0", "mine=yes"], "patch"),
    ] {
        let said = kubectl.fails(args)?;
        let what = format!("kubectl {}", args.join(" "));
        let holds = said.to_lowercase().contains("forbidden")
            && said.contains("\"ana\"")
            && said.contains(&format!("cannot {verb}"));
        expect(holds, what, format!("Forbidden: \"ana\" cannot {verb}"), said)?;
    }
    let settings = kubectl.json(&["get", "configmap", "-n", "shop", "settings"])?;
    expect_eq("what a refused patch changed", &json!("EUR"), &settings["data"]["currency"])?;
    kubectl.says(&["get", "pod", "-n", "bank", "ledger-0"])?;
    Ok(())
}

fn namespaces(bench: &Bench) -> Outcome {
    let (_server, kubectl) = masters(bench)?;
    kubectl.says(&["create", "ns", "mine"])?;
    kubectl.says(&["create", "configmap", "inside", "-n", "mine"])?;
    kubectl.says(&["label", "ns", "mine", "team=tests"])?;
    let listed = kubectl.says(&["get", "ns", "-l", "team=tests", "-o", "name"])?;
    expect_eq("the namespace by its label", &"namespace/mine\n".to_owned(), &listed)?;
    kubectl.says(&["delete", "ns", "mine"])?;
    let said = kubectl.fails(&["get", "ns", "mine"])?;
    expect(said.contains("NotFound"), "a deleted namespace", "NotFound", said)?;
    let left = kubectl.json(&["get", "configmaps", "-n", "mine"])?;
    expect_eq("what is left in it", &json!([]), &left["items"])
}

fn configmaps(bench: &Bench) -> Outcome {
    let (_server, kubectl) = masters(bench)?;
    let named = ["configmap", "-n", "shop", "mine"];
    kubectl.says(&["create", "configmap", "-n", "shop", "mine", "--from-literal=a=1"])?;
    let get = [&["get"], &named[..]].concat();
    for (kind, patch, due) in [
        ("strategic", r#"{"data":{"b":"2"}}"#, json!({"a": "1", "b": "2"})),
        ("merge", r#"{"data":{"a":null,"c":"3"}}"#, json!({"b": "2", "c": "3"})),
        (
            "json",
            r#"[{"op":"replace","path":"/data/b","value":"two"}]"#,
            json!({"b": "two", "c": "3"}),
        ),
    ] {
        kubectl.says(&[&["patch"], &named[..], &["--type", kind, "-p", patch]].concat())?;
        let data = kubectl.json(&get)?["data"].clone();
        expect_eq(format!("the data after a {kind} patch"), &due, &data)?;
    }
    kubectl.says(&[&["delete"], &named[..]].concat())?;
    let said = kubectl.fails(&get)?;
    expect(said.contains("NotFound"), "a deleted config map", "NotFound", said)
}

fn pods(bench: &Bench) -> Outcome {
    let (_server, kubectl) = masters(bench)?;
    let path = file(bench, "pod.json", &pod("mine"))?;
    kubectl.says(&["create", "--validate=false", "-f", &path])?;
    let made = kubectl.json(&["get", "pod", "-n", "shop", "mine"])?;
    expect_eq("its label", &json!("here"), &made["metadata"]["labels"]["made"])?;
    let placed = made["spec"]["nodeName"].as_str().is_some_and(|node| node.starts_with("worker-"));
    expect(placed, "its node", "one that takes pods", &made["spec"]["nodeName"])?;
    kubectl.says(&["run", "other", "-n", "shop", "--image", "busybox:1.37"])?;
    let listed = kubectl.says(&["get", "pods", "-n", "shop"])?;
    expect(listed.contains("other"), "the pods", "the one that was run", listed)?;
    kubectl.says(&["delete", "pod", "-n", "shop", "mine", "other"])?;
    let said = kubectl.fails(&["get", "pod", "-n", "shop", "mine"])?;
    expect(said.contains("NotFound"), "a deleted pod", "NotFound", said)
}

fn conflicts(bench: &Bench) -> Outcome {
    let (_server, kubectl) = masters(bench)?;
    let said = kubectl.fails(&["create", "ns", "shop"])?;
    expect(said.contains("AlreadyExists"), "a second namespace of a name", "AlreadyExists", said)?;
    let mut settings = kubectl.json(&["get", "configmap", "-n", "shop", "settings"])?;
    kubectl.says(&["label", "configmap", "-n", "shop", "settings", "seen=once"])?;
    let Some(data) = settings["data"].as_object_mut() else {
        return fail("the config map", "data", settings);
    };
    data.insert("currency".to_owned(), json!("USD"));
    let path = file(bench, "stale.json", &settings)?;
    let said = kubectl.fails(&["replace", "--validate=false", "-f", &path])?;
    expect(said.contains("Conflict"), "an update of what has changed since", "Conflict", said)
}

fn shared(bench: &Bench) -> Outcome {
    let (server, kubectl) = masters(bench)?;
    kubectl.says(&["create", "ns", "mine"])?;
    let target = json!({"k8s": {"user": "ana"}});
    let other = bench.kubectl(&server, &open_for(&server, Family::Kubeconfig, &target)?)?;
    other.says(&["get", "ns", "mine"])?;
    Ok(())
}
