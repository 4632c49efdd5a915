//! A terminal: line editing while the shell waits, line discipline while a
//! command runs.

mod complete;
mod discipline;
mod editor;
mod keys;

use std::collections::VecDeque;
use std::future::Future;

use tokio::sync::{mpsc, watch};

use super::shell::{Outcome, Shell, Stop};
use super::stream::{Input, Io, Output, WriteError, Writer};
use super::syntax::{self, ParseError};
use discipline::{Discipline, Typed};
use editor::{Editor, Event};

/// What a shell reports for a command ended by ^C and by ^\.
const INTERRUPTED: u8 = 130;
const QUIT: u8 = 131;
/// Lines typed for a program that does not read them, in bytes.
const MAX_TYPED_AHEAD: usize = 64 * 1024;

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

/// A person's end: raw bytes in, raw bytes out, and the size of the window.
pub struct Terminal {
    input: mpsc::Receiver<Vec<u8>>,
    output: Writer,
    size: watch::Receiver<Size>,
    /// What the person's side calls it, for `$TERM`.
    kind: String,
    /// Bytes that have arrived and nobody has looked at.
    waiting: VecDeque<u8>,
}

impl Terminal {
    #[must_use]
    pub fn new(
        input: mpsc::Receiver<Vec<u8>>,
        output: Writer,
        size: watch::Receiver<Size>,
    ) -> Self {
        Self { input, output, size, kind: String::new(), waiting: VecDeque::new() }
    }

    /// The same with a name for its kind, such as `xterm`.
    #[must_use]
    pub fn named(self, kind: String) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn size(&self) -> watch::Receiver<Size> {
        self.size.clone()
    }

    /// The next byte; nothing once the person has gone.
    async fn byte(&mut self) -> Option<u8> {
        while self.waiting.is_empty() {
            self.waiting.extend(self.input.recv().await?);
        }
        self.waiting.pop_front()
    }

    async fn show(&self, text: impl Into<Vec<u8>>) -> Result<(), Stop> {
        let text = text.into();
        if text.is_empty() {
            return Ok(());
        }
        let sent = self.output.send(text).await;
        sent.map_err(|_| Stop::Write(WriteError::Closed))
    }
}

/// Runs one command line on a terminal.
pub(super) async fn run_one(shell: &mut Shell, command: &str, terminal: &mut Terminal) -> Outcome {
    match syntax::parse(command) {
        Ok(list) => run(shell, &list, terminal).await,
        Err(error) => {
            terminal.show(format!("sh: 1: {error}\r\n")).await?;
            Ok(2)
        }
    }
}

/// Reads and runs command lines until `exit`, ^D or the person's leaving.
pub(super) async fn interactive(shell: &mut Shell, terminal: &mut Terminal) -> Outcome {
    let motd = shell.shared.plan.description.motd.clone();
    terminal.show(with_returns(motd.as_bytes())).await?;
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() { prompt(shell) } else { "> ".into() };
        let (line, event) = edit(shell, terminal, &prompt).await?;
        match event {
            Event::Interrupt => {
                text.clear();
                shell.status = INTERRUPTED;
                continue;
            }
            Event::EndOfFile if text.is_empty() => {
                terminal.show("exit\r\n").await?;
                return Ok(shell.status);
            }
            Event::Gone => return Ok(shell.status),
            _ => {}
        }
        text.push_str(&line);
        text.push('\n');
        let parsed = syntax::parse(&text);
        if parsed == Err(ParseError::Incomplete) && event != Event::EndOfFile {
            continue;
        }
        shell.shared.remember(text.trim_end());
        text.clear();
        match parsed {
            Ok(list) => {
                run(shell, &list, terminal).await?;
            }
            Err(error) => {
                let line = shell.line;
                terminal.show(format!("sh: {line}: {error}\r\n")).await?;
                shell.status = 2;
            }
        }
        shell.line += 1;
    }
}

