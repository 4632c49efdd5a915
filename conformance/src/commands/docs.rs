//! `docs`: writes the generated pages, or says which of them is stale.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::Trouble;
use crate::catalogue;
use crate::exit::Ending;
use crate::tables;

pub(super) fn docs(dir: &Path, check: bool, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let rules = catalogue::all()?;
    let mut stale = 0;
    for (name, due) in tables::pages(&rules)? {
        let path = dir.join(name);
        let trouble = |error| Trouble::Harness(format!("{}: {error}", path.display()));
        let found = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(trouble(error)),
        };
        if found.as_deref() == Some(due.as_str()) {
            continue;
        }
        if check {
            stale += 1;
            writeln!(out, "{} is stale: write it with `conformance docs`", path.display())?;
        } else {
            fs::write(&path, due).map_err(trouble)?;
            writeln!(out, "{} is written", path.display())?;
        }
    }
    Ok(if stale == 0 { Ending::Conforms } else { Ending::DoesNotConform })
}
