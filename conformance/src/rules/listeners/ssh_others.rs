//! ssh clients that share no code with OpenSSH: dropbear's, and paramiko from a Python program.

use serde_json::{Value, json};

use super::ssh::expect_end;
use super::told::{expect_refused_as, refusals};
use super::{SSH_CHANNELS, SSH_LOGIN, rule, ssh_session};
use crate::bench::{Bench, Canary, Exit, Login};
use crate::rule::{Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq};

/// What the Python programs have in common: a connection whose host key is the pin.
const CONNECT: &str = include_str!("paramiko/connect.py");
const COMMANDS: &str = include_str!("paramiko/commands.py");
const TERMINAL: &str = include_str!("paramiko/terminal.py");
const CHANNELS: &str = include_str!("paramiko/channels.py");
const WRONG: &str = include_str!("paramiko/wrong.py");

pub(super) fn all() -> Vec<Rule> {
    vec![
        dropbear("ssh.dropbear.exec", "dropbear's client logs in, and brings output and exit status home")
            .source(SSH_CHANNELS, "Section 6.10, exit-status")
            .fix("Keep to the RFCs where OpenSSH is lenient.")
            .check(dropbear_exec),
        dropbear("ssh.dropbear.terminal", "dropbear's client has a terminal, and a shell at it")
            .source(SSH_CHANNELS, "Section 6.2, requesting a pseudo-terminal")
            .needs([Need::Program("setsid")])
            .fix("Take pty-req and shell as any client sends them.")
            .check(dropbear_terminal),
        dropbear("ssh.dropbear.wrong", "dropbear's client with a wrong token is refused")
            .source(SSH_LOGIN, "Section 5.1, responses to authentication requests")
            .fix("Answer a wrong password with a failure.")
            .check(dropbear_wrong),
        library("ssh.library.commands", "A library client logs in by each method, and gets streams, statuses and signals apart")
            .source(SSH_CHANNELS, "Section 6.10, returning exit status")
            .fix("Send extended data for stderr, exit-status or exit-signal, eof and close.")
            .check(library_commands),
        library("ssh.library.terminal", "A library client's terminal has its size, and follows each change")
            .source(SSH_CHANNELS, "Section 6.7, window dimension change")
            .fix("Take columns and rows from pty-req, and then from each window-change.")
            .check(library_terminal),
        library("ssh.library.channels", "Ten channels on a connection and no eleventh; forwarding, x11, agent, env and sftp are refused on the wire")
            .source(SSH_CHANNELS, "Section 5.1, opening a channel")
            .fix("Answer a channel too many with a shortage of resources, and each refused request with a failure.")
            .check(library_channels),
        library("ssh.library.wrong", "A library client hears which methods there are, a public key is not asked for, and a wrong token is refused")
            .source(SSH_LOGIN, "Section 5.1, authentications that can continue")
            .fix("Answer each wish to log in, and name keyboard-interactive and password in a failure.")
            .check(library_wrong),
    ]
}

fn dropbear(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Program("dbclient")])
}

fn library(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Python("paramiko")])
}

fn dropbear_exec(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let ran = bench.dbclient(&login, &["-T"], "echo out; echo err >&2; exit 6")?.go()?;
    expect_end("a command by dbclient", 6, &ran)?;
    expect_eq("stdout", &"out\n".to_owned(), &ran.stdout_text())?;
    ran.expect_stderr_has("err\n")
}

fn dropbear_terminal(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let terminal = bench.dbclient(&login, &["-t"], "stty size; exit 4")?.at_terminal(90, 33)?;
    terminal.expect("33 90\r\n")?;
    let (exit, _) = terminal.finish()?;
    expect_eq("how dbclient ended", &Exit::Code(4), &exit)
}

fn dropbear_wrong(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let canary = Canary::new("the wrong token", "wrong-token-canary-0123456789");
    let wrong = login.with_token("wrong-token-canary-0123456789");
    let ran = bench.dbclient(&wrong, &["-T"], "true")?.go()?;
    let failed = matches!(ran.exit, Exit::Code(1..));
    expect(failed, "a login with a wrong token", "a failure", ran.exit)?;
    ran.expect_silent_about(&canary)?;
    expect_refused_as(&server, "malformed")
}

/// Runs a program on paramiko, and reads the one JSON document it prints.
fn python(bench: &Bench, login: &Login, program: &str) -> Outcome<Value> {
    let ran = bench.paramiko(login, &format!("{CONNECT}\n{program}"))?.go()?;
    expect_end("the library client", 0, &ran)?;
    ran.stdout_json()
}

fn library_commands(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let due = json!({
        "password": [0, "ops\n", ""],
        "keyboard-interactive": [0, "ops\n", ""],
        "streams": [11, "out\n", "err\n"],
        "input": [0, "THROUGH\n", ""],
        "status_255": [255, "", ""],
        "killed": [-1, "begun\n", ""],
        "large": 300_000,
    });
    expect_eq("what the library client saw", &due, &python(bench, &login, COMMANDS)?)
}

fn library_terminal(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let due = json!({"first": "33 90", "second": "25 81", "status": 12});
    expect_eq("what the library client saw", &due, &python(bench, &login, TERMINAL)?)
}

fn library_channels(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let due = json!({
        "channels": 10,
        "freed": true,
        "direct-tcpip": "refused",
        "tcpip-forward": "refused",
        "x11": "refused",
        "sftp": "refused",
        "env": "refused",
        "agent": "unset",
        "alive": [0, "fine\n"],
    });
    expect_eq("what the library client saw", &due, &python(bench, &login, CHANNELS)?)
}

fn library_wrong(bench: &Bench) -> Outcome {
    let (server, login) = ssh_session(bench)?;
    let said = python(bench, &login, WRONG)?;
    let due = json!({
        "none": "not offered",
        "offered": ["keyboard-interactive", "password"],
        "publickey": "not offered",
        "password": "refused",
        "keyboard-interactive": "refused",
    });
    expect_eq("what the library client saw", &due, &said)?;
    expect_eq("the refusals", &vec!["malformed".to_owned(); 2], &refusals(&server)?)
}
