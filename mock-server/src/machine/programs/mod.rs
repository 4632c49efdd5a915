//! The programs of the machine: which there are, and how a name is looked up.

mod call;
mod files;
mod filters;
mod listing;
mod pattern;
mod printf;
mod process;
mod shelled;
mod system;
mod test;
mod text;
mod transform;

use super::login::Boxed;
use super::shell::{Outcome, Shell};
use super::stream::Io;
use super::tree::{EXECUTE, Kind, READ};
use call::Call;

/// Built into the shell: they have no file, and `type` says so.
pub(super) const BUILTINS: &[&str] = &[
    ".", ":", "[", "break", "cd", "continue", "echo", "exit", "export", "false", "help", "history",
    "kill", "printf", "pwd", "read", "set", "shift", "test", "true", "type", "unset",
];

/// Programs with a place in `/usr/bin`.
pub(super) const PROGRAMS: &[&str] = &[
    "basename", "cat", "chmod", "clear", "cp", "cut", "date", "dirname", "env", "grep", "groups",
    "head", "hostname", "id", "ls", "mkdir", "mv", "ps", "rm", "rmdir", "seq", "sh", "sleep",
    "sort", "stty", "tail", "tee", "touch", "tr", "tty", "uname", "uniq", "uptime", "wc", "which",
    "whoami", "yes",
];

const PLACES: [&str; 3] = ["/bin/", "/usr/bin/", "/usr/local/bin/"];

pub(super) const NOT_FOUND: u8 = 127;
pub(super) const NOT_RUNNABLE: u8 = 126;

/// What a name stands for.
pub(super) enum Found {
    Builtin,
    Program(String),
    /// A text file that may be run.
    Script(String),
    Refused(&'static str),
    Missing,
}

pub(super) fn find(shell: &Shell, name: &str) -> Found {
    if let Some((_, last)) = name.rsplit_once('/') {
        let path = shell.path(name);
        let known = PLACES.iter().any(|place| path == format!("{place}{last}"));
        return match script(shell, &path) {
            Found::Missing if known && is_program(shell, last) => Found::Program(path),
            other => other,
        };
    }
    if BUILTINS.contains(&name) {
        return Found::Builtin;
    }
    if is_program(shell, name) {
        return Found::Program(format!("/usr/bin/{name}"));
    }
    let path = shell.variable("PATH").unwrap_or_default();
    let mut refused = Found::Missing;
    for place in path.split(':').filter(|place| !place.is_empty()) {
        match script(shell, &shell.path(&format!("{place}/{name}"))) {
            Found::Missing => {}
            found @ Found::Script(_) => return found,
            other => refused = other,
        }
    }
    refused
}

fn is_program(shell: &Shell, name: &str) -> bool {
    let described = &shell.shared.plan.description.commands;
    PROGRAMS.contains(&name) || described.iter().any(|canned| canned.program() == name)
}

fn script(shell: &Shell, path: &str) -> Found {
    let tree = shell.tree();
    match tree.find(shell.account(), path) {
        Err(super::tree::TreeError::Denied) => Found::Refused("Permission denied"),
        Err(_) => Found::Missing,
        Ok(node) if !matches!(node.kind, Kind::File(_)) => Found::Refused("Permission denied"),
        Ok(node) if node.allows(shell.account(), EXECUTE | READ) => Found::Script(path.to_owned()),
        Ok(_) => Found::Refused("Permission denied"),
    }
}

/// Runs the program the first word names.
pub(super) fn run<'a>(
    shell: &'a mut Shell,
    arguments: &'a [String],
    io: &'a Io,
) -> Boxed<'a, Outcome> {
    Box::pin(async move {
        let Some(name) = arguments.first() else {
            return Ok(0);
        };
        if let Some(status) = canned(shell, arguments, io).await? {
            return Ok(status);
        }
        match find(shell, name) {
            Found::Builtin | Found::Program(_) => {
                let short = name.rsplit('/').next().unwrap_or(name);
                dispatch(short, Call::new(shell, arguments, io)).await
            }
            Found::Script(path) => shelled::run_file(shell, &path, arguments, io).await,
            Found::Refused(why) => {
                shell.complain(io, &format!("{name}: {why}")).await?;
                Ok(NOT_RUNNABLE)
            }
            Found::Missing => {
                shell.complain(io, &format!("{name}: not found")).await?;
                Ok(NOT_FOUND)
            }
        }
    })
}

