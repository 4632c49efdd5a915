//! A stock kubectl looking at the cluster behind a k8s session: the default world's, as
//! `fixtures/worlds/clusters/shop.yaml` describes it.

use std::time::Duration;

use serde_json::{Value, json};

use super::told::expect_event;
use super::{GUIDE, ONE_TIME, open_for, rule, text_of};
use crate::bench::{Bench, Exit, Family, Kubectl, Server, Sink, until};
use crate::rule::{Need, Rule, RuleDraft};
use crate::verdict::{Outcome, Reason, expect, expect_eq, skip};

const SHOP: &str = "fixtures/worlds/clusters/shop.yaml";

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = SHOWN.into_iter().map(shown).collect();
    rules.extend([
        kubectl(
            "k8s.formats",
            "JSON and YAML are the objects themselves, by their API version and kind",
        )
        .source(SHOP, "pods")
        .fix("Answer with whole objects when no Table is asked for.")
        .check(formats),
        kubectl("k8s.watch", "A watch shows what is there, and then what changes")
            .source(SHOP, "pods")
            .fix("Keep a watch open, and send each change as it happens.")
            .check(watch),
        kubectl("k8s.absent", "What is not there is NotFound, what no API has is no resource type")
            .source(SHOP, "namespaces")
            .fix("Answer with a Status of reason NotFound.")
            .check(absent),
        kubectl("k8s.whoami", "The user and the groups of the session are who asks")
            .source("plexctl kubeconfig page", "--impersonate-user and --impersonate-group")
            .fix("Take user and groups from the session, and add system:authenticated.")
            .check(whoami),
        kubectl(
            "k8s.can_i",
            "auth can-i says what the user may: read, and for system:masters everything",
        )
        .source(GUIDE, "only system:masters may write")
        .fix("Answer SelfSubjectAccessReviews by what requests are judged by.")
        .check(can_i),
        kubectl(
            "k8s.many_requests",
            "The token is good for any number of requests and connections",
        )
        .source(ONE_TIME, "For k8s any number of requests")
        .fix("Redeem the token with each request, and do not use it up.")
        .check(many_requests),
        kubectl(
            "k8s.trust",
            "The listener's certificate is the development CA's: without it kubectl refuses",
        )
        .source(
            "docs/decisions/0010-kubeconfig-shape.md",
            "--certificate-authority FILE embeds the CA",
        )
        .fix("Serve the leaf that the CA of the ready line has signed.")
        .check(trust),
        kubectl("k8s.events", "Each request is told to the journal by verb, resource and status")
            .source(GUIDE, "What happens on a listener is in the journal")
            .fix("Report each answered request.")
            .check(events),
    ]);
    rules
}

pub(super) fn kubectl(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Program("kubectl")])
}

/// A session on a fresh server, as that user of those groups.
pub(super) fn session_of(bench: &Bench, user: &str, groups: &[&str]) -> Outcome<(Server, Value)> {
    let server = bench.server()?;
    let target = json!({"k8s": {"user": user, "impersonate_groups": groups}});
    let issued = open_for(&server, Family::Kubeconfig, &target)?;
    Ok((server, issued))
}

fn developer(bench: &Bench) -> Outcome<(Server, Kubectl<'_>)> {
    let (server, issued) = session_of(bench, "ana", &["developers"])?;
    let kubectl = bench.kubectl(&server, &issued)?;
    Ok((server, kubectl))
}

/// A view: its row, the title, what to type, and what has to be and must not be on the screen.
#[derive(Clone, Copy)]
struct Shown {
    row: &'static str,
    title: &'static str,
    commands: &'static [Command],
}

struct Command {
    args: &'static [&'static str],
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

const fn command(
    args: &'static [&'static str],
    has: &'static [&'static str],
    lacks: &'static [&'static str],
) -> Command {
    Command { args, has, lacks }
}

