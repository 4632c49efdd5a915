//! The row of a pod. Its status column is none of the object's fields but a summary of them.

use jiff::Timestamp;
use serde_json::Value;

use super::rows::{born, items, name, or_none, read};
use crate::kube::age;
use crate::kube::table::Columns;

pub(super) const COLUMNS: Columns = &[
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
    "+IP",
    "+Node",
    "+Nominated Node",
    "+Readiness Gates",
];

pub(super) fn row(pod: &Value, now: Timestamp) -> Vec<Value> {
    let statuses = items(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|status| is_ready(status)).count();
    let wanted = items(pod, "/spec/containers").len();
    let none = |path: &str| {
        or_none(pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    vec![
        name(pod),
        format!("{ready}/{wanted}").into(),
        status(pod).into(),
        restarts(statuses, now).into(),
        born(pod, now),
        none("/status/podIP"),
        none("/spec/nodeName"),
        none("/status/nominatedNodeName"),
        gates(pod),
    ]
}

fn is_ready(status: &Value) -> bool {
    status.get("ready") == Some(&Value::Bool(true))
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn exit(terminated: &Value) -> String {
    if let Some(reason) = at(terminated, "/reason") {
        return reason.to_owned();
    }
    let number = |key: &str| terminated.get(key).and_then(Value::as_i64).unwrap_or_default();
    match number("signal") {
        0 => format!("ExitCode:{}", number("exitCode")),
        signal => format!("Signal:{signal}"),
    }
}

/// The worst thing any container has to say, the first container last.
fn status(pod: &Value) -> String {
    let phase = at(pod, "/status/phase").unwrap_or_default();
    let mut said = at(pod, "/status/reason").unwrap_or(phase).to_owned();
    if let Some(waiting) = initializing(pod) {
        said = waiting;
    } else {
        let mut running = false;
        for status in items(pod, "/status/containerStatuses").iter().rev() {
            if let Some(reason) = at(status, "/state/waiting/reason") {
                said = reason.to_owned();
            } else if let Some(terminated) = status.pointer("/state/terminated") {
                said = exit(terminated);
            } else if is_ready(status) && status.pointer("/state/running").is_some() {
                running = true;
            }
        }
        if said == "Completed" && running {
            let holds = |condition: &Value| {
                at(condition, "/type") == Some("Ready") && at(condition, "/status") == Some("True")
            };
            let ready = items(pod, "/status/conditions").iter().any(holds);
            said = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if at(pod, "/metadata/deletionTimestamp").is_some() {
        let lost = at(pod, "/status/reason") == Some("NodeLost");
        said = if lost { "Unknown" } else { "Terminating" }.to_owned();
    }
    said
}

/// What the first unfinished init container says, while there is one.
fn initializing(pod: &Value) -> Option<String> {
    let statuses = items(pod, "/status/initContainerStatuses");
    let total = items(pod, "/spec/initContainers").len();
    for (index, status) in statuses.iter().enumerate() {
        if let Some(terminated) = status.pointer("/state/terminated") {
            if terminated.get("exitCode").and_then(Value::as_i64) == Some(0) {
                continue;
            }
            return Some(format!("Init:{}", exit(terminated)));
        }
        return Some(match at(status, "/state/waiting/reason") {
            Some(reason) if reason != "PodInitializing" => format!("Init:{reason}"),
            _ => format!("Init:{index}/{total}"),
        });
    }
    None
}

fn restarts(statuses: &[Value], now: Timestamp) -> String {
    let count = |status: &Value| status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
    let total: i64 = statuses.iter().map(count).sum();
    let last = statuses.iter().filter_map(|s| at(s, "/lastState/terminated/finishedAt")).max();
    match last {
        Some(last) if total > 0 => format!("{total} ({} ago)", age::since(Some(last), now)),
        _ => total.to_string(),
    }
}

fn gates(pod: &Value) -> Value {
    let gates = items(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".into();
    }
    let met = gates.iter().filter(|gate| {
        items(pod, "/status/conditions").iter().any(|condition| {
            read(condition, "/type") == read(gate, "/conditionType")
                && at(condition, "/status") == Some("True")
        })
    });
    format!("{}/{}", met.count(), gates.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_is_the_worst_that_is_said() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let waiting = json!({ "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "finishedAt": "2026-07-01T11:55:00Z" } } });
        let running = json!({ "ready": true, "state": { "running": {} } });
        let done = json!({ "ready": false, "state": { "terminated": { "reason": "Completed" } } });
        let killed = json!({ "state": { "terminated": { "signal": 9 } } });
        let starting = json!({ "state": { "waiting": { "reason": "PodInitializing" } } });
        for (status, deleted, expected) in [
            (json!({ "phase": "Pending" }), false, "0/1 Pending 0"),
            (json!({ "phase": "Running", "containerStatuses": [running] }), false, "1/1 Running 0"),
            (
                json!({ "phase": "Running", "containerStatuses": [running] }),
                true,
                "1/1 Terminating 0",
            ),
            (
                json!({ "phase": "Running", "containerStatuses": [waiting] }),
                false,
                "0/1 CrashLoopBackOff 3 (5m ago)",
            ),
            (
                json!({ "phase": "Succeeded", "containerStatuses": [done] }),
                false,
                "0/1 Completed 0",
            ),
            (
                json!({ "phase": "Running", "containerStatuses": [done, running] }),
                false,
                "1/1 NotReady 0",
            ),
            (json!({ "phase": "Failed", "containerStatuses": [killed] }), false, "0/1 Signal:9 0"),
            (json!({ "phase": "Failed", "reason": "Evicted" }), false, "0/1 Evicted 0"),
            (
                json!({ "phase": "Pending", "initContainerStatuses": [starting] }),
                false,
                "0/1 Init:0/2 0",
            ),
        ] {
            let mut pod = json!({
                "metadata": { "name": "a" }, "status": status,
                "spec": { "containers": [{}], "initContainers": [{}, {}] },
            });
            if deleted {
                pod["metadata"]["deletionTimestamp"] = "2026-07-01T11:59:59Z".into();
            }
            let row = row(&pod, now);
            let shown: Vec<&str> = row[1..4].iter().map(|cell| cell.as_str().unwrap()).collect();
            assert_eq!(shown.join(" "), expected);
        }
    }
}
