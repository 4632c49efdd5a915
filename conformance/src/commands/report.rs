//! `report`, `merge`, `diff`: what can be done with reports that were kept; and how every report
//! leaves the house.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Trouble;
use crate::cli::Reports;
use crate::exit::Ending;
use crate::report::canary::Vault;
use crate::report::text::Detail;
use crate::report::{self, Format, Report, json};

pub(super) fn again(file: &Path, asked: &Reports, out: &mut dyn Write) -> Result<Ending, Trouble> {
    expect_writable(asked)?;
    let report = load(file)?;
    hand_out(&report, asked, detail(asked), &Vault::default(), out)?;
    Ok(Ending::Conforms)
}

pub(super) fn merge(
    files: &[PathBuf],
    asked: &Reports,
    out: &mut dyn Write,
) -> Result<Ending, Trouble> {
    expect_writable(asked)?;
    let reports = files.iter().map(|file| load(file)).collect::<Result<Vec<_>, _>>()?;
    let merged = report::merge::merge(reports).map_err(Trouble::Harness)?;
    hand_out(&merged, asked, detail(asked), &Vault::default(), out)?;
    Ok(ending(&merged))
}

pub(super) fn diff(before: &Path, after: &Path, out: &mut dyn Write) -> Result<Ending, Trouble> {
    let changes = report::diff::diff(&load(before)?, &load(after)?);
    out.write_all(changes.text().as_bytes())?;
    Ok(if changes.worse.is_empty() { Ending::Conforms } else { Ending::DoesNotConform })
}

fn load(path: &Path) -> Result<Report, Trouble> {
    let trouble = |why: String| Trouble::Harness(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| trouble(error.to_string()))?;
    json::parse(&text).map_err(trouble)
}

/// What the report itself says of how its run ended.
pub(super) fn ending(report: &Report) -> Ending {
    Ending::of_code(report.exit_code).unwrap_or(Ending::HarnessFailed)
}

pub(super) fn detail(asked: &Reports) -> Detail {
    match (asked.verbose, asked.quiet) {
        (true, _) => Detail::Verbose,
        (false, true) => Detail::Quiet,
        (false, false) => Detail::Usual,
    }
}

/// Looks whether every file that was asked for can be written, before anything is judged. Nothing is
/// changed by looking.
pub(super) fn expect_writable(asked: &Reports) -> Result<(), Trouble> {
    let for_eyes = matches!(asked.output, Format::Text | Format::Github | Format::Tap);
    if asked.github && !for_eyes {
        let why = "--github writes annotations to stdout, which a program is to read; write the \
                   report to a file with --report";
        return Err(Trouble::Usage(why.to_owned()));
    }
    for (_, path) in &asked.files {
        let place = path.parent().filter(|place| !place.as_os_str().is_empty());
        let looked = match path.exists() {
            true => OpenOptions::new().append(true).open(path).map(drop),
            false => tempfile::tempfile_in(place.unwrap_or(Path::new("."))).map(drop),
        };
        looked.map_err(|error| Trouble::Usage(format!("--report {}: {error}", path.display())))?;
    }
    Ok(())
}

/// Renders everything first: when a token is about to be shown in one form, no form is handed out.
pub(super) fn hand_out(
    report: &Report,
    asked: &Reports,
    detail: Detail,
    vault: &Vault,
    out: &mut dyn Write,
) -> Result<(), Trouble> {
    let rendered = |format: Format| {
        let text = report::render(report, format, detail);
        vault.pass(report, format, text).map_err(Trouble::Harness)
    };
    let shown = rendered(asked.output)?;
    let files = asked
        .files
        .iter()
        .map(|(format, path)| Ok((path, rendered(*format)?)))
        .collect::<Result<Vec<_>, Trouble>>()?;
    let github = if asked.github {
        Some((rendered(Format::Github)?, rendered(Format::Markdown)?))
    } else {
        None
    };
    // What can be handed out is, whatever became of the rest.
    let mut lost = None;
    for (path, text) in files {
        if let Err(error) = fs::write(path, text) {
            lost.get_or_insert(format!("--report {}: {error}", path.display()));
        }
    }
    out.write_all(shown.as_bytes())?;
    if let Some((annotations, summary)) = github {
        out.write_all(annotations.as_bytes())?;
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
        {
            let file = OpenOptions::new().append(true).create(true).open(&path);
            if let Err(error) = file.and_then(|mut file| file.write_all(summary.as_bytes())) {
                lost.get_or_insert(format!("$GITHUB_STEP_SUMMARY: {error}"));
            }
        }
    }
    out.flush()?;
    lost.map_or(Ok(()), |why| Err(Trouble::Usage(why)))
}
