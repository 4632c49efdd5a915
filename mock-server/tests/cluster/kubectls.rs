//! Whichever kubectls this machine has.

use std::path::PathBuf;

#[expect(clippy::print_stderr, reason = "a test that tried nothing says so aloud")]
/// The kubectls to try: the one on the path, and the oldest and newest beside it; every one
/// of them where nothing may be skipped.
pub(crate) fn kubectls() -> Vec<PathBuf> {
    let all = std::env::var("CI_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join("kubectl"));
    let Some(kubectl) = found.find(|kubectl| kubectl.is_file()) else {
        assert!(!all, "kubectl is required here and is not on the PATH");
        eprintln!("SKIPPED: no kubectl on the PATH, so nothing was tried");
        return Vec::new();
    };
    // The cloud SDK's kubectl stands for a row of versions, which lie beside it.
    let real = std::fs::canonicalize(&kubectl).unwrap();
    let mut beside: Vec<PathBuf> =
        (20..60).map(|minor| real.with_file_name(format!("kubectl.1.{minor}"))).collect();
    beside.retain(|kubectl| kubectl.is_file());
    if !all && beside.len() > 2 {
        beside.drain(1..beside.len() - 1);
    }
    beside.insert(0, kubectl);
    beside
}
