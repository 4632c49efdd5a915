//! Where a kubeconfig ends up, and what is left when it cannot get there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::stage::{Play, Sandbox, Server, TOKEN, line, mode, names};

fn server() -> Server {
    Server::start(vec![Play::issued("k8s", "127.0.0.1:6443")])
}

#[test]
fn stdout_without_a_file() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&server(), "kubeconfig").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("server: https://127.0.0.1:6443\n"), "{text}");
    assert!(text.contains(&format!("token: {TOKEN}\n")), "{text}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(names(&sandbox.work()).is_empty() && names(&sandbox.home()).is_empty());
}

#[test]
fn a_job_log_is_warned_about() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&server(), "kubeconfig").env("CI", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--output-file") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_new_file_is_private_under_any_umask() {
    for umask in ["000", "022", "077", "277"] {
        let sandbox = Sandbox::new();
        let server = server();
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_plexctl"))
            .args(line("kubeconfig"))
            .args(["--output-file", "k"])
            .env_clear()
            .env("PLEXSPHERE_URL", &server.url)
            .env("PLEXSPHERE_TOKEN", "psk_x")
            .current_dir(sandbox.work())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        assert_eq!(mode(&sandbox.work().join("k")), 0o600, "umask {umask}");
        assert_eq!(names(&sandbox.work()), ["k"]);
    }
}

#[test]
fn a_looser_file_and_a_symlink_are_replaced() {
    let sandbox = Sandbox::new();
    let (server, work) = (server(), sandbox.work());
    fs::write(work.join("loose"), "old").unwrap();
    fs::set_permissions(work.join("loose"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(work.join("victim"), "precious").unwrap();
    symlink("victim", work.join("link")).unwrap();
    symlink("nowhere", work.join("dangling")).unwrap();
    for name in ["loose", "link", "dangling"] {
        sandbox.run(&server, "kubeconfig").args(["--output-file", name]).assert().success();
        let path = work.join(name);
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{name}");
        assert_eq!(mode(&path), 0o600, "{name}");
        assert!(fs::read_to_string(&path).unwrap().contains(TOKEN), "{name}");
    }
    assert_eq!(fs::read_to_string(work.join("victim")).unwrap(), "precious");
    assert_eq!(names(&work), ["dangling", "link", "loose", "victim"]);
}

#[test]
fn what_cannot_be_a_file_is_refused_before_a_session_is_issued() {
    let sandbox = Sandbox::new();
    let (server, work) = (server(), sandbox.work());
    fs::create_dir(work.join("directory")).unwrap();
    let fifo = work.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for target in [
        "directory",
        "directory/",
        "fifo",
        "absent/k",
        "new/",
        ".",
        "..",
        "/",
        "/dev/null",
        "/dev/stdout",
        "/dev/fd/1",
        "/proc/self/fd/1",
        "fifo/k",
    ] {
        let output =
            sandbox.run(&server, "kubeconfig").args(["--output-file", target]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{target}: {stderr}");
        assert!(output.stdout.is_empty());
        assert!(stderr.starts_with("plexctl: output file: "), "{stderr}");
        assert!(stderr.contains(target), "{stderr}");
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(names(&work), ["directory", "fifo"]);
}

#[test]
fn a_failed_run_leaves_the_old_file_alone() {
    let sandbox = Sandbox::new();
    let server = Server::start(vec![Play::problem("503 Service Unavailable", "{}")]);
    fs::write(sandbox.work().join("k"), "old").unwrap();
    sandbox.run(&server, "kubeconfig").args(["--output-file", "k"]).assert().code(1);
    assert_eq!(fs::read_to_string(sandbox.work().join("k")).unwrap(), "old");
    assert_eq!(names(&sandbox.work()), ["k"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_1_and_the_session_is_revoked() {
    let sandbox = Sandbox::new();
    let server = server();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("kubeconfig"))
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .env("HOME", sandbox.home())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("plexctl: output: "));
    assert_eq!((server.issues(), server.revokes()), (1, 1));
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let sandbox = Sandbox::new();
    let server = server();
    fs::write(sandbox.work().join("k"), "old").unwrap();
    let plexctl = format!("'{}' {}", env!("CARGO_BIN_EXE_plexctl"), line("kubeconfig").join(" "));
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("ulimit -f 0 && exec {plexctl} --output-file k")])
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .current_dir(sandbox.work())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("plexctl: output file: k: "), "{stderr}");
    assert_eq!((server.issues(), server.revokes()), (1, 1));
    assert_eq!(names(&sandbox.work()), ["k"]);
    assert_eq!(fs::read_to_string(sandbox.work().join("k")).unwrap(), "old");
}

#[test]
fn a_reader_that_left_is_no_failure() {
    let sandbox = Sandbox::new();
    let server = server();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("kubeconfig"))
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .env("HOME", sandbox.home())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

/// Programs that start others discard output by the null device, opened for reading and writing,
/// and want the exit code.
#[test]
fn output_that_is_discarded_is_no_failure() {
    let server = server();
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("kubeconfig"))
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .stdout(null)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!((server.issues(), server.revokes()), (1, 0));
}

#[test]
fn parallel_writers_always_leave_a_whole_document() {
    let sandbox = Sandbox::new();
    let (server, work) = (server(), sandbox.work());
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                sandbox.run(&server, "kubeconfig").args(["--output-file", "k"]).assert().success();
                let text = fs::read_to_string(work.join("k")).unwrap();
                assert!(
                    text.starts_with("apiVersion: v1\n") && text.ends_with(&format!("{TOKEN}\n"))
                );
            });
        }
    });
    assert_eq!(names(&work), ["k"]);
}

/// Kills plexctl at ever later moments of its life: whenever it happens, the file is the old one
/// or the new one.
#[test]
fn a_kill_at_any_moment_leaves_old_or_new() {
    let sandbox = Sandbox::new();
    let (server, work) = (server(), sandbox.work());
    let target = work.join("k");
    fs::write(&target, "old").unwrap();
    let mut replaced = 0;
    for step in 0..40 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_plexctl"))
            .args(line("kubeconfig"))
            .args(["--output-file", "k"])
            .env_clear()
            .env("PLEXSPHERE_URL", &server.url)
            .env("PLEXSPHERE_TOKEN", "psk_x")
            .current_dir(&work)
            .spawn()
            .unwrap();
        // Spinning, not sleeping: the moments to hit are shorter than a sleep is exact.
        let moment = std::time::Instant::now() + std::time::Duration::from_micros(step * 400);
        while std::time::Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let text = fs::read_to_string(&target).unwrap();
        if text != "old" {
            assert!(text.starts_with("apiVersion: v1\n") && text.ends_with(&format!("{TOKEN}\n")));
            assert_eq!(mode(&target), 0o600);
            replaced += 1;
        }
        fs::write(&target, "old").unwrap();
    }
    // The moments must reach from before the write to after it, or nothing was tried.
    let child = sandbox.run(&server, "kubeconfig").args(["--output-file", "k"]).output().unwrap();
    assert!(child.status.success());
    assert!(replaced < 40, "every run had ended before it was killed");
}
