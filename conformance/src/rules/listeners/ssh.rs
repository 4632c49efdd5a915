//! Stock OpenSSH at an ssh session's listener: logins, commands, streams, and whose key it is.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::told::{expect_event, expect_refused_as, refusals};
use super::{GUIDE, SSH_CHANNELS, open, rule, ssh_session};
use crate::bench::{Bench, Exit, Family, Login, Ran, ServerOptions};
use crate::rule::{Need, Rule, RuleDraft};
use crate::runner::find_program;
use crate::verdict::{Outcome, expect, expect_eq, skip};

pub(super) fn all() -> Vec<Rule> {
    vec![
        openssh("ssh.exec", "Stock OpenSSH logs in by the endpoint alone, and brings output and exit status of a command home")
            .source(SSH_CHANNELS, "Section 6.10, exit-status")
            .fix("Run the command, drain both streams, then send exit-status, eof and close.")
            .check(exec),
        openssh("ssh.exit_signal", "A command that a signal ended has no exit status: OpenSSH ends with 255")
            .source(SSH_CHANNELS, "Section 6.10, exit-signal")
            .fix("Send exit-signal, and no exit-status, for a command that a signal ended.")
            .check(exit_signal),
        openssh("ssh.streams", "A megabyte through a command comes back whole")
            .source(SSH_CHANNELS, "Section 5.2, data transfer")
            .fix("Honour the windows in both directions, and close only when everything is out.")
            .check(streams),
        openssh("ssh.shell_without_terminal", "A shell without a terminal reads commands to the end of its input, and ends as they say")
            .source(SSH_CHANNELS, "Section 6.5, starting a shell")
            .fix("Read commands from the channel when a shell is asked for without a pty.")
            .check(shell_without_terminal),
        openssh("ssh.methods", "Keyboard-interactive and password are offered and each works alone; publickey is never offered")
            .source("docs/decisions/0005-token-to-ssh.md", "The token answers the password or session-token prompt")
            .fix("Offer keyboard-interactive and password, in this order, and nothing else.")
            .check(methods),
        openssh("ssh.user", "The token opens the machine for the session's own user, and for nobody else")
            .source("fixtures/tokens/order.json", "user")
            .fix("Compare the login user with the one the session was issued for.")
            .check(user),
        openssh("ssh.pin", "The host key is the one the endpoint names, and OpenSSH finds it so before it asks for the token")
            .source("docs/decisions/0004-ssh-argument.md", "The host key is pinned")
            .needs([Need::Program("ssh-keyscan")])
            .fix("Put the fingerprint of the key the listener really uses into the endpoint.")
            .check(pin),
        openssh("ssh.pin_wrong", "Whoever pins another key hangs up before a token is sent")
            .source("docs/decisions/0005-token-to-ssh.md", "The pin answers the question for the host key")
            .fix("Present one host key only, whatever the client prefers.")
            .check(pin_wrong),
        rule("ssh.host_key_kept", "With a state directory the host key is the same after a restart")
            .source(GUIDE, "With --state-dir the ssh host key is kept")
            .needs([Need::SpawnableServer])
            .fix("Keep the host key in the state directory: clients remember it.")
            .check(host_key_kept),
        openssh("ssh.events", "Login, command, exit status and end are told to the journal, and no word of the command")
            .source(GUIDE, "What happens on a listener is in the journal")
            .fix("Report what happens on a connection, without what is typed.")
            .check(events),
    ]
}

fn openssh(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Program("ssh")])
}

/// What the client printed besides ssh's own word on a new host.
pub(super) fn complaints(ran: &Ran) -> String {
    let text = ran.stderr_text().replace('\r', "");
    let own = |line: &&str| !line.starts_with("Warning: Permanently added");
    text.split_inclusive('\n').filter(own).collect()
}

pub(super) fn expect_end(what: &str, code: i32, ran: &Ran) -> Outcome {
    let observed = format!("{} ({})", ran.exit, complaints(ran).trim());
    expect(ran.exit == Exit::Code(code), what, Exit::Code(code), observed)
}

fn exec(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    for (command, code, stdout, stderr) in [
        ("id -un; exit 7", 7, "ops\n", ""),
        ("true", 0, "", ""),
        ("echo out; echo err >&2; exit 3", 3, "out\n", "err\n"),
        ("exit 255", 255, "", ""),
        ("cat /etc/hostname", 0, "web-01.acme-corp.example\n", ""),
    ] {
        let ran = ssh.run(&login, &[], Some(command))?.go()?;
        expect_end(command, code, &ran)?;
        expect_eq(format!("stdout of {command}"), &stdout.to_owned(), &ran.stdout_text())?;
        expect_eq(format!("stderr of {command}"), &stderr.to_owned(), &complaints(&ran))?;
    }
    let ran = ssh.run(&login, &[], Some("no-such-program"))?.go()?;
    expect_end("a command that is not there", 127, &ran)
}

fn exit_signal(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    for signal in ["KILL", "TERM"] {
        let command = format!("echo begun; kill -{signal} $$; echo never");
        let ran = ssh.run(&login, &[], Some(&command))?.go()?;
        expect_end(&command, 255, &ran)?;
        expect_eq("what was printed before", &"begun\n".to_owned(), &ran.stdout_text())?;
    }
    Ok(())
}

