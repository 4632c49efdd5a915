//! A client that nobody here wrote: the Kubernetes client for Python.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, WANDA};

/// A Python that has the client: the one that `KUBERNETES_PYTHON` names, or the one on the PATH.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("KUBERNETES_PYTHON").map_or("python3".into(), PathBuf::from);
    let probe = Command::new(&python).args(["-c", "import kubernetes"]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let required = std::env::var("CI_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "the Kubernetes client for Python is required and not installed");
    let notice = b"SKIPPED: there is no Python with the Kubernetes client\n";
    let _ = std::io::stderr().write_all(notice);
    None
}

#[test]
fn the_python_client_creates_lists_watches_patches_and_deletes() {
    let Some(python) = python() else { return };
    let bench = Bench::start();
    let config = bench.login("", WANDA);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rancher/client.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&config)
        .env("HOME", config.parent().unwrap())
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        found,
        json!({
            "value": true, "listed": true, "patched": "patched",
            "refused": "spec.ttl is immutable", "again": false, "pods": true, "deleted": true,
            "seen": true, "events": ["ADDED", "MODIFIED", "MODIFIED", "DELETED"],
        })
    );
}
