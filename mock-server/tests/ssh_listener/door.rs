//! A listener with one session behind it, and the programs that dial it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mock_server::listeners::ssh::{self, Door, HostKey};
use mock_server::listeners::{Activity, EndReason, Event, Redeemed, Redeemer, Refusal};
use mock_server::machine::Machine;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str =
    "eyJhbGciOiJFZERTQSJ9.canary-payload-of-the-session-token.c2lnbmF0dXJl";
pub(crate) const USER: &str = "ops";

pub(crate) struct Gate {
    pub(crate) end: watch::Sender<Option<EndReason>>,
    pub(crate) allowed: Vec<String>,
    pub(crate) asked: AtomicUsize,
}

impl Redeemer for Gate {
    fn redeem(&self, token: &str, user: &str) -> Result<Redeemed, Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if token != TOKEN || user != USER {
            return Err(Refusal { name: "malformed" });
        }
        Ok(Redeemed {
            session_id: uuid::Uuid::nil(),
            user: user.to_owned(),
            allowed_commands: self.allowed.clone(),
            expires_at: jiff::Timestamp::MAX,
            ended: self.end.subscribe(),
        })
    }
}

#[derive(Default)]
pub(crate) struct Log(pub(crate) Mutex<Vec<Event>>);

impl Activity for Log {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// A served session. Dropping it stops the listener.
pub(crate) struct Session {
    pub(crate) port: u16,
    pub(crate) endpoint: String,
    pub(crate) pin: String,
    pub(crate) gate: Arc<Gate>,
    pub(crate) log: Arc<Log>,
    pub(crate) served: Option<JoinHandle<EndReason>>,
    home: tempfile::TempDir,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(served) = &self.served {
            served.abort();
        }
    }
}

pub(crate) async fn open() -> Session {
    open_for(&[]).await
}

pub(crate) async fn open_for(allowed: &[&str]) -> Session {
    let key = HostKey::from_seed(&[7; 32]);
    let bound = ssh::bind(&key).await.unwrap();
    let end = watch::Sender::new(None);
    let gate = Arc::new(Gate {
        end,
        allowed: allowed.iter().map(|c| (*c).to_owned()).collect(),
        asked: AtomicUsize::new(0),
    });
    let log = Arc::new(Log::default());
    let clock = Arc::new(|| "2026-01-05T09:00:00Z".parse().unwrap());
    let door = Door {
        user: USER.into(),
        redeemer: Arc::clone(&gate) as _,
        activity: Arc::clone(&log) as _,
        backend: Arc::new(Machine::standard(clock).unwrap().for_session()),
        ended: gate.end.subscribe(),
    };
    Session {
        port: bound.port(),
        endpoint: bound.endpoint(USER),
        pin: key.fingerprint(),
        served: Some(tokio::spawn(bound.serve(door))),
        gate,
        log,
        home: tempfile::tempdir().unwrap(),
    }
}

impl Session {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits for something to be reported.
    pub(crate) async fn until(&self, wanted: impl Fn(&Event) -> bool) {
        let seen = async {
            while !self.events().iter().any(&wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(10), seen).await;
        assert!(seen.is_ok(), "never reported; got {:?}", self.events());
    }

    /// The helper OpenSSH asks: the pin for a host key, the token otherwise.
    fn askpass(&self) -> PathBuf {
        let path = self.home.path().join("askpass");
        if !path.exists() {
            let script = "#!/bin/sh\ncase \"$1\" in\n*fingerprint*) echo \"$TEST_PIN\" ;;\n*) echo \"$TEST_TOKEN\" ;;\nesac\n";
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        path
    }

    /// A stock ssh with no configuration but ours, given up on after a while.
    pub(crate) fn ssh(&self, token: &str, arguments: &[&str]) -> Command {
        let known = self.home.path().join("known_hosts");
        let mut command = Command::new("timeout");
        command
            .args(["40", "ssh", "-F", "/dev/null"])
            .args(["-o", "GlobalKnownHostsFile=/dev/null", "-o"])
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .args(arguments)
            .env("SSH_ASKPASS", self.askpass())
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("TEST_PIN", &self.pin)
            .env("TEST_TOKEN", token)
            .env("HOME", self.home.path())
            .env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs `ssh <endpoint> <command...>` to its end.
    pub(crate) async fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut all: Vec<&str> =
            arguments.iter().copied().take_while(|a| a.starts_with('-')).collect();
        let rest = arguments.iter().skip(all.len());
        all.push(&self.endpoint);
        all.extend(rest);
        finish(self.ssh(TOKEN, &all), stdin.to_vec()).await
    }
}

/// The second in which something is promised to happen, counted from now: and as much more as one
/// who only sleeps comes late meanwhile, because a busy machine is late for everybody.
pub(crate) struct Second {
    begun: Instant,
    late: Arc<AtomicU64>,
}

impl Second {
    pub(crate) fn begin() -> Self {
        const NAP: Duration = Duration::from_millis(5);
        let late = Arc::new(AtomicU64::new(0));
        let second = Self { begun: Instant::now(), late: Arc::clone(&late) };
        // Until nobody asks any more.
        std::thread::spawn(move || {
            while Arc::strong_count(&late) > 1 {
                let nap = Instant::now();
                std::thread::sleep(NAP);
                let over = nap.elapsed().saturating_sub(NAP).as_micros();
                late.fetch_add(u64::try_from(over).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        second
    }

    pub(crate) fn holds(self) {
        let taken = self.begun.elapsed();
        let late = Duration::from_micros(self.late.load(Ordering::Relaxed));
        assert!(taken < Duration::from_secs(1) + late, "it took {taken:?}, of which {late:?} late");
    }
}

/// Feeds a program and waits for it, off the runtime's threads.
pub(crate) async fn finish(mut command: Command, stdin: Vec<u8>) -> Output {
    let run = move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            let _ = pipe.write_all(&stdin);
        });
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        output
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a program is there. Its absence is told loudly, and is a failure
/// where the surroundings promise every tool.
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|place| place.join(program).is_file());
    if !found {
        let required = std::env::var("CI_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!required, "{program} is required and not installed");
        let notice = format!("SKIPPED: {program} is not installed\n");
        let _ = std::io::stderr().write_all(notice.as_bytes());
    }
    found
}
