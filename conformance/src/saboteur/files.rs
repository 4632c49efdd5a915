//! Defects in how the file of `--output-file` is dealt with.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::stand::Stand;
use super::subject::FileDefect;
use super::supervise::Ended;
use super::words::value_of;

fn place(args: &[OsString]) -> Option<PathBuf> {
    value_of(args, "--output-file").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// How long a file that is written where it stands is half a file.
const PAUSE: Duration = Duration::from_millis(10);

/// What is done before the honest client runs; says whether its stdout is to be captured.
pub(super) fn before(stand: &Stand, defect: &FileDefect, args: &mut Vec<OsString>) -> bool {
    let Some(path) = place(args) else { return false };
    let done = match defect {
        // Noted first: opening a pipe waits, and clearing a directory may get half-way.
        FileDefect::Emptied => {
            stand.act();
            OpenOptions::new().write(true).create(true).truncate(true).open(&path).is_ok()
        }
        FileDefect::ParentsMade => path
            .parent()
            .filter(|parent| !parent.exists())
            .is_some_and(|parent| fs::create_dir_all(parent).is_ok()),
        FileDefect::PlaceCleared => {
            stand.act();
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).is_ok()
        }
        FileDefect::ModeFirst(mode) => set_mode(&path, mode).is_ok(),
        FileDefect::WrittenInPlace | FileDefect::WrittenOver => {
            stand.act();
            *args = without_the_file(args);
            return true;
        }
        _ => false,
    };
    if done {
        stand.act();
    }
    false
}

/// Whether nothing is left to be done once the honest client runs.
pub(super) fn is_over_at_the_start(defect: &FileDefect) -> bool {
    matches!(
        defect,
        FileDefect::Emptied
            | FileDefect::ParentsMade
            | FileDefect::PlaceCleared
            | FileDefect::ModeFirst(_)
    )
}

/// What is done once it has ended; an exit code in the place of its own.
pub(super) fn after(
    stand: &Stand,
    defect: &FileDefect,
    args: &[OsString],
    ended: &Ended,
) -> Option<i32> {
    if !ended.status.success() {
        return None;
    }
    if let FileDefect::WrittenInPlace | FileDefect::WrittenOver = defect {
        let told: Vec<OsString> = std::env::args_os().skip(1).collect();
        let path = place(&told)?;
        let cut = *defect == FileDefect::WrittenInPlace;
        return written(&path, &ended.stdout, cut).is_err().then_some(1);
    }
    let path = place(args)?;
    let done = match defect {
        FileDefect::Mode(mode) => set_mode(&path, mode),
        FileDefect::Beside(name) => fs::write(path.with_file_name(name), b"left behind\n"),
        FileDefect::Longer(text) => OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes())),
        FileDefect::AlsoOnStdout => {
            fs::read(&path).and_then(|document| io::stdout().write_all(&document))
        }
        FileDefect::LinkedTo(name) => {
            let real = path.with_file_name(name);
            fs::rename(&path, &real).and_then(|()| symlink(&real, &path))
        }
        _ => return None,
    };
    if done.is_ok() {
        stand.act();
    }
    None
}

/// Whether what was captured from stdout belongs into the file alone.
pub(super) fn keeps_stdout(defect: &FileDefect) -> bool {
    let of_the_run: Vec<OsString> = std::env::args_os().skip(1).collect();
    matches!(defect, FileDefect::WrittenInPlace | FileDefect::WrittenOver)
        && place(&of_the_run).is_some()
}

fn without_the_file(args: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--output-file" {
            words.next();
        } else if !word.to_string_lossy().starts_with("--output-file=") {
            kept.push(word.clone());
        }
    }
    kept
}

fn written(path: &Path, document: &[u8], cut: bool) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(cut).mode(0o600).open(path)?;
    // In two pieces, so that whoever looks sees that it is not done in one.
    let (first, second) = document.split_at(document.len() / 2);
    file.write_all(first)?;
    thread::sleep(PAUSE);
    file.write_all(second)
}

fn set_mode(path: &Path, octal: &str) -> io::Result<()> {
    let mode = u32::from_str_radix(octal, 8).unwrap_or(0o644);
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
