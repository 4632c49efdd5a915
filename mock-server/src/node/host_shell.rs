//! A real shell on this machine behind an ssh session, for those who asked for one. It runs as
//! the user who runs the server, and ends with its session.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pty_process::OwnedWritePty;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

use super::kin::{self, Kin};
use crate::listeners::ssh::{Answer, Backend, Request, Task};
use crate::machine::Size;

/// Where no shell can be started.
const NO_SHELL: Answer = Answer::Exit(127);
const BUFFER: usize = 16 * 1024;
const LAST_WORDS: Duration = Duration::from_millis(250);
/// What a shell is told of its surroundings; the rest of the server's is its own business.
const PASSED_ON: [&str; 6] = ["HOME", "LANG", "LOGNAME", "PATH", "TZ", "USER"];

#[derive(Debug)]
pub(super) struct HostShell;

impl Backend for HostShell {
    fn run(&self, request: Request) -> Task {
        Box::pin(async move {
            let ran = match request.terminal {
                Some(_) => on_terminal(request).await,
                None => on_pipes(request).await,
            };
            ran.unwrap_or(NO_SHELL)
        })
    }
}

fn shell() -> std::ffi::OsString {
    std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())
}

fn surroundings() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

fn arguments(command: Option<&str>) -> Vec<&str> {
    command.map_or_else(|| vec!["-l"], |command| vec!["-c", command])
}

async fn on_terminal(request: Request) -> io::Result<Answer> {
    let (pty, terminal) = pty_process::open().map_err(io::Error::other)?;
    let mark = kin::mark();
    let term = if request.term.is_empty() { "xterm-256color" } else { &request.term };
    let mut command = pty_process::Command::new(shell())
        .args(arguments(request.command.as_deref()))
        .env_clear()
        .envs(surroundings())
        .env("TERM", term)
        .env(kin::MARK, &mark)
        .kill_on_drop(true);
    if let Some(home) = std::env::home_dir() {
        command = command.current_dir(home);
    }
    let mut child = command.spawn(terminal).map_err(io::Error::other)?;
    // The leader of a session is the leader of a group of its own, too.
    let _kin = Kin::of(&child, mark);
    let (out, typed) = pty.into_split();
    let typing = type_in(request.stdin, typed, request.terminal);
    let showing = show(out, request.stdout);
    tokio::select! {
        ended = see_out(&mut child, showing) => ended.map(answer),
        () = typing => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// What is typed goes in, and the size follows; it ends when nobody can type any more.
async fn type_in(
    mut stdin: mpsc::Receiver<Vec<u8>>,
    mut typed: OwnedWritePty,
    mut size: Option<watch::Receiver<Size>>,
) {
    loop {
        if let Some(size) = &mut size {
            let Size { columns, rows } = *size.borrow_and_update();
            let _ = typed.resize(pty_process::Size::new(rows, columns));
        }
        let resized = async {
            let changed = match &mut size {
                Some(size) => size.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = resized => {}
            chunk = stdin.recv() => match chunk {
                // An end that may be typed past, as a terminal has it.
                Some(chunk) if chunk.is_empty() => drop(typed.write_all(b"\x04").await),
                Some(chunk) => drop(typed.write_all(&chunk).await),
                None => std::future::pending().await,
            },
        }
    }
}

async fn on_pipes(request: Request) -> io::Result<Answer> {
    let mark = kin::mark();
    let mut command = tokio::process::Command::new(shell());
    command
        .args(request.command.as_deref().map_or_else(Vec::new, |command| vec!["-c", command]))
        .env_clear()
        .envs(surroundings())
        .env(kin::MARK, &mark)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(home) = std::env::home_dir() {
        command.current_dir(home);
    }
    let mut child = command.spawn()?;
    let _kin = Kin::of(&child, mark);
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Ok(NO_SHELL);
    };
    let feeding = feed(request.stdin, stdin);
    let shown = (show(stdout, request.stdout), show(stderr, request.stderr));
    let showing = async {
        tokio::join!(shown.0, shown.1);
    };
    tokio::select! {
        ended = see_out(&mut child, showing) => ended.map(answer),
        () = async { feeding.await; std::future::pending().await } => Ok(NO_SHELL),
    }
}

/// Waits for the end of the shell, and then for what it has said. Who still holds its output then,
/// such as a job in the background, is not waited for.
async fn see_out(child: &mut Child, showing: impl Future<Output = ()>) -> io::Result<ExitStatus> {
    let mut showing = std::pin::pin!(showing);
    let ended = tokio::select! {
        ended = child.wait() => ended?,
        () = &mut showing => return child.wait().await,
    };
    let _ = tokio::time::timeout(LAST_WORDS, showing).await;
    Ok(ended)
}

async fn feed(mut chunks: mpsc::Receiver<Vec<u8>>, mut stdin: impl AsyncWrite + Unpin) {
    while let Some(chunk) = chunks.recv().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

/// Until the end of it, which on a terminal is an error, or until nobody listens.
async fn show(mut from: impl AsyncRead + Unpin, to: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if to.send(buffer[..read].to_vec()).await.is_err() {
            return;
        }
    }
}

fn answer(status: ExitStatus) -> Answer {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => Answer::Exit(u32::try_from(code).unwrap_or(255)),
        (None, Some(signal)) => Answer::Signal(name(signal)),
        (None, None) => Answer::Exit(255),
    }
}

fn name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::HUP) => "HUP",
        Some(Signal::INT) => "INT",
        Some(Signal::QUIT) => "QUIT",
        Some(Signal::ABORT) => "ABRT",
        Some(Signal::PIPE) => "PIPE",
        Some(Signal::ALARM) => "ALRM",
        Some(Signal::TERM) => "TERM",
        _ => "KILL",
    }
}
