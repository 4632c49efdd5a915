//! What containers said: kept from the description, cut to what the reader asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::kube::request::Query;
use crate::kube::status::{self, Refusal};
use crate::kube::store::{Key, Store};
use crate::kube::stream::{self, Ended};

/// How far apart the lines of a described log lie.
const PACE: i64 = 7;
/// How long a log is followed when nobody ends it sooner.
const FOLLOWED: Duration = Duration::from_secs(4 * 3600);

#[derive(Debug, Default)]
pub(crate) struct Logs(HashMap<(String, String, String), Log>);

#[derive(Debug, Default)]
struct Log {
    lines: Vec<Line>,
    previous: Option<Vec<Line>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Line {
    at: Timestamp,
    text: String,
}

impl Logs {
    pub(crate) fn add(
        &mut self,
        (namespace, pod, container): (&str, &str, &str),
        text: &str,
        previous: Option<&str>,
        started: Timestamp,
        now: Timestamp,
    ) {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        let lines = paced(text, started, now);
        let previous = previous.map(|text| paced(text, started, now));
        self.0.insert(key, Log { lines, previous });
    }
}

/// Lines that end now, at an even pace, and none before the container began.
fn paced(text: &str, started: Timestamp, now: Timestamp) -> Vec<Line> {
    let count = i64::try_from(text.lines().count()).unwrap_or_default();
    text.lines()
        .zip(0..count)
        .map(|(line, index)| {
            let before = SignedDuration::from_secs((count - index).saturating_mul(PACE));
            let at = now.checked_sub(before).unwrap_or(started).max(started);
            Line { at, text: line.to_owned() }
        })
        .collect()
}

/// What is to be shown of a log.
struct Cut {
    tail: Option<usize>,
    since: Option<Timestamp>,
    stamped: bool,
    bytes: Option<usize>,
}

impl Cut {
    fn read(query: &Query, now: Timestamp) -> Result<Self, Refusal> {
        let wrong = |key: &str| {
            Refusal::bad_request(format!("invalid log option {key}: {:?}", query.text(key)))
        };
        let number = |key: &str| match query.get(key) {
            None | Some("") => Ok(None),
            Some(_) => query.number(key).map(Some).ok_or_else(|| wrong(key)),
        };
        let since = match (number("sinceSeconds")?, query.text("sinceTime")) {
            (Some(_), time) if !time.is_empty() => {
                return Err(Refusal::bad_request(
                    "at most one of `sinceTime` or `sinceSeconds` may be specified",
                ));
            }
            (Some(seconds), _) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                now.checked_sub(SignedDuration::from_secs(seconds)).ok()
            }
            (None, "") => None,
            (None, time) => Some(time.parse().map_err(|_| wrong("sinceTime"))?),
        };
        let size =
            |value: Option<u64>| value.map(|value| usize::try_from(value).unwrap_or(usize::MAX));
        Ok(Self {
            tail: size(number("tailLines")?),
            since,
            stamped: query.flag("timestamps") && query.get("timestamps").is_some(),
            bytes: size(number("limitBytes")?),
        })
    }

    fn show(&self, lines: &[Line]) -> String {
        let recent: Vec<&Line> =
            lines.iter().filter(|line| self.since.is_none_or(|since| line.at >= since)).collect();
        let skipped = self.tail.map_or(0, |tail| recent.len().saturating_sub(tail));
        let mut shown = String::new();
        for line in recent.into_iter().skip(skipped) {
            if self.stamped {
                shown.push_str(&format!("{:.9} ", line.at));
            }
            shown.push_str(&line.text);
            shown.push('\n');
        }
        if let Some(bytes) = self.bytes {
            let end = (0..=bytes.min(shown.len())).rev().find(|end| shown.is_char_boundary(*end));
            shown.truncate(end.unwrap_or_default());
        }
        shown
    }
}

