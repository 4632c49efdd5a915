//! Where the bench makes its temporary directories: in memory where the system offers it. Every
//! rule has a tree of its own, and on a disk making and removing it costs more than judging.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::{Builder, TempDir};

/// A fresh private directory that goes when it is dropped, by a path without links. Whoever set
/// TMPDIR has chosen the place.
pub(crate) fn directory(prefix: &str) -> io::Result<TempDir> {
    Builder::new().prefix(prefix).tempdir_in(place()?)
}

/// Followed once, and not for every directory.
fn place() -> io::Result<&'static Path> {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    if let Some(place) = PLACE.get() {
        return Ok(place);
    }
    let chosen = std::env::var_os("TMPDIR").is_some();
    let usual = std::env::temp_dir();
    let place = memory().filter(|_| !chosen).unwrap_or(&usual).canonicalize()?;
    Ok(PLACE.get_or_init(|| place))
}

/// The shared memory of a Linux system, where programs in it may be executed, as the fake ssh must,
/// and where it has room for many rules at once.
#[cfg(target_os = "linux")]
fn memory() -> Option<&'static Path> {
    const PLACE: &str = "/dev/shm";
    /// What statfs calls a tmpfs.
    const TMPFS: u64 = 0x0102_1994;
    const ENOUGH_BYTES: u64 = 512 << 20;
    static USABLE: OnceLock<bool> = OnceLock::new();
    let usable = USABLE.get_or_init(|| {
        let (Ok(kind), Ok(state)) = (rustix::fs::statfs(PLACE), rustix::fs::statvfs(PLACE)) else {
            return false;
        };
        u64::try_from(kind.f_type) == Ok(TMPFS)
            && !state.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC)
            && state.f_bavail.saturating_mul(state.f_frsize) >= ENOUGH_BYTES
            && Builder::new().prefix("plexctl-bench-").tempdir_in(PLACE).is_ok()
    });
    usable.then_some(Path::new(PLACE))
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Option<&'static Path> {
    None
}