fn streams(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let sent: Vec<u8> =
        (0..1_000_000_u32).flat_map(|n| (n % 251).to_le_bytes().into_iter().take(1)).collect();
    let file = bench.sandbox()?.write("tmp/sent", &sent, 0o600)?;
    let ran = bench.openssh()?.run(&login, &[], Some("cat"))?.stdin_file(file).go()?;
    expect_end("cat", 0, &ran)?;
    let same = ran.stdout == sent;
    expect(
        same,
        "what came back",
        "the megabyte that was sent",
        format!("{} bytes", ran.stdout.len()),
    )
}

fn shell_without_terminal(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let typed = "cd /etc\npwd\nexit 21\n";
    let file = bench.sandbox()?.write("tmp/typed", typed, 0o600)?;
    let ran = bench.openssh()?.run(&login, &[], None)?.stdin_file(file).go()?;
    expect_end("the shell", 21, &ran)?;
    expect_eq("what the shell printed", &"/etc\n".to_owned(), &ran.stdout_text())
}

fn methods(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    let probe =
        ssh.run(&login, &["-v", "-o", "PreferredAuthentications=none"], Some("true"))?.go()?;
    expect_end("a login by no method at all", 255, &probe)?;
    let said = probe.stderr_text();
    let offered =
        said.lines().find_map(|line| line.split_once("Authentications that can continue: "));
    let mut offered: Vec<&str> =
        offered.map(|(_, list)| list.trim().split(',').collect()).unwrap_or_default();
    offered.sort_unstable();
    expect_eq("the methods on offer", &vec!["keyboard-interactive", "password"], &offered)?;
    for method in ["keyboard-interactive", "password"] {
        let only = format!("PreferredAuthentications={method}");
        let ran = ssh.run(&login, &["-o", &only], Some("id -un"))?.go()?;
        expect_end(&format!("a login by {method} alone"), 0, &ran)?;
    }
    let asked: Vec<String> = ssh.questions();
    let speaks = |question: &String| question.to_lowercase().contains("password");
    let prompts =
        asked.iter().filter(|question| !question.contains("established") && speaks(question));
    expect(prompts.count() == 2, "the prompts", "two that speak of a password", asked.join(" / "))?;
    expect_eq("the tokens refused meanwhile", &Vec::<String>::new(), &refusals(&server)?)
}

fn user(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let mut other = login.clone();
    other.endpoint = login.endpoint.replace("ssh://ops;", "ssh://root;");
    let ran = bench.openssh()?.run(&other, &[], Some("id -un"))?.go()?;
    expect_end("a login as root with the token of ops", 255, &ran)?;
    ran.expect_stdout_empty()?;
    expect_refused_as(&server, "user")
}

fn pin(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let Some(keyscan) = find_program("ssh-keyscan") else { return skip("ssh-keyscan on PATH") };
    let port = login.port.to_string();
    let ran = bench.program(keyscan)?.args(["-p", &port, &login.host]).go()?;
    let text = ran.stdout_text();
    let mut pins: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| STANDARD.decode(line.split(' ').nth(2)?).ok())
        .map(|key| STANDARD_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, &key)))
        .map(|digest| format!("SHA256:{digest}"))
        .collect();
    pins.dedup();
    expect_eq("the fingerprints of the host's keys", &vec![login.pin.clone()], &pins)?;
    let ssh = bench.openssh()?;
    expect_end("a login with the pin", 0, &ssh.run(&login, &[], Some("true"))?.go()?)?;
    let questions = ssh.questions();
    let first = questions.first().cloned().unwrap_or_default();
    expect(first.contains("authenticity of host"), "ssh's first question", "the host's key", first)
}

fn pin_wrong(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    let mut other = login.clone();
    other.pin = format!("SHA256:{}", "A".repeat(43));
    let ran = ssh.run(&other, &[], Some("true"))?.go()?;
    expect_end("a login with another pin", 255, &ran)?;
    ran.expect_stderr_has("Host key verification failed")?;
    expect_eq("the tokens that were offered", &Vec::<String>::new(), &refusals(&server)?)?;
    server.expect_count("SessionActivity", 0)?;
    // The host is there, and good enough by its own pin.
    expect_end("a login with its own pin", 0, &ssh.run(&login, &[], Some("true"))?.go()?)
}

fn host_key_kept(bench: &Bench) -> Outcome {
    let state = bench.sandbox()?.root().join("state");
    let state = state.to_string_lossy();
    let pin = || -> Outcome<String> {
        // With a seed the host key follows from it, as everything does.
        let options = ServerOptions::with(&["--state-dir", &state]).unseeded();
        let server = bench.server_with(&options)?;
        Ok(Login::of(&open(&server, Family::Ssh)?)?.pin)
    };
    let (first, second) = (pin()?, pin()?);
    expect_eq("the pin after a restart", &first, &second)
}

fn events(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let ran = bench.openssh()?.run(&login, &[], Some("echo whispered; exit 9"))?.go()?;
    expect_end("the command", 9, &ran)?;
    for (name, detail) in [
        ("session_started", ""),
        ("connection_opened", ""),
        ("command_executed", ""),
        ("command_exited", "exit=9"),
        ("connection_closed", "bytes_out=10"),
    ] {
        expect_event(&server, name, detail)?;
    }
    let told = server.journal()?.to_string();
    expect(!told.contains("whispered"), "the journal", "no word of the command", "it is there")
}
