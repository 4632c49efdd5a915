//! `plexctl ssh` with the stock OpenSSH client and a node that answers.

use rustix::process::Signal;
use rustix::termios::LocalModes;

use crate::mock::{Mock, has, signal};
use crate::stage::{Sandbox, line, write_executable};
use crate::terminal::Terminal;

/// OpenSSH finds ~ in the password file and not in HOME, so without this wrapper the tests would
/// write the known hosts of whoever runs them. It gives ssh nothing that helps it to get in.
fn isolated_ssh(sandbox: &Sandbox) {
    configured_ssh(sandbox, "");
}

/// The same with options that a person's configuration may have; the first of a name counts.
pub(crate) fn configured_ssh(sandbox: &Sandbox, options: &str) {
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" > '{work}/args'\nexec /usr/bin/ssh -F none \
         {options} -o UserKnownHostsFile='{work}/known_hosts' -o GlobalKnownHostsFile=/dev/null \
         \"$@\"\n",
        work = sandbox.work().display()
    );
    write_executable(&sandbox.path("bin").join("ssh"), &script);
}

/// A shell on the machine behind the mock, or `None` without ssh.
fn shell(mock: &Mock, sandbox: &Sandbox, args: &[&str]) -> Option<Terminal> {
    if !has("ssh") || !has("setsid") {
        return None;
    }
    isolated_ssh(sandbox);
    let mut words = line("ssh");
    words.extend(args.iter().map(|word| (*word).to_owned()));
    let plexctl = env!("CARGO_BIN_EXE_plexctl");
    Some(Terminal::start(plexctl, &words, &mock.environment(sandbox)))
}

#[test]
fn a_shell_from_prompt_to_exit() {
    for (args, code) in [(&[][..], 1), (&["--pass-exit-status"][..], 3)] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        let Some(mut shell) = shell(&mock, &sandbox, args) else { return };
        let before = shell.mode().local_modes;
        assert!(before.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        shell.shows("$ ");
        // What the keyboard does is ssh's to decide now.
        assert!(!shell.mode().local_modes.contains(LocalModes::ISIG));
        shell.types("stty size\r");
        shell.shows("24 80");
        shell.resize(101, 33);
        shell.shows("$ ");
        shell.types("stty size\r");
        shell.shows("33 101");
        shell.types("sleep 600\r");
        shell.shows("sleep 600\r\n");
        shell.types("\x03");
        shell.shows("$ ");
        shell.types("echo \"it was $?\"\r");
        shell.shows("it was 130");
        shell.types("exit 3\r");
        let status = shell.ends();
        assert_eq!(status.code(), Some(code), "{}", shell.text());
        assert_eq!(shell.mode().local_modes, before, "the terminal is not as it was");
        let arguments = std::fs::read_to_string(sandbox.work().join("args")).unwrap();
        assert!(arguments.starts_with("1\nssh://ops;fingerprint=SHA256:"), "{arguments}");
        for place in [shell.text(), mock.journal(), arguments] {
            assert!(!place.contains("eyJ"), "a token in {place}");
        }
        assert!(shell.text().contains("exit status 3") || code == 3, "{}", shell.text());
    }
}

#[test]
fn a_wrong_pin_ends_before_the_token_is_sent() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let pin = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
    let Some(mut shell) = shell(&mock, &sandbox, &["--host-key-fingerprint", pin]) else { return };
    assert_eq!(shell.ends().code(), Some(1));
    shell.shows("Host key verification failed");
    assert!(!mock.journal().contains("RedeemToken") && !mock.journal().contains("NODE"));
    assert!(!sandbox.work().join("known_hosts").exists());
}

#[test]
fn without_a_pin_the_person_decides() {
    for (answer, gets_in) in [("yes\r", true), ("no\r", false)] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        if !has("ssh") || !has("setsid") {
            return;
        }
        isolated_ssh(&sandbox);
        let api = crate::pinless::in_front_of(&mock);
        let mut environment = mock.environment(&sandbox);
        environment.push(("PLEXSPHERE_URL".into(), api.url.clone()));
        let mut shell = Terminal::start(env!("CARGO_BIN_EXE_plexctl"), &line("ssh"), &environment);
        shell.shows("(yes/no/[fingerprint])? ");
        shell.types(answer);
        if gets_in {
            shell.shows("$ ");
            shell.types("exit\r");
            assert_eq!(shell.ends().code(), Some(0), "{}", shell.text());
        } else {
            assert_eq!(shell.ends().code(), Some(1), "{}", shell.text());
            assert!(!mock.journal().contains("NODE"));
        }
    }
}

#[test]
fn without_a_pin_and_a_terminal_nobody_decides() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    if !has("ssh") || !has("setsid") {
        return;
    }
    isolated_ssh(&sandbox);
    let api = crate::pinless::in_front_of(&mock);
    let output = std::process::Command::new("setsid")
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("ssh"))
        .env_clear()
        .envs(mock.environment(&sandbox))
        .env("PLEXSPHERE_URL", &api.url)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--host-key-fingerprint"), "{stderr}");
    assert!(!mock.journal().contains("NODE"));
}

#[test]
fn a_revoked_session_gives_the_terminal_back() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let Some(mut shell) = shell(&mock, &sandbox, &[]) else { return };
    let before = shell.mode().local_modes;
    shell.shows("$ ");
    let sessions = mock.json(&format!("/v1/projects/{}/sessions", crate::stage::PROJECT));
    mock.revoke(sessions["items"][0]["id"].as_str().unwrap());
    assert_eq!(shell.ends().code(), Some(1), "{}", shell.text());
    assert_eq!(shell.mode().local_modes, before);
}

#[test]
fn a_signal_to_plexctl_ends_the_shell_too() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let Some(mut shell) = shell(&mock, &sandbox, &[]) else { return };
    let before = shell.mode().local_modes;
    shell.shows("$ ");
    signal(&shell.child, Signal::TERM);
    let status = shell.ends();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert_eq!(shell.mode().local_modes, before);
}

#[test]
fn kubectl_sees_who_it_is() {
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    if !has("kubectl") {
        return;
    }
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("kubeconfig"))
        .args(["--impersonate-group", "ops", "--impersonate-group", "auditors"])
        .args(["--certificate-authority", &mock.ca_file, "--output-file", "k"])
        .env_clear()
        .envs(mock.environment(&sandbox))
        .current_dir(sandbox.work())
        .status()
        .unwrap();
    assert!(status.success());
    let output = std::process::Command::new("kubectl")
        .args(["--kubeconfig", "k", "auth", "whoami"])
        .env_clear()
        .envs(mock.environment(&sandbox))
        .current_dir(sandbox.work())
        .output()
        .unwrap();
    let (said, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    for name in ["platform-admin", "ops", "auditors"] {
        assert!(said.contains(name), "{name} in {said}");
    }
}
