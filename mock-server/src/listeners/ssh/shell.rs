//! What answers behind the door: a seam, and the simulated machine in it.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{mpsc, watch};

use crate::machine::{Ended, Input, Io, Machine, Output, Size, Terminal};

pub type Task = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How a command or a shell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Exit(u32),
    /// The name of the signal, without `SIG`.
    Signal(&'static str),
}

/// What a client asked for, and the streams it gets for it. An empty chunk on
/// `stdin` marks an end that may be typed past; a closed channel is the end.
pub struct Request {
    pub user: String,
    /// Nothing for a shell.
    pub command: Option<String>,
    /// Set when the client has asked for a terminal.
    pub terminal: Option<watch::Receiver<Size>>,
    /// What kind of terminal it is; empty where the client does not say.
    pub term: String,
    pub stdin: mpsc::Receiver<Vec<u8>>,
    pub stdout: mpsc::Sender<Vec<u8>>,
    pub stderr: mpsc::Sender<Vec<u8>>,
}

/// Answers requests. The simulated machine is one; a real shell can be another.
pub trait Backend: Send + Sync {
    /// Starts what was asked for. Dropping the task must end it.
    fn run(&self, request: Request) -> Task;
}

impl Backend for Machine {
    fn run(&self, request: Request) -> Task {
        let machine = self.clone();
        Box::pin(async move {
            let Some(login) = machine.login(&request.user) else {
                let text = format!("{}: no such user on this machine\r\n", machine.hostname());
                let _ = request.stderr.send(text.into_bytes()).await;
                return Answer::Exit(1);
            };
            let ended = match (request.terminal, request.command) {
                (Some(size), command) => {
                    let terminal = Terminal::new(request.stdin, request.stdout, size);
                    let terminal = terminal.named(request.term);
                    match command {
                        Some(command) => login.exec_on(&command, terminal).await,
                        None => login.interactive(terminal).await,
                    }
                }
                (None, command) => {
                    let io = Io {
                        stdin: Input::from_reader(request.stdin),
                        stdout: Output::Pipe(request.stdout),
                        stderr: Output::Pipe(request.stderr),
                    };
                    match command {
                        Some(command) => login.exec(&command, io).await,
                        None => login.script(io).await,
                    }
                }
            };
            match ended {
                Ended::Exit(status) => Answer::Exit(u32::from(status)),
                Ended::Killed(signal) => Answer::Signal(signal.name()),
            }
        })
    }
}
