//! `tcp-forward --listen`, with the real mock behind it and with nodes that the tests play.

mod curl;
mod ending;
mod node;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::mock::{Mock, has, signal};
use crate::stage::{PROJECT, Play, RESOURCE, Sandbox, Server, line};
use crate::terminal::Terminal;

const PATIENCE: Duration = Duration::from_secs(30);

/// A tunnel that has said where it listens.
struct Tunnel {
    child: Child,
    said: Value,
    stderr: Option<BufReader<std::process::ChildStderr>>,
}

fn args(port: &str) -> Vec<String> {
    let ids = ["tcp-forward", "--project-id", PROJECT, "--resource-id", RESOURCE];
    let rest = ["--host", "10.0.0.5", "--port", port, "--listen", "--output", "json"];
    ids.iter().chain(&rest).map(|word| (*word).to_owned()).collect()
}

impl Tunnel {
    fn start(args: &[String], environment: &[(String, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_plexctl"))
            .args(args)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().map(BufReader::new);
        if line.is_empty() {
            stderr.as_mut().unwrap().read_line(&mut line).unwrap();
        }
        let said = serde_json::from_str(&line).expect(&line);
        Self { child, said, stderr }
    }

    fn to(mock: &Mock, sandbox: &Sandbox, port: &str) -> Self {
        Self::start(&args(port), &mock.environment(sandbox))
    }

    fn text(&self, key: &str) -> &str {
        self.said[key].as_str().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.text("local_addr")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn next_remark(&mut self) -> String {
        let mut line = String::new();
        self.stderr.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// The exit code and the rest of stderr.
    fn ends(mut self) -> (Option<i32>, String) {
        let (done, waiting) = mpsc::channel();
        let mut stderr = self.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).ok();
            done.send(text).ok();
        });
        let text = waiting.recv_timeout(PATIENCE).expect("the tunnel goes on and on");
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn says_back(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text.as_bytes());
}

#[test]
fn a_hundred_megabytes_go_both_ways_without_a_byte_lost() {
    const PIECES: usize = 100;
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let tunnel = Tunnel::to(&mock, &sandbox, "5432");
    let mut stream = tunnel.connect();
    // Its period is no divisor of any buffer's size.
    let piece: Vec<u8> =
        (0..1_048_583_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut sender, sent) = (stream.try_clone().unwrap(), piece.clone());
    let sending = std::thread::spawn(move || {
        for _ in 0..PIECES {
            sender.write_all(&sent).unwrap();
        }
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = vec![0; piece.len()];
    for n in 0..PIECES {
        stream.read_exact(&mut back).unwrap();
        assert!(back == piece, "piece {n} differs");
    }
    assert_eq!(stream.read(&mut back).unwrap(), 0);
    sending.join().unwrap();
    let carried = format!("bytes_in={n}&bytes_out={n}", n = PIECES * piece.len());
    until("the node has counted", || mock.journal().contains(&carried));
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn connections_take_turns_and_none_is_lost() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    if !has("curl") {
        return;
    }
    let tunnel = Tunnel::to(&mock, &sandbox, "80");
    let address = tunnel.text("local_addr");
    // The node carries one at a time; forty ask at once.
    std::thread::scope(|scope| {
        for n in 0..40 {
            scope.spawn(move || {
                let output = Command::new("curl")
                    .args(["--silent", "--max-time", "120", "--noproxy", "*"])
                    .arg(format!("http://{address}/{n}"))
                    .output()
                    .unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                assert_eq!(said, format!("hello from the far end: /{n}\n"));
            });
        }
    });
}

#[test]
fn who_waits_is_told_of_once_and_hardly_asks() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let mut tunnel = Tunnel::to(&mock, &sandbox, "5432");
    let mut holder = tunnel.connect();
    says_back(&mut holder, "mine");
    let waiting: Vec<TcpStream> = (0..10).map(|_| tunnel.connect()).collect();
    let remark = tunnel.next_remark();
    let name = format!("the one from {} is carried", holder.local_addr().unwrap());
    assert!(remark.contains("waits for its turn") && remark.contains(&name), "{remark}");
    // By now each has waited for a second.
    let refused = mock.journal().matches("connection_limit").count();
    assert!((1..20).contains(&refused), "{refused} refusals");
    drop(holder);
    for (n, mut client) in waiting.iter().enumerate() {
        write!(client, "number {n}").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for (n, mut client) in waiting.iter().enumerate() {
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("number {n}"));
    }
    signal(&tunnel.child, Signal::INT);
    let (_, stderr) = tunnel.ends();
    assert!(!stderr.contains("waits"), "{stderr}");
}

#[test]
fn a_client_that_hangs_up_is_survived() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let tunnel = Tunnel::to(&mock, &sandbox, "5432");
    for _ in 0..5 {
        let mut stream = tunnel.connect();
        // Half of what was asked for is never read, so closing resets the connection.
        stream.write_all(&[7; 100_000]).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
        drop(stream);
        drop(tunnel.connect());
    }
    says_back(&mut tunnel.connect(), "still there");
}

#[test]
fn one_line_says_where() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let tunnel = Tunnel::to(&mock, &sandbox, "5432");
    let keys: Vec<&String> = tunnel.said.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["expires_at", "listener_endpoint", "local_addr", "session_id"]);
    let session = mock.session(tunnel.text("session_id"));
    assert_eq!(session["expires_at"], tunnel.said["expires_at"]);
    assert!(tunnel.text("local_addr").starts_with("127.0.0.1:"));
}

