//! Where a broken subject stands: a directory with a program that can be started by its path, a
//! note of what is to be done, and a place to write down that it was done.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde::{Deserialize, Serialize};

use super::subject::{Party, Subject};

const NOTE: &str = "subject.json";
const ACTED: &str = "acted";

/// A subject as it is found by the program that plays it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stand {
    /// The honest program.
    pub(super) honest: PathBuf,
    pub(super) subject: Subject,
    /// Those of whom somebody wants to know whether they had a chance in an honest run.
    #[serde(default)]
    pub(super) candidates: Vec<Subject>,
    #[serde(skip)]
    dir: PathBuf,
}

/// Makes a subject that can be started. `player` is the conformance binary.
pub(super) fn set_up(
    dir: &Path,
    player: &Path,
    honest: &Path,
    subject: &Subject,
    candidates: &[Subject],
) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let stand = Stand {
        honest: honest.to_path_buf(),
        subject: subject.clone(),
        candidates: candidates.to_vec(),
        dir: PathBuf::new(),
    };
    fs::write(dir.join(NOTE), serde_json::to_vec(&stand)?)?;
    let program = dir.join(subject.side.program());
    symlink(player, &program)?;
    if subject.side == Party::Client {
        fs::create_dir(dir.join("path"))?;
        symlink(player, dir.join("path/ssh"))?;
    }
    Ok(program)
}

/// Whether the defect had a chance to act in the directory of this program.
pub(super) fn acted(program: &Path) -> bool {
    program.with_file_name(ACTED).exists()
}

impl Stand {
    /// The stand of the program that was started by this name, if it is one.
    pub(super) fn of(called: &OsStr) -> Option<(Self, Role)> {
        let called = Path::new(called);
        let role = match called.file_name()?.to_str()? {
            "plexctl" => Role::Client,
            "mock-server" => Role::Server,
            "ssh" => Role::Ssh,
            _ => return None,
        };
        let place = called.parent().filter(|place| !place.as_os_str().is_empty());
        let dir = match (role, place) {
            (Role::Ssh, Some(place)) => place.parent()?.to_path_buf(),
            // Called by its bare name: then it was found on PATH, where we stand in front.
            (Role::Ssh, None) => {
                let path = std::env::var_os("PATH")?;
                std::env::split_paths(&path).next()?.parent()?.to_path_buf()
            }
            (_, place) => place?.to_path_buf(),
        };
        let bytes = fs::read(dir.join(NOTE)).ok()?;
        let mut stand: Self = serde_json::from_slice(&bytes).ok()?;
        stand.dir = dir;
        Some((stand, role))
    }

    /// The defect has acted.
    pub(super) fn act(&self) {
        self.marker().act();
    }

    pub(super) fn marker(&self) -> Marker {
        Marker(self.beside(ACTED))
    }

    /// A file of that name beside the program.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the honest server puts its ready file, for nobody but us.
    pub(super) fn ready_file(&self) -> PathBuf {
        self.dir.join(format!("ready-{}.json", std::process::id()))
    }

    /// The directory that holds the `ssh` of ours.
    pub(super) fn path_entry(&self) -> PathBuf {
        self.dir.join("path")
    }
}

/// Where it is written down that the defect acted.
#[derive(Debug, Clone)]
pub(super) struct Marker(PathBuf);

impl Marker {
    pub(super) fn act(&self) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // As private as the file of a client whose system calls are being watched; what is
            // there already is from another of its processes.
            let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0);
        });
    }
}

#[cfg(test)]
impl Marker {
    /// Written down where nobody reads it.
    pub(super) fn nowhere() -> Self {
        Self(PathBuf::from("/dev/null"))
    }
}

/// As which program we were started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
    Ssh,
}
