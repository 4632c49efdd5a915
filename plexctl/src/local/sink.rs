//! A file for a secret: private from its first byte, and either the old content or the new, never
//! half of it (docs/decisions/0011-*.md).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A place where a private file can be put.
pub(crate) struct FileSink {
    path: PathBuf,
    directory: PathBuf,
}

impl FileSink {
    /// Finds out, before a session is issued, what would make writing impossible.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Error> {
        let refuse = |why: String| Error::OutputFile { path: path.to_owned(), why };
        if !cfg!(unix) {
            return Err(refuse("a private file cannot be made on this system".into()));
        }
        let text = path.as_os_str().as_encoded_bytes();
        if path.file_name().is_none() || text.ends_with(b"/") || text.ends_with(b"/.") {
            return Err(refuse("a directory, where a file is wanted".into()));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let real = fs::canonicalize(&directory)
            .map_err(|error| refuse(format!("its directory cannot be used: {error}")))?;
        // The names in there stand for open files and devices: replacing one, as root could, would
        // break the machine.
        if real == Path::new("/dev") || real == Path::new("/dev/fd") || real.starts_with("/proc") {
            return Err(refuse("a device, where a file is wanted".into()));
        }
        if !real.is_dir() {
            return Err(refuse("its directory is no directory".into()));
        }
        let sink = Self { path: path.to_owned(), directory };
        sink.check_target()?;
        sink.check_directory()?;
        Ok(sink)
    }

    /// Only a file or a symlink may be replaced; the link itself is, not what it points to.
    fn check_target(&self) -> Result<(), Error> {
        let what = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.failed(&error)),
            Ok(metadata) if metadata.is_file() || metadata.is_symlink() => return Ok(()),
            Ok(metadata) if metadata.is_dir() => "a directory, where a file is wanted",
            Ok(_) => "a device, FIFO or socket, where a file is wanted",
        };
        Err(Error::OutputFile { path: self.path.clone(), why: what.to_owned() })
    }

    #[cfg(unix)]
    fn check_directory(&self) -> Result<(), Error> {
        use rustix::fs::{Access, access};
        access(&self.directory, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| self.failed(&error.into()))
    }

    #[cfg(not(unix))]
    fn check_directory(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Puts the content in place. On failure nothing new is left behind.
    pub(crate) fn write(&self, content: &[u8]) -> Result<(), Error> {
        let signals = HeldSignals::hold();
        let outcome = self
            .check_target()
            .and_then(|()| self.replace(content).map_err(|error| self.failed(&error)));
        signals.deliver();
        outcome
    }

    fn replace(&self, content: &[u8]) -> std::io::Result<()> {
        // tempfile creates with O_EXCL and mode 0600, and removes the file if we do not persist it.
        let mut file = tempfile::Builder::new().prefix(".plexctl-").tempfile_in(&self.directory)?;
        insist_on_mode(file.as_file())?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The rename itself is durable only once the directory is; if that fails the file is there
        // all the same.
        drop(File::open(&self.directory).and_then(|directory| directory.sync_all()));
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::OutputFile { path: self.path.clone(), why: error.to_string().to_lowercase() }
    }
}

/// A umask can only take bits away, but a kubeconfig its owner cannot read is no use either. This
/// happens while the file is still empty.
#[cfg(unix)]
fn insist_on_mode(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if file.metadata()?.mode() & 0o7777 != 0o600 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn insist_on_mode(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// Ctrl-C in the short time in which a temporary file exists would leave it lying about, so the
/// signals that ask a process to end are kept until it is gone, and then take effect.
#[cfg(unix)]
struct HeldSignals(Vec<(i32, std::sync::Arc<std::sync::atomic::AtomicBool>)>);

#[cfg(unix)]
impl HeldSignals {
    fn hold() -> Self {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let hold = |signal: i32| {
            let raised = std::sync::Arc::default();
            signal_hook::flag::register(signal, std::sync::Arc::clone(&raised)).ok()?;
            Some((signal, raised))
        };
        Self([SIGINT, SIGTERM, SIGHUP].into_iter().filter_map(hold).collect())
    }

    fn deliver(self) {
        for (signal, raised) in self.0 {
            if raised.load(std::sync::atomic::Ordering::SeqCst) {
                drop(signal_hook::low_level::emulate_default_handler(signal));
            }
        }
    }
}

#[cfg(not(unix))]
struct HeldSignals;

#[cfg(not(unix))]
impl HeldSignals {
    fn hold() -> Self {
        Self
    }

    fn deliver(self) {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;
    use std::process::Command;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// Where the child of the test below writes.
    const TARGET: &str = "PLEXCTL_TEST_TARGET";

    /// Not a test of its own: writes a file, and gets a signal while it does.
    #[test]
    fn writer_that_is_told_to_end() {
        let Some(target) = std::env::var_os(TARGET).map(PathBuf::from) else { return };
        let sink = FileSink::prepare(&target).expect("a place for a file");
        let directory = target.parent().expect("a directory").to_owned();
        std::thread::spawn(move || {
            // The temporary file is there while the content is being written, and not before.
            while fs::read_dir(&directory).expect("a directory").next().is_none() {}
            kill_process(getpid(), Signal::TERM).expect("a signal");
        });
        sink.write(&vec![b'x'; 64 << 20]).expect("a file");
    }

    #[test]
    fn a_signal_waits_for_the_file_and_then_takes_effect() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("k");
        let status = Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", "local::sink::tests::writer_that_is_told_to_end"])
            .env(TARGET, &target)
            .stdout(std::process::Stdio::null())
            .status()
            .expect("a run");
        assert_eq!(status.signal(), Some(15), "{status}");
        assert_eq!(fs::metadata(&target).expect("the file").len(), 64 << 20);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }
}
