//! What an ssh session does not give: other commands than the allowed ones, forwarding, a fourth
//! try, a fifth connection, an eleventh channel.

use std::time::Duration;

use serde_json::json;

use super::ssh::{complaints, expect_end};
use super::tcp_client::{heard, reach};
use super::told::{expect_event, refusals};
use super::{ONE_TIME, SSH_CHANNELS, SSH_LOGIN, open, open_for, rule, ssh_session};
use crate::bench::{Bench, Canary, Exit, Family, Login, until};
use crate::rule::{Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = OPENINGS.into_iter().map(opening).collect();
    rules.extend([
        openssh("ssh.allowed_commands", "Where commands are listed, these run to the letter, and no other and no shell")
            .source("fixtures/contract/plexsphere.json", "SshTarget, allowed_commands")
            .fix("Compare the whole command line with each allowed one; refuse a shell.")
            .check(allowed_commands),
        openssh("ssh.subsystem", "A subsystem such as sftp is refused")
            .source(SSH_CHANNELS, "Section 6.5, subsystem")
            .fix("Answer a subsystem request with a failure.")
            .check(subsystem),
        openssh("ssh.done_without", "Environment, agent and x11 are not given, and the command runs without them")
            .source(SSH_CHANNELS, "Sections 6.3 and 6.4; requests that want no more than an answer")
            .fix("Refuse env, auth-agent-req and x11-req, and go on.")
            .check(done_without),
        openssh("ssh.three_tries", "Three wrong tokens end a connection, and cost the session nothing")
            .source(ONE_TIME, "For ssh 3 tries and 4 connections")
            .fix("Count the tries of a connection, the probe by `none` not among them, and hang up after the third.")
            .check(three_tries),
        openssh("ssh.four_connections", "Four connections at once, no fifth, and another when one has gone")
            .source(ONE_TIME, "For ssh 3 tries and 4 connections")
            .fix("Close a fifth connection at once, and count one out when it ends.")
            .check(four_connections),
        openssh("ssh.silence", "A client that says nothing is not let in, and in nobody's way")
            .source(SSH_LOGIN, "Section 4, the login grace period")
            .fix("Begin each connection in a task of its own.")
            .check(silence),
    ]);
    rules
}

fn openssh(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Program("ssh")])
}

fn allowed_commands(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let target = json!({"ssh": {"user": "ops", "allowed_commands": ["echo one", "id -un"]}});
    let login = Login::of(&open_for(&server, Family::Ssh, &target)?)?;
    let ssh = bench.openssh()?;
    for (command, printed) in [("echo one", "one\n"), ("id -un", "ops\n")] {
        let ran = ssh.run(&login, &[], Some(command))?.go()?;
        expect_end(command, 0, &ran)?;
        expect_eq(format!("stdout of {command}"), &printed.to_owned(), &ran.stdout_text())?;
    }
    let typed = bench.sandbox()?.write("tmp/typed", "echo leaked\n", 0o600)?;
    let others =
        ["echo one ", "echo one; id", "echo", "echo two", "ID -UN", "sh", "scp -f /etc/passwd"];
    for command in others.map(Some).into_iter().chain([None]) {
        let ran = ssh.run(&login, &[], command)?.stdin_file(&typed).go()?;
        let what = command.unwrap_or("a shell");
        ran.expect_stdout_empty()?;
        let refused = matches!(ran.exit, Exit::Code(1..));
        expect(refused, what, "a refusal", format!("{} {}", ran.exit, complaints(&ran)))?;
    }
    expect_event(&server, "request_refused", "exec")?;
    expect_event(&server, "request_refused", "shell")
}

