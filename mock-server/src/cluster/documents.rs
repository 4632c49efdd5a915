//! The cluster's OpenAPI documents, the same for every cluster.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::kinds::{self, GROUPS};
use crate::kube::openapi;

/// Built when the first client asks.
static DOCUMENTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let offered = kinds::offered();
    let groups = std::iter::once(("", "v1")).chain(GROUPS.iter().copied());
    groups
        .map(|(group, version)| {
            let document = openapi::document(&offered.kinds, group, "Kubernetes", "v1.32.4");
            (openapi::path(group, version), document.to_string())
        })
        .collect()
});

/// The document under `/openapi/v3/<path>`.
pub(crate) fn of(path: &str) -> Option<&'static str> {
    DOCUMENTS.get(path.trim_matches('/')).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::kinds::KINDS;
    use crate::kube::openapi::path;

    #[test]
    fn every_kind_can_be_found_by_kubectl() {
        let index = openapi::index(&kinds::offered());
        for kind in KINDS {
            let path = path(kind.group, kind.version);
            assert!(index["paths"].get(&path).is_some());
            let document: Value = serde_json::from_str(of(&path).unwrap()).unwrap();
            let schemas = document["components"]["schemas"].as_object().unwrap();
            let wanted =
                json!([{ "group": kind.group, "version": kind.version, "kind": kind.kind }]);
            let found = schemas
                .values()
                .filter(|schema| schema.get("x-kubernetes-group-version-kind") == Some(&wanted));
            assert_eq!(found.count(), 1, "{kind:?}");
            let paths = document["paths"].as_object().unwrap();
            let patch = paths
                .iter()
                .find(|(path, _)| path.ends_with(&format!("/{}/{{name}}", kind.plural)));
            let parameters = patch.unwrap().1["patch"]["parameters"].to_string();
            assert!(parameters.contains("fieldValidation"), "{kind:?}");
        }
    }

    #[test]
    fn references_lead_somewhere() {
        fn references<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
            match value {
                Value::Object(fields) => {
                    out.extend(fields.get("$ref").and_then(Value::as_str));
                    fields.values().for_each(|value| references(value, out));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, out)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(of("api/v1").unwrap()).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
