//! What an object must be before it is let in, beyond being of its type.

use serde_json::Value;

use super::kinds::Kind;
use crate::kube::status::Cause;
use crate::kube::write::metadata_causes;

/// A DNS subdomain, as names of nearly everything must be.
pub(crate) fn is_dns_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.split('.').all(is_dns_label)
}

pub(crate) fn is_dns_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 63
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

/// Everything wrong with an object that is about to be stored.
pub(crate) fn causes(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if kind.kind == "Namespace" {
        if !is_dns_label(name) {
            causes.push(Cause::invalid("metadata.name", name, LABEL));
        }
    } else if !is_dns_name(name) {
        causes.push(Cause::invalid("metadata.name", name, SUBDOMAIN));
    }
    metadata_causes(object, &mut causes);
    match kind.kind {
        "ConfigMap" => config_map(object, &mut causes),
        "Pod" => pod(object, &mut causes),
        _ => {}
    }
    causes
}

fn config_map(object: &Value, causes: &mut Vec<Cause>) {
    for field in ["data", "binaryData"] {
        for key in object.get(field).and_then(Value::as_object).into_iter().flatten().map(|e| e.0) {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if key.is_empty()
                || key.len() > 253
                || !key.chars().all(fits)
                || key == "."
                || key == ".."
            {
                let message =
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                causes.push(Cause::invalid(&format!("{field}[{key}]"), key, message));
            }
        }
    }
}

fn pod(object: &Value, causes: &mut Vec<Cause>) {
    let containers = object.pointer("/spec/containers").and_then(Value::as_array);
    let containers = containers.map_or(&[][..], Vec::as_slice);
    if containers.is_empty() {
        causes.push(Cause::required("spec.containers", ""));
    }
    let mut seen = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
        let field = |key: &str| format!("spec.containers[{index}].{key}");
        let name = text("name");
        if name.is_empty() {
            causes.push(Cause::required(&field("name"), ""));
        } else if !is_dns_label(name) {
            causes.push(Cause::invalid(&field("name"), name, LABEL));
        } else if seen.contains(&name) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                field: field("name"),
                message: format!("Duplicate value: {name:?}"),
            });
        }
        seen.push(name);
        if text("image").is_empty() {
            causes.push(Cause::required(&field("image"), ""));
        }
    }
}

/// What may not change between an object and its successor.
pub(crate) fn frozen(kind: &Kind, before: &Value, after: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    match kind.kind {
        "ConfigMap" if before.get("immutable") == Some(&Value::Bool(true)) => {
            for field in ["data", "binaryData", "immutable"] {
                if before.get(field) != after.get(field) {
                    causes.push(Cause::forbidden(
                        field,
                        "field is immutable when `immutable` is set",
                    ));
                }
            }
        }
        "Pod" if changeless(before) != changeless(after) => {
            let message = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
            causes.push(Cause::forbidden("spec", message));
        }
        _ => {}
    }
    causes
}

/// A pod's spec without what may change.
fn changeless(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(fields) = container.as_object_mut() {
                fields.remove("image");
            }
        }
    }
    if let Some(fields) = spec.as_object_mut() {
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
            fields.remove(field);
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kinds;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named() {
        for (kind, object, expected) in [
            ("Namespace", json!({ "metadata": { "name": "a.b" } }), vec!["metadata.name"]),
            ("ConfigMap", json!({ "metadata": { "name": "a.b" } }), vec![]),
            ("ConfigMap", json!({ "metadata": {} }), vec!["metadata.name"]),
            (
                "ConfigMap",
                json!({ "metadata": { "name": "a" }, "data": { "b c": "" } }),
                vec!["data[b c]"],
            ),
            (
                "ConfigMap",
                json!({ "metadata": { "name": "a", "labels": { "x": "-" } } }),
                vec!["metadata.labels"],
            ),
            ("Pod", json!({ "metadata": { "name": "a" }, "spec": {} }), vec!["spec.containers"]),
            (
                "Pod",
                json!({ "metadata": { "name": "A" }, "spec": { "containers": [
                    { "name": "a", "image": "i" }, { "name": "a" }, { "image": "i" } ] } }),
                vec![
                    "metadata.name",
                    "spec.containers[1].name",
                    "spec.containers[1].image",
                    "spec.containers[2].name",
                ],
            ),
        ] {
            let fields: Vec<String> = causes(kinds::named(kind).unwrap(), &object)
                .into_iter()
                .map(|cause| cause.field)
                .collect();
            assert_eq!(fields, expected, "{object}");
        }
    }

    #[test]
    fn a_pod_may_change_its_image_and_little_else() {
        let pod = kinds::named("Pod").unwrap();
        let with = |image: &str, host: &str| json!({ "spec": { "hostname": host, "containers": [{ "name": "a", "image": image }] } });
        assert!(frozen(pod, &with("a", "h"), &with("b", "h")).is_empty());
        assert_eq!(frozen(pod, &with("a", "h"), &with("a", "g")).len(), 1);
    }
}
