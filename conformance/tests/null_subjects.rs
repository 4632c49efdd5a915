//! Subjects that do nothing score nothing: a rule that one of them passes can fail nobody.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conformance::catalogue;
use conformance::rule::{Rule, Side};
use conformance::runner::{self, Judged};
use conformance::target::{RunningServer, ServerTarget, Target};
use conformance::verdict::Verdict;

/// Judges the rules of one side and names those that pass.
fn passed(mut target: Target, side: Side) -> Vec<String> {
    let rules: Vec<Rule> = catalogue::all().unwrap_or_else(|reason| panic!("{reason:?}"));
    let chosen: Vec<&Rule> = rules.iter().filter(|rule| rule.side == side).collect();
    target.settings.timeout = Duration::from_secs(2);
    let target = Arc::new(target);
    let jobs = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let judged = runner::run_all(&chosen, &target, jobs, |_| {});
    let failed = judged.iter().filter(|one| matches!(one.verdict, Verdict::Fail { .. })).count();
    assert!(failed > 0, "nothing was judged at all");
    let pass = |one: Judged| (one.verdict == Verdict::Pass).then_some(one.id);
    judged.into_iter().filter_map(pass).collect()
}

fn client(path: &Path) -> Vec<String> {
    let mut target = Target::default();
    target.plexctl = Some(path.to_path_buf());
    passed(target, Side::Client)
}

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("plexctl");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn success_without_doing_anything() {
    assert_eq!(client(Path::new("/bin/true")), [""; 0]);
}

#[test]
fn failure_without_a_word() {
    assert_eq!(client(Path::new("/bin/false")), [""; 0]);
}

#[test]
fn an_echo() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(client(&script(dir.path(), "echo \"$@\"; echo \"$@\" >&2")), [""; 0]);
}

/// Whatever code a rule waits for, and with something to say on the right stream.
#[test]
fn a_constant_failure_with_a_word() {
    for code in [1, 2, 3, 4, 77] {
        let dir = tempfile::tempdir().unwrap();
        let constant = script(dir.path(), &format!("echo error >&2; exit {code}"));
        assert_eq!(client(&constant), [""; 0], "always {code}");
    }
}

/// A server that says 201 to everything.
#[test]
fn a_server_that_always_agrees() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the process: a thread that waits for a connection holds nothing else.
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
            let mut bytes = [0_u8; 16 * 1024];
            let _ = socket.read(&mut bytes);
            let _ = socket.write_all(
                b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\
                  content-length: 2\r\nconnection: close\r\n\r\n{}",
            );
        }
    });
    let running = RunningServer {
        url,
        token: "psk_dev_operator".into(),
        ca_file: None,
        without: Vec::new(),
        control: true,
    };
    let mut target = Target::default();
    target.server = Some(ServerTarget::Running(running));
    assert_eq!(passed(target, Side::Server), [""; 0]);
}
