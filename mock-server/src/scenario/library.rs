//! The scenarios that this server carries with it, read when they are first asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rust_embed::RustEmbed;

use super::Scenario;

#[derive(RustEmbed)]
#[folder = "../fixtures/scenarios"]
struct Files;

/// Scenarios already read. There are a few hundred at most, so none is ever dropped.
static READ: Mutex<Option<HashMap<String, Arc<Scenario>>>> = Mutex::new(None);

/// How many similar names an error offers.
const SUGGESTIONS: usize = 5;

#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    #[error("no scenario is named `{name}`")]
    Unknown { name: String, near: Vec<String> },
    #[error("the scenario `{name}` cannot be read: {why}")]
    Unreadable { name: String, why: String },
}

impl NotFound {
    /// For whoever asked; `None` where it is no fault of theirs.
    pub fn told(&self) -> Option<String> {
        let Self::Unknown { name, near } = self else { return None };
        let near = match near.as_slice() {
            [] => "GET /__mock/scenarios lists them".to_owned(),
            near => format!("near ones: {}", near.join(", ")),
        };
        Some(format!("there is no scenario {name}; {near}"))
    }
}

/// The scenario of that name.
pub fn find(name: &str) -> Result<Arc<Scenario>, NotFound> {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let read = read.get_or_insert_default();
    if let Some(scenario) = read.get(name) {
        return Ok(Arc::clone(scenario));
    }
    let file = Files::iter()
        .find(|path| stem(path) == Some(name))
        .and_then(|path| Files::get(&path))
        .ok_or_else(|| NotFound::Unknown { name: name.to_owned(), near: near(name) })?;
    let scenario: Scenario = serde_json::from_slice(&file.data)
        .map_err(|error| NotFound::Unreadable { name: name.to_owned(), why: error.to_string() })?;
    let scenario = Arc::new(scenario);
    read.insert(name.to_owned(), Arc::clone(&scenario));
    Ok(scenario)
}

/// The names of all scenarios, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> =
        Files::iter().filter_map(|path| stem(&path).map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

/// A scenario is called as its file is, whatever folder that is in.
fn stem(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.strip_suffix(".json")
}

/// Names that a mistyped one may have meant, the most similar first.
fn near(wanted: &str) -> Vec<String> {
    // Comparing is quadratic, and a name that long is no typing error.
    if wanted.len() > 100 {
        return Vec::new();
    }
    let mut candidates: Vec<(usize, String)> = names()
        .into_iter()
        .filter_map(|name| {
            let distance = distance(wanted, &name);
            let part_of = wanted.len() >= 3 && name.contains(wanted);
            (part_of || distance <= 2.max(wanted.len() / 3)).then_some((distance, name))
        })
        .collect();
    candidates.sort_unstable();
    candidates.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

/// How many letters must be inserted, dropped or replaced to turn one name into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_under_its_own_name() {
        let names = names();
        assert!(names.len() >= 65, "only {} scenarios", names.len());
        for name in names {
            let scenario = find(&name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(!scenario.title.is_empty() && !scenario.why.is_empty(), "{name}");
            assert!(!scenario.source.is_empty() && !scenario.tags.is_empty(), "{name}");
            if let Some(conclusion) = &scenario.conclude {
                assert!(!conclusion.then.is_empty() && scenario.expect.is_empty(), "{name}");
                continue;
            }
            let commands: Vec<&str> = scenario.expect.keys().map(String::as_str).collect();
            assert_eq!(commands, ["kubeconfig", "ssh", "tcp-forward"], "{name}");
            assert!(scenario.expect["ssh"].client_started.is_some(), "{name}");
        }
    }

    /// The name is all that a URL has.
    #[test]
    fn no_name_stands_in_two_folders() {
        let names = names();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.iter().any(|name| name.starts_with("rancher_")));
        assert!(names.iter().any(|name| name.starts_with("k0rdent_")));
    }

    #[test]
    fn a_mistyped_name_is_answered_with_similar_ones() {
        let Err(NotFound::Unknown { near, .. }) = find("rebac_deny") else { panic!("found") };
        assert_eq!(near.first().map(String::as_str), Some("rebac_denied"));
        let Err(NotFound::Unknown { near, .. }) = find("zzzzzzzzzzzz") else { panic!("found") };
        assert_eq!(near, [""; 0]);
        assert!(find(&"x".repeat(100_000)).is_err());
        assert!(find("../worlds/default").is_err());
    }

    #[test]
    fn distances() {
        for (from, to, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
