//! A control plane with one defect: the honest one behind a relay that wears its face, or the
//! honest one started and ended otherwise.

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::door::Doors;
use super::edit::apply;
use super::relay::{Relay, Renaming, Shared, Upstream};
use super::scout::Scout;
use super::stand::Stand;
use super::subject::{Act, Defect, End, ReadyFile, Stream, Which};
use super::supervise::{self, Signals};
use super::words::{change_environment, value_of};
use crate::bench::tls;

/// How long exchanges under way may take once the honest server has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// One run of the broken server.
pub(super) fn play(stand: &Stand) -> ExitCode {
    let mut args: Vec<OsString> = env::args_os().skip(1).collect();
    let mut command = Command::new(&stand.honest);
    if !stand.subject.when.before(&args) {
        command.args(&args);
        return supervise::become_it(command);
    }
    let scout = Scout::of(stand, &args);
    match &stand.subject.defect {
        Defect::Args(words) => {
            let changed = words.change(&args);
            if changed != args {
                stand.act();
            }
            args = changed;
            command.args(&args);
            return supervise::become_it(command);
        }
        Defect::Env(environment) => {
            if change_environment(&mut command, environment) {
                stand.act();
            }
            command.args(&args);
            return supervise::become_it(command);
        }
        Defect::Ends(End::Hang) => {
            stand.act();
            loop {
                std::thread::park();
            }
        }
        _ => {}
    }
    let asks = ["env", "help", "--help", "-h", "--version", "-V"];
    let serves = !args.iter().any(|arg| asks.iter().any(|word| arg == word));
    let faced = matches!(stand.subject.defect, Defect::Traffic(_) | Defect::Ready { .. });
    let done = if serves && faced {
        in_front(stand, command, &args, scout.as_ref())
    } else {
        looked_after(stand, command, &args, scout.as_ref())
    };
    done.unwrap_or_else(|_| ExitCode::from(125))
}

/// The honest server with its streams, its signals or its end changed.
fn looked_after(
    stand: &Stand,
    mut command: Command,
    args: &[OsString],
    scout: Option<&Arc<Scout>>,
) -> io::Result<ExitCode> {
    let stream = match &stand.subject.defect {
        Defect::Stream(stream) => Some(stream),
        _ => None,
    };
    let capture = |which| stream.is_some_and(|stream| stream.which == which);
    command.args(args);
    command.stdout(supervise::captured(capture(Which::Stdout)));
    command.stderr(supervise::captured(capture(Which::Stderr)));
    let signals = match &stand.subject.defect {
        Defect::Signal { with } => with.map_or(Signals::Swallowed, Signals::EndsWith),
        _ => Signals::Forwarded,
    };
    let mark = stand.marker();
    let mut child = supervise::start(&mut command, signals, move || mark.act())?;
    if let Some(stream) = stream {
        lines(stand, stream, &mut child)?;
    }
    let ended = supervise::wait(child)?;
    if let Some(scout) = scout {
        scout.ended(ended.status.code());
    }
    match &stand.subject.defect {
        Defect::Exit { to }
            if stand.subject.when.after(&ended) && ended.status.code() != Some(*to) =>
        {
            stand.act();
            Ok(ExitCode::from(u8::try_from(*to).unwrap_or(1)))
        }
        Defect::Leak { to, .. } => {
            stand.act();
            let place = to.replace("$TMPDIR", &env::var("TMPDIR").unwrap_or_default());
            fs::write(place, b"left behind\n")?;
            Ok(supervise::end_like(ended.status))
        }
        _ => Ok(supervise::end_like(ended.status)),
    }
}

