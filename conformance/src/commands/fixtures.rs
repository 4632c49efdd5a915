//! `fixtures`: the shared data files, handed out with a list of their digests, and checked against
//! it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Trouble;
use crate::exit::Ending;
use crate::fixture;

/// The list beside the files.
const MANIFEST: &str = "MANIFEST.json";

#[derive(Serialize, Deserialize)]
struct Manifest {
    /// Version of the fixtures, from their changelog.
    version: String,
    /// SHA-256 in hexadecimal, by path.
    files: BTreeMap<String, String>,
}

pub(super) fn export(dir: &Path, force: bool, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let manifest = compiled_in()?;
    let trouble = |error: std::io::Error| Trouble::Harness(format!("{}: {error}", dir.display()));
    let full = fs::read_dir(dir).is_ok_and(|mut items| items.next().is_some());
    if full && !force {
        let why = format!("{} is not empty; --force writes into it all the same", dir.display());
        return Err(Trouble::Usage(why));
    }
    for path in manifest.files.keys() {
        let file = dir.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(trouble)?;
        }
        fs::write(&file, fixture::bytes(path)?).map_err(trouble)?;
    }
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Trouble::Harness(error.to_string()))?;
    fs::write(dir.join(MANIFEST), format!("{text}\n")).map_err(trouble)?;
    let (count, version) = (manifest.files.len(), &manifest.version);
    writeln!(out, "{count} files of fixtures {version} are in {}", dir.display())?;
    Ok(Ending::Conforms)
}

/// Compares a folder with its own list, and that list with what is compiled in here.
pub(super) fn verify(dir: &Path, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let path = dir.join(MANIFEST);
    let trouble = |why: String| Trouble::Harness(format!("{}: {why}", path.display()));
    let text = fs::read(&path).map_err(|error| trouble(error.to_string()))?;
    let listed: Manifest =
        serde_json::from_slice(&text).map_err(|error| trouble(error.to_string()))?;
    let mut wrong = 0;
    for (name, due) in &listed.files {
        let found = match fs::read(dir.join(name)) {
            Ok(bytes) if hexadecimal(&bytes) == *due => continue,
            Ok(_) => "is not the file that was exported",
            Err(error) if error.kind() == ErrorKind::NotFound => "is missing",
            Err(error) => return Err(Trouble::Harness(format!("{name}: {error}"))),
        };
        wrong += 1;
        writeln!(out, "{name} {found}")?;
    }
    for name in present(dir, dir).map_err(|error| trouble(error.to_string()))? {
        if name != MANIFEST && !listed.files.contains_key(&name) {
            wrong += 1;
            writeln!(out, "{name} is not of the fixtures")?;
        }
    }
    let ours = compiled_in()?;
    if ours.files != listed.files {
        let (theirs, here) = (&listed.version, &ours.version);
        writeln!(out, "the folder has fixtures {theirs}, this program {here}")?;
        wrong += usize::from(theirs == here);
    }
    writeln!(out, "{} files listed, {wrong} wrong", listed.files.len())?;
    Ok(if wrong == 0 { Ending::Conforms } else { Ending::DoesNotConform })
}

/// Every file below `dir`, by its path from `root`.
fn present(root: &Path, dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.is_dir() && !path.is_symlink() {
            names.extend(present(root, &path)?);
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path);
            names.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    names.sort();
    Ok(names)
}

fn compiled_in() -> Result<Manifest, Trouble> {
    let mut files = BTreeMap::new();
    for path in fixture::list("") {
        files.insert(path.clone(), hexadecimal(&fixture::bytes(&path)?));
    }
    Ok(Manifest { version: fixture::version()?, files })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
