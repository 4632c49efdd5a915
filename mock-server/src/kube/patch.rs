//! The patches a client may send: a list of operations, a merge, or the strategic merge in
//! which lists of named things are merged by name.

use json_patch::PatchOperation;
use serde_json::{Map, Value};

use super::body::LIMIT;
use super::status::Refusal;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Patch {
    Json,
    Merge,
    Strategic,
    /// Server-side apply: an object that is to be so, whether or not it exists.
    Apply,
}

impl Patch {
    pub(crate) fn of(media: &str) -> Result<Self, Refusal> {
        match media {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            other => Err(Refusal::unsupported_media(
                other,
                "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
            )),
        }
    }

    pub(crate) fn onto(self, object: &Value, patch: Value) -> Result<Value, Refusal> {
        let mut result = object.clone();
        match self {
            Self::Json => {
                let operations: json_patch::Patch =
                    serde_json::from_value(patch).map_err(|error| {
                        Refusal::bad_request(format!("error decoding patch: {error}"))
                    })?;
                operate(&mut result, &operations.0)?;
            }
            Self::Merge if patch.is_object() => json_patch::merge(&mut result, &patch),
            Self::Strategic | Self::Apply if patch.is_object() => strategic(&mut result, patch, ""),
            _ => return Err(Refusal::bad_request("a merge patch must be an object")),
        }
        bounded(&result)?;
        Ok(result)
    }
}

/// As many as a Kubernetes API server takes.
const MOST_OPERATIONS: usize = 10_000;
/// No object that anybody needs is nested as deeply; what is nested without a bound would end the
/// stack of whoever reads, copies or drops it.
const DEEPEST: usize = 100;

/// How many values are looked at on behalf of one patch, which is some milliseconds.
const MOST_LOOKS: usize = 1_000_000;

/// One by one, because a few dozen copies of copies would fill the memory of the machine, and as
/// many moves into each other its stack.
fn operate(object: &mut Value, operations: &[PatchOperation]) -> Result<(), Refusal> {
    if operations.len() > MOST_OPERATIONS {
        return Err(Refusal::too_large(LIMIT));
    }
    let mut size = object.to_string().len();
    let mut looks = MOST_LOOKS;
    for operation in operations {
        let (path, placed) = match operation {
            PatchOperation::Add(add) => (&add.path, Some(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
            PatchOperation::Move(from) => (&from.path, object.pointer(from.from.as_str())),
            PatchOperation::Copy(from) => (&from.path, object.pointer(from.from.as_str())),
            PatchOperation::Remove(gone) => (&gone.path, None),
            PatchOperation::Test(test) => (&test.path, None),
        };
        if let Some(placed) = placed {
            let below = depth(placed, &mut looks).ok_or_else(|| Refusal::too_large(LIMIT))?;
            if path.count() + below > DEEPEST {
                return Err(Refusal::unprocessable("the patch nests the object too deeply"));
            }
            if matches!(operation, PatchOperation::Copy(_)) {
                // Counted, not measured: measuring the whole for each copy would take minutes.
                size = size.saturating_add(placed.to_string().len());
                if size > LIMIT {
                    return Err(Refusal::too_large(LIMIT));
                }
            }
        }
        json_patch::patch(object, std::slice::from_ref(operation))
            .map_err(|error| Refusal::unprocessable(&error.to_string()))?;
    }
    Ok(())
}

/// How many levels there are, unless that takes more looks than are left.
fn depth(value: &Value, looks: &mut usize) -> Option<usize> {
    *looks = looks.checked_sub(1)?;
    let mut deepest = 0;
    match value {
        Value::Array(items) => {
            for item in items {
                deepest = deepest.max(depth(item, looks)?);
            }
        }
        Value::Object(fields) => {
            for field in fields.values() {
                deepest = deepest.max(depth(field, looks)?);
            }
        }
        _ => {}
    }
    Some(deepest + 1)
}

/// Patches may not make an object larger than one that could be sent whole.
fn bounded(object: &Value) -> Result<(), Refusal> {
    if object.to_string().len() > LIMIT { Err(Refusal::too_large(LIMIT)) } else { Ok(()) }
}

/// The field by which items of a list are the same item. Lists not named here are replaced.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "ports" => Some("containerPort"),
        "ownerReferences" => Some("uid"),
        "conditions" => Some("type"),
        "hostAliases" | "podIPs" | "hostIPs" => Some("ip"),
        "topologySpreadConstraints" => Some("topologyKey"),
        _ => None,
    }
}

fn strategic(target: &mut Value, patch: Value, field: &str) {
    match patch {
        Value::Object(patch) => strategic_object(target, patch),
        Value::Array(patch) => match merge_key(field) {
            Some(key) => strategic_list(target, patch, key),
            None if field == "finalizers" => union(target, patch),
            None => *target = patch.into(),
        },
        plain => *target = plain,
    }
}