/// Changes a stream line by line, as it comes: who waits for a line must not wait for the end.
fn lines(stand: &Stand, stream: &Stream, child: &mut Child) -> io::Result<()> {
    let out = stream.which == Which::Stdout;
    let held: Option<Box<dyn Read>> = if out {
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read>)
    } else {
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read>)
    };
    let Some(held) = held else { return Ok(()) };
    let mut held = BufReader::new(held);
    let say = |bytes: &[u8]| {
        let to_stdout = out != stream.swap;
        if to_stdout {
            io::stdout().write_all(bytes).and_then(|()| io::stdout().flush())
        } else {
            io::stderr().write_all(bytes)
        }
    };
    let bare = Stream { prepend: String::new(), append: String::new(), ..stream.clone() };
    if !stream.prepend.is_empty() {
        stand.act();
        say(stream.prepend.as_bytes())?;
    }
    let mut line = Vec::new();
    while held.read_until(b'\n', &mut line)? > 0 {
        let changed = bare.change(&line);
        if changed != line || stream.swap {
            stand.act();
        }
        say(&changed)?;
        line.clear();
    }
    if !stream.append.is_empty() {
        stand.act();
        say(stream.append.as_bytes())?;
    }
    Ok(())
}

/// The honest server on another port, and the relay on the one that was asked for.
fn in_front(
    stand: &Stand,
    mut command: Command,
    args: &[OsString],
    scout: Option<&Arc<Scout>>,
) -> io::Result<ExitCode> {
    // Where the place makes no sense or is taken, the honest server says so best itself.
    let Some(listener) = place(args).and_then(|place| TcpListener::bind(place).ok()) else {
        if scout.is_some() {
            return looked_after(stand, command, args, scout);
        }
        command.args(args);
        return Ok(supervise::become_it(command));
    };
    let bind = listener.local_addr()?.ip();
    let ours = listener.local_addr()?.port();
    let ready_file = value_of(args, "--ready-file").map(PathBuf::from);
    let behind_it = stand.ready_file();
    command.args(behind(args));
    if ready_file.is_some() {
        command.arg("--ready-file").arg(&behind_it);
    }
    command.stdout(Stdio::piped());
    let mark = stand.marker();
    let mut child = supervise::start(&mut command, Signals::Forwarded, move || mark.act())?;
    let Some(stdout) = child.stdout.take() else { return Ok(ExitCode::from(125)) };
    let mut stdout = BufReader::new(stdout);
    let mut said = String::new();
    let theirs = loop {
        let mut line = String::new();
        if stdout.read_line(&mut line)? == 0 {
            // It never came to listen: its own words and its own end say why.
            io::stdout().write_all(said.as_bytes())?;
            drop(listener);
            let status = child.wait()?;
            if let Some(scout) = scout {
                scout.ended(status.code());
            }
            return Ok(supervise::end_like(status));
        }
        said.push_str(&line);
        if let Some(port) = port_of(&said) {
            break port;
        }
    };
    let mut renaming = vec![
        (format!(":{theirs}"), format!(":{ours}")),
        (format!("\"pid\":{}", child.id()), format!("\"pid\":{}", std::process::id())),
    ];
    let upstream = Upstream {
        host: if bind.is_ipv6() { "::1" } else { "127.0.0.1" }.to_owned(),
        port: theirs,
        authority: format!("127.0.0.1:{theirs}"),
        tls: false,
    };
    let tls = own_tls(stand, args, &said, &mut renaming)?;
    let mut shared = Shared::to(upstream, None, stand.marker());
    shared.own = Some(renaming.clone());
    shared.scout = scout.cloned();
    match &stand.subject.defect {
        Defect::Traffic(traffic) if traffic.listener.is_empty() => {
            shared.traffic = Some((**traffic).clone());
            shared.tls = tls;
        }
        // Where nobody listens nobody is kept out, nor let in.
        Defect::Traffic(traffic) if !args.iter().any(|arg| arg == "--no-node") => {
            shared.doors = Some(Doors::new(traffic, stand.marker(), tls));
        }
        _ => {}
    }
    let relay = Relay::serve(listener, shared)?;
    let renamed = |text: &str| {
        renaming.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    if let Some(path) = &ready_file {
        let ready = fs::read_to_string(&behind_it)?;
        put_down(stand, &renamed(&ready), path)?;
    }
    announce(stand, &renamed(&said))?;
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        let _ = stdout.read_to_string(&mut rest);
        rest
    });
    let status = child.wait()?;
    relay.drained(DRAIN);
    if let Some(scout) = scout {
        scout.ended(status.code());
    }
    if let Ok(rest) = rest.join() {
        io::stdout().write_all(renamed(&rest).as_bytes())?;
    }
    if let Some(path) = ready_file
        && !matches!(stand.subject.defect, Defect::Ready { file: Some(ReadyFile::Stays), .. })
    {
        let _ = fs::remove_file(path);
    }
    Ok(supervise::end_like(status))
}

