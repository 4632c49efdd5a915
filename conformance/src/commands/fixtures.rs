//! `fixtures`: the shared data files, handed out with a list of their digests, and checked against
//! it.

use std::collections::{BTreeMap, BTreeSet};
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
    let full = fs::read_dir(dir).is_ok_and(|mut items| items.next().is_some());
    if full && !force {
        let why = format!("{} is not empty; --force writes into it all the same", dir.display());
        return Err(Trouble::Usage(why));
    }
    for path in manifest.files.keys() {
        write(dir, path, &fixture::bytes(path)?)?;
    }
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Trouble::Harness(error.to_string()))?;
    write(dir, MANIFEST, format!("{text}\n").as_bytes())?;
    let (count, version) = (manifest.files.len(), &manifest.version);
    writeln!(out, "{count} files of fixtures {version} are in {}", dir.display())?;
    Ok(Ending::Conforms)
}

/// Writes one file of the folder. A link in the folder leads to what is not ours to change.
fn write(dir: &Path, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
    let mut file = dir.to_path_buf();
    for part in Path::new(path) {
        file.push(part);
        if file.is_symlink() {
            let why = format!("{} is a link; nothing is written through it", file.display());
            return Err(Trouble::Usage(why));
        }
    }
    let place = file.parent().unwrap_or(dir);
    fs::create_dir_all(place)
        .and_then(|()| fs::write(&file, bytes))
        .map_err(|error| Trouble::Harness(format!("{}: {error}", file.display())))
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
            _ if dir.join(name).is_symlink() => "is a link",
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
    if ours.version != listed.version {
        let (theirs, here) = (&listed.version, &ours.version);
        writeln!(out, "the folder has fixtures {theirs}, this program {here}")?;
        wrong += 1;
    } else {
        let names: BTreeSet<_> = listed.files.keys().chain(ours.files.keys()).collect();
        for name in names {
            if listed.files.get(name) != ours.files.get(name) {
                wrong += 1;
                writeln!(out, "{name} is listed otherwise than by this program")?;
            }
        }
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