#[test]
fn a_port_in_use_is_1_and_costs_no_session() {
    let (sandbox, taken) = (Sandbox::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let server = Server::start(vec![Play::issued("tcp", "127.0.0.1:2400")]);
    let output = sandbox
        .run(&server, "tcp-forward")
        .args(["--listen", "--local-addr", &address])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty() && stderr.contains(&address), "{stderr}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_plain_node_of_the_mock_is_used_plainly() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    mock.change_world(|world| world["listeners"]["tcp_auth"] = "none".into());
    let mut words = args("5432");
    words.push("--plain-pipe".into());
    let tunnel = Tunnel::start(&words, &mock.environment(&sandbox));
    says_back(&mut tunnel.connect(), "one");
    says_back(&mut tunnel.connect(), "two");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_shows_the_token_and_no_core_is_dumped() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let tunnel = Tunnel::to(&mock, &sandbox, "5432");
    says_back(&mut tunnel.connect(), "hello");
    let proc = |name: &str| {
        std::fs::read_to_string(format!("/proc/{}/{name}", tunnel.child.id())).unwrap()
    };
    assert!(!proc("cmdline").contains("eyJ") && !proc("cmdline").contains("psk_"));
    let limits = proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    signal(&tunnel.child, Signal::INT);
    let (_, stderr) = tunnel.ends();
    assert!(!stderr.contains("eyJ") && !stderr.contains("psk_"), "{stderr}");
    assert!(!mock.journal().contains("eyJ"));
}

#[test]
fn a_terminal_shows_how_it_goes() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    if !has("setsid") {
        return;
    }
    let mut words = line("tcp-forward");
    words.push("--listen".into());
    let plexctl = env!("CARGO_BIN_EXE_plexctl");
    let mut terminal = Terminal::start(plexctl, &words, &mock.environment(&sandbox));
    terminal.resize(120, 24);
    terminal.shows("local_addr: ");
    terminal.shows("\r\n");
    let text = terminal.text();
    let address = text.split_once("local_addr: ").unwrap().1.lines().next().unwrap().to_owned();
    says_back(&mut TcpStream::connect(&address).unwrap(), "hello");
    terminal.shows(&format!("{address} -> 10.0.0.5:5432  5 B up, 5 B down"));
    terminal.shows("expires in 29:5");
    terminal.types("\x03");
    terminal.shows("\r\x1b[Knote: forwarding has ended: interrupted");
    assert_eq!(terminal.ends().code(), Some(0));
}

#[test]
fn what_goes_with_listen_only() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::issued("tcp", "127.0.0.1:2400")]);
    for more in [&["--plain-pipe"][..], &["--listen", "--host", "a b"]] {
        sandbox.run(&server, "tcp-forward").args(more).assert().code(2).stdout("");
    }
    assert_eq!(server.requests().len(), 0);
}
