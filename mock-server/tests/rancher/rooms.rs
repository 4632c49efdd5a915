//! The systems know nothing of each other: what two of them share lives outside of both.

use std::path::{Path, PathBuf};

const SYSTEMS: [&str; 3] = ["k0rdent", "plexsphere", "rancher"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The paths that a file of one system's names another's by.
fn foreign(own: &str, text: &str) -> Vec<String> {
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let others = SYSTEMS.into_iter().filter(|other| *other != own);
    others
        .flat_map(|other| [format!("systems::{other}"), format!("super::super::{other}")])
        .filter(|path| squeezed.contains(path.as_str()))
        .chain(squeezed.contains("systems::{").then(|| "systems::{".to_owned()))
        .collect()
}

#[test]
fn no_system_imports_another() {
    for own in SYSTEMS {
        let mut files = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/systems").join(own);
        sources(&folder, &mut files);
        assert!(files.len() > 5, "{own}: {files:?}");
        for file in files {
            let found = foreign(own, &std::fs::read_to_string(&file).unwrap());
            assert!(found.is_empty(), "{} names {found:?}", file.display());
        }
    }
    assert_eq!(foreign("rancher", "use crate::systems:: k0rdent::x;"), ["systems::k0rdent"]);
}
