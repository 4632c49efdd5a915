//! Programs that change the file tree.

use super::super::shell::{Outcome, Shell};
use super::super::tree::{Kind, Node, TreeError};
use super::call::Call;

pub(super) async fn touch(call: Call<'_>) -> Outcome {
    let options = call.options("acm", "").await?;
    let mut status = 0;
    for name in &options.operands {
        let path = call.shell.path(name);
        let touched = call.shell.tree().touch(call.shell.actor(), &path);
        if let Err(error) = touched {
            call.warn(&format!("cannot touch '{name}': {error}")).await?;
            status = 1;
        }
    }
    Ok(status)
}

pub(super) async fn mkdir(call: Call<'_>) -> Outcome {
    let options = call.options("pv", "m").await?;
    let mut status = 0;
    for name in &options.operands {
        let path = call.shell.path(name);
        let made = make(call.shell, &path, options.has('p'));
        if let Err(error) = made {
            let text = format!("cannot create directory '{name}': {error}");
            call.warn(&text).await?;
            status = 1;
        }
    }
    Ok(status)
}

fn make(shell: &Shell, path: &str, parents: bool) -> Result<(), TreeError> {
    let mut tree = shell.tree();
    if !parents {
        return tree.make_directory(shell.actor(), path);
    }
    let mut at = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = format!("{at}/{part}");
        match tree.find(shell.account(), &at) {
            Ok(node) if node.is_directory() => {}
            Ok(_) => return Err(TreeError::NotDirectory),
            Err(TreeError::Missing) => tree.make_directory(shell.actor(), &at)?,
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

pub(super) async fn rmdir(call: Call<'_>) -> Outcome {
    let mut status = 0;
    for name in call.rest() {
        let path = call.shell.path(name);
        let removed = remove_empty(call.shell, &path);
        if let Err(error) = removed {
            call.warn(&format!("failed to remove '{name}': {error}")).await?;
            status = 1;
        }
    }
    Ok(status)
}

fn remove_empty(shell: &Shell, path: &str) -> Result<(), TreeError> {
    let mut tree = shell.tree();
    match &tree.find(shell.account(), path)?.kind {
        Kind::Directory(entries) if entries.is_empty() => {}
        Kind::Directory(_) => return Err(TreeError::NotEmpty),
        _ => return Err(TreeError::NotDirectory),
    }
    tree.remove(shell.actor(), path).map(drop)
}

pub(super) async fn rm(call: Call<'_>) -> Outcome {
    let options = call.options("rRfv", "").await?;
    let recursive = options.has('r') || options.has('R');
    let mut status = 0;
    for name in &options.operands {
        let path = call.shell.path(name);
        let removed = remove(call.shell, &path, recursive);
        match removed {
            Ok(()) => {}
            Err(TreeError::Missing) if options.has('f') => {}
            Err(error) => {
                call.warn(&format!("cannot remove '{name}': {error}")).await?;
                status = 1;
            }
        }
    }
    Ok(status)
}

fn remove(shell: &Shell, path: &str, recursive: bool) -> Result<(), TreeError> {
    let mut tree = shell.tree();
    let node = tree.find(shell.account(), path)?;
    if node.is_directory() && !recursive {
        return Err(TreeError::IsDirectory);
    }
    if !removable(shell, node) {
        return Err(TreeError::Denied);
    }
    tree.remove(shell.actor(), path).map(drop)
}

/// Whether everything below may be taken away: a directory one cannot write
/// keeps what is in it.
fn removable(shell: &Shell, node: &Node) -> bool {
    match &node.kind {
        Kind::Directory(entries) if entries.is_empty() => true,
        Kind::Directory(entries) => {
            node.allows(shell.account(), super::super::tree::WRITE)
                && entries.values().all(|child| removable(shell, child))
        }
        _ => true,
    }
}

/// Where something ends up: inside, when the target is a directory.
fn destination(shell: &Shell, source: &str, target: &str) -> String {
    let path = shell.path(target);
    let inside = shell.tree().find(shell.account(), &path).is_ok_and(Node::is_directory);
    if !inside {
        return path;
    }
    let name = shell.path(source);
    let name = name.rsplit('/').next().unwrap_or_default();
    super::super::tree::resolve(&path, name)
}

pub(super) async fn cp(call: Call<'_>) -> Outcome {
    let options = call.options("rRapfv", "").await?;
    let deep = options.has('r') || options.has('R') || options.has('a');
    each(&call, &options.operands, |shell, from, to| copy(shell, from, to, deep)).await
}

pub(super) async fn mv(call: Call<'_>) -> Outcome {
    let options = call.options("fnv", "").await?;
    each(&call, &options.operands, rename).await
}

async fn each(
    call: &Call<'_>,
    operands: &[String],
    act: impl Fn(&Shell, &str, &str) -> Result<(), TreeError>,
) -> Outcome {
    let Some((target, sources)) = operands.split_last().filter(|(_, s)| !s.is_empty()) else {
        return call.fail(&format!("{}: missing file operand", call.name())).await;
    };
    let mut status = 0;
    for source in sources {
        let from = call.shell.path(source);
        let to = destination(call.shell, source, target);
        let done = act(call.shell, &from, &to);
        if let Err(error) = done {
            call.warn(&format!("'{source}' to '{target}': {error}")).await?;
            status = 1;
        }
    }
    Ok(status)
}

/// Whether one path is the other or lies below it.
fn within(inner: &str, outer: &str) -> bool {
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

fn copy(shell: &Shell, from: &str, to: &str, deep: bool) -> Result<(), TreeError> {
    let mut tree = shell.tree();
    let actor = shell.actor();
    let node = tree.find(shell.account(), from)?;
    if node.is_directory() {
        if !deep {
            return Err(TreeError::IsDirectory);
        }
        if within(to, from) {
            return Err(TreeError::Invalid);
        }
        if tree.find(shell.account(), to).is_ok() {
            return Err(TreeError::Exists);
        }
        let copied = readable_copy(shell, node)?;
        return tree.graft(actor, to, copied);
    }
    let mode = node.mode;
    let content = tree.read(shell.account(), from)?;
    if from == to {
        return Err(TreeError::Exists);
    }
    let fresh = tree.find(shell.account(), to).is_err();
    tree.open_for_writing(actor, to, false)?;
    tree.append(to, &content)?;
    if fresh {
        tree.change_mode(actor, to, mode & 0o777)?;
    }
    Ok(())
}

/// A copy of what one may read, owned by the one who copies.
fn readable_copy(shell: &Shell, node: &Node) -> Result<Node, TreeError> {
    let account = shell.account();
    if !node.allows(account, super::super::tree::READ) {
        return Err(TreeError::Denied);
    }
    let kind = match &node.kind {
        Kind::Directory(entries) => {
            let mut copies = std::collections::BTreeMap::new();
            for (name, child) in entries {
                copies.insert(name.clone(), readable_copy(shell, child)?);
            }
            Kind::Directory(copies)
        }
        other => other.clone(),
    };
    Ok(Node { mode: node.mode, uid: account.uid, gid: account.gid(), modified: shell.now(), kind })
}

fn rename(shell: &Shell, from: &str, to: &str) -> Result<(), TreeError> {
    let mut tree = shell.tree();
    let actor = shell.actor();
    let node = tree.find(shell.account(), from)?;
    if from == to {
        return Ok(());
    }
    if within(to, from) {
        return Err(TreeError::Invalid);
    }
    let directory = node.is_directory();
    let parent = to.rsplit_once('/').map_or("/", |(parent, _)| parent);
    let place = tree.find(shell.account(), parent)?;
    if !place.is_directory() {
        return Err(TreeError::NotDirectory);
    }
    if !place.allows(shell.account(), super::super::tree::WRITE) {
        return Err(TreeError::Denied);
    }
    match tree.find(shell.account(), to) {
        Ok(existing) if existing.is_directory() != directory => {
            return Err(TreeError::NotDirectory);
        }
        Ok(_) if directory => return Err(TreeError::NotEmpty),
        Ok(_) => drop(tree.remove(actor, to)?),
        Err(_) => {}
    }
    let node = tree.remove(actor, from)?;
    tree.graft(actor, to, node)
}

pub(super) async fn chmod(call: Call<'_>) -> Outcome {
    let Some((mode, names)) = call.rest().split_first().filter(|(_, n)| !n.is_empty()) else {
        return call.fail("chmod: missing operand").await;
    };
    let mut status = 0;
    for name in names {
        let path = call.shell.path(name);
        let changed = change(call.shell, &path, mode);
        match changed {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                call.warn(&format!("cannot access '{name}': {error}")).await?;
                status = 1;
            }
            None => return call.fail(&format!("chmod: invalid mode: '{mode}'")).await,
        }
    }
    Ok(status)
}

/// Nothing when the mode is neither octal nor of the form `[ugoa][+-=][rwx]`.
fn change(shell: &Shell, path: &str, mode: &str) -> Option<Result<(), TreeError>> {
    let mut tree = shell.tree();
    let new = match u32::from_str_radix(mode, 8) {
        Ok(octal) => octal,
        Err(_) => {
            let now = match tree.find(shell.account(), path) {
                Ok(node) => node.mode,
                Err(error) => return Some(Err(error)),
            };
            let at = mode.find(['+', '-', '='])?;
            let (who, what) = mode.split_at(at);
            let mut letters = what.chars();
            let operator = letters.next()?;
            let mut bits = 0;
            for letter in letters {
                bits |= match letter {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    _ => return None,
                };
            }
            let mut mask = if who.is_empty() { 0o777 } else { 0 };
            for letter in who.chars() {
                mask |= match letter {
                    'u' => 0o700,
                    'g' => 0o070,
                    'o' => 0o007,
                    'a' => 0o777,
                    _ => return None,
                };
            }
            match operator {
                '+' => now | (bits & mask),
                '-' => now & !(bits & mask),
                _ => (now & !mask) | (bits & mask),
            }
        }
    };
    Some(tree.change_mode(shell.actor(), path, new))
}
