//! Whichever kubectls this machine has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As many minors have to be there where nothing may be skipped.
const MINORS: usize = 3;

#[expect(clippy::print_stderr, reason = "a test that tried nothing says so aloud")]
/// The kubectls to try: the one on the path, and those that `KUBECTLS` lists as PATH lists
/// folders; without that variable, those that lie beside it. The oldest and the newest of them
/// will do, but where nothing may be skipped it is all, and several minors.
pub(crate) fn kubectls() -> Vec<PathBuf> {
    let all = std::env::var("CI_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join("kubectl"));
    let Some(kubectl) = found.find(|kubectl| kubectl.is_file()) else {
        assert!(!all, "kubectl is required here and is not on the PATH");
        eprintln!("SKIPPED: no kubectl on the PATH, so nothing was tried");
        return Vec::new();
    };
    let mut others = match std::env::var_os("KUBECTLS") {
        Some(listed) => std::env::split_paths(&listed).collect(),
        None => beside(&kubectl),
    };
    if !all && others.len() > 2 {
        others.drain(1..others.len() - 1);
    }
    others.insert(0, kubectl);
    if all {
        let minors: BTreeMap<u32, &PathBuf> =
            others.iter().map(|kubectl| (minor(kubectl), kubectl)).collect();
        assert!(minors.len() >= MINORS, "{MINORS} minors of kubectl are required here: {minors:?}");
    }
    others
}

/// The cloud SDK's kubectl stands for a row of versions, which lie beside it.
fn beside(kubectl: &Path) -> Vec<PathBuf> {
    let real = std::fs::canonicalize(kubectl).unwrap();
    let row = (20..60).map(|minor| real.with_file_name(format!("kubectl.1.{minor}")));
    row.filter(|kubectl| kubectl.is_file()).collect()
}

/// What a kubectl says it is: the 32 of `v1.32.4`.
fn minor(kubectl: &Path) -> u32 {
    let ran = Command::new(kubectl).args(["version", "--client", "-o", "json"]).output();
    let said: serde_json::Value = serde_json::from_slice(&ran.unwrap().stdout).unwrap();
    let version = said["clientVersion"]["gitVersion"].as_str().unwrap_or_default();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok());
    assert!(minor.is_some(), "{} is of version {version:?}", kubectl.display());
    minor.unwrap()
}
