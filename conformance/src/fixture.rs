//! The shared data files, compiled in, so that the runner works without a checkout.

use std::borrow::Cow;

use rust_embed::RustEmbed;

use crate::verdict::{Outcome, broken};

#[derive(RustEmbed)]
#[folder = "../fixtures"]
struct Fixtures;

/// The bytes of one fixture, by its path below `fixtures/`.
pub fn bytes(path: &str) -> Outcome<Cow<'static, [u8]>> {
    match Fixtures::get(path) {
        Some(file) => Ok(file.data),
        None => broken(format!("no fixture named {path}")),
    }
}

/// One fixture as JSON.
pub fn json(path: &str) -> Outcome<serde_json::Value> {
    serde_json::from_slice(&bytes(path)?).or_else(|error| broken(format!("{path}: {error}")))
}

/// The paths below `prefix`, sorted.
pub fn list(prefix: &str) -> Vec<String> {
    let mut paths: Vec<String> =
        Fixtures::iter().filter(|path| path.starts_with(prefix)).map(Cow::into_owned).collect();
    paths.sort();
    paths
}

/// The version of the fixtures: the newest heading of their changelog.
pub fn version() -> Outcome<String> {
    let changelog = bytes("CHANGELOG.md")?;
    let text = String::from_utf8_lossy(&changelog);
    let newest = text.lines().find_map(|line| line.strip_prefix("## ")?.split(' ').next());
    match newest {
        Some(version) => Ok(version.to_owned()),
        None => broken("fixtures/CHANGELOG.md names no version"),
    }
}