fn strategic_object(target: &mut Value, mut patch: Map<String, Value>) {
    match patch.remove("$patch").as_ref().and_then(Value::as_str) {
        Some("delete") => {
            *target = Value::Null;
            return;
        }
        Some("replace") => {
            *target = patch.into();
            return;
        }
        _ => {}
    }
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Some(fields) = target.as_object_mut() else { return };
    if let Some(Value::Array(kept)) = patch.remove("$retainKeys") {
        fields.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (fields.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with("$setElementOrder/") {
            // The order of what is already there is kept, which is an order too.
        } else if value.is_null() {
            fields.remove(&key);
        } else {
            let slot = fields.entry(key.as_str()).or_insert(Value::Null);
            strategic(slot, value, &key);
            if slot.is_null() {
                fields.remove(&key);
            }
        }
    }
}

fn strategic_list(target: &mut Value, patch: Vec<Value>, key: &str) {
    let is = |item: &Value, directive: &str| {
        item.get("$patch").and_then(Value::as_str) == Some(directive)
    };
    if patch.iter().any(|item| is(item, "replace")) {
        *target = patch.into_iter().filter(|item| !is(item, "replace")).collect();
        return;
    }
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(items) = target.as_array_mut() else { return };
    for patch in patch {
        let named = patch.get(key).cloned();
        let found =
            items.iter().position(|item| named.is_some() && item.get(key) == named.as_ref());
        match found {
            Some(index) if is(&patch, "delete") => {
                items.remove(index);
            }
            Some(index) => {
                if let Some(item) = items.get_mut(index) {
                    strategic(item, patch, "");
                }
            }
            None if is(&patch, "delete") => {}
            None => {
                let mut item = Value::Null;
                strategic(&mut item, patch, "");
                items.push(item);
            }
        }
    }
}

fn union(target: &mut Value, patch: Vec<Value>) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    if let Some(items) = target.as_array_mut() {
        for item in patch {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strategic_merges_lists_by_name() {
        let object = json!({
            "metadata": { "labels": { "a": "1", "b": "2" }, "finalizers": ["x"] },
            "spec": { "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "1" }],
                      "args": [1, 2] },
        });
        let patch = json!({
            "metadata": { "labels": { "b": null, "c": "3" }, "finalizers": ["y"],
                          "$setElementOrder/finalizers": ["x", "y"] },
            "spec": { "containers": [{ "name": "b", "image": "2" }, { "name": "a", "$patch": "delete" },
                                     { "name": "c", "image": "3" }],
                      "args": [3] },
        });
        let result = Patch::Strategic.onto(&object, patch).unwrap();
        assert_eq!(
            result,
            json!({
                "metadata": { "labels": { "a": "1", "c": "3" }, "finalizers": ["x", "y"] },
                "spec": { "containers": [{ "name": "b", "image": "2" }, { "name": "c", "image": "3" }],
                          "args": [3] },
            })
        );
    }

    #[test]
    fn directives_replace_and_delete() {
        let object = json!({ "data": { "a": "1" }, "spec": { "x": 1 } });
        let patch =
            json!({ "data": { "$patch": "replace", "b": "2" }, "spec": { "$patch": "delete" } });
        assert_eq!(Patch::Strategic.onto(&object, patch).unwrap(), json!({ "data": { "b": "2" } }));
    }

    #[test]
    fn copies_of_copies_are_stopped() {
        let object = json!({ "data": { "a": "b".repeat(1000) } });
        let copies: Vec<Value> = (0..40)
            .map(|n| json!({ "op": "copy", "from": "/data", "path": format!("/data/x{n}") }))
            .collect();
        let refused = Patch::Json.onto(&object, copies.into()).unwrap_err();
        assert_eq!(refused.status()["code"], 413);
    }

    #[test]
    fn moves_into_each_other_are_stopped_before_the_stack_ends() {
        let object = json!({ "data": { "a": "b" } });
        let nest = [
            json!({ "op": "add", "path": "/t", "value": {} }),
            json!({ "op": "move", "from": "/data", "path": "/t/d" }),
            json!({ "op": "move", "from": "/t", "path": "/data" }),
        ];
        let patch: Vec<Value> = nest.iter().cycle().take(9_000).cloned().collect();
        let refused = Patch::Json.onto(&object, patch.into()).unwrap_err();
        assert_eq!(refused.status()["code"], 422);
        let patch: Vec<Value> = nest.iter().cycle().take(90).cloned().collect();
        assert!(Patch::Json.onto(&object, patch.into()).is_ok());
    }

    #[test]
    fn a_patch_costs_no_more_than_it_may() {
        let object = json!({ "data": { "a": "b".repeat(1_000_000) }, "list": vec![0; 20_000] });
        let back_and_forth = [
            json!({ "op": "move", "from": "/list", "path": "/other" }),
            json!({ "op": "move", "from": "/other", "path": "/list" }),
        ];
        let small = json!({ "op": "copy", "from": "/list/0", "path": "/one" });
        let large = json!({ "op": "copy", "from": "/data", "path": "/two" });
        for (operations, code) in [
            (back_and_forth.iter().cycle().take(1_000).cloned().collect::<Vec<_>>(), 413),
            (vec![small.clone(); 10_001], 413),
            (vec![large; 10_000], 413),
        ] {
            let refused = Patch::Json.onto(&object, operations.into()).unwrap_err();
            assert_eq!(refused.status()["code"], code);
        }
        assert!(Patch::Json.onto(&object, vec![small; 10_000].into()).is_ok());
    }

    #[test]
    fn wrong_patches_are_refused() {
        let object = json!({ "a": 1 });
        assert!(Patch::Merge.onto(&object, json!([1])).is_err());
        assert!(Patch::Json.onto(&object, json!({ "op": "add" })).is_err());
        let failing = json!([{ "op": "test", "path": "/a", "value": 2 }]);
        assert_eq!(Patch::Json.onto(&object, failing).unwrap_err().status()["code"], 422);
        assert!(Patch::of("application/json").is_err());
    }
}
