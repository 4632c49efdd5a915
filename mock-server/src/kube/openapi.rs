//! OpenAPI v3, one document for each group: what `explain` reads, and what kubectl looks at
//! before it creates, to learn whether the server checks fields itself.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Kind;
use super::discovery::Offered;
use super::fingerprint;

/// Served under this type and empty, OpenAPI v2 says that there is nothing to check against;
/// clients from before v3 then leave the checking to the server.
pub(crate) const V2_MEDIA: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

pub(crate) fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Where the document of each group is.
pub(crate) fn index(offered: &Offered) -> Value {
    let groups = std::iter::once(("", "v1")).chain(offered.groups.iter().copied());
    let paths: Map<String, Value> = groups
        .map(|(group, version)| {
            let path = path(group, version);
            let hash = fingerprint::hex(&["openapi", env!("CARGO_PKG_VERSION"), &path], 16);
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

pub(crate) fn document(kinds: &[&'static Kind], group: &str, title: &str, version: &str) -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let (mut paths, mut roots) = (Map::new(), Vec::new());
    for kind in kinds.iter().copied().filter(|kind| kind.group == group) {
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
        "info": { "title": title, "version": version },
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
    let base = format!("/{}", path(kind.group, kind.version));
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
