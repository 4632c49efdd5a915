//! Server-side tables: what `kubectl get` prints is decided here, column by column.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Kind;
use super::request::Query;
use super::status::Refusal;

/// Column names in order. `#` before one makes it a number, `+` one that only `-o wide` shows.
pub(crate) type Columns = &'static [&'static str];
/// The cells of one object, as many as there are columns.
pub(crate) type Row = fn(&Value, Timestamp) -> Vec<Value>;

/// How much of each object travels with its row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Include {
    pub(crate) fn read(query: &Query) -> Result<Self, Refusal> {
        match query.text("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::Nothing),
            "Object" => Ok(Self::Object),
            other => {
                Err(Refusal::bad_request(format!("unrecognized includeObject value: {other:?}")))
            }
        }
    }
}

/// A column's sentence for those who ask what it means.
fn meaning(column: &str) -> &'static str {
    match column {
        "Name" => "The object's name, unique within its namespace while it exists.",
        "Age" => "How long ago the object was created.",
        "Status" => "How the object is doing at present.",
        "Ready" => "How many of the wanted parts are ready.",
        _ => "Taken from the object's specification or status.",
    }
}

pub(crate) fn of(
    kind: &Kind,
    version: &str,
    objects: &[&Value],
    include: Include,
    metadata: &Value,
    now: Timestamp,
    with_columns: bool,
) -> Value {
    let (columns, row) = (kind.layout)(kind);
    let api = format!("meta.k8s.io/{version}");
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut shown = json!({ "cells": row(object, now) });
            match include {
                Include::Nothing => {}
                Include::Object => shown["object"] = (*object).clone(),
                Include::Metadata => {
                    shown["object"] = json!({
                        "kind": "PartialObjectMetadata", "apiVersion": api,
                        "metadata": object.get("metadata"),
                    });
                }
            }
            shown
        })
        .collect();
    let definitions: Vec<Value> = columns
        .iter()
        .filter(|_| with_columns)
        .map(|column| {
            let name = column.trim_start_matches(['#', '+']);
            json!({
                "name": name,
                "type": if column.starts_with('#') { "integer" } else { "string" },
                "format": if name == "Name" { "name" } else { "" },
                "description": meaning(name),
                "priority": i32::from(column.starts_with('+')),
            })
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": api, "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}