/// The arguments for the one behind: any port, and no ready file.
fn behind(args: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        match text.as_ref() {
            "--port" | "--ready-file" => {
                words.next();
            }
            other if other.starts_with("--port=") || other.starts_with("--ready-file=") => {}
            _ => kept.push(word.clone()),
        }
    }
    kept.extend(["--port".into(), "0".into()]);
    kept
}

/// The port in the first http address of a text.
fn port_of(text: &str) -> Option<u16> {
    let after = text.split("http://").nth(1)?;
    let authority = after.split(['/', '"', ' ', '\n', '\\']).next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

/// A certificate of our own, where exchanges over TLS are to be changed or the certificate is
/// the defect. Its CA is added to the file that the honest server tells, so that every word about
/// that file stays true; a file that outlives the server is not ours to write to.
fn own_tls(
    stand: &Stand,
    args: &[OsString],
    said: &str,
    renaming: &mut Renaming,
) -> io::Result<Option<Arc<rustls::ServerConfig>>> {
    let Defect::Traffic(traffic) = &stand.subject.defect else { return Ok(None) };
    let kind = match &traffic.act {
        Act::Certificate(kind) => kind.as_str(),
        _ if traffic.https || traffic.listener.iter().any(|kind| kind == "k8s") => "trusted",
        _ => return Ok(None),
    };
    let told = serde_json::from_str::<Value>(said).ok();
    let told = told.as_ref().and_then(|ready| ready["ca_file"].as_str());
    let (Some(ca_file), None) = (told, value_of(args, "--state-dir")) else { return Ok(None) };
    let kind = match kind {
        "unknown_ca" => tls::Certificate::UnknownCa,
        "self_signed" => tls::Certificate::SelfSigned,
        "expired" => tls::Certificate::Expired,
        "wrong_name" => tls::Certificate::WrongName,
        _ => tls::Certificate::Trusted,
    };
    let identity = tls::identity(kind).map_err(|reason| io::Error::other(format!("{reason:?}")))?;
    if matches!(traffic.act, Act::Certificate(_)) {
        stand.act();
    }
    let theirs = fs::read_to_string(ca_file)?;
    OpenOptions::new().append(true).open(ca_file)?.write_all(identity.ca_pem.as_bytes())?;
    // Kubeconfigs hold what is in the file.
    let both = format!("{theirs}{}", identity.ca_pem);
    renaming.push((STANDARD.encode(theirs), STANDARD.encode(both)));
    Ok(Some(identity.config))
}

/// The ready document as it is told.
fn told(stand: &Stand, text: &str) -> String {
    let Defect::Ready { edit, .. } = &stand.subject.defect else { return text.to_owned() };
    if let Ok(mut ready) = serde_json::from_str::<Value>(text)
        && apply(edit, &mut ready)
    {
        stand.act();
        return format!("{ready}\n");
    }
    text.to_owned()
}

fn put_down(stand: &Stand, text: &str, path: &Path) -> io::Result<()> {
    if let Defect::Ready { file: Some(deed), .. } = &stand.subject.defect {
        stand.act();
        if *deed == ReadyFile::Missing {
            return Ok(());
        }
    }
    let part = path.with_extension("part");
    fs::write(&part, told(stand, text))?;
    fs::rename(&part, path)
}

fn announce(stand: &Stand, said: &str) -> io::Result<()> {
    let mut text = told(stand, said);
    if let Defect::Ready { before, .. } = &stand.subject.defect
        && !before.is_empty()
    {
        stand.act();
        text = format!("{before}{text}");
    }
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()
}

/// Where the arguments want it to listen; none where they make no sense.
fn place(args: &[OsString]) -> Option<SocketAddr> {
    let port = match value_of(args, "--port") {
        Some(port) => port.to_str()?.parse().ok()?,
        None => 8080,
    };
    let bind = match value_of(args, "--bind") {
        Some(bind) => bind.to_str()?.trim_matches(['[', ']']).parse().ok()?,
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    Some(SocketAddr::new(bind, port))
}
