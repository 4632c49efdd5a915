//! What the tests play with: a server that answers as told and remembers what it was asked, and a
//! plexctl in a directory of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;

pub(crate) const PROJECT: &str = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
pub(crate) const RESOURCE: &str = "0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3";
pub(crate) const SESSION: &str = "0190a8b8-ffff-7fff-8fff-ffffffffffff";
pub(crate) const OPERATOR: &str = "psk_dev_operator_canary";
pub(crate) const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.c2Vzc2lvbi1jYW5hcnk.c2ln";
pub(crate) const PIN: &str = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Play {
    /// Sends these bytes and closes.
    Answer(Vec<u8>),
    /// Closes without a byte.
    HangUp,
    /// Says nothing until the client leaves.
    Silence,
}

impl Play {
    /// An answer with a JSON body.
    pub(crate) fn json(status: &str, content_type: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        Self::Answer([head.as_bytes(), body.as_bytes()].concat())
    }

    /// A problem document with a status.
    pub(crate) fn problem(status: &str, body: &str) -> Self {
        Self::json(status, "application/problem+json", body)
    }

    /// A 201 for a session with this endpoint.
    pub(crate) fn issued(kind: &str, endpoint: &str) -> Self {
        Self::json("201 Created", "application/json", &issued_body(kind, endpoint))
    }
}

pub(crate) fn issued_body(kind: &str, endpoint: &str) -> String {
    format!(
        r#"{{"session_id":"{SESSION}","token":"{TOKEN}","expires_at":"2030-01-01T00:30:00Z",
        "listener_endpoint":"{endpoint}",
        "session":{{"id":"{SESSION}","kind":"{kind}","issued_at":"2030-01-01T00:00:00Z"}}}}"#
    )
}

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A server on a port of its own; it ends with the test's process.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Plays these in turn, the last one again and again; revocations always succeed.
    pub(crate) fn start(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut turn = 0;
            for stream in listener.incoming() {
                let mut stream: TcpStream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                let Some(request) = receive(&mut stream) else { continue };
                let revoke = request.path.ends_with("revoke");
                seen.lock().unwrap().push(request);
                let play = if revoke {
                    Play::Answer(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec())
                } else {
                    turn += 1;
                    plays[(turn - 1).min(plays.len() - 1)].clone()
                };
                match play {
                    Play::Answer(bytes) => drop(stream.write_all(&bytes)),
                    Play::HangUp => {}
                    Play::Silence => drop(stream.read(&mut [0])),
                }
            }
        });
        Self { url, requests }
    }

    fn count(&self, revoke: bool) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.path.ends_with("revoke") == revoke).count()
    }

    pub(crate) fn issues(&self) -> usize {
        self.count(false)
    }

    pub(crate) fn revokes(&self) -> usize {
        self.count(true)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A whole request, its body included: a server that closes with something unread resets the
/// connection, and the client may never see the answer.
pub(crate) fn receive(stream: &mut impl Read) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            return Some(Request { path, head: head.to_owned(), body: body.to_owned() });
        }
    }
}

/// A directory with a home, and nothing on PATH but what a test puts there.
pub(crate) struct Sandbox {
    pub(crate) root: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["home", "bin", "work"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// plexctl with nothing of the caller's environment.
    pub(crate) fn plexctl(&self) -> Command {
        let mut command = Command::cargo_bin("plexctl").unwrap();
        command
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", self.path("bin"))
            .env("PLEXSPHERE_TOKEN", OPERATOR)
            .current_dir(self.work())
            .timeout(Duration::from_secs(60));
        command
    }

    /// A complete command line against a server.
    pub(crate) fn run(&self, server: &Server, command: &str) -> Command {
        let mut plexctl = self.plexctl();
        plexctl.env("PLEXSPHERE_URL", &server.url).args(line(command));
        plexctl
    }

    /// Puts an executable script called ssh on PATH.
    pub(crate) fn fake_ssh(&self, script: &str) {
        write_executable(&self.path("bin").join("ssh"), script);
    }
}

/// The least that a command needs.
pub(crate) fn line(command: &str) -> Vec<String> {
    let own: &[&str] = match command {
        "kubeconfig" => &["--impersonate-user", "platform-admin"],
        "ssh" => &["--login-user", "ops"],
        _ => &["--host", "10.0.0.5", "--port", "5432"],
    };
    [command, "--project-id", PROJECT, "--resource-id", RESOURCE]
        .iter()
        .chain(own)
        .map(|word| (*word).to_owned())
        .collect()
}

pub(crate) fn write_executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    // Written under another name first: exec of a file that some forked test still holds open for
    // writing fails with "text file busy".
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&draft, path).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Everything in a directory, by name.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
