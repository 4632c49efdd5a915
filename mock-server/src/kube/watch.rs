//! Watches: first what is there, if asked for, then what changes, until it is over.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Clock;
use super::Kind;
use super::negotiate::Form;
use super::read::{Selection, Shown, metadata_only};
use super::request::{Query, RequestInfo};
use super::status::{self, Refusal};
use super::store::{Change, Happened, State, Store};
use super::stream::{self, Ended, Writer};
use super::table;

/// How long a watch lasts when the client names no limit, and at most.
const LASTING: u64 = 30 * 60;
const LONGEST: u64 = 60 * 60;

/// Where a watch begins.
enum Start {
    /// With everything there is, as if just added.
    Now,
    After(u64),
}

struct Watch {
    store: Arc<Store>,
    kind: &'static Kind,
    namespace: String,
    selection: Selection,
    shown: Shown,
    clock: Clock,
    /// A table says its columns once.
    columns: bool,
}

pub(crate) fn answer(
    store: &Arc<Store>,
    kind: &'static Kind,
    asked: &RequestInfo,
    query: &Query,
    shown: Shown,
    selection: Selection,
    (clock, ended): (Clock, Ended),
) -> Result<Response<Body>, Refusal> {
    let initial = query.get("sendInitialEvents").is_some() && query.flag("sendInitialEvents");
    let start = match query.text("resourceVersion") {
        "" | "0" => Start::Now,
        _ if initial => Start::Now,
        text => Start::After(text.parse().map_err(|_| {
            Refusal::bad_request(format!(
                "resourceVersion: Invalid value: {text:?}: must be a number"
            ))
        })?),
    };
    let mut watch = Watch {
        store: Arc::clone(store),
        kind,
        namespace: asked.namespace.clone(),
        selection,
        shown,
        clock,
        columns: true,
    };
    let limit = query.number("timeoutSeconds").unwrap_or(LASTING).clamp(1, LONGEST);
    let body = stream::body(ended, Duration::from_secs(limit), move |writer| async move {
        watch.run(start, initial, &writer).await;
    });
    Ok(status::typed(StatusCode::OK, "application/json", body))
}

impl Watch {
    async fn run(&mut self, start: Start, initial: bool, writer: &Writer) {
        let mut changed = self.store.subscribe();
        let mut seen = match start {
            Start::After(version) => version,
            Start::Now => {
                let (objects, version) = self.store.read(|state| {
                    let found = state.list(self.kind, &self.namespace, None);
                    let chosen = found.filter(|(_, object)| self.selection.matches(object));
                    let objects: Vec<Arc<Value>> = chosen.map(|(_, o)| Arc::clone(o)).collect();
                    (objects, state.version())
                });
                for object in objects {
                    if !self.tell("ADDED", &object, writer).await {
                        return;
                    }
                }
                if initial && !self.bookmark(version, writer).await {
                    return;
                }
                version
            }
        };
        loop {
            changed.borrow_and_update();
            let (changes, version) = self.store.read(|state| {
                // A version from the future belongs to another life of this cluster.
                let known = seen <= state.version();
                let changes =
                    known.then(|| state.since(seen, self.kind, &self.namespace)).flatten();
                (changes, State::version(state))
            });
            let Some(changes) = changes else {
                let event = json!({ "type": "ERROR", "object": Refusal::expired().status() });
                writer.write(line(&event)).await;
                return;
            };
            seen = version;
            for change in changes {
                let Some(what) = self.seen_as(&change) else { continue };
                if !self.tell(what, &change.object, writer).await {
                    return;
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// What a change is to this watch: coming into the selection is being added to it.
    fn seen_as(&self, change: &Change) -> Option<&'static str> {
        let before = change.before.as_ref().is_some_and(|object| self.selection.matches(object));
        let after = change.happened != Happened::Deleted && self.selection.matches(&change.object);
        match (before, after) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    async fn tell(&mut self, what: &str, object: &Value, writer: &Writer) -> bool {
        let now = (self.clock)();
        let object = match self.shown.form {
            Form::Object => object.clone(),
            Form::Metadata { version } => metadata_only(object, version),
            Form::Table { version } => {
                let meta =
                    json!({ "resourceVersion": object.pointer("/metadata/resourceVersion") });
                let include = self.shown.include;
                table::of(self.kind, version, &[object], include, &meta, now, self.columns)
            }
        };
        self.columns = false;
        writer.write(line(&json!({ "type": what, "object": object }))).await
    }

    /// Tells a client that asked for the beginning that the beginning is over.
    async fn bookmark(&self, version: u64, writer: &Writer) -> bool {
        let event = json!({ "type": "BOOKMARK", "object": {
            "kind": self.kind.kind, "apiVersion": self.kind.api_version(),
            "metadata": {
                "resourceVersion": version.to_string(),
                "annotations": { "k8s.io/initial-events-end": "true" },
            },
        }});
        writer.write(line(&event)).await
    }
}

fn line(event: &Value) -> String {
    format!("{event}\n")
}
