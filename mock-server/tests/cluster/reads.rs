//! Everything a viewer does with a cluster, with every kubectl this machine has.

use super::bench::Bench;
use super::kubectls::kubectls;
use super::{Case, refused, shows};

const CASES: &[Case] = &[
    shows("version", &["Server Version:", "v1.32.4"]),
    shows("api-versions", &["apps/v1", "discovery.k8s.io/v1", "v1"]),
    shows("api-resources", &["pods po v1 true Pod", "deployments deploy apps/v1 true Deployment"]),
    shows("cluster-info", &["Kubernetes control plane"]),
    shows("get ns", &["NAME STATUS AGE", "bank Active 12d", "shop Active 30d"]),
    shows(
        "get nodes -o wide",
        &[
            "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
            "cp-1 Ready,SchedulingDisabled control-plane 42d v1.32.4 10.0.0.11 <none> Ubuntu 24.04.2 LTS",
            "worker-3 NotReady worker 3d",
        ],
    ),
    shows(
        "get pods -A",
        &[
            "NAMESPACE NAME READY STATUS RESTARTS AGE",
            "bank backlog 0/1 Pending 0",
            "bank ledger-0 2/2 Running 4 (4m",
            "bank report 0/1 ImagePullBackOff 0 25m",
            "bank settle-28914 0/1 Completed 0 6h",
        ],
    ),
    shows(
        "get pods -n bank -o wide",
        &["NOMINATED NODE READINESS GATES", "worker-1 <none> <none>"],
    ),
    shows("get pods -n bank --show-labels", &["app=ledger"]),
    shows("get pods -n bank -o name", &["pod/ledger-0"]),
    shows("get pods -A -o jsonpath={.items[*].metadata.name}", &["backlog ledger-0 report"]),
    shows(
        "get pod ledger-0 -n bank -o yaml",
        &["kind: Pod", "nodeName: worker-1", "phase: Running"],
    ),
    shows("get pod ledger-0 -n bank -o json", &["\"podIP\": \"10.244.1."]),
    shows("get pods -A -l app=ledger -o name", &["pod/ledger-0"]),
    shows("get pods -A --field-selector status.phase=Succeeded -o name", &["pod/settle-28914"]),
    shows(
        "get pods -n bank --sort-by=.metadata.creationTimestamp -o name",
        &["pod/ledger-0\npod/settle-28914\npod/report\npod/backlog"],
    ),
    shows("get pods -A --chunk-size=2 -o name", &["pod/backlog", "pod/ledger-0", "pod/web-"]),
    shows("get all -n shop", &["deployment.apps/api 1/2 2 1 5d2h", "service/web LoadBalancer"]),
    shows(
        "get deploy -n shop -o wide",
        &["web 3/3 3 3 5d2h web docker.io/library/nginx:1.27 app=web"],
    ),
    shows("get rs -n shop", &["NAME DESIRED CURRENT READY AGE"]),
    shows("get svc -A", &["shop web LoadBalancer 10.96.0.3 203.0.113.10 80:30030/TCP 30d"]),
    shows("get cm -n shop", &["NAME DATA AGE", "settings 2 9d"]),
    shows("get quota -n shop", &["ceiling", "pods: 5/20", "limits.memory: 3Gi/16Gi"]),
    shows(
        "get events -n bank",
        &["LAST SEEN TYPE REASON OBJECT MESSAGE", "Warning FailedScheduling pod/backlog"],
    ),
    shows("get events -A --field-selector involvedObject.name=report", &["Failed pod/report"]),
    shows("get endpoints,endpointslices -n bank", &["10.244.1."]),
    shows("logs -n bank ledger-0 -c ledger", &["database system is ready", "checkpoint complete"]),
    shows("logs -n bank ledger-0 -c ledger --tail=1", &["checkpoint complete"]),
    shows("logs -n bank ledger-0 -c ledger --previous", &["received fast shutdown request"]),
    shows("logs -n shop deploy/web", &["GET /cart"]),
    refused("logs -n bank ledger-0 -c metrics --previous", "previous terminated container"),
    refused("logs -n bank ledger-0 -c nope", "container nope is not valid for pod ledger-0"),
    refused("logs -n bank report", "is waiting to start: trying and failing to pull image"),
    shows(
        "describe pod ledger-0 -n bank",
        &["Restart Count: 2", "PGDATA: /var/lib/ledger", "Started container ledger"],
    ),
    shows(
        "describe node worker-3",
        &["Ready Unknown", "NodeNotReady", "node.kubernetes.io/unreachable:NoExecute"],
    ),
    shows(
        "describe ns shop",
        &["team=storefront", "limits.memory 3Gi 16Gi", "No LimitRange resource."],
    ),
    shows("describe svc web -n shop", &["TargetPort: 8080/TCP"]),
    shows("describe deploy api -n shop", &["1 available | 1 unavailable"]),
    shows("explain pod.spec.containers.image", &["Container image name"]),
    shows("auth whoami", &["Username ana@example.com", "Groups [developers system:authenticated]"]),
    shows("auth can-i list pods", &["yes"]),
    shows("auth can-i get pods --subresource=log -n bank", &["yes"]),
    shows("auth can-i --list", &["pods", "[get list watch]"]),
    shows("auth can-i delete pods -A", &["yes"]).by_master(),
    refused("auth can-i create pods", ""),
    refused("auth can-i list secrets", ""),
    refused("top nodes", "Metrics API not available"),
    refused("get widgets", "the server doesn't have a resource type \"widgets\""),
    refused("get pod nope", "Error from server (NotFound): pods \"nope\" not found"),
    refused("get pods --field-selector a=b", "field label not supported: a"),
    refused(
        "get secrets -n shop",
        "Error from server (Forbidden): secrets is forbidden: User \"ana@example.com\" cannot list resource \"secrets\" in API group \"\" in the namespace \"shop\"",
    ),
    refused("get nodes --as bob", "cannot impersonate resource \"users\""),
    refused(
        "create ns foo",
        "namespaces is forbidden: User \"ana@example.com\" cannot create resource \"namespaces\" in API group \"\" at the cluster scope",
    ),
    refused("create cm a --from-literal=a=b", "cannot create resource \"configmaps\""),
    refused("delete pod -n bank report", "pods \"report\" is forbidden"),
    refused("exec -n bank ledger-0 -c ledger -- ls", "pods/exec"),
    refused("port-forward -n bank ledger-0 1:5432", "cannot create resource \"pods/portforward\""),
];

#[test]
fn a_viewer_sees_everything_but_secrets_and_changes_nothing() {
    let bench = Bench::start("shop.yaml");
    std::thread::scope(|scope| {
        for kubectl in kubectls() {
            let bench = &bench;
            scope.spawn(move || {
                for case in CASES {
                    case.run(bench, &kubectl);
                }
            });
        }
    });
}
