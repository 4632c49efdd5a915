//! One channel: a command or a shell, with its streams and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russh::ChannelWriteHalf;
use russh::Sig;
use russh::server::{Handle, Msg};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Door;
use super::inlet::{Inlet, Pressure};
use super::shell::{Answer, Request};
use crate::listeners::pulse::Pulse;
use crate::listeners::{Ended, Event, end_of};
use crate::machine::Size;

/// The extended data type of standard error (RFC 4254, 5.2).
const STDERR: u32 = 1;

/// No terminal's name is longer.
const LONGEST_TERM: usize = 64;

/// What the channels of one connection share.
pub(super) struct Shared {
    pub(super) connection: u64,
    pub(super) door: Arc<Door>,
    pub(super) pressure: Arc<Pressure>,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    /// Channels that still have something to say.
    pub(super) busy: watch::Sender<usize>,
    pub(super) pulse: Pulse,
}

impl Shared {
    /// Bytes went to or came from a program.
    pub(super) fn traffic(&self) {
        if self.pulse.is_due() {
            self.door.activity.report(Event::Traffic { connection: self.connection });
        }
    }
}

pub(super) struct Channel {
    write: Option<ChannelWriteHalf<Msg>>,
    window: Option<watch::Sender<Size>>,
    term: String,
    pub(super) inlet: Option<Inlet>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Channel {
    /// A closed channel ends what runs in it.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Channel {
    pub(super) fn new(write: ChannelWriteHalf<Msg>) -> Self {
        Self { write: Some(write), window: None, term: String::new(), inlet: None, task: None }
    }

    /// Whether nothing has been started in it yet.
    pub(super) fn is_free(&self) -> bool {
        self.task.is_none()
    }

    /// Changes the size of the terminal; one that is not there yet begins with it.
    pub(super) fn resize(&mut self, columns: u32, rows: u32) {
        let clamp = |n: u32, otherwise: u16| match u16::try_from(n) {
            Ok(0) => otherwise,
            Ok(n) => n,
            Err(_) => u16::MAX,
        };
        let size = Size { columns: clamp(columns, 80), rows: clamp(rows, 24) };
        match &self.window {
            Some(window) => drop(window.send_replace(size)),
            None => self.window = Some(watch::Sender::new(size)),
        }
    }

    /// Gives the channel a terminal of a kind; a name that no terminal has is left out.
    pub(super) fn take_terminal(&mut self, term: &str, columns: u32, rows: u32) {
        let fits = term.len() <= LONGEST_TERM && term.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            term.clone_into(&mut self.term);
        }
        self.resize(columns, rows);
    }

    pub(super) fn has_terminal(&self) -> bool {
        self.window.is_some()
    }

    /// Starts a command, or the shell. False when something runs already.
    pub(super) fn start(
        &mut self,
        command: Option<String>,
        shared: &Arc<Shared>,
        handle: Handle,
        ended: Ended,
    ) -> bool {
        let Some(write) = self.write.take() else {
            return false;
        };
        let (inlet, stdin, carry) = Inlet::new(&shared.pressure);
        self.inlet = Some(inlet);
        let terminal = self.window.as_ref().map(watch::Sender::subscribe);
        let running =
            Running { write, handle, on_terminal: terminal.is_some(), shared: Arc::clone(shared) };
        let (stdout, stdout_end) = mpsc::channel(8);
        let (stderr, stderr_end) = mpsc::channel(8);
        let request = Request {
            user: shared.door.user.clone(),
            command: command.clone(),
            terminal,
            term: std::mem::take(&mut self.term),
            stdin,
            stdout,
            stderr,
        };
        let record = Record::new(Arc::clone(shared), command);
        self.task = Some(tokio::spawn(async move {
            tokio::select! {
                () = running.answer(request, stdout_end, stderr_end, ended, record) => {}
                // The carrier ends early when the program stops reading; it
                // then has nothing more to say about the end.
                () = async { carry.await; std::future::pending().await } => {}
            }
        }));
        true
    }
}

/// Tells that a command began and, however it ends, that it ended.
struct Record {
    shared: Arc<Shared>,
    command: String,
    exit_status: Option<u32>,
}

impl Record {
    fn new(shared: Arc<Shared>, command: Option<String>) -> Self {
        let command = command.unwrap_or_default();
        shared.busy.send_modify(|count| *count += 1);
        shared.door.activity.report(Event::CommandExecuted {
            connection: shared.connection,
            command: command.clone(),
        });
        Self { shared, command, exit_status: None }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.shared.busy.send_modify(|count| *count = count.saturating_sub(1));
        self.shared.door.activity.report(Event::CommandExited {
            connection: self.shared.connection,
            command: std::mem::take(&mut self.command),
            exit_status: self.exit_status,
        });
    }
}

struct Running {
    write: ChannelWriteHalf<Msg>,
    handle: Handle,
    on_terminal: bool,
    shared: Arc<Shared>,
}

impl Running {
    async fn answer(
        self,
        request: Request,
        stdout: mpsc::Receiver<Vec<u8>>,
        stderr: mpsc::Receiver<Vec<u8>>,
        mut ended: Ended,
        mut record: Record,
    ) {
        let task = self.shared.door.backend.run(request);
        let errors = (!self.on_terminal).then_some(STDERR);
        // The pumps end when the task has dropped its ends and all is sent.
        let work = async {
            let (answer, (), ()) =
                tokio::join!(task, self.pump(stdout, None), self.pump(stderr, errors));
            answer
        };
        let id = self.write.id();
        tokio::select! {
            biased;
            reason = end_of(&mut ended) => {
                let text = format!("\r\nplexmock: {}\r\n", reason.words());
                let errors = (!self.on_terminal).then_some(STDERR);
                self.send(text.into_bytes(), errors).await;
            }
            answer = work => {
                let told = match answer {
                    Answer::Exit(status) => {
                        record.exit_status = Some(status);
                        self.handle.exit_status_request(id, status).await
                    }
                    Answer::Signal(name) => {
                        let (none, lang) = (String::new(), String::new());
                        self.handle.exit_signal_request(id, signal(name), false, none, lang).await
                    }
                };
                if told.is_ok() {
                    let _ = self.write.eof().await;
                    let _ = self.write.close().await;
                }
            }
        }
    }

    async fn pump(&self, mut chunks: mpsc::Receiver<Vec<u8>>, kind: Option<u32>) {
        while let Some(chunk) = chunks.recv().await {
            if !self.send(chunk, kind).await {
                return;
            }
        }
    }

    async fn send(&self, chunk: Vec<u8>, kind: Option<u32>) -> bool {
        let size = chunk.len() as u64;
        let sending = self.shared.pressure.sending();
        let sent = match kind {
            None => self.write.data_bytes(chunk).await,
            Some(kind) => self.write.extended_data_bytes(kind, chunk).await,
        };
        drop(sending);
        self.shared.bytes_out.fetch_add(size, Ordering::Relaxed);
        if sent.is_ok() {
            self.shared.traffic();
        }
        sent.is_ok()
    }
}

fn signal(name: &str) -> Sig {
    match name {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "HUP" => Sig::HUP,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "TERM" => Sig::TERM,
        other => Sig::Custom(other.to_owned()),
    }
}
