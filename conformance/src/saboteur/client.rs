//! A plexctl with one defect: the honest one, started otherwise, or looked after from outside.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use url::Url;

use super::between::relayed;
use super::edit::apply;
use super::files;
use super::relay::Relay;
use super::scout::Scout;
use super::stand::Stand;
use super::subject::{Defect, End, Secret, Stream, Which, Words};
use super::supervise::{self, Ended, Signals};
use super::words::{change_environment, value_of};
use crate::bench::{Headers, Request, Wire};

/// One run of the broken client.
pub(super) fn play(stand: &Stand) -> ExitCode {
    let mut args: Vec<OsString> = env::args_os().skip(1).collect();
    let mut command = Command::new(&stand.honest);
    if !stand.subject.when.before(&args) {
        command.args(&args);
        return supervise::become_it(command);
    }
    let mut signals = Signals::Forwarded;
    if let Some(scout) = Scout::of(stand, &args) {
        return watched(stand, command, args, &scout).unwrap_or_else(|_| ExitCode::from(125));
    }
    match &stand.subject.defect {
        Defect::Args(words) => {
            let changed = words.change(&args);
            if changed != args {
                stand.act();
            }
            command.args(changed);
            return supervise::become_it(command);
        }
        Defect::Env(environment) => {
            if change_environment(&mut command, environment) {
                stand.act();
            }
            command.args(&args);
            return supervise::become_it(command);
        }
        Defect::Signal { with } => {
            signals = with.map_or(Signals::Swallowed, Signals::EndsWith);
        }
        // A kill then ends the client itself, and leaves what the defect has made of the place.
        Defect::File(defect) if files::is_over_at_the_start(defect) => {
            files::before(stand, defect, &mut args);
            command.args(&args);
            return supervise::become_it(command);
        }
        Defect::Ask { method, path } if stand.subject.when.exit.is_empty() => {
            ask(stand, &args, method, path);
            command.args(&args);
            return supervise::become_it(command);
        }
        Defect::Ends(End::Prompt) => {
            stand.act();
            let mut line = String::new();
            let _ = io::stdin().lock().read_line(&mut line);
            command.args(&args);
            return supervise::become_it(command);
        }
        _ => {}
    }
    looked_after(stand, command, &args, signals).unwrap_or_else(|_| ExitCode::from(125))
}

/// The honest client, and whoever wants to know what could have been done to it.
fn watched(
    stand: &Stand,
    mut command: Command,
    mut args: Vec<OsString>,
    scout: &Arc<Scout>,
) -> io::Result<ExitCode> {
    // Kept until the client has ended.
    let _relay = relayed(stand, &mut command, &mut args, None, Some(scout))?;
    command.args(&args);
    supervise::leave_no_core();
    let child = supervise::start(&mut command, Signals::Forwarded, || {})?;
    let ended = supervise::wait(child)?;
    scout.ended(ended.status.code());
    Ok(supervise::end_like(ended.status))
}

/// Runs it to the end and applies what is done afterwards.
fn looked_after(
    stand: &Stand,
    mut command: Command,
    args: &[OsString],
    signals: Signals,
) -> io::Result<ExitCode> {
    let defect = &stand.subject.defect;
    let mut args = args.to_vec();
    let relay = match defect {
        Defect::Traffic(traffic) => relayed(stand, &mut command, &mut args, Some(traffic), None)?,
        Defect::Leak { what: Secret::SessionToken, .. } => {
            relayed(stand, &mut command, &mut args, None, None)?
        }
        _ => None,
    };
    if let Defect::Ssh(_) = defect {
        super::ssh::put_in_front(stand, &mut command);
    }
    let when = &stand.subject.when;
    let mut capture_out = false;
    let mut capture_err = !when.stderr_has.is_empty() || !when.stderr_lacks.is_empty();
    match defect {
        Defect::Stream(stream) => {
            capture_out = stream.which == Which::Stdout;
            capture_err |= stream.which == Which::Stderr;
        }
        Defect::File(defect) => capture_out = files::before(stand, defect, &mut args),
        Defect::Again(_) => (capture_out, capture_err) = (true, true),
        _ => {}
    }
    command.args(&args);
    command.stdout(supervise::captured(capture_out)).stderr(supervise::captured(capture_err));
    // Before it starts: whoever looks at the waiting process looks at us, and may kill it at once.
    if matches!(defect, Defect::Ends(End::Dumpable)) {
        stand.act();
    } else {
        supervise::leave_no_core();
    }
    let mark = stand.marker();
    let child = supervise::start(&mut command, signals, move || mark.act())?;
    let ended = supervise::wait(child)?;
    if let Defect::Again(words) = defect
        && when.after(&ended)
    {
        return again(stand, words, &args);
    }
    let token = relay.as_ref().and_then(Relay::token);
    afterwards(stand, &args, &ended, capture_out, capture_err, token)
}

/// The run that counts: what the first one said is forgotten.
fn again(stand: &Stand, words: &Words, args: &[OsString]) -> io::Result<ExitCode> {
    let changed = words.change(args);
    if changed != args {
        stand.act();
    }
    let mut command = Command::new(&stand.honest);
    command.args(changed);
    Ok(supervise::become_it(command))
}

