//! Small changes to JSON documents: the vocabulary in which most defects of servers are written.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One change at one place, or at all places that the pattern names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// A JSON pointer, in which `*` stands for every member or item.
    pub at: String,
    pub remove: bool,
    #[serde(deserialize_with = "super::subject::given", skip_serializing_if = "Option::is_none")]
    pub set: Option<Value>,
    /// Added to a number, or as seconds to a time.
    pub add: Option<i64>,
    /// Added to a text.
    pub append: Option<String>,
    /// The value that stands there in the same document.
    pub copy: Option<String>,
    /// The other way round: a list backwards, a truth value denied.
    pub reverse: bool,
    /// A list is cut to so many items.
    pub keep: Option<usize>,
    /// A text in small or capital letters.
    pub upper: bool,
    /// A number as text.
    pub quote: bool,
    /// The member goes by another name.
    pub rename: Option<String>,
    /// A text of its own each time.
    pub unique: bool,
}

/// Applies all edits and says whether anything is different now.
pub(super) fn apply(edits: &[Edit], document: &mut Value) -> bool {
    let before = document.clone();
    for edit in edits {
        let copied = edit.copy.as_ref().and_then(|from| document.pointer(from).cloned());
        let steps: Vec<&str> = edit.at.split('/').skip(1).collect();
        walk(document, &steps, edit, copied.as_ref());
    }
    *document != before
}

fn walk(value: &mut Value, steps: &[&str], edit: &Edit, copied: Option<&Value>) {
    let Some((step, rest)) = steps.split_first() else {
        change(value, edit, copied);
        return;
    };
    if rest.is_empty()
        && (edit.remove || edit.rename.is_some() || edit.set.is_some() || copied.is_some())
    {
        return member(value, step, edit, copied);
    }
    match value {
        Value::Array(items) if *step == "*" => {
            items.iter_mut().for_each(|item| walk(item, rest, edit, copied));
        }
        Value::Array(items) => {
            if let Some(item) = step.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                walk(item, rest, edit, copied);
            }
        }
        Value::Object(members) if *step == "*" => {
            members.values_mut().for_each(|item| walk(item, rest, edit, copied));
        }
        Value::Object(members) => {
            if let Some(item) = members.get_mut(&step.replace("~1", "/")) {
                walk(item, rest, edit, copied);
            }
        }
        _ => {}
    }
}

/// A change to a container: taking a member away, naming it anew, or putting one there.
fn member(value: &mut Value, step: &str, edit: &Edit, copied: Option<&Value>) {
    match value {
        Value::Object(members) => {
            let key = step.replace("~1", "/");
            if edit.remove {
                if step == "*" {
                    *members = Map::new();
                }
                members.remove(&key);
            } else if let Some(name) = &edit.rename {
                if let Some(held) = members.remove(&key) {
                    members.insert(name.clone(), held);
                }
            } else if let Some(new) = edit.set.as_ref().or(copied) {
                if step == "*" {
                    members.values_mut().for_each(|held| *held = new.clone());
                } else {
                    members.insert(key, new.clone());
                }
            }
        }
        Value::Array(items) => match (step, step.parse::<usize>()) {
            ("*", _) if edit.remove => items.clear(),
            ("*", _) => {
                if let Some(new) = edit.set.as_ref().or(copied) {
                    items.iter_mut().for_each(|held| *held = new.clone());
                }
            }
            ("-", _) => items.extend(edit.set.as_ref().or(copied).cloned()),
            (_, Ok(at)) if at < items.len() => {
                if edit.remove {
                    items.remove(at);
                } else if let Some(new) = edit.set.as_ref().or(copied) {
                    items[at] = new.clone();
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn change(value: &mut Value, edit: &Edit, copied: Option<&Value>) {
    if let Some(new) = edit.set.as_ref().or(copied) {
        *value = new.clone();
    }
    if edit.unique {
        *value = uuid::Uuid::now_v7().to_string().into();
    }
    if edit.quote && !value.is_string() {
        *value = value.to_string().into();
    }
    if let Some(by) = edit.add {
        if let Some(number) = value.as_i64() {
            *value = (number + by).into();
        } else if let Some(moved) = value.as_str().and_then(|text| moved(text, by)) {
            *value = moved.into();
        }
    }
    match value {
        Value::String(text) => {
            if let Some(more) = &edit.append {
                text.push_str(more);
            }
            if edit.upper {
                *text = text.to_uppercase();
            }
            if edit.reverse {
                *text = text.chars().rev().collect();
            }
        }
        Value::Array(items) => {
            if edit.reverse {
                items.reverse();
            }
            if let Some(keep) = edit.keep {
                items.truncate(keep);
            }
        }
        Value::Bool(held) if edit.reverse => *held = !*held,
        _ => {}
    }
}

fn moved(text: &str, seconds: i64) -> Option<String> {
    let at: Timestamp = text.parse().ok()?;
    Some(at.checked_add(SignedDuration::from_secs(seconds)).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(edits: Value, mut document: Value) -> Value {
        let edits: Vec<Edit> = serde_json::from_value(edits).unwrap();
        assert!(apply(&edits, &mut document), "nothing was changed");
        document
    }

    #[test]
    fn members_items_and_patterns() {
        let list = json!({"items": [{"a": 1, "b": "x"}, {"a": 2}]});
        assert_eq!(
            edited(json!([{"at": "/items/*/a", "add": 1}]), list.clone())["items"][1]["a"],
            3
        );
        assert_eq!(
            edited(json!([{"at": "/items/0/b", "remove": true}]), list.clone())["items"][0],
            json!({"a": 1})
        );
        assert_eq!(
            edited(json!([{"at": "/items", "reverse": true, "keep": 1}]), list.clone()),
            json!({"items": [{"a": 2}]})
        );
        assert_eq!(edited(json!([{"at": "/c", "set": null}]), list.clone())["c"], Value::Null);
        assert_eq!(edited(json!([{"at": "/c", "copy": "/items/0/a"}]), list)["c"], 1);
    }

    #[test]
    fn a_time_moves_by_seconds() {
        let moved = edited(json!([{"at": "/t", "add": 1}]), json!({"t": "2026-07-01T00:00:59Z"}));
        assert_eq!(moved["t"], "2026-07-01T00:01:00Z");
    }

    #[test]
    fn what_is_not_there_is_not_changed() {
        let edits: Vec<Edit> =
            serde_json::from_value(json!([{"at": "/x/y", "remove": true}])).unwrap();
        assert!(!apply(&edits, &mut json!({"a": 1})));
    }
}
