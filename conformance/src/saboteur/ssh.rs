//! A client that starts ssh otherwise: a program called `ssh` in front of the real one on PATH.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use super::stand::Stand;
use super::subject::Defect;
use super::supervise;
use super::words::change_environment;

const TOKEN: &str = "PLEXCTL_SESSION_TOKEN";

/// Puts our `ssh` in front, where there is one for it to hand over to. One that cannot be started
/// is left to the client to notice.
pub(super) fn put_in_front(stand: &Stand, command: &mut Command) {
    let Some(path) = env::var_os("PATH") else { return };
    if real(&path, None).is_none_or(|file| !has_its_interpreter(&file)) {
        return;
    }
    let mut whole = stand.path_entry().into_os_string();
    whole.push(":");
    whole.push(path);
    command.env("PATH", whole);
}

/// The first program called ssh, beside ours.
fn real(path: &OsString, ours: Option<&PathBuf>) -> Option<PathBuf> {
    env::split_paths(path).filter(|dir| dir.is_absolute() && Some(dir) != ours).find_map(|dir| {
        let file = dir.join("ssh");
        let held = fs::metadata(&file).ok()?;
        (held.is_file() && held.permissions().mode() & 0o111 != 0).then_some(file)
    })
}

/// Whether it is no script, or one whose interpreter exists.
fn has_its_interpreter(file: &Path) -> bool {
    let Ok(bytes) = fs::read(file) else { return true };
    let Some(rest) = bytes.strip_prefix(b"#!") else { return true };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let interpreter = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    Path::new(OsStr::from_bytes(interpreter)).exists()
}

pub(super) fn play(stand: &Stand) -> ExitCode {
    let Defect::Ssh(defect) = &stand.subject.defect else { return ExitCode::from(126) };
    let path = env::var_os("PATH").unwrap_or_default();
    let Some(real) = real(&path, Some(&stand.path_entry())) else { return ExitCode::from(126) };
    let mut args: Vec<OsString> = defect.prepend.iter().map(OsString::from).collect();
    for arg in env::args_os().skip(1) {
        let mut text = arg.to_string_lossy().into_owned();
        for (from, to) in &defect.replace {
            text = text.replace(from, to);
        }
        args.push(text.into());
    }
    args.extend(defect.append.iter().map(OsString::from));
    let token = env::var_os(TOKEN);
    if defect.token_argument {
        args.extend(token.clone());
    }
    stand.act();
    if defect.not_started {
        return ExitCode::SUCCESS;
    }
    if let (Some(place), Some(token)) = (&defect.token_file, &token) {
        let place = place.replace("$TMPDIR", &env::var("TMPDIR").unwrap_or_default());
        let _ = fs::write(place, token.as_encoded_bytes());
    }
    let mut command = Command::new(real);
    command.args(args);
    let rest: Vec<PathBuf> =
        env::split_paths(&path).filter(|dir| *dir != stand.path_entry()).collect();
    if let Ok(rest) = env::join_paths(rest) {
        command.env("PATH", rest);
    }
    change_environment(&mut command, &defect.env);
    if defect.stdin_closed {
        command.stdin(Stdio::null());
    }
    if defect.stdout_closed {
        command.stdout(Stdio::null());
    }
    if let Some(directory) = &defect.directory {
        command.current_dir(directory);
    }
    if defect.twice {
        let _ = command.status();
    }
    match defect.ends_with {
        Some(code) => {
            let _ = command.status();
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        None => supervise::become_it(command),
    }
}
