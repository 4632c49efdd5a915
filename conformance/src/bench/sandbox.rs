//! A world of its own for one run: HOME, XDG directories, TMPDIR, PATH and working directory,
//! all below one temporary directory whose whole tree can be compared before and after.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Sandbox {
    dir: Option<TempDir>,
    root: PathBuf,
    records: PathBuf,
}

const SKELETON: [&str; 8] =
    ["", "home", "home/.config", "home/.local", "home/.local/state", "tmp", "bin", "cwd"];

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.dir.is_some() {
            self.clear();
        }
    }
}

impl Sandbox {
    pub(crate) fn new(keep: bool) -> io::Result<Self> {
        let prefix = "plexctl-bench-";
        let dir = if keep {
            // What is kept to be looked at later is not kept in memory.
            let place = fs::canonicalize(std::env::temp_dir())?;
            tempfile::Builder::new().prefix(prefix).tempdir_in(place)?
        } else {
            super::room::directory(prefix)?
        };
        let (root, records) = (dir.path().join("box"), dir.path().join("records"));
        fs::create_dir(&records)?;
        for name in SKELETON {
            fs::create_dir(root.join(name))?;
        }
        Ok(Self { dir: Some(dir), root, records })
    }

    /// What a rule left as it was need not be looked into before it can go.
    fn clear(&self) {
        for name in SKELETON.iter().rev() {
            let _ = fs::remove_dir(self.root.join(name));
        }
        let _ = fs::remove_dir(&self.records);
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The directory the subject starts in; relative `--output-file` names land here.
    pub fn cwd(&self) -> PathBuf {
        self.root.join("cwd")
    }

    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The only directory on the subject's PATH.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// A path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.cwd().join(name)
    }

    /// Where the bench's own helpers write; no part of the tree the subject is judged by.
    pub(crate) fn records(&self) -> &Path {
        &self.records
    }

    /// Leaves it on disk.
    pub(crate) fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
    }

    /// Writes a file below the sandbox root with exactly this mode, whatever our own umask.
    pub fn write(
        &self,
        path: impl AsRef<Path>,
        bytes: impl AsRef<[u8]>,
        mode: u32,
    ) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        let mut how = fs::OpenOptions::new();
        how.write(true).create(true).truncate(true).mode(0o600);
        let mut file = match how.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Nearly always it is there.
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                how.open(&path)
            }
            opened => opened,
        }?;
        file.write_all(bytes.as_ref())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// Writes a program below the sandbox root.
    pub fn write_program(&self, path: impl AsRef<Path>, text: &str) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        super::process::write_executable(&path, text)?;
        Ok(path)
    }

    /// The credential file, private as the rules want it.
    pub fn write_token(&self, token: &str) -> io::Result<PathBuf> {
        self.write("home/token", format!("{token}\n"), 0o600)
    }

    /// `~/.config/plexctl/config.json`, private.
    pub fn write_config(&self, config: &serde_json::Value) -> io::Result<PathBuf> {
        self.write("home/.config/plexctl/config.json", config.to_string(), 0o600)
    }

    pub fn snapshot(&self) -> io::Result<Tree> {
        let mut entries = BTreeMap::new();
        let root = openat(CWD, &self.root, DIRECTORY, Mode::empty())?;
        walk(root, OsStr::new(""), &mut entries)?;
        Ok(Tree(entries))
    }
}

/// Everything below the sandbox at one moment, by relative path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<OsString, Entry>);

/// One entry of the tree; two are equal when kind, mode and content are.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    pub mode: u32,
    /// A file's bytes, a link's target, nothing for the rest.
    pub content: Vec<u8>,
    /// Tells a replaced file from a rewritten one.
    pub inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Dir,
    Symlink,
    Fifo,
    Other,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:04o} {} bytes", self.kind, self.mode, self.content.len())
    }
}

impl Tree {
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.0.get(path.as_ref().as_os_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.0.iter().map(|(path, entry)| (Path::new(path), entry))
    }

    /// What changed from `self` to `after`, as one line each: `+ path`, `- path`, `~ path`.
    pub fn changes(&self, after: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, entry) in &after.0 {
            match self.0.get(path) {
                None => lines.push(format!("+ {} ({entry:?})", path.display())),
                Some(old) if old.kind != entry.kind || old.mode != entry.mode => {
                    lines.push(format!("~ {} ({old:?} became {entry:?})", path.display()));
                }
                Some(old) if old.content != entry.content => {
                    lines.push(format!("~ {} (content changed)", path.display()));
                }
                Some(_) => {}
            }
        }
        let gone = self.0.keys().filter(|path| !after.0.contains_key(*path));
        lines.extend(gone.map(|path| format!("- {}", path.display())));
        lines
    }
}

/// Enters what stands in `dir`, which is called `name` in the tree. Every run of a subject is
/// looked at twice, so this asks the kernel for no path longer than one name.
fn walk(dir: OwnedFd, name: &OsStr, entries: &mut BTreeMap<OsString, Entry>) -> io::Result<()> {
    // The directory itself is read; `read_from` would open it a second time.
    let mut listing = Dir::new(dir)?;
    while let Some(item) = listing.read() {
        let item = item?;
        let dir = listing.fd()?;
        if matches!(item.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let Some(stat) = there(statat(dir, item.file_name(), AtFlags::SYMLINK_NOFOLLOW))? else {
            continue;
        };
        let (kind, content) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => (EntryKind::Dir, Vec::new()),
            FileType::Symlink => match there(readlinkat(dir, item.file_name(), Vec::new()))? {
                Some(target) => (EntryKind::Symlink, target.into_bytes()),
                None => continue,
            },
            FileType::RegularFile => {
                let size = usize::try_from(stat.st_size).unwrap_or_default();
                (EntryKind::File, content(dir, item.file_name(), size).unwrap_or_default())
            }
            FileType::Fifo => (EntryKind::Fifo, Vec::new()),
            _ => (EntryKind::Other, Vec::new()),
        };
        let mut path = OsString::with_capacity(name.len() + 32);
        path.push(name);
        if !name.is_empty() {
            path.push("/");
        }
        path.push(OsStr::from_bytes(item.file_name().to_bytes()));
        #[cfg_attr(
            target_os = "linux",
            expect(clippy::useless_conversion, reason = "macOS counts modes in 16 bits")
        )]
        let mode = u32::from(stat.st_mode & 0o7777);
        let entry = Entry { kind, mode, content, inode: stat.st_ino };
        if kind == EntryKind::Dir
            && let Some(below) = there(openat(dir, item.file_name(), DIRECTORY, Mode::empty()))?
        {
            walk(below, &path, entries)?;
        }
        entries.insert(path, entry);
    }
    Ok(())
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What was gone between the listing and the look is as good as never there.
fn there<T>(looked: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn content(dir: impl AsFd, name: &CStr, size: usize) -> io::Result<Vec<u8>> {
    // Never waits for a writer, should a pipe have taken the place of the file.
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(dir, name, how, Mode::empty())?;
    // A size is only a claim: a file may be nearly all hole.
    let mut bytes = Vec::with_capacity(size.min(1 << 20) + 1);
    // Not as a file, which would be asked for its size and its place first.
    File::from(file).take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
