//! Getting and listing: selection, pages, and the form the client asked for.

use std::sync::Arc;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Kind;
use super::negotiate::{self, Form};
use super::request::{Query, RequestInfo};
use super::selector::{FieldSelector, LabelSelector};
use super::status::Refusal;
use super::store::{Key, Store};
use super::table;

/// Which objects of a kind are meant.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    /// The names the caller may see; without this, all of them.
    names: Option<Arc<[String]>>,
}

impl Selection {
    pub(crate) fn read(kind: &Kind, asked: &RequestInfo, query: &Query) -> Result<Self, Refusal> {
        // kubectl says itself what it was looking for; the server says what it could not read.
        let unable = |why: String| Refusal::bad_request(why);
        let mut selection = Self {
            labels: LabelSelector::parse(query.text("labelSelector"))
                .map_err(|why| unable(format!("unable to parse requirement: {why}")))?,
            fields: FieldSelector::parse(query.text("fieldSelector"), kind).map_err(unable)?,
            names: None,
        };
        if !asked.name.is_empty() {
            selection.fields = selection.fields.and_name(&asked.name);
        }
        Ok(selection)
    }

    /// Only what has this label.
    pub(crate) fn labelled(mut self, key: &str, value: &str) -> Self {
        self.labels = self.labels.and(key, value);
        self
    }

    /// Only what has one of these names.
    pub(crate) fn among(mut self, names: Arc<[String]>) -> Self {
        self.names = Some(names);
        self
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let seen = self.names.as_ref().is_none_or(|names| {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            names.iter().any(|known| Some(known.as_str()) == name)
        });
        seen && self.labels.matches(object) && self.fields.matches(object)
    }

    fn is_everything(&self) -> bool {
        self.names.is_none() && self.labels.is_everything() && self.fields.is_everything()
    }
}

/// Everything about how objects are to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) form: Form,
    pub(crate) include: table::Include,
    pub(crate) now: Timestamp,
}

impl Shown {
    /// As the request wants it.
    pub(crate) fn read(
        headers: &HeaderMap,
        query: &Query,
        verb: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let form = match verb {
            "watch" => negotiate::watched(headers)?,
            _ => negotiate::form(headers)?,
        };
        Ok(Self { form, include: table::Include::read(query)?, now })
    }

    pub(crate) fn one(&self, kind: &Kind, object: &Value) -> Value {
        match self.form {
            Form::Object => object.clone(),
            Form::Metadata { version } => metadata_only(object, version),
            Form::Table { version } => {
                let version_of = object.pointer("/metadata/resourceVersion");
                let meta = json!({ "resourceVersion": version_of });
                table::of(kind, version, &[object], self.include, &meta, self.now, true)
            }
        }
    }
}

pub(crate) fn metadata_only(object: &Value, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object.get("metadata"),
    })
}

/// Where a list goes on. Clients hand it back untouched; it is no secret and no promise.
fn continuation(version: u64, key: &Key) -> String {
    let token =
        json!({ "v": "meta.k8s.io/v1", "rv": version, "ns": key.namespace, "start": key.name });
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn resume(kind: &Kind, token: &str) -> Result<Option<(u64, Key)>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (namespace, name) = (token.get("ns")?.as_str()?, token.get("start")?.as_str()?);
        Some((token.get("rv")?.as_u64()?, Key::of(kind, namespace, name)))
    };
    match read() {
        Some(found) => Ok(Some(found)),
        None => Err(Refusal::bad_request("continue key is not valid")),
    }
}

pub(crate) fn list(
    store: &Store,
    kind: &Kind,
    asked: &RequestInfo,
    query: &Query,
    shown: Shown,
    selection: &Selection,
) -> Result<Value, Refusal> {
    let limit = match query.get("limit") {
        None | Some("" | "0") => usize::MAX,
        Some(text) => text.parse().map_err(|_| {
            Refusal::bad_request(format!("unable to convert limit {text:?} to a number"))
        })?,
    };
    let start = resume(kind, query.text("continue"))?;
    let version = query.text("resourceVersion");
    if !version.is_empty() && version.parse::<u64>().is_err() {
        let why = format!(
            "invalid resource version: strconv.ParseUint: parsing {version:?}: invalid syntax"
        );
        return Err(Refusal::bad_request(why));
    }
    let (items, meta) = store.read(|state| {
        let start = match start {
            Some((version, _)) if !state.remembers(version) => {
                return Err(Refusal::expired_continue());
            }
            start => start.map(|(_, key)| key),
        };
        let mut found = state
            .list(kind, &asked.namespace, start.as_ref())
            .filter(|(_, object)| selection.matches(object));
        let mut last = None;
        let mut items = Vec::new();
        for (key, object) in found.by_ref().take(limit) {
            last = Some(key);
            items.push(Arc::clone(object));
        }
        let mut meta = json!({ "resourceVersion": state.version().to_string() });
        let left = found.count();
        if let (Some(last), true) = (last, left > 0) {
            meta["continue"] = continuation(state.version(), last).into();
            // With a selection the rest is not counted: a real server does not know it either.
            if selection.is_everything() {
                meta["remainingItemCount"] = left.into();
            }
        }
        Ok((items, meta))
    })?;
    Ok(match shown.form {
        Form::Table { version } => {
            let objects: Vec<&Value> = items.iter().map(AsRef::as_ref).collect();
            table::of(kind, version, &objects, shown.include, &meta, shown.now, true)
        }
        Form::Metadata { version } => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": format!("meta.k8s.io/{version}"),
            "metadata": meta,
            "items": items.iter().map(|item| metadata_only(item, version)).collect::<Vec<_>>(),
        }),
        Form::Object => json!({
            "kind": format!("{}List", kind.kind),
            "apiVersion": kind.api_version(),
            "metadata": meta,
            "items": items.iter().map(AsRef::as_ref).collect::<Vec<&Value>>(),
        }),
    })
}

pub(crate) fn get(store: &Store, kind: &Kind, asked: &RequestInfo) -> Result<Arc<Value>, Refusal> {
    let key = Key::of(kind, &asked.namespace, &asked.name);
    store.read(|state| state.get(&key)).ok_or_else(|| Refusal::not_found(kind, &asked.name))
}