const SHOWN: [Shown; 10] = [
    Shown {
        row: "k8s.version",
        title: "kubectl version shows the version of the cluster",
        commands: &[command(&["version"], &["Server Version: v1.32.4"], &["error"])],
    },
    Shown {
        row: "k8s.api_resources",
        title: "kubectl api-resources lists names, short names, kinds, and whether there are namespaces",
        commands: &[command(
            &["api-resources"],
            &["pods", "po ", "Pod", "namespaces", "deploy", "apps/v1", "configmaps", "cm "],
            &[],
        )],
    },
    Shown {
        row: "k8s.namespaces",
        title: "kubectl get namespaces shows those of the world",
        commands: &[command(
            &["get", "ns"],
            &["NAME", "STATUS", "AGE", "shop", "bank", "Active"],
            &[],
        )],
    },
    Shown {
        row: "k8s.nodes",
        title: "kubectl get nodes shows roles, states and, wide, addresses and versions",
        commands: &[
            command(
                &["get", "nodes"],
                &["cp-1", "SchedulingDisabled", "control-plane", "worker-3", "NotReady"],
                &["INTERNAL-IP"],
            ),
            command(&["get", "nodes", "-o", "wide"], &["INTERNAL-IP", "CONTAINER-RUNTIME"], &[]),
        ],
    },
    Shown {
        row: "k8s.pods",
        title: "kubectl get pods shows one namespace, all of them, one pod, and more when wide",
        commands: &[
            command(
                &["get", "pods", "-n", "bank"],
                &["ledger-0", "2/2", "Completed", "ImagePullBackOff", "Pending"],
                &["web-", "NAMESPACE"],
            ),
            command(&["get", "pods", "-A"], &["NAMESPACE", "ledger-0", "web-", "coredns-"], &[]),
            command(
                &["get", "pod", "ledger-0", "-n", "bank"],
                &["ledger-0", "Running"],
                &["report"],
            ),
            command(&["get", "pods", "-n", "bank", "-o", "wide"], &["NODE", "IP", "worker-1"], &[]),
            command(
                &["get", "pods", "-n", "bank", "--no-headers", "-o", "name"],
                &["pod/ledger-0"],
                &["NAME"],
            ),
        ],
    },
    Shown {
        row: "k8s.selectors",
        title: "Label and field selectors choose on the server",
        commands: &[
            command(&["get", "pods", "-A", "-l", "app=ledger"], &["ledger-0"], &["web-", "report"]),
            command(
                &["get", "pods", "-A", "-l", "app in (web,api),tier!=backend"],
                &["web-"],
                &["api-", "ledger"],
            ),
            command(
                &["get", "nodes", "-l", "zone=b"],
                &["worker-2", "worker-3"],
                &["worker-1", "cp-1"],
            ),
            command(
                &["get", "pods", "-n", "bank", "--field-selector", "status.phase=Pending"],
                &["backlog"],
                &["ledger-0", "settle"],
            ),
            command(
                &["get", "pods", "-A", "--field-selector", "metadata.name=ledger-0"],
                &["ledger-0"],
                &["report"],
            ),
        ],
    },
    Shown {
        row: "k8s.logs",
        title: "kubectl logs shows a container's log: one of several, the last lines, the one before a restart",
        commands: &[
            command(
                &["logs", "-n", "bank", "ledger-0", "-c", "ledger"],
                &["ready to accept connections", "checkpoint complete"],
                &["exporting"],
            ),
            command(
                &["logs", "-n", "bank", "ledger-0", "-c", "metrics"],
                &["exporting"],
                &["checkpoint"],
            ),
            command(
                &["logs", "-n", "bank", "ledger-0", "-c", "ledger", "--tail", "1"],
                &["checkpoint complete"],
                &["ready to accept"],
            ),
            command(
                &["logs", "-n", "bank", "ledger-0", "-c", "ledger", "-p"],
                &["received fast shutdown request"],
                &["checkpoint"],
            ),
        ],
    },
    Shown {
        row: "k8s.cluster_events",
        title: "kubectl events and get events show the events of a namespace",
        commands: &[
            command(
                &["get", "events", "-n", "bank"],
                &["FailedScheduling", "pod/backlog", "Warning"],
                &["NodeNotReady"],
            ),
            command(
                &["events", "-n", "bank", "--for", "pod/report"],
                &["Failed to pull image"],
                &["insufficient memory"],
            ),
        ],
    },
    Shown {
        row: "k8s.describe",
        title: "kubectl describe tells of a pod and of a node, with their events",
        commands: &[
            command(
                &["describe", "pod", "-n", "bank", "ledger-0"],
                &["registry.example.com/bank/ledger:7", "Started container ledger", "worker-1"],
                &[],
            ),
            command(&["describe", "node", "worker-3"], &["NodeNotReady", "zone=b"], &[]),
        ],
    },
    Shown {
        row: "k8s.workloads",
        title: "Deployments, services and config maps are listed with their own columns",
        commands: &[
            command(&["get", "deploy", "-n", "shop"], &["READY", "UP-TO-DATE", "3/3", "1/2"], &[]),
            command(&["get", "svc", "-n", "shop"], &["TYPE", "LoadBalancer", "203.0.113.10"], &[]),
            command(&["get", "cm", "-n", "shop", "settings"], &["DATA", "settings"], &[]),
        ],
    },
];