/// An answer the description has written down for exactly this command line.
async fn canned(
    shell: &Shell,
    arguments: &[String],
    io: &Io,
) -> Result<Option<u8>, super::shell::Stop> {
    let plan = std::sync::Arc::clone(&shell.shared.plan);
    let Some(answer) = plan.description.commands.iter().find(|canned| canned.matches(arguments))
    else {
        return Ok(None);
    };
    if answer.delay_ms > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(answer.delay_ms))).await;
    }
    io.stdout.write(answer.stdout.as_bytes()).await?;
    io.stderr.write(answer.stderr.as_bytes()).await?;
    Ok(Some(answer.exit))
}

async fn dispatch(name: &str, call: Call<'_>) -> Outcome {
    match name {
        "." => shelled::source(call).await,
        ":" | "true" => Ok(0),
        "[" | "test" => test::test(call).await,
        "basename" => text::basename(call).await,
        "break" => Err(super::shell::Stop::Break),
        "cat" => text::cat(call).await,
        "cd" => shelled::cd(call).await,
        "chmod" => files::chmod(call).await,
        "clear" => system::clear(call).await,
        "continue" => Err(super::shell::Stop::Continue),
        "cp" => files::cp(call).await,
        "cut" => transform::cut(call).await,
        "date" => system::date(call).await,
        "dirname" => text::dirname(call).await,
        "echo" => text::echo(call).await,
        "env" => shelled::env(call).await,
        "exit" => shelled::exit(call).await,
        "export" => shelled::export(call).await,
        "false" => Ok(1),
        "grep" => filters::grep(call).await,
        "groups" => system::groups(call).await,
        "head" => text::head(call).await,
        "help" => shelled::help(call).await,
        "history" => shelled::history(call).await,
        "hostname" => system::hostname(call).await,
        "id" => system::id(call).await,
        "kill" => process::kill(call).await,
        "ls" => listing::ls(call).await,
        "mkdir" => files::mkdir(call).await,
        "mv" => files::mv(call).await,
        "printf" => printf::printf(call).await,
        "ps" => process::ps(call).await,
        "pwd" => shelled::pwd(call).await,
        "read" => shelled::read(call).await,
        "rm" => files::rm(call).await,
        "rmdir" => files::rmdir(call).await,
        "seq" => text::seq(call).await,
        "set" => shelled::set(call).await,
        "sh" => shelled::sh(call).await,
        "shift" => shelled::shift(call).await,
        "sleep" => process::sleep(call).await,
        "sort" => filters::sort(call).await,
        "stty" => system::stty(call).await,
        "tail" => text::tail(call).await,
        "tee" => text::tee(call).await,
        "touch" => files::touch(call).await,
        "tr" => transform::tr(call).await,
        "tty" => system::tty(call).await,
        "type" => shelled::kind(call).await,
        "uname" => system::uname(call).await,
        "uniq" => filters::uniq(call).await,
        "unset" => shelled::unset(call).await,
        "uptime" => system::uptime(call).await,
        "wc" => text::wc(call).await,
        "which" => shelled::which(call).await,
        "whoami" => system::whoami(call).await,
        "yes" => text::yes(call).await,
        other => {
            // Only a described program comes here, with words nobody described.
            let text = format!("{other}: no answer is described for these arguments");
            call.fail(&text).await
        }
    }
}
