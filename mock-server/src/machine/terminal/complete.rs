//! What Tab offers: commands in the place of a command, paths elsewhere.

use super::super::description::CannedCommand;
use super::super::programs::{BUILTINS, PROGRAMS};
use super::super::shell::Shell;

/// The names that fit, and the part of them that has been typed.
pub(super) struct Found {
    pub(super) typed: String,
    pub(super) names: Vec<String>,
}

pub(super) fn candidates(shell: &Shell, before: &str) -> Found {
    let start = before.rfind([' ', '\t', ';', '|', '&', '(', '<', '>', '=']).map_or(0, |at| at + 1);
    let (lead, word) = before.split_at(start);
    let lead = lead.trim_end();
    let in_command_place = lead.is_empty() || lead.ends_with([';', '|', '&', '(']);
    if in_command_place && !word.contains('/') {
        return commands(shell, word);
    }
    paths(shell, word)
}

fn commands(shell: &Shell, word: &str) -> Found {
    let described = &shell.shared.plan.description.commands;
    let mut names: Vec<String> = BUILTINS
        .iter()
        .chain(PROGRAMS)
        .copied()
        .chain(described.iter().map(CannedCommand::program))
        .filter(|name| name.starts_with(word))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    Found { typed: word.to_owned(), names }
}

fn paths(shell: &Shell, word: &str) -> Found {
    let (directory, typed) = match word.rfind('/') {
        Some(at) => word.split_at(at + 1),
        None => ("", word),
    };
    let home = shell.variable("HOME").unwrap_or("/");
    let real = match directory.strip_prefix("~/") {
        Some(rest) => format!("{home}/{rest}"),
        None => directory.to_owned(),
    };
    let tree = shell.tree();
    let path = shell.path(&real);
    let mut names = Vec::new();
    if let Ok(entries) = tree.entries(shell.account(), &path) {
        for (name, node) in entries {
            let hidden = name.starts_with('.') && !typed.starts_with('.');
            if !hidden && name.starts_with(typed) {
                let end = if node.is_directory() { "/" } else { "" };
                names.push(format!("{name}{end}"));
            }
        }
    }
    Found { typed: typed.to_owned(), names }
}
