//! `ls`.

use unicode_width::UnicodeWidthStr;

use super::super::shell::{Outcome, Shell};
use super::super::tree::{Kind, Node};
use super::call::{Call, Options};

pub(super) async fn ls(call: Call<'_>) -> Outcome {
    let options = call.options("1AaCdFhlrtSRi", "").await?;
    let here = vec![".".to_owned()];
    let operands = if options.operands.is_empty() { &here } else { &options.operands };
    let mut status = 0;
    let mut files = Vec::new();
    let mut directories = Vec::new();
    for name in operands {
        let path = call.shell.path(name);
        let found = call.shell.tree().find(call.shell.account(), &path).map(Node::is_directory);
        match found {
            Ok(true) if !options.has('d') => directories.push(name.clone()),
            Ok(_) => files.push((name.clone(), path)),
            Err(error) => {
                call.warn(&format!("cannot access '{name}': {error}")).await?;
                status = 2;
            }
        }
    }
    let mut shown = false;
    if !files.is_empty() {
        let rows = rows(call.shell, &files, &options);
        call.out(format(&call, &rows, &options)).await?;
        shown = true;
    }
    let titled = operands.len() > 1;
    for name in directories {
        let entries = entries(call.shell, &name, &options);
        let Ok(entries) = entries else {
            let text = format!("cannot open directory '{name}': Permission denied");
            call.warn(&text).await?;
            status = 2;
            continue;
        };
        let mut text = String::new();
        if shown {
            text.push('\n');
        }
        if titled {
            text.push_str(&format!("{name}:\n"));
        }
        let rows = rows(call.shell, &entries, &options);
        if options.has('l') {
            let blocks: usize = rows.iter().map(|row| row.size.div_ceil(4096) * 4).sum();
            text.push_str(&format!("total {blocks}\n"));
        }
        text.push_str(&format(&call, &rows, &options));
        call.out(text).await?;
        shown = true;
    }
    Ok(status)
}

/// The names in a directory with their paths.
fn entries(
    shell: &Shell,
    name: &str,
    options: &Options,
) -> Result<Vec<(String, String)>, super::super::tree::TreeError> {
    let path = shell.path(name);
    let tree = shell.tree();
    let mut names: Vec<(String, String)> = Vec::new();
    if options.has('a') {
        names.push((".".into(), path.clone()));
        names.push(("..".into(), super::super::tree::resolve(&path, "..")));
    }
    for name in tree.entries(shell.account(), &path)?.keys() {
        if options.has('a') || options.has('A') || !name.starts_with('.') {
            names.push((name.clone(), super::super::tree::resolve(&path, name)));
        }
    }
    Ok(names)
}

struct Row {
    name: String,
    mode: String,
    links: usize,
    owner: String,
    group: String,
    size: usize,
    modified: jiff::Timestamp,
}

fn rows(shell: &Shell, names: &[(String, String)], options: &Options) -> Vec<Row> {
    let tree = shell.tree();
    let accounts = &shell.shared.plan.accounts;
    let mut rows: Vec<Row> = names
        .iter()
        .filter_map(|(name, path)| {
            let node = tree.find(shell.account(), path).ok()?;
            let mut name = name.clone();
            if options.has('F') {
                match node.kind {
                    Kind::Directory(_) => name.push('/'),
                    Kind::File(_) if node.mode & 0o111 != 0 => name.push('*'),
                    _ => {}
                }
            }
            let own = shell.account();
            let owner = match accounts.user_name(node.uid) {
                Some(owner) => owner.to_owned(),
                None if node.uid == own.uid => own.name.clone(),
                None => node.uid.to_string(),
            };
            let group = match accounts.group_name(node.gid) {
                Some(group) => group.to_owned(),
                None => match own.groups.iter().find(|(_, gid)| *gid == node.gid) {
                    Some((group, _)) => group.clone(),
                    None => node.gid.to_string(),
                },
            };
            let links = match &node.kind {
                Kind::Directory(entries) => {
                    2 + entries.values().filter(|n| n.is_directory()).count()
                }
                _ => 1,
            };
            Some(Row {
                name,
                mode: mode(node),
                links,
                owner,
                group,
                size: node.size(),
                modified: node.modified,
            })
        })
        .collect();
    if options.has('t') {
        rows.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
    } else if options.has('S') {
        rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.name.cmp(&b.name)));
    }
    if options.has('r') {
        rows.reverse();
    }
    rows
}

fn mode(node: &Node) -> String {
    let mut text = String::from(match node.kind {
        Kind::Directory(_) => "d",
        Kind::File(_) => "-",
        Kind::Null => "c",
    });
    for shift in [6, 3, 0] {
        let bits = node.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        let sticky = shift == 0 && node.mode & 0o1000 != 0;
        text.push(match (bits & 1 != 0, sticky) {
            (true, true) => 't',
            (false, true) => 'T',
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn human(size: usize) -> String {
    if size < 1024 {
        return size.to_string();
    }
    let tenths = size.saturating_mul(10) / 1024;
    if tenths < 10 * 1024 {
        return format!("{}.{}K", tenths / 10, tenths % 10);
    }
    format!("{}M", size / 1024 / 1024)
}

fn format(call: &Call<'_>, rows: &[Row], options: &Options) -> String {
    if options.has('l') {
        return long(rows, options);
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let width = call.shell.terminal.as_ref().map(|size| size.borrow().columns);
    match width {
        Some(width) if call.on_terminal() && !options.has('1') => {
            columns(&names, usize::from(width))
        }
        _ => names.iter().map(|name| format!("{name}\n")).collect(),
    }
}

fn long(rows: &[Row], options: &Options) -> String {
    let size = |row: &Row| match options.has('h') {
        true => human(row.size),
        false => row.size.to_string(),
    };
    let widest = |text: &dyn Fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let links = widest(&|row| row.links.to_string().len());
    let owner = widest(&|row| row.owner.len());
    let group = widest(&|row| row.group.len());
    let sizes = widest(&|row| size(row).len());
    rows.iter()
        .map(|row| {
            let zoned = row.modified.to_zoned(jiff::tz::TimeZone::UTC);
            format!(
                "{} {:links$} {:owner$} {:group$} {:>sizes$} {} {}\n",
                row.mode,
                row.links,
                row.owner,
                row.group,
                size(row),
                zoned.strftime("%b %e %H:%M"),
                row.name
            )
        })
        .collect()
}

/// Names in as many columns as fit, read downwards.
fn columns(names: &[&str], width: usize) -> String {
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
    let columns = (width / widest).clamp(1, names.len().max(1));
    let lines = names.len().div_ceil(columns);
    let mut text = String::new();
    for line in 0..lines {
        let row: Vec<&&str> = names.iter().skip(line).step_by(lines).collect();
        for (index, name) in row.iter().enumerate() {
            text.push_str(name);
            if index + 1 < row.len() {
                text.extend(std::iter::repeat_n(' ', widest - name.width()));
            }
        }
        text.push('\n');
    }
    text
}
