//! The pages in docs/commands and docs/man are made from the command line itself; this test
//! compares them, and with UPDATE_DOCS=1 writes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

#[test]
fn pages_are_what_the_command_line_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    let mut stale = Vec::new();
    for (path, text) in pages() {
        let path = root.join(path);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run UPDATE_DOCS=1 cargo test -p plexctl --test docs"
    );
}

/// Every page by its path under docs/.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut root = plexctl::command();
    root.build();
    let mut pages = BTreeMap::new();
    let subcommands: Vec<Command> =
        root.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect();
    pages.insert("commands/plexctl.md".into(), root_page(&root, &subcommands));
    pages.insert("man/plexctl.1".into(), manual(&root));
    for command in &subcommands {
        let name = command.get_name();
        pages.insert(format!("commands/{name}.md").into(), command_page(command));
        pages.insert(format!("man/plexctl-{name}.1").into(), manual(command));
    }
    pages
}

const GENERATED: &str =
    "<!-- Made from the command line by plexctl/tests/docs.rs; do not edit. -->\n";

fn root_page(root: &Command, subcommands: &[Command]) -> String {
    let mut page = format!("{GENERATED}# plexctl\n\n{}.\n\n", root.get_about().unwrap());
    let usage = root.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(page, "```text\n{usage}\n```\n\n## Commands\n").unwrap();
    page.push_str("| Command | What it does |\n|---|---|\n");
    for command in subcommands {
        let name = command.get_name();
        writeln!(page, "| [`{name}`]({name}.md) | {} |", command.get_about().unwrap()).unwrap();
    }
    page.push_str("\n## Persistent flags\n\nThey may stand before or after the command.\n\n");
    page.push_str(&table(flags(root, true)));
    page.push_str(&sections(root));
    page
}

fn command_page(command: &Command) -> String {
    let name = command.get_name();
    let about = command.get_long_about().or(command.get_about()).unwrap();
    let mut page = format!("{GENERATED}# plexctl {name}\n\n{about}\n\n");
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    writeln!(page, "```text\n{usage}\n```\n\n## Flags\n").unwrap();
    page.push_str(&table(flags(command, false)));
    page.push_str("\nThe [persistent flags](plexctl.md#persistent-flags) apply too.\n");
    page.push_str(&sections(command));
    page
}

fn flags(command: &Command, global: bool) -> Vec<&Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.is_global_set() == global)
        .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect()
}

fn table(flags: Vec<&Arg>) -> String {
    let mut table = String::from("| Flag | Value | Description |\n|---|---|---|\n");
    for arg in flags {
        let takes_value = arg.get_action().takes_values();
        let value = match arg.get_value_names() {
            Some([name]) if takes_value => format!("`{name}`"),
            _ => String::new(),
        };
        let mut help = arg.get_help().unwrap().to_string().replace('|', "\\|");
        let possible: Vec<String> = if takes_value {
            arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect()
        } else {
            Vec::new()
        };
        if !possible.is_empty() && arg.get_id() == "output" {
            write!(help, ": {}; default `text`", possible.join(", ")).unwrap();
        }
        writeln!(table, "| `--{}` | {value} | {help} |", arg.get_long().unwrap()).unwrap();
    }
    table
}

/// The parts of the long help after the flags: a heading is a line that ends in a colon and starts
/// in the first column.
fn parts(command: &Command) -> Vec<(String, String)> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let heading = !line.starts_with(' ') && !line.is_empty();
        match (heading, parts.last_mut()) {
            (false, Some((_, text))) => writeln!(text, "{line}").unwrap(),
            _ => {
                let (title, text) = match line.strip_suffix(':') {
                    Some(title) => (title, String::new()),
                    None => ("Notes", format!("{line}\n")),
                };
                parts.push((title.to_owned(), text));
            }
        }
    }
    parts
}

fn sections(command: &Command) -> String {
    let mut out = String::new();
    for (title, text) in parts(command) {
        let text = text.trim_end();
        match title.as_str() {
            "Notes" => writeln!(out, "\n{text}").unwrap(),
            "Exit codes" => {
                out.push_str("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
                for (code, meaning) in exit_codes(text) {
                    writeln!(out, "| {code} | {meaning} |").unwrap();
                }
            }
            _ => writeln!(out, "\n## {title}\n\n```text\n{text}\n```").unwrap(),
        }
    }
    out
}

/// Rows of `  code  meaning`, continued on indented lines.
fn exit_codes(text: &str) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let words = line.trim();
        match words.split_once(' ') {
            Some((code, meaning)) if code.bytes().all(|b| b.is_ascii_digit()) => {
                rows.push((code.to_owned(), meaning.trim().to_owned()));
            }
            _ => rows.last_mut().unwrap().1.push_str(&format!(" {words}")),
        }
    }
    rows
}

/// A manual page: clap_mangen's parts, and ours for what stands after the flags.
fn manual(command: &Command) -> String {
    let man = clap_mangen::Man::new(command.clone()).source("plexctl").manual("plexctl");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = roff(usage.trim_start_matches("Usage: "));
    page.extend_from_slice(format!(".SH SYNOPSIS\n{usage}\n").as_bytes());
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.get_subcommands().any(|subcommand| subcommand.get_name() == "ssh") {
        man.render_subcommands_section(&mut page).unwrap();
    }
    let mut page = String::from_utf8(page).unwrap();
    for (title, text) in parts(command) {
        let title = if title == "Exit codes" { "EXIT STATUS".to_owned() } else { title };
        writeln!(page, ".SH \"{}\"", title.to_uppercase()).unwrap();
        if title == "EXIT STATUS" {
            for (code, meaning) in exit_codes(text.trim_end()) {
                writeln!(page, ".TP\n\\fB{code}\\fR\n{}", roff(&meaning)).unwrap();
            }
        } else {
            writeln!(page, ".nf\n{}\n.fi", roff(text.trim_end())).unwrap();
        }
    }
    page
}

fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let lines: Vec<String> = escaped
        .lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.into() })
        .collect();
    lines.join("\n")
}
