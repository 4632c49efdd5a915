//! What others on the machine could get out of a running plexctl.
#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::stage::{Play, Sandbox, Server, line};

/// Whoever root becomes here.
const NOBODY: u32 = 65534;

/// The kernel gives the files of a process that may not be dumped to root, so a run by somebody
/// else shows whether the switch was thrown; debuggers and core dumps go by the same switch.
#[test]
fn a_running_plexctl_cannot_be_looked_into() {
    let (sandbox, server) = (Sandbox::new(), Server::start(vec![Play::Silence]));
    let root = rustix::process::geteuid().is_root();
    let program = sandbox.root.path().join("plexctl");
    std::fs::copy(env!("CARGO_BIN_EXE_plexctl"), &program).unwrap();
    let mut open = std::fs::metadata(sandbox.root.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o755);
    std::fs::set_permissions(sandbox.root.path(), open).unwrap();
    let mut command = Command::new(&program);
    command
        .args(line("kubeconfig"))
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.requests().is_empty() {
        assert!(Instant::now() < deadline, "no request came");
        std::thread::yield_now();
    }
    let proc = format!("/proc/{}", child.id());
    let owner = std::fs::metadata(format!("{proc}/limits")).unwrap().uid();
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(owner, 0, "its files are still its own");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}
