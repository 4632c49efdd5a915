//! What a user may do to the tree: the checks a kernel would make, and the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EXECUTE, Kind, Node, READ, Tree, TreeError, WRITE};
use crate::machine::accounts::Account;

/// Who asks, and when: what a change writes into the node.
#[derive(Clone, Copy)]
pub(in crate::machine) struct Actor<'a> {
    pub(in crate::machine) account: &'a Account,
    pub(in crate::machine) now: jiff::Timestamp,
}

/// An absolute path without `.`, `..` and doubled slashes.
pub(in crate::machine) fn resolve(cwd: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { cwd };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then_some((parent, name))
}

impl Tree {
    pub(in crate::machine) fn find(&self, who: &Account, path: &str) -> Result<&Node, TreeError> {
        let mut at = &self.root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Kind::Directory(entries) = &at.kind else {
                return Err(TreeError::NotDirectory);
            };
            if !at.allows(who, EXECUTE) {
                return Err(TreeError::Denied);
            }
            at = entries.get(part).ok_or(TreeError::Missing)?;
        }
        Ok(at)
    }

    /// Without any check: for a descriptor that is already open.
    fn open_node(&mut self, path: &str) -> Option<&mut Node> {
        let mut at = &mut self.root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Kind::Directory(entries) = &mut at.kind else {
                return None;
            };
            at = entries.get_mut(part)?;
        }
        Some(at)
    }

    pub(in crate::machine) fn read(
        &self,
        who: &Account,
        path: &str,
    ) -> Result<Arc<Vec<u8>>, TreeError> {
        let node = self.find(who, path)?;
        if !node.allows(who, READ) {
            return Err(TreeError::Denied);
        }
        match &node.kind {
            Kind::Directory(_) => Err(TreeError::IsDirectory),
            Kind::File(content) => Ok(Arc::clone(content)),
            Kind::Null => Ok(Arc::default()),
        }
    }

    pub(in crate::machine) fn entries(
        &self,
        who: &Account,
        path: &str,
    ) -> Result<&BTreeMap<String, Node>, TreeError> {
        let node = self.find(who, path)?;
        let Kind::Directory(entries) = &node.kind else {
            return Err(TreeError::NotDirectory);
        };
        if !node.allows(who, READ) {
            return Err(TreeError::Denied);
        }
        Ok(entries)
    }

    /// The directory a new or changed entry lives in, if it may be changed.
    fn parent_of(&mut self, who: &Account, parent: &str) -> Result<&mut Node, TreeError> {
        let node = self.find(who, parent)?;
        if !node.is_directory() {
            return Err(TreeError::NotDirectory);
        }
        if !node.allows(who, WRITE | EXECUTE) {
            return Err(TreeError::Denied);
        }
        self.open_node(parent).ok_or(TreeError::Missing)
    }

    fn insert(&mut self, actor: Actor<'_>, path: &str, node: Node) -> Result<(), TreeError> {
        let (parent, name) = split(path).ok_or(TreeError::Exists)?;
        self.charge_entry()?;
        let directory = self.parent_of(actor.account, parent)?;
        directory.modified = actor.now;
        if let Kind::Directory(entries) = &mut directory.kind {
            entries.insert(name.to_owned(), node);
        }
        Ok(())
    }

    /// Opens a file for writing: makes it or, unless appending, empties it.
    pub(in crate::machine) fn open_for_writing(
        &mut self,
        actor: Actor<'_>,
        path: &str,
        append: bool,
    ) -> Result<(), TreeError> {
        match self.find(actor.account, path) {
            Err(TreeError::Missing) => {
                let file = fresh(actor, 0o644, Kind::File(Arc::default()));
                self.insert(actor, path, file)
            }
            Err(other) => Err(other),
            Ok(node) if node.is_directory() => Err(TreeError::IsDirectory),
            Ok(node) if !node.allows(actor.account, WRITE) => Err(TreeError::Denied),
            Ok(_) => {
                let mut freed = 0;
                if let Some(node) = self.open_node(path)
                    && !append
                    && let Kind::File(content) = &mut node.kind
                {
                    freed = content.len();
                    *content = Arc::default();
                    node.modified = actor.now;
                }
                self.used = self.used.saturating_sub(freed);
                Ok(())
            }
        }
    }

    /// Writes at the end of a file that was opened for writing. A file that
    /// has been removed meanwhile swallows it, as an unlinked one would.
    pub(in crate::machine) fn append(&mut self, path: &str, bytes: &[u8]) -> Result<(), TreeError> {
        if !matches!(self.open_node(path).map(|node| &node.kind), Some(Kind::File(_))) {
            return Ok(());
        }
        self.charge(bytes.len())?;
        if let Some(node) = self.open_node(path)
            && let Kind::File(content) = &mut node.kind
        {
            Arc::make_mut(content).extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(in crate::machine) fn touch(
        &mut self,
        actor: Actor<'_>,
        path: &str,
    ) -> Result<(), TreeError> {
        match self.find(actor.account, path) {
            Err(TreeError::Missing) => self.open_for_writing(actor, path, true),
            Err(other) => Err(other),
            Ok(node) if node.uid != actor.account.uid && !node.allows(actor.account, WRITE) => {
                Err(TreeError::Denied)
            }
            Ok(_) => {
                if let Some(node) = self.open_node(path) {
                    node.modified = actor.now;
                }
                Ok(())
            }
        }
    }

    pub(in crate::machine) fn make_directory(
        &mut self,
        actor: Actor<'_>,
        path: &str,
    ) -> Result<(), TreeError> {
        if self.find(actor.account, path).is_ok() {
            return Err(TreeError::Exists);
        }
        let directory = fresh(actor, 0o755, Kind::Directory(BTreeMap::new()));
        self.insert(actor, path, directory)
    }

    pub(in crate::machine) fn change_mode(
        &mut self,
        actor: Actor<'_>,
        path: &str,
        mode: u32,
    ) -> Result<(), TreeError> {
        let node = self.find(actor.account, path)?;
        if node.uid != actor.account.uid && !actor.account.is_root() {
            return Err(TreeError::Denied);
        }
        if let Some(node) = self.open_node(path) {
            node.mode = mode & 0o7777;
        }
        Ok(())
    }

    /// Takes an entry out of its directory.
    pub(in crate::machine) fn remove(
        &mut self,
        actor: Actor<'_>,
        path: &str,
    ) -> Result<Node, TreeError> {
        let (parent, name) = split(path).ok_or(TreeError::Denied)?;
        let node = self.find(actor.account, path)?;
        let mine = node.uid == actor.account.uid;
        let directory = self.parent_of(actor.account, parent)?;
        // The sticky bit: in /tmp only one's own entries can be taken out.
        let sticky = directory.mode & 0o1000 != 0 && directory.uid != actor.account.uid;
        if sticky && !mine && !actor.account.is_root() {
            return Err(TreeError::Denied);
        }
        directory.modified = actor.now;
        let Kind::Directory(entries) = &mut directory.kind else {
            return Err(TreeError::NotDirectory);
        };
        let node = entries.remove(name).ok_or(TreeError::Missing)?;
        self.refund(&node);
        Ok(node)
    }

    /// Puts a whole node (a file or a directory with its contents) at a path.
    pub(in crate::machine) fn graft(
        &mut self,
        actor: Actor<'_>,
        path: &str,
        node: Node,
    ) -> Result<(), TreeError> {
        self.charge(weight(&node))?;
        self.insert(actor, path, node)
    }
}

fn fresh(actor: Actor<'_>, mode: u32, kind: Kind) -> Node {
    Node { mode, uid: actor.account.uid, gid: actor.account.gid(), modified: actor.now, kind }
}

fn weight(node: &Node) -> usize {
    match &node.kind {
        Kind::Directory(entries) => {
            entries.values().map(|child| weight(child) + super::ENTRY_COST).sum()
        }
        Kind::File(content) => content.len(),
        Kind::Null => 0,
    }
}