fn shown(view: Shown) -> Rule {
    kubectl(view.row, view.title)
        .source(SHOP, view.row)
        .fix("Answer discovery, lists, Tables and selectors as an API server does.")
        .check(move |bench| {
            let (_server, kubectl) = developer(bench)?;
            for command in view.commands {
                let said = recent(kubectl.says(command.args))?;
                let what = format!("kubectl {}", command.args.join(" "));
                for text in command.has {
                    expect(said.contains(text), &what, format!("{text:?} in it"), &said)?;
                }
                for text in command.lacks {
                    expect(!said.contains(text), &what, format!("no {text:?} in it"), &said)?;
                }
            }
            Ok(())
        })
}

/// Older clients do not know each command; that is nobody's failure here.
fn recent<T>(said: Outcome<T>) -> Outcome<T> {
    match said {
        Err(Reason::Failure(failure)) if failure.observed.contains("unknown command") => {
            skip("a kubectl of 1.28 or later")
        }
        said => said,
    }
}

fn formats(bench: &Bench) -> Outcome {
    let (_server, kubectl) = developer(bench)?;
    let pod = ["get", "pod", "-n", "bank", "ledger-0"];
    let object = kubectl.json(&pod)?;
    expect_eq("the kind", &json!("Pod"), &object["kind"])?;
    expect_eq("the API version", &json!("v1"), &object["apiVersion"])?;
    expect_eq("the labels", &json!("ledger"), &object["metadata"]["labels"]["app"])?;
    let containers = object["spec"]["containers"].as_array().map(Vec::len);
    expect_eq("the number of containers", &Some(2), &containers)?;
    expect_eq("the phase", &json!("Running"), &object["status"]["phase"])?;
    let yaml = kubectl.says(&[&pod[..], &["-o", "yaml"]].concat())?;
    expect_eq("the YAML", &object, &crate::bench::yaml(yaml.as_bytes(), "-o yaml")?)?;
    let list = kubectl.json(&["get", "pods", "-n", "bank"])?;
    expect_eq("the kind of a list", &json!("List"), &list["kind"])?;
    let path = "jsonpath={.items[*].metadata.name}";
    let names = kubectl.says(&["get", "nodes", "-o", path])?;
    expect_eq("the names by JSONPath", &"cp-1 worker-1 worker-2 worker-3".to_owned(), &names)
}

fn watch(bench: &Bench) -> Outcome {
    let (server, issued) = session_of(bench, "root", &["system:masters"])?;
    let kubectl = bench.kubectl(&server, &issued)?;
    let seen = bench.sandbox()?.write("tmp/seen", "", 0o600)?;
    let run = kubectl.run(&["get", "configmaps", "-n", "shop", "-w", "--no-headers"])?;
    let watching = run.stdout(Sink::To(seen.clone())).spawn()?;
    let shows = |text: &str| {
        until(&format!("{text} in the watch"), Duration::from_secs(10), || {
            let said = std::fs::read_to_string(&seen)?;
            Ok(if said.contains(text) { Ok(()) } else { Err(said) })
        })
    };
    shows("settings")?;
    // The list comes before the watch: what is made in between is in neither, or in both.
    expect_event(&server, "api_request", "verb=watch")?;
    kubectl.says(&["create", "configmap", "made-meanwhile", "-n", "shop"])?;
    shows("made-meanwhile")?;
    watching.signal(rustix::process::Signal::INT)?;
    watching.finish()?;
    Ok(())
}