fn prompt(shell: &Shell) -> String {
    let account = shell.account();
    let host = &shell.shared.plan.description.hostname;
    let host = host.split('.').next().unwrap_or_default();
    let home = shell.variable("HOME").unwrap_or(&account.home);
    let place = match shell.cwd.strip_prefix(home) {
        Some("") => "~".to_owned(),
        Some(rest) if rest.starts_with('/') => format!("~{rest}"),
        _ => shell.cwd.clone(),
    };
    let end = if account.is_root() { '#' } else { '$' };
    format!("{}@{host}:{place}{end} ", account.name)
}

/// Lets the person write one line.
async fn edit(
    shell: &Shell,
    terminal: &mut Terminal,
    prompt: &str,
) -> Result<(String, Event), Stop> {
    let mut size = terminal.size();
    let columns = size.borrow_and_update().columns;
    let mut editor = Editor::new(prompt, shell.shared.history(), columns);
    let mut out = String::new();
    editor.draw(&mut out);
    loop {
        terminal.show(std::mem::take(&mut out)).await?;
        let byte = tokio::select! {
            byte = terminal.byte() => byte,
            Ok(()) = size.changed() => {
                let columns = size.borrow_and_update().columns;
                editor.resize(columns, &mut out);
                continue;
            }
        };
        let Some(byte) = byte else {
            return Ok((String::new(), Event::Gone));
        };
        match editor.feed(byte, &mut out) {
            Event::None => {}
            Event::Complete => {
                let found = complete::candidates(shell, &editor.before_cursor());
                editor.complete(&found, &mut out);
            }
            event => {
                terminal.show(out).await?;
                return Ok((editor.line(), event));
            }
        }
    }
}

/// Runs a list with the terminal as its three streams.
async fn run(shell: &mut Shell, list: &syntax::List, terminal: &mut Terminal) -> Outcome {
    let (typed, lines) = mpsc::channel(8);
    let stdin = Input::from_reader(lines);
    let (written, mut shown) = mpsc::channel(8);
    let io = Io {
        stdin: stdin.clone(),
        stdout: Output::Terminal(written.clone()),
        stderr: Output::Terminal(written),
    };
    let mut discipline = Discipline::default();
    let ended = {
        let running = async {
            let outcome = shell.list(list, &io).await;
            drop(io);
            outcome
        };
        attend(running, typed, &mut shown, &mut discipline, terminal).await?
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(status) => {
            shell.status = status;
            Ok(status)
        }
    };
    // What was typed and not read is the next command line.
    let mut left = stdin.leftover();
    left.extend(discipline.unread());
    for byte in left.into_iter().rev() {
        terminal.waiting.push_front(byte);
    }
    outcome
}

/// Looks after a running command: shows what it writes, passes on what is
/// typed, and ends it on ^C.
async fn attend(
    running: impl Future<Output = Outcome>,
    typed: Writer,
    shown: &mut mpsc::Receiver<Vec<u8>>,
    discipline: &mut Discipline,
    terminal: &mut Terminal,
) -> Result<Result<Outcome, u8>, Stop> {
    let mut running = std::pin::pin!(running);
    let mut outcome = None;
    let mut gone = false;
    loop {
        tokio::select! {
            ended = &mut running, if outcome.is_none() => outcome = Some(ended),
            chunk = shown.recv() => match chunk {
                Some(chunk) => terminal.show(with_returns(&chunk)).await?,
                // Every writer is gone, and with them the command.
                None => match outcome {
                    Some(outcome) => return Ok(Ok(outcome)),
                    None => return Ok(Ok(running.await)),
                },
            },
            Ok(permit) = typed.reserve(), if discipline.has_lines() => {
                if let Some(line) = discipline.next_line() {
                    permit.send(line);
                }
            }
            byte = terminal.byte(), if !gone => {
                let Some(byte) = byte else {
                    gone = true;
                    discipline.hang_up();
                    continue;
                };
                let mut echo = String::new();
                let event = discipline.feed(byte, &mut echo);
                terminal.show(echo).await?;
                match event {
                    Typed::Nothing => {}
                    Typed::Interrupt => return Ok(Err(INTERRUPTED)),
                    Typed::Quit => return Ok(Err(QUIT)),
                }
            }
        }
    }
}

/// A terminal needs a carriage return in front of each newline.
fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for &byte in bytes {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}
