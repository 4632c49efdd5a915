//! The audit trail of `--reveal-secrets`: written before anything is shown
//! (docs/decisions/0017-*.md).

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::env;
use crate::error::Error;

/// The audit file, opened before the session is issued so that a file that cannot be written costs
/// no session.
pub(crate) struct Audit {
    path: PathBuf,
    file: File,
}

/// One revealed token. The token is not among the members.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    time: Timestamp,
    event: &'static str,
    command: &'a str,
    project_id: Uuid,
    resource_id: Uuid,
    session_id: Uuid,
    user: String,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(
        command: &'a str,
        project_id: Uuid,
        resource_id: Uuid,
        session_id: Uuid,
    ) -> Self {
        let time = Timestamp::now();
        let event = "reveal_secrets";
        Self { time, event, command, project_id, resource_id, session_id, user: user() }
    }
}

/// Whoever runs plexctl, as the session calls them; failing that, their number.
fn user() -> String {
    match env::first(&env::LOGIN_NAMES) {
        Some((_, name)) => name,
        #[cfg(unix)]
        None => format!("uid {}", rustix::process::getuid().as_raw()),
        #[cfg(not(unix))]
        None => "unknown".to_owned(),
    }
}

impl Audit {
    /// Opens the file for appending, making it and its directory private.
    pub(crate) fn open() -> Result<Self, Error> {
        let nowhere = || Error::Audit {
            path: PathBuf::from("audit.jsonl"),
            why: "there is no home directory to keep it in".into(),
        };
        let xdg = Xdg::new().map_err(|_| nowhere())?;
        let directory = xdg.state_dir().ok_or_else(nowhere)?.join("plexctl");
        let path = directory.join("audit.jsonl");
        match make_directory(&directory).and_then(|()| append_only(&path)) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(Error::Audit { path, why: error.to_string() }),
        }
    }

    /// Appends one line in one write, so that parallel runs do not mix theirs.
    pub(crate) fn record(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let failed = |why: String| Error::Audit { path: self.path.clone(), why };
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| failed(error.to_string()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(unix)]
fn append_only(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
    // NOFOLLOW: a link planted here must not choose another file. NONBLOCK: nor a FIFO hang us.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    if metadata.mode() & 0o7777 != 0o600 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

#[cfg(not(unix))]
fn append_only(_: &Path) -> std::io::Result<File> {
    Err(std::io::Error::other("a private file cannot be made on this system"))
}
