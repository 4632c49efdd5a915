//! OpenAPI v3, one document for each group: what `explain` reads, and what kubectl looks at
//! before it creates, to learn whether the server checks fields itself.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::discovery::GROUPS;
use super::kinds::{KINDS, Kind};

/// Served under this type and empty, OpenAPI v2 says that there is nothing to check against;
/// clients from before v3 then leave the checking to the server.
pub(crate) const V2_MEDIA: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Documents are the same for every cluster and built when the first client asks.
static DOCUMENTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let groups = std::iter::once("").chain(GROUPS.iter().copied());
    groups.map(|group| (path(group), document(group).to_string())).collect()
});

fn path(group: &str) -> String {
    if group.is_empty() { "api/v1".to_owned() } else { format!("apis/{group}/v1") }
}

pub(crate) fn index() -> Value {
    let paths: Map<String, Value> = DOCUMENTS
        .keys()
        .map(|path| {
            let hash = super::fingerprint::hex(&["openapi", env!("CARGO_PKG_VERSION"), path], 16);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path.clone(), json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

pub(crate) fn of(path: &str) -> Option<&'static str> {
    DOCUMENTS.get(path.trim_matches('/')).map(String::as_str)
}

fn document(group: &str) -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let (mut paths, mut roots) = (Map::new(), Vec::new());
    for kind in KINDS.iter().filter(|kind| kind.group == group) {
        // The generator keeps the schema among its definitions; what it returns refers to it.
        let reference = (kind.schema)(&mut generator).to_value();
        let name = reference.get("$ref").and_then(Value::as_str).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        add_paths(&mut paths, kind, &name);
        roots.push((name, kind));
    }
    let mut schemas = generator.take_definitions(true);
    for (name, schema) in &mut schemas {
        wrap_references(schema);
        if let Some((_, kind)) = roots.iter().find(|(root, _)| root == name) {
            schema["x-kubernetes-group-version-kind"] = json!([identity(kind)]);
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "v1.32.4" },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn identity(kind: &Kind) -> Value {
    json!({ "group": kind.group, "version": kind.version, "kind": kind.kind })
}

fn add_paths(paths: &mut Map<String, Value>, kind: &Kind, schema: &str) {
    let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "required": place == "path", "schema": { "type": "string", "uniqueItems": true } });
    let content = json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } });
    let operation = |action: &str, query: &[&str]| {
        let parameters: Vec<Value> = query.iter().map(|name| parameter(name, "query")).collect();
        json!({
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": identity(kind),
            "parameters": parameters,
            "responses": { "200": { "description": "OK", "content": content } },
        })
    };
    let writing = ["dryRun", "fieldManager", "fieldValidation"];
    let base = format!("/{}", path(kind.group));
    let base = if kind.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base };
    let mut one = json!({
        "get": operation("get", &[]),
        // Also for kinds nobody may write here: the refusal should be the server's, not kubectl's.
        "patch": operation("patch", &writing),
        "put": operation("put", &writing),
        "delete": operation("delete", &["dryRun"]),
        "parameters": [parameter("name", "path")],
    });
    let mut all = json!({
        "get": operation("list", &["labelSelector", "fieldSelector", "limit", "continue", "watch"]),
        "post": operation("post", &writing),
        "parameters": [],
    });
    if kind.namespaced {
        for item in [&mut one, &mut all] {
            if let Some(parameters) = item["parameters"].as_array_mut() {
                parameters.push(parameter("namespace", "path"));
            }
        }
    }
    paths.insert(format!("{base}/{}/{{name}}", kind.plural), one);
    paths.insert(format!("{base}/{}", kind.plural), all);
}

/// A reference with a description beside it goes into `allOf`: kubectl reads fields so.
fn wrap_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for value in fields.values_mut() {
                wrap_references(value);
            }
            if fields.len() > 1 && fields.get("$ref").is_some_and(Value::is_string) {
                let reference = fields.remove("$ref");
                fields.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(wrap_references),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_found_by_kubectl() {
        let index = index();
        for kind in KINDS {
            assert!(index["paths"].get(path(kind.group)).is_some());
            let document: Value = serde_json::from_str(of(&path(kind.group)).unwrap()).unwrap();
            let schemas = document["components"]["schemas"].as_object().unwrap();
            let wanted = json!([identity(kind)]);
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
