//! How a row is read off an object: small readers, and one function for each kind that
//! takes more than a line.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kube::age;

pub(super) fn read(object: &Value, path: &str) -> Value {
    object.pointer(path).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| "".into())
}

fn string<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn name(object: &Value) -> Value {
    read(object, "/metadata/name")
}

pub(super) fn born(object: &Value, now: Timestamp) -> Value {
    age::since(object.pointer("/metadata/creationTimestamp").and_then(Value::as_str), now).into()
}

/// kubectl shows an absence as `<none>`.
pub(super) fn or_none(text: String) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

pub(super) fn count(object: &Value, path: &str) -> Value {
    object.pointer(path).and_then(Value::as_i64).unwrap_or_default().into()
}

pub(super) fn fraction(object: &Value, part: &str, whole: &str) -> Value {
    format!("{}/{}", count(object, part), count(object, whole)).into()
}

pub(super) fn entries(object: &Value) -> Value {
    let size = |key| object.get(key).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    (size("data") + size("binaryData")).into()
}

fn pairs(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.join(",")
}

pub(super) fn with_template(mut row: Vec<Value>, object: &Value) -> Vec<Value> {
    let containers = items(object, "/spec/template/spec/containers");
    for key in ["name", "image"] {
        let all: Vec<&str> =
            containers.iter().filter_map(|container| container.get(key)?.as_str()).collect();
        row.push(all.join(",").into());
    }
    row.push(or_none(pairs(object.pointer("/spec/selector/matchLabels"))));
    row
}

pub(super) fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut row = vec![name(object)];
    for path in [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ] {
        row.push(count(object, &format!("/status/{path}")));
    }
    row.push(or_none(pairs(object.pointer("/spec/template/spec/nodeSelector"))));
    row.push(born(object, now));
    with_template(row, object)
}

pub(super) fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let ready = items(object, "/status/conditions")
        .iter()
        .find(|condition| string(condition, "/type") == "Ready")
        .map_or("Unknown", |condition| match string(condition, "/status") {
            "True" => "Ready",
            _ => "NotReady",
        });
    let cordoned = object.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
    let status = if cordoned { format!("{ready},SchedulingDisabled") } else { ready.to_owned() };
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let address = |kind: &str| {
        let found = items(object, "/status/addresses").iter().find(|a| string(a, "/type") == kind);
        or_none(found.map(|address| string(address, "/address").to_owned()).unwrap_or_default())
    };
    let info = |field: &str| match string(object, &format!("/status/nodeInfo/{field}")) {
        "" => "<unknown>".into(),
        text => text.into(),
    };
    vec![
        name(object),
        status.into(),
        or_none(roles.join(",")),
        born(object, now),
        read(object, "/status/nodeInfo/kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

pub(super) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = items(object, "/spec/ports")
        .iter()
        .map(|port| {
            let at = |key: &str| port.get(key).and_then(Value::as_u64);
            let node = at("nodePort").map(|node| format!(":{node}")).unwrap_or_default();
            format!("{}{node}/{}", at("port").unwrap_or_default(), string(port, "/protocol"))
        })
        .collect();
    let mut outside: Vec<&str> = items(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| match string(ingress, "/ip") {
            "" => string(ingress, "/hostname"),
            ip => ip,
        })
        .collect();
    outside.extend(items(object, "/spec/externalIPs").iter().filter_map(Value::as_str));
    let kind = string(object, "/spec/type");
    let outside = match (kind, outside.is_empty()) {
        ("ExternalName", _) => read(object, "/spec/externalName"),
        ("LoadBalancer", true) => "<pending>".into(),
        _ => or_none(outside.join(",")),
    };
    vec![
        name(object),
        kind.into(),
        or_none(string(object, "/spec/clusterIP").to_owned()),
        outside,
        or_none(ports.join(",")),
        born(object, now),
        or_none(pairs(object.pointer("/spec/selector"))),
    ]
}

pub(super) fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let at = |path: &str| {
        let text = object.pointer(path).and_then(Value::as_str);
        let text = text.or_else(|| object.pointer("/eventTime").and_then(Value::as_str));
        Value::from(age::since(text, now))
    };
    let about = format!(
        "{}/{}",
        string(object, "/involvedObject/kind").to_lowercase(),
        string(object, "/involvedObject/name")
    );
    let source = match string(object, "/source/host") {
        "" => string(object, "/source/component").to_owned(),
        host => format!("{}, {host}", string(object, "/source/component")),
    };
    vec![
        at("/lastTimestamp"),
        read(object, "/type"),
        read(object, "/reason"),
        about.into(),
        read(object, "/involvedObject/fieldPath"),
        source.into(),
        string(object, "/message").trim().into(),
        at("/firstTimestamp"),
        json!(object.pointer("/count").and_then(Value::as_i64).unwrap_or(1).to_string()),
        name(object),
    ]
}

/// The first few, and how many more.
fn few(all: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    if all.len() > SHOWN { format!("{shown} + {} more...", all.len() - SHOWN) } else { shown }
}

pub(super) fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in items(object, "/subsets") {
        for port in items(subset, "/ports") {
            for address in items(subset, "/addresses") {
                let port = port.get("port").and_then(Value::as_u64).unwrap_or_default();
                all.push(format!("{}:{port}", string(address, "/ip")));
            }
        }
    }
    vec![name(object), or_none(few(&all)), born(object, now)]
}

pub(super) fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = items(object, "/ports")
        .iter()
        .filter_map(|port| port.get("port")?.as_u64())
        .map(|port| port.to_string())
        .collect();
    let addresses: Vec<String> = items(object, "/endpoints")
        .iter()
        .flat_map(|endpoint| items(endpoint, "/addresses"))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    let unset = |text: String| if text.is_empty() { "<unset>".into() } else { Value::from(text) };
    vec![
        name(object),
        read(object, "/addressType"),
        unset(few(&ports)),
        unset(few(&addresses)),
        born(object, now),
    ]
}

pub(super) fn quota(object: &Value, limits: bool) -> Value {
    let hard = object.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten();
    let shown: Vec<String> = hard
        .filter(|(key, _)| key.starts_with("limits.") == limits)
        .map(|(key, most)| {
            let used = object.pointer("/status/used").and_then(|used| used.get(key));
            let used = used.and_then(Value::as_str).unwrap_or("0");
            format!("{key}: {used}/{}", most.as_str().unwrap_or_default())
        })
        .collect();
    shown.join(", ").into()
}
