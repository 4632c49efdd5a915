//! A world of its own for one run: HOME, XDG directories, TMPDIR, PATH and working directory,
//! all below one temporary directory whose whole tree can be compared before and after.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

#[derive(Debug)]
pub struct Sandbox {
    dir: Option<TempDir>,
    root: PathBuf,
    records: PathBuf,
}

impl Sandbox {
    pub(crate) fn new(keep: bool) -> io::Result<Self> {
        let prefix = "plexctl-bench-";
        let dir = if keep {
            // What is kept to be looked at later is not kept in memory.
            tempfile::Builder::new().prefix(prefix).tempdir()?
        } else {
            super::room::directory(prefix)?
        };
        let whole = fs::canonicalize(dir.path())?;
        let (root, records) = (whole.join("box"), whole.join("records"));
        fs::create_dir(&records)?;
        for name in
            ["", "home", "home/.config", "home/.local", "home/.local/state", "tmp", "bin", "cwd"]
        {
            fs::create_dir(root.join(name))?;
        }
        Ok(Self { dir: Some(dir), root, records })
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
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
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
        walk(&self.root, Path::new(""), &mut entries)?;
        Ok(Tree(entries))
    }
}

/// Everything below the sandbox at one moment, by relative path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Entry>);

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
        self.0.get(path.as_ref())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_path(), entry))
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

/// Enters what stands in `dir`, which is called `name` in the tree.
fn walk(dir: &Path, name: &Path, entries: &mut BTreeMap<PathBuf, Entry>) -> io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        let meta = match item.metadata() {
            Ok(meta) => meta,
            // Gone between the listing and the look: as good as never there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let path = item.path();
        let file_type = meta.file_type();
        let (kind, content) = if file_type.is_dir() {
            (EntryKind::Dir, Vec::new())
        } else if file_type.is_symlink() {
            (EntryKind::Symlink, fs::read_link(&path)?.as_os_str().as_bytes().to_vec())
        } else if file_type.is_file() {
            (EntryKind::File, fs::read(&path).unwrap_or_default())
        } else if file_type.is_fifo() {
            (EntryKind::Fifo, Vec::new())
        } else {
            (EntryKind::Other, Vec::new())
        };
        let name = name.join(item.file_name());
        let entry = Entry { kind, mode: meta.mode() & 0o7777, content, inode: meta.ino() };
        if kind == EntryKind::Dir {
            walk(&path, &name, entries)?;
        }
        entries.insert(name, entry);
    }
    Ok(())
}