pub(crate) fn answer(
    logs: &Logs,
    store: &Arc<Store>,
    (key, pod): (&Key, &Value),
    query: &Query,
    now: Timestamp,
    ended: Ended,
) -> Result<Response<Body>, Refusal> {
    let container = container(key, pod, query)?;
    let cut = Cut::read(query, now)?;
    let id = (key.namespace.clone(), key.name.clone(), container.clone());
    let log = logs.0.get(&id);
    let previous = query.get("previous").is_some() && query.flag("previous");
    let text = if previous {
        let Some(lines) = log.and_then(|log| log.previous.as_ref()) else {
            return Err(Refusal::bad_request(format!(
                "previous terminated container {container:?} in pod {:?} not found",
                key.name
            )));
        };
        cut.show(lines)
    } else {
        waiting(key, pod, &container)?;
        log.map(|log| cut.show(&log.lines)).unwrap_or_default()
    };
    let running = pod.pointer("/status/phase").and_then(Value::as_str) == Some("Running");
    if previous || !running || query.get("follow").is_none() || !query.flag("follow") {
        return Ok(status::typed(StatusCode::OK, "text/plain", text));
    }
    // The container says nothing new; the reader stays until the pod goes.
    let (store, key) = (Arc::clone(store), key.clone());
    let uid = pod.pointer("/metadata/uid").cloned();
    let body = stream::body(ended, FOLLOWED, |writer| async move {
        if !text.is_empty() && !writer.write(text).await {
            return;
        }
        let mut changed = store.subscribe();
        let there = || {
            let pod = store.read(|state| state.get(&key));
            pod.is_some_and(|pod| pod.pointer("/metadata/uid") == uid.as_ref())
        };
        while there() && changed.changed().await.is_ok() {}
    });
    Ok(status::typed(StatusCode::OK, "text/plain", body))
}

/// The container meant: the one named, or the only one there is.
fn container(key: &Key, pod: &Value, query: &Query) -> Result<String, Refusal> {
    let names: Vec<&str> = ["/spec/containers", "/spec/initContainers"]
        .iter()
        .filter_map(|path| pod.pointer(path).and_then(Value::as_array))
        .flatten()
        .filter_map(|container| container.get("name").and_then(Value::as_str))
        .collect();
    match (query.text("container"), names.as_slice()) {
        ("", [only]) => Ok((*only).to_owned()),
        ("", several) => Err(Refusal::bad_request(format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            key.name,
            several.join(" ")
        ))),
        (wanted, names) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (wanted, _) => Err(Refusal::bad_request(format!(
            "container {wanted} is not valid for pod {}",
            key.name
        ))),
    }
}

/// A container that never began has no log, which is not the same as an empty one.
fn waiting(key: &Key, pod: &Value, container: &str) -> Result<(), Refusal> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let status = statuses
        .into_iter()
        .flatten()
        .find(|status| status.get("name").and_then(Value::as_str) == Some(container));
    let reason = match status {
        None => {
            return if pod.pointer("/spec/nodeName").is_some() {
                Ok(())
            } else {
                // Real servers ask the kubelet, and there is none yet.
                Err(Refusal::bad_request(format!("pod {} does not have a host assigned", key.name)))
            };
        }
        Some(status) => status.pointer("/state/waiting/reason").and_then(Value::as_str),
    };
    match reason {
        Some(reason @ ("ContainerCreating" | "ImagePullBackOff" | "ErrImagePull")) => {
            let why = match reason {
                "ContainerCreating" => reason,
                _ => "trying and failing to pull image",
            };
            Err(Refusal::bad_request(format!(
                "container {container:?} in pod {:?} is waiting to start: {why}",
                key.name
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str) -> String {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let started = "2026-07-01T11:59:50Z".parse().unwrap();
        let lines = paced("one\ntwo\nthree", started, now);
        match Cut::read(&Query::parse(query), now) {
            Ok(cut) => cut.show(&lines),
            Err(refusal) => refusal.status()["message"].to_string(),
        }
    }

    #[test]
    fn logs_are_cut() {
        assert_eq!(shown(""), "one\ntwo\nthree\n");
        assert_eq!(shown("tailLines=1"), "three\n");
        assert_eq!(shown("tailLines=0"), "");
        assert_eq!(shown("sinceSeconds=7"), "three\n");
        assert_eq!(shown("sinceTime=2026-07-01T11:59:53Z"), "three\n");
        assert_eq!(shown("limitBytes=5"), "one\nt");
        assert_eq!(shown("timestamps=true&tailLines=1"), "2026-07-01T11:59:53.000000000Z three\n");
        assert!(shown("tailLines=-1").contains("tailLines"));
        assert!(shown("sinceTime=x").contains("sinceTime"));
    }
}
