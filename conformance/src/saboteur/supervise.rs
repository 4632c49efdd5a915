//! Running the honest program inside the broken one: streams, signals and the end pass through.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Heard;
use signal_hook::low_level;

/// What the honest program left behind; a stream that was not captured is empty.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Becomes the honest program.
pub(super) fn become_it(mut command: Command) -> ExitCode {
    let error = command.exec();
    // Nobody can be told in any better way than a shell would.
    drop(error);
    ExitCode::from(126)
}

/// How signals are dealt with on the way to the honest program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signals {
    Forwarded,
    /// Nothing happens.
    Swallowed,
    /// The honest program is killed, and the end is an ordinary one with this code.
    EndsWith(i32),
}

/// Starts the program and hands signals on to it from now on.
pub(super) fn start(
    command: &mut Command,
    signals: Signals,
    acted: impl Fn() + Send + 'static,
) -> io::Result<Child> {
    let mut heard = Heard::new([SIGINT, SIGTERM, SIGHUP])?;
    let child = command.spawn()?;
    let pid = pid_of(&child);
    thread::spawn(move || {
        for number in heard.forever() {
            let Some(pid) = pid else { return };
            match signals {
                Signals::Forwarded => {
                    if let Some(signal) = Signal::from_named_raw(number) {
                        let _ = kill_process(pid, signal);
                    }
                }
                Signals::Swallowed => acted(),
                Signals::EndsWith(code) => {
                    acted();
                    let _ = kill_process(pid, Signal::KILL);
                    end_now(code);
                }
            }
        }
    });
    Ok(child)
}

#[expect(clippy::exit, reason = "the defect is to end in the middle of everything")]
fn end_now(code: i32) -> ! {
    std::process::exit(code)
}

/// Waits for the end and collects the streams that were captured.
pub(super) fn wait(mut child: Child) -> io::Result<Ended> {
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    let status = child.wait()?;
    let bytes = |thread: Option<thread::JoinHandle<Vec<u8>>>| {
        thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
    };
    Ok(Ended { status, stdout: bytes(out), stderr: bytes(err) })
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Ends as the honest program did, by its code or by its signal.
pub(super) fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        let _ = low_level::emulate_default_handler(signal);
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// This process leaves no core dump, as an honest client does not.
pub(super) fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}

pub(super) fn captured(capture: bool) -> Stdio {
    if capture { Stdio::piped() } else { Stdio::inherit() }
}

pub(super) fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
