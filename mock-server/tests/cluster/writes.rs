//! What a master may do: namespaces, config maps and pods come, change and go.

use std::path::Path;

use super::bench::{Bench, MASTER};
use super::kubectls::kubectls;
use super::{Case, refused, shows};

const MANIFEST: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, namespace: foo}\ndata: {k: v}\n";

const FIRST: &[Case] = &[
    shows("create ns foo", &["namespace/foo created"]),
    refused("create ns foo", "namespaces \"foo\" already exists"),
    shows("get sa -n foo", &["default"]),
    shows("create cm a -n foo --from-literal=a=b", &["configmap/a created"]),
    shows("create cm c -n foo --dry-run=server", &["configmap/c created (server dry run)"]),
    refused("get cm c -n foo", "configmaps \"c\" not found"),
    refused("create cm a -n nope", "namespaces \"nope\" not found"),
    refused("create cm A_b -n foo", "is invalid: metadata.name: Invalid value"),
    shows("run box -n foo --image=busybox", &["pod/box created"]),
    shows("wait --for=condition=Ready pod/box -n foo", &["condition met"]),
    shows("get pods -n foo", &["box 1/1 Running 0"]),
    shows("set image pod/box box=busybox:2 -n foo", &["image updated"]),
    shows("label cm a -n foo q=r", &["configmap/a labeled"]),
    shows("annotate cm a -n foo q=r", &["configmap/a annotate"]),
    shows("patch cm a -n foo --type merge -p {\"data\":{\"x\":\"y\"}}", &["patched"]),
    shows("patch cm a -n foo -p {\"data\":{\"z\":\"y\"}}", &["patched"]),
    shows(
        "patch cm a -n foo --type json -p [{\"op\":\"remove\",\"path\":\"/data/x\"}]",
        &["patched"],
    ),
    shows("get cm a -n foo -o jsonpath={.data}", &["{\"a\":\"b\",\"z\":\"y\"}"]),
    refused(
        "patch pod box -n foo -p {\"spec\":{\"hostname\":\"h\"}}",
        "pod updates may not change fields",
    ),
    refused("exec -n foo box -- ls", "is not part of the simulated cluster"),
    refused("scale deploy web -n shop --replicas=2", ""),
    refused("create deploy q --image=x", "the server does not allow this method"),
    refused("delete ns default", "this namespace may not be deleted"),
];

const LAST: &[Case] = &[
    shows("delete pod box -n foo", &["pod \"box\" deleted"]),
    refused("get pod box -n foo", "pods \"box\" not found"),
    shows("delete cm -n foo --all", &["configmap \"a\" deleted", "configmap \"applied\" deleted"]),
    shows("delete ns foo", &["namespace \"foo\" deleted"]),
    refused("get sa default -n foo", "not found"),
    shows("get secret gateway -n shop -o jsonpath={.data.api_key}", &["bm90LWEtcmVhbC1rZXk="]),
    shows(
        "auth whoami --as bob --as-group devs",
        &["Username bob", "Groups [devs system:authenticated]"],
    ),
];

fn apply(bench: &Bench, kubectl: &Path) {
    let with = |line: &str, input: &str| {
        let args: Vec<&str> = line.split(' ').collect();
        bench.kubectl_with_input(kubectl, MASTER, &args, input)
    };
    let changed = MANIFEST.replace("k: v", "k: w");
    let broken = MANIFEST.replace("\ndata:", "\ndta:");
    for (case, input) in [
        (shows("apply -f -", &["configmap/applied created"]), MANIFEST),
        (shows("apply -f -", &["configmap/applied unchanged"]), MANIFEST),
        (shows("apply -f -", &["configmap/applied configured"]), &changed),
        (shows("apply --server-side --force-conflicts -f -", &["serverside-applied"]), MANIFEST),
        (shows("replace -f -", &["configmap/applied replaced"]), &changed),
        (refused("create -f -", "already exists"), MANIFEST),
        (refused("replace -f -", "unknown field \"dta\""), &broken),
    ] {
        case.judge(kubectl, &with(case.line, input));
    }
}

#[test]
fn a_master_creates_changes_and_deletes() {
    for kubectl in kubectls() {
        // A cluster each: what one kubectl leaves behind must not help the next.
        let bench = Bench::start("shop.yaml");
        let run = |cases: &'static [Case]| {
            for case in cases {
                let args: Vec<&str> = case.line.split(' ').collect();
                case.judge(&kubectl, &bench.kubectl(&kubectl, MASTER, &args));
            }
        };
        run(FIRST);
        apply(&bench, &kubectl);
        run(LAST);
    }
}
