//! The OpenAPI documents of Rancher's own groups. Their schemas are those of the contract.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::kinds::{EXT, GROUPS, KINDS, KUBECONFIG, MANAGEMENT};
use crate::cluster;
use crate::kube::{Kind, openapi};

const CONTRACT: &str = include_str!("../../../../fixtures/contract/rancher.json");

/// Schemas of the contract, by the names that they have in a Kubernetes API.
static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let contract: Value = serde_json::from_str(CONTRACT).unwrap_or_default();
    let Some(Value::Object(schemas)) = contract.pointer("/components/schemas").cloned() else {
        return Map::new();
    };
    let names: BTreeMap<String, String> = schemas
        .iter()
        .filter_map(|(name, schema)| {
            Some((name.clone(), schema.get("x-kubernetes-schema")?.as_str()?.to_owned()))
        })
        .collect();
    let mut renamed = Map::new();
    for (name, mut schema) in schemas {
        if let Some(known) = names.get(&name) {
            rename(&mut schema, &names);
            renamed.insert(known.clone(), schema);
        }
    }
    renamed
});

const PLACE: &str = "#/components/schemas/";

fn rename(schema: &mut Value, names: &BTreeMap<String, String>) {
    match schema {
        Value::Object(fields) => {
            fields.remove("x-kubernetes-schema");
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(known) = reference.strip_prefix(PLACE).and_then(|name| names.get(name))
            {
                *reference = format!("{PLACE}{known}");
            }
            fields.values_mut().for_each(|value| rename(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix(PLACE))
            {
                found.push(name.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Puts a schema and all it refers to among the definitions, and refers to it.
fn place(generator: &mut SchemaGenerator, root: &str) -> Schema {
    let mut wanted = vec![root.to_owned()];
    while let Some(name) = wanted.pop() {
        if let Some(schema) = SCHEMAS.get(&name)
            && !generator.definitions().contains_key(&name)
        {
            references(schema, &mut wanted);
            generator.definitions_mut().insert(name, schema.clone());
        }
    }
    Schema::try_from(json!({ "$ref": format!("{PLACE}{root}") })).unwrap_or_default()
}

pub(super) fn kubeconfig(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.ext.v1.Kubeconfig")
}

pub(super) fn cluster(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.management.v3.Cluster")
}

pub(super) fn feature(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.management.v3.Feature")
}

pub(super) fn setting(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.management.v3.Setting")
}

pub(super) fn token(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.management.v3.Token")
}

pub(super) fn user(generator: &mut SchemaGenerator) -> Schema {
    place(generator, "io.cattle.management.v3.User")
}

type Documents = BTreeMap<String, String>;

fn documents(kinds: &[&'static Kind]) -> Documents {
    GROUPS
        .iter()
        .map(|(group, version)| {
            let (title, own) = if *group == EXT { ("Ext", "0.1") } else { (MANAGEMENT, "v3") };
            let document = openapi::document(kinds, group, title, own);
            (openapi::path(group, version), document.to_string())
        })
        .collect()
}

/// Built when the first client asks.
static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| documents(&KINDS));
static SWITCHED_OFF: LazyLock<Documents> = LazyLock::new(|| {
    let left: Vec<&'static Kind> =
        KINDS.into_iter().filter(|kind| kind.kind != KUBECONFIG.kind).collect();
    documents(&left)
});

/// The document under `/openapi/v3/<path>`, Rancher's or the local cluster's.
pub(super) fn of(path: &str) -> Option<&'static str> {
    among(&DOCUMENTS, path)
}

/// The same, where the feature that kubeconfigs come with is off.
pub(super) fn without_kubeconfigs(path: &str) -> Option<&'static str> {
    among(&SWITCHED_OFF, path)
}

fn among(documents: &'static Documents, path: &str) -> Option<&'static str> {
    let own = documents.get(path.trim_matches('/')).map(String::as_str);
    own.or_else(|| cluster::document(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_schema_and_every_reference_leads_somewhere() {
        for kind in KINDS {
            let path = openapi::path(kind.group, kind.version);
            let document: Value = serde_json::from_str(of(&path).unwrap()).unwrap();
            let schemas = document["components"]["schemas"].as_object().unwrap();
            let wanted = json!([
                {"group": kind.group, "version": kind.version, "kind": kind.kind}
            ]);
            let found = schemas
                .values()
                .filter(|schema| schema.get("x-kubernetes-group-version-kind") == Some(&wanted));
            assert_eq!(found.count(), 1, "{kind:?}");
            let mut found = Vec::new();
            references(&document, &mut found);
            for name in found {
                assert!(schemas.contains_key(&name), "{name}");
            }
        }
    }
}
