//! Programs that are part of the shell: they change it or speak about it.

use super::super::shell::{Outcome, Shell, Stop};
use super::super::stream::Io;
use super::super::syntax::is_name;
use super::super::tree::{EXECUTE, TreeError};
use super::call::Call;
use super::{BUILTINS, Found, NOT_FOUND, PROGRAMS, find};

/// A number a shell builtin complains about.
const ILLEGAL_NUMBER: u8 = 2;

pub(super) async fn cd(call: Call<'_>) -> Outcome {
    let home = call.shell.variable("HOME").unwrap_or("/").to_owned();
    let previous = call.shell.variable("OLDPWD").map(str::to_owned);
    let (wanted, show) = match call.rest() {
        [] => (home, false),
        [dash] if dash == "-" => match previous {
            Some(previous) => (previous, true),
            None => return complain(&call, "cd: OLDPWD not set", 2).await,
        },
        [path] => (path.clone(), false),
        _ => return complain(&call, "cd: too many arguments", 1).await,
    };
    let path = call.shell.path(&wanted);
    let account = call.shell.account();
    let problem = match call.shell.tree().find(account, &path) {
        Ok(node) if !node.is_directory() => Some(TreeError::NotDirectory),
        Ok(node) if !node.allows(account, EXECUTE) => Some(TreeError::Denied),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(problem) = problem {
        let text = format!("cd: can't cd to {wanted}: {problem}");
        return complain(&call, &text, 2).await;
    }
    let before = std::mem::replace(&mut call.shell.cwd, path.clone());
    call.shell.export("OLDPWD", &before);
    call.shell.export("PWD", &path);
    if show {
        call.out(format!("{path}\n")).await?;
    }
    Ok(0)
}

async fn complain(call: &Call<'_>, what: &str, status: u8) -> Outcome {
    call.shell.complain(call.io(), what).await?;
    Ok(status)
}

pub(super) async fn pwd(call: Call<'_>) -> Outcome {
    call.out(format!("{}\n", call.shell.cwd)).await?;
    Ok(0)
}

pub(super) async fn exit(call: Call<'_>) -> Outcome {
    let Some(text) = call.rest().first() else {
        return Err(Stop::Exit(call.shell.status));
    };
    match text.parse::<u32>() {
        // Only the low eight bits of a status are ever seen.
        Ok(number) => Err(Stop::Exit((number & 0xff) as u8)),
        Err(_) => {
            let text = format!("exit: Illegal number: {text}");
            complain(&call, &text, ILLEGAL_NUMBER).await?;
            Err(Stop::Exit(ILLEGAL_NUMBER))
        }
    }
}

pub(super) async fn export(call: Call<'_>) -> Outcome {
    let rest = call.rest();
    if rest.is_empty() || rest == ["-p"] {
        let listed: Vec<String> = call
            .shell
            .variables()
            .filter(|(_, _, exported)| *exported)
            .map(|(name, value, _)| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
            .collect();
        call.out(listed.concat()).await?;
        return Ok(0);
    }
    for argument in rest {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        if !is_name(name) {
            let text = format!("export: {argument}: bad variable name");
            return complain(&call, &text, 2).await;
        }
        match value {
            Some(value) => {
                call.shell.export(name, value);
            }
            None => call.shell.mark_exported(name),
        }
    }
    Ok(0)
}

pub(super) async fn unset(call: Call<'_>) -> Outcome {
    for name in call.rest() {
        call.shell.unset(name);
    }
    Ok(0)
}

/// `set` lists the variables; with operands it sets the parameters.
pub(super) async fn set(call: Call<'_>) -> Outcome {
    if call.rest().is_empty() {
        let listed: Vec<String> = call
            .shell
            .variables()
            .map(|(name, value, _)| format!("{name}='{}'\n", value.replace('\'', r"'\''")))
            .collect();
        call.out(listed.concat()).await?;
        return Ok(0);
    }
    let operands = call.rest().iter().skip_while(|word| *word == "--");
    let zero = call.shell.parameters.first().cloned().unwrap_or_default();
    call.shell.parameters = std::iter::once(zero).chain(operands.cloned()).collect();
    Ok(0)
}

pub(super) async fn shift(call: Call<'_>) -> Outcome {
    if call.shell.parameters.len() < 2 {
        return complain(&call, "shift: can't shift that many", 2).await;
    }
    call.shell.parameters.remove(1);
    Ok(0)
}

pub(super) async fn read(call: Call<'_>) -> Outcome {
    let options = call.options("r", "p").await?;
    if let Some(prompt) = options.value('p') {
        call.io().stderr.write(prompt.as_bytes()).await?;
    }
    let Some(line) = call.io().stdin.line().await else {
        return Ok(1);
    };
    let text = String::from_utf8_lossy(&line);
    let mut left = text.trim_end_matches('\n').trim();
    let names = &options.operands;
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        let (value, rest) = match left.split_once([' ', '\t']) {
            Some((value, rest)) if !last => (value, rest.trim_start()),
            _ => (left, ""),
        };
        if is_name(name) {
            call.shell.set(name, value);
        }
        left = rest;
    }
    Ok(0)
}

pub(super) async fn env(call: Call<'_>) -> Outcome {
    let assignments = call.rest().iter().take_while(|word| word.contains('=')).count();
    let (pairs, command) = call.rest().split_at(assignments);
    let Some(mut child) = call.shell.child() else {
        return call.fail("env: Cannot fork").await;
    };
    for pair in pairs {
        if let Some((name, value)) = pair.split_once('=') {
            child.export(name, value);
        }
    }
    if !command.is_empty() {
        return super::run(&mut child, command, call.io()).await;
    }
    let listed: Vec<String> = child
        .variables()
        .filter(|(_, _, exported)| *exported)
        .map(|(name, value, _)| format!("{name}={value}\n"))
        .collect();
    call.out(listed.concat()).await?;
    Ok(0)
}

pub(super) async fn help(call: Call<'_>) -> Outcome {
    let text = format!(
        "A simulated machine: nothing here touches the host.\n\nIn the shell:  {}\nPrograms:      {}\n",
        BUILTINS.join(" "),
        PROGRAMS.join(" "),
    );
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn history(call: Call<'_>) -> Outcome {
    for (index, line) in call.shell.shared.history().iter().enumerate() {
        call.out(format!("{:5}  {line}\n", index + 1)).await?;
    }
    Ok(0)
}

pub(super) async fn kind(call: Call<'_>) -> Outcome {
    let mut status = 0;
    for name in call.rest() {
        let text = match find(call.shell, name) {
            Found::Builtin => format!("{name} is a shell builtin\n"),
            Found::Program(path) | Found::Script(path) => format!("{name} is {path}\n"),
            Found::Refused(_) | Found::Missing => {
                status = NOT_FOUND;
                format!("{name}: not found\n")
            }
        };
        call.out(text).await?;
    }
    Ok(status)
}

pub(super) async fn which(call: Call<'_>) -> Outcome {
    let mut status = 0;
    for name in call.rest() {
        match find(call.shell, name) {
            Found::Program(path) | Found::Script(path) => call.out(format!("{path}\n")).await?,
            // What the shell has built in, other shells look for on the disk.
            Found::Builtin
                if matches!(
                    name.as_str(),
                    "echo" | "false" | "kill" | "printf" | "pwd" | "test" | "true"
                ) =>
            {
                call.out(format!("/usr/bin/{name}\n")).await?;
            }
            _ => status = 1,
        }
    }
    Ok(status)
}

pub(super) async fn sh(call: Call<'_>) -> Outcome {
    let Some(mut child) = call.shell.child() else {
        return call.fail("sh: Cannot fork").await;
    };
    child.line = 1;
    let rest = call.rest();
    let outcome = match rest.first().map(String::as_str) {
        Some("-c") => {
            let Some(text) = rest.get(1) else {
                return complain(&call, "-c requires an argument", 2).await;
            };
            child.parameters = rest.get(2..).unwrap_or_default().to_vec();
            if child.parameters.is_empty() {
                child.parameters.push("sh".into());
            }
            child.text_command(text, call.io()).await
        }
        None | Some("-s") => Box::pin(child.script(call.io())).await,
        Some(file) => {
            let path = call.shell.path(file);
            return run_file(&mut child, &path, rest, call.io()).await;
        }
    };
    Ok(super::super::shell::settle(outcome))
}

/// `. file`: runs a file in this very shell.
pub(super) async fn source(call: Call<'_>) -> Outcome {
    let Some(name) = call.rest().first() else {
        return complain(&call, ".: filename argument required", 2).await;
    };
    let path = call.shell.path(name);
    let read = call.shell.tree().read(call.shell.account(), &path);
    match read {
        Ok(content) => {
            let text = String::from_utf8_lossy(&content).into_owned();
            // Only as deep as children may be, since a file can name itself.
            let Some(mut inner) = call.shell.child() else {
                return complain(&call, ".: nested too deeply", 2).await;
            };
            let outcome = inner.text_command(&text, call.io()).await;
            inner.back_into(call.shell);
            outcome
        }
        Err(error) => complain(&call, &format!(".: cannot open {name}: {error}"), 2).await,
    }
}

/// Runs a text file as a script with arguments.
pub(super) async fn run_file(
    shell: &mut Shell,
    path: &str,
    arguments: &[String],
    io: &Io,
) -> Outcome {
    let name = arguments.first().map_or(path, String::as_str);
    let read = shell.tree().read(shell.account(), path);
    let content = match read {
        Ok(content) => content,
        Err(error) => {
            shell.complain(io, &format!("cannot open {name}: {error}")).await?;
            return Ok(super::NOT_RUNNABLE);
        }
    };
    let Some(mut child) = shell.child() else {
        shell.complain(io, "Cannot fork").await?;
        return Ok(2);
    };
    child.parameters = arguments.to_vec();
    let text = String::from_utf8_lossy(&content).into_owned();
    Ok(super::super::shell::settle(child.text_command(&text, io).await))
}