fn absent(bench: &Bench) -> Outcome {
    let (_server, kubectl) = developer(bench)?;
    for (args, word) in [
        (&["get", "pod", "-n", "bank", "nobody"][..], "NotFound"),
        (&["get", "ns", "nowhere"], "NotFound"),
        (&["logs", "-n", "bank", "nobody"], "not found"),
        (&["get", "unicorns"], "doesn't have a resource type"),
    ] {
        let said = kubectl.fails(args)?;
        expect(said.contains(word), format!("kubectl {}", args.join(" ")), word, &said)?;
    }
    let empty = kubectl.run(&["get", "pods", "-n", "nowhere"])?.go()?;
    expect_eq("an empty namespace", &Exit::Code(0), &empty.exit)
}

fn whoami(bench: &Bench) -> Outcome {
    let (_server, kubectl) = developer(bench)?;
    let said = recent(kubectl.json(&["auth", "whoami"]))?;
    let who = &said["status"]["userInfo"];
    expect_eq("the user", &json!("ana"), &who["username"])?;
    let groups = json!(["developers", "system:authenticated"]);
    expect_eq("the groups", &groups, &who["groups"])?;
    let table = kubectl.says(&["auth", "whoami"])?;
    expect(table.contains("ana") && table.contains("developers"), "the table", "both names", table)
}

fn can_i(bench: &Bench) -> Outcome {
    let (server, kubectl) = developer(bench)?;
    let target = json!({"k8s": {"user": "root", "impersonate_groups": ["system:masters"]}});
    let masters = bench.kubectl(&server, &open_for(&server, Family::Kubeconfig, &target)?)?;
    for (who, kubectl, verb, due) in [
        ("ana", &kubectl, "get", "yes"),
        ("ana", &kubectl, "delete", "no"),
        ("root", &masters, "delete", "yes"),
    ] {
        let ran = kubectl.run(&["auth", "can-i", verb, "pods", "-n", "shop"])?.go()?;
        let said = ran.stdout_text();
        expect_eq(format!("may {who} {verb} pods"), &due, &said.trim())?;
        expect_eq("and how kubectl ends", &Exit::Code(i32::from(due == "no")), &ran.exit)?;
    }
    let list = kubectl.says(&["auth", "can-i", "--list"])?;
    expect(list.contains("pods"), "auth can-i --list", "pods", list)
}

fn many_requests(bench: &Bench) -> Outcome {
    let (_server, kubectl) = developer(bench)?;
    for _ in 0..3 {
        kubectl.says(&["get", "--raw", "/api/v1/namespaces/bank/pods/ledger-0"])?;
    }
    Ok(())
}

fn trust(bench: &Bench) -> Outcome {
    let (server, issued) = session_of(bench, "ana", &[])?;
    bench.kubectl(&server, &issued)?.says(&["get", "--raw", "/version"])?;
    let stranger = bench.kubectl_with(None, &issued, text_of(&issued, "token"))?;
    let said = stranger.fails(&["get", "--raw", "/version"])?;
    expect(said.contains("x509"), "kubectl without the CA", "a certificate it cannot trust", said)
}

fn events(bench: &Bench) -> Outcome {
    let (server, kubectl) = developer(bench)?;
    kubectl.says(&["get", "--raw", "/api/v1/namespaces/bank/pods/ledger-0"])?;
    expect_event(&server, "session_started", "")?;
    expect_event(&server, "api_request", "verb=get")?;
    expect_event(&server, "api_request", "status=200")?;
    expect_event(&server, "connection_closed", "bytes_in=")
}