fn afterwards(
    stand: &Stand,
    args: &[OsString],
    ended: &Ended,
    capture_out: bool,
    capture_err: bool,
    token: Option<String>,
) -> io::Result<ExitCode> {
    let applies = stand.subject.when.after(ended);
    let defect = &stand.subject.defect;
    let (mut stdout, mut stderr) = (ended.stdout.clone(), ended.stderr.clone());
    let mut code = None;
    if applies {
        match defect {
            Defect::Exit { to } if ended.status.code() != Some(*to) => {
                stand.act();
                code = Some(*to);
            }
            Defect::Ask { method, path } => ask(stand, args, method, path),
            Defect::Stream(stream) => change_streams(stand, stream, &mut stdout, &mut stderr),
            Defect::Leak { what, to } => {
                let secret = match what {
                    Secret::SessionToken => token,
                    Secret::Credential => credential(args),
                };
                if let Some(secret) = secret {
                    stand.act();
                    leak(&secret, to, &mut stdout, &mut stderr)?;
                }
            }
            Defect::File(defect) => {
                if let Some(instead) = files::after(stand, defect, args, ended) {
                    code = Some(instead);
                }
                if files::keeps_stdout(defect) {
                    stdout.clear();
                }
            }
            _ => {}
        }
    }
    if capture_out || !stdout.is_empty() {
        let written = io::stdout().write_all(&stdout).and_then(|()| io::stdout().flush());
        // A full disk fails the run, as it would the honest one's; a reader that has gone does not.
        if written.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
            && ended.status.success()
        {
            stderr.extend(b"plexctl: stdout: no space is left\n");
            code = code.or(Some(1));
        }
    }
    if capture_err || !stderr.is_empty() {
        let _ = io::stderr().write_all(&stderr);
    }
    if applies && let Defect::Ends(end) = defect {
        stand.act();
        match end {
            End::Hang => loop {
                std::thread::park();
            },
            End::Panic => {
                let _ = io::stderr().write_all(
                    b"thread 'main' panicked at src/main.rs:1:1:\nnote: run with `RUST_BACKTRACE=1`\n",
                );
                return Ok(ExitCode::from(101));
            }
            End::Abort => {
                let _ =
                    signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGABRT);
            }
            End::Prompt | End::Dumpable => {}
        }
    }
    Ok(match code {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => supervise::end_like(ended.status),
    })
}

fn change_streams(stand: &Stand, stream: &Stream, stdout: &mut Vec<u8>, stderr: &mut Vec<u8>) {
    let held = match stream.which {
        Which::Stdout => std::mem::take(stdout),
        Which::Stderr => std::mem::take(stderr),
    };
    let changed = stream.change(&held);
    if changed != held || (stream.swap && !held.is_empty()) {
        stand.act();
    }
    let to_stdout = (stream.which == Which::Stdout) != stream.swap;
    if to_stdout { stdout } else { stderr }.extend(changed);
}

impl Stream {
    pub(super) fn change(&self, held: &[u8]) -> Vec<u8> {
        if self.swallow {
            return Vec::new();
        }
        let mut text = String::from_utf8_lossy(held).into_owned();
        if !self.json.is_empty()
            && let Ok(mut document) = serde_json::from_str(&text)
            && apply(&self.json, &mut document)
        {
            text = format!("{document}\n");
        }
        for (from, to) in &self.replace {
            text = text.replace(from, to);
        }
        if !self.drop_lines.is_empty() {
            let kept = |line: &&str| !self.drop_lines.iter().any(|start| line.starts_with(start));
            text = text.split_inclusive('\n').filter(kept).collect();
        }
        format!("{}{text}{}", self.prepend, self.append).into_bytes()
    }
}

/// Shows a secret on a stream, or leaves it in a file whose name may begin with `$HOME` or `$TMPDIR`.
fn leak(secret: &str, to: &str, stdout: &mut Vec<u8>, stderr: &mut Vec<u8>) -> io::Result<()> {
    match to {
        "stdout" => stdout.extend(format!("{secret}\n").bytes()),
        "stderr" => stderr.extend(format!("{secret}\n").bytes()),
        path => {
            let mut path = path.to_owned();
            for name in ["HOME", "TMPDIR", "XDG_STATE_HOME"] {
                path = path.replace(&format!("${name}"), &env::var(name).unwrap_or_default());
            }
            if let Some(parent) = PathBuf::from(&path).parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, secret)?;
        }
    }
    Ok(())
}

/// The operator's credential, by the flag or the variable.
fn credential(args: &[OsString]) -> Option<String> {
    let text = match value_of(args, "--token-file") {
        // Whoever reads a pipe waits.
        Some(path) if fs::metadata(&path).ok()?.is_file() => fs::read_to_string(path).ok()?,
        Some(_) => return None,
        None => env::var("PLEXSPHERE_TOKEN").ok()?,
    };
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// A request nobody asked for, sent before anything was looked at.
fn ask(stand: &Stand, args: &[OsString], method: &str, path: &str) {
    let Some(url) = value_of(args, "--server").or_else(|| env::var_os("PLEXSPHERE_URL")) else {
        return;
    };
    let Some(url) = url.to_str().and_then(|url| Url::parse(url).ok()) else { return };
    let (Some(host), Some(port), "http") =
        (url.host_str(), url.port_or_known_default(), url.scheme())
    else {
        return;
    };
    let Ok(socket) = TcpStream::connect((host.trim_matches(['[', ']']), port)) else { return };
    let mut headers = Headers::default();
    headers.push("host", format!("{host}:{port}"));
    headers.push("connection", "close");
    let path = format!("{}{path}", url.path().trim_end_matches('/'));
    let request = Request { method: method.to_owned(), path, headers, body: Vec::new() };
    let mut wire = Wire::new(socket);
    if request.write_to(&mut wire.stream).is_ok() {
        stand.act();
        let _ = wire.stream.set_read_timeout(Some(std::time::Duration::from_secs(2)));
        let _ = wire.read_response(method);
    }
}
