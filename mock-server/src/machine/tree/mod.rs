//! The file tree: directories and files with owners and modes, in memory.
//!
//! Contents are shared between the copies that logins get until one of them
//! writes. A quota stands in for the disk.

mod access;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accounts::{Account, Accounts};
use super::description::{MachineDescription, MachineError};

pub(super) use access::{Actor, resolve};

/// The size of the simulated disk: what one login may add to its tree.
const QUOTA: usize = 16 * 1024 * 1024;
/// A directory entry is not free either.
const ENTRY_COST: usize = 256;

pub(super) const READ: u32 = 4;
pub(super) const WRITE: u32 = 2;
pub(super) const EXECUTE: u32 = 1;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) modified: jiff::Timestamp,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Directory(BTreeMap<String, Node>),
    File(Arc<Vec<u8>>),
    /// Swallows what is written and is always at its end.
    Null,
}

impl Node {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory(_))
    }

    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::Directory(_) => 4096,
            Kind::File(content) => content.len(),
            Kind::Null => 0,
        }
    }

    pub(super) fn allows(&self, who: &Account, wanted: u32) -> bool {
        if who.is_root() {
            // Root still cannot run what nobody may run.
            return wanted & EXECUTE == 0 || self.is_directory() || self.mode & 0o111 != 0;
        }
        let shift = if self.uid == who.uid {
            6
        } else if who.groups.iter().any(|(_, gid)| *gid == self.gid) {
            3
        } else {
            0
        };
        (self.mode >> shift) & wanted == wanted
    }
}

/// Why a path cannot be used as asked. The words are those of `strerror`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeError {
    Missing,
    NotDirectory,
    IsDirectory,
    Denied,
    Exists,
    NotEmpty,
    NoSpace,
    Invalid,
}

impl std::fmt::Display for TreeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "No such file or directory",
            Self::NotDirectory => "Not a directory",
            Self::IsDirectory => "Is a directory",
            Self::Denied => "Permission denied",
            Self::Exists => "File exists",
            Self::NotEmpty => "Directory not empty",
            Self::NoSpace => "No space left on device",
            Self::Invalid => "Invalid argument",
        })
    }
}

/// One login's tree, shared by the programs of that login.
#[derive(Clone)]
pub(super) struct SharedTree(Arc<Mutex<Tree>>);

impl SharedTree {
    pub(super) fn new(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(tree)))
    }

    /// Never held across an await; a poisoned tree is still a tree.
    pub(super) fn lock(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) used: usize,
}

impl Tree {
    pub(super) fn build(
        description: &MachineDescription,
        accounts: &Accounts,
        booted: jiff::Timestamp,
    ) -> Result<Self, MachineError> {
        let directory = |mode: u32, uid: u32, gid: u32| Node {
            mode,
            uid,
            gid,
            modified: booted,
            kind: Kind::Directory(BTreeMap::new()),
        };
        let mut tree = Self { root: directory(0o755, 0, 0), used: 0 };
        for (path, mode) in [
            ("/bin", 0o755),
            ("/dev", 0o755),
            ("/etc", 0o755),
            ("/home", 0o755),
            ("/root", 0o700),
            ("/tmp", 0o1777),
            ("/usr", 0o755),
            ("/usr/bin", 0o755),
            ("/var", 0o755),
            ("/var/log", 0o755),
        ] {
            tree.place(path, directory(mode, 0, 0))?;
        }
        let null = Node { kind: Kind::Null, mode: 0o666, ..directory(0, 0, 0) };
        tree.place("/dev/null", null)?;
        for account in accounts.all() {
            let mode = if account.is_root() { 0o700 } else { 0o755 };
            let home = directory(mode, account.uid, account.gid());
            tree.place(&account.home, home)?;
        }
        for file in &description.files {
            let owner = |found: Option<u32>, name: &str| {
                found.ok_or_else(|| MachineError::UnknownOwner {
                    path: file.path.clone(),
                    name: name.to_owned(),
                })
            };
            let uid = owner(accounts.find(&file.owner).map(|a| a.uid), &file.owner)?;
            let gid = owner(accounts.group(&file.group), &file.group)?;
            let plain = if file.content.is_some() { 0o644 } else { 0o755 };
            let mode = match &file.mode {
                None => plain,
                Some(text) => {
                    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(
                        || MachineError::BadMode { path: file.path.clone(), mode: text.clone() },
                    )?
                }
            };
            let kind = match &file.content {
                Some(text) => Kind::File(Arc::new(text.clone().into_bytes())),
                None => Kind::Directory(BTreeMap::new()),
            };
            let node = Node { kind, ..directory(mode, uid, gid) };
            tree.place(&file.path, node)?;
        }
        Ok(tree)
    }

    /// Puts a described node where it belongs, making the way there.
    fn place(&mut self, path: &str, node: Node) -> Result<(), MachineError> {
        let bad = || MachineError::BadPath { path: path.into() };
        if !path.starts_with('/') || path.split('/').any(|part| part == "." || part == "..") {
            return Err(bad());
        }
        let below_file = || MachineError::BelowFile { path: path.into() };
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().ok_or_else(bad)?;
        let mut at = &mut self.root;
        for part in parts {
            let way = Node { mode: 0o755, kind: Kind::Directory(BTreeMap::new()), ..*at };
            let Kind::Directory(entries) = &mut at.kind else {
                return Err(below_file());
            };
            at = entries.entry(part.to_owned()).or_insert(way);
        }
        let Kind::Directory(entries) = &mut at.kind else {
            return Err(below_file());
        };
        let mut node = node;
        if let (Some(known), Kind::Directory(fresh)) = (entries.remove(name), &mut node.kind) {
            // A directory described again keeps what is in it.
            if let Kind::Directory(kept) = known.kind {
                *fresh = kept;
            }
        }
        entries.insert(name.to_owned(), node);
        Ok(())
    }

    /// Gives a user a home, where the description has none for them.
    pub(super) fn welcome(&mut self, account: &Account, now: jiff::Timestamp) {
        if self.find(account, &account.home).is_ok() {
            return;
        }
        let home = Node {
            mode: 0o755,
            uid: account.uid,
            gid: account.gid(),
            modified: now,
            kind: Kind::Directory(BTreeMap::new()),
        };
        // A home below a file cannot be made; the login starts at `/` then.
        let _ = self.place(&account.home, home);
    }

    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), TreeError> {
        if self.used.saturating_add(bytes) > QUOTA {
            return Err(TreeError::NoSpace);
        }
        self.used += bytes;
        Ok(())
    }

    pub(super) fn charge_entry(&mut self) -> Result<(), TreeError> {
        self.charge(ENTRY_COST)
    }

    pub(super) fn refund(&mut self, node: &Node) {
        let freed = match &node.kind {
            Kind::File(content) => content.len() + ENTRY_COST,
            Kind::Directory(entries) => {
                for child in entries.values() {
                    self.refund(child);
                }
                ENTRY_COST
            }
            Kind::Null => ENTRY_COST,
        };
        self.used = self.used.saturating_sub(freed);
    }
}