/// Row, what to ask OpenSSH for, and what the journal calls it.
type Opening = (&'static str, &'static [&'static str], &'static str);

const OPENINGS: [Opening; 3] = [
    ("ssh.forwarding.direct", &["-W", "127.0.0.1:1"], "direct-tcpip"),
    (
        "ssh.forwarding.remote",
        &["-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", "-N"],
        "tcpip-forward",
    ),
    (
        "ssh.forwarding.remote_streamlocal",
        &["-R", "/tmp/nothing.sock:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", "-N"],
        "streamlocal-forward",
    ),
];

fn opening((row, options, request): Opening) -> Rule {
    openssh(row, "")
        .title(format!("A client that asks for {request} is refused in words"))
        .source(SSH_CHANNELS, "Section 7, TCP/IP port forwarding")
        .fix("Refuse the channel or the request as administratively prohibited.")
        .check(move |bench| {
            let (server, login) = ssh_session(bench)?;
            let ssh = bench.openssh()?;
            let ran = ssh.run(&login, options, None)?.go()?;
            let refused = matches!(ran.exit, Exit::Code(1..));
            expect(
                refused,
                "how ssh ended",
                "a failure",
                format!("{} {}", ran.exit, complaints(&ran)),
            )?;
            ran.expect_stdout_empty()?;
            // What was asked for last may still be on its way; the login itself was good.
            expect_event(&server, "connection_opened", "")?;
            expect_event(&server, "request_refused", request)?;
            expect_end("a command after that", 0, &ssh.run(&login, &[], Some("true"))?.go()?)
        })
}

fn subsystem(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    let ran = ssh.run(&login, &["-s"], Some("sftp"))?.go()?;
    expect_end("sftp", 255, &ran)?;
    ran.expect_stderr_has("subsystem request failed")?;
    expect_event(&server, "request_refused", "subsystem")
}

fn done_without(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let options = ["-o", "SetEnv=LC_CANARY=sung"];
    let command = "echo ${LC_CANARY:-unset} ${SSH_AUTH_SOCK:-unset} ${DISPLAY:-unset}";
    let ran = bench.openssh()?.run(&login, &options, Some(command))?.go()?;
    expect_end("a command without what was asked for", 0, &ran)?;
    expect_eq("stdout", &"unset unset unset\n".to_owned(), &ran.stdout_text())?;
    expect_event(&server, "request_refused", "env")
}

fn three_tries(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    let canary = Canary::new("the wrong token", "wrong-token-canary-0123456789");
    let wrong = login.clone().with_token("wrong-token-canary-0123456789");
    let ran = ssh.run(&wrong, &["-o", "NumberOfPasswordPrompts=9"], Some("true"))?.go()?;
    expect_end("a login with a wrong token", 255, &ran)?;
    let reasons = refusals(&server)?;
    expect_eq("the refusals in the journal", &vec!["malformed".to_owned(); 3], &reasons)?;
    canary.absent_from("what ssh was told", &ran.stderr)?;
    canary.absent_from("the journal", server.journal()?.to_string().as_bytes())?;
    expect_end("a good login after that", 0, &ssh.run(&login, &[], Some("true"))?.go()?)
}

fn four_connections(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let login = Login::of(&open(&server, Family::Ssh)?)?;
    let ssh = bench.openssh()?;
    let mut terminals = Vec::new();
    for _ in 0..4 {
        let terminal = ssh.run(&login, &[], None)?.at_terminal(80, 24)?;
        terminal.expect(super::ssh_terminal::PROMPT)?;
        terminals.push(terminal);
    }
    let fifth = ssh.run(&login, &[], Some("true"))?.go()?;
    expect_end("a fifth login", 255, &fifth)?;
    for terminal in &mut terminals {
        terminal.type_in("echo st''ill\r")?;
        terminal.expect("\nstill\r\n")?;
    }
    if let Some(mut first) = terminals.pop() {
        first.type_in("exit\r")?;
        first.finish()?;
    }
    until("a login when one has left", Duration::from_secs(5), || {
        let ran = ssh.run(&login, &[], Some("true"))?.go()?;
        Ok(if ran.exit == Exit::Code(0) { Ok(()) } else { Err(complaints(&ran)) })
    })
}

fn silence(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let mut silent = reach(&format!("{}:{}", login.host, login.port))?;
    silent.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut greeting = [0_u8; 8];
    heard(&mut silent, "how the server greets", &mut greeting)?;
    expect_eq("how the server greets", &b"SSH-2.0-".as_slice(), &greeting.as_slice())?;
    let ran = bench.openssh()?.run(&login, &[], Some("true"))?.go()?;
    expect_end("a login beside a silent connection", 0, &ran)
}
