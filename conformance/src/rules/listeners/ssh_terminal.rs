//! A person at a terminal of an ssh session, through stock OpenSSH.

use super::{SSH_CHANNELS, rule, ssh_session};
use crate::bench::{Bench, Exit, Terminal};
use crate::rule::{Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect_eq};

/// How the standard machine of the default world asks for a command.
pub(super) const PROMPT: &str = "ops@web-01:~$ ";

pub(super) fn all() -> Vec<Rule> {
    vec![
        terminal("ssh.terminal.shell", "At a terminal the shell gives a prompt, echoes, runs what is typed and ends with its status")
            .source(SSH_CHANNELS, "Section 6.2, requesting a pseudo-terminal")
            .fix("Echo and edit lines on a pty, and end the shell with the status of exit.")
            .check(shell),
        terminal("ssh.terminal.window", "The terminal has the size of the client's window, and follows it")
            .source(SSH_CHANNELS, "Section 6.7, window dimension change")
            .fix("Take columns and rows from pty-req, and then from each window-change.")
            .check(window),
        terminal("ssh.terminal.interrupt", "Ctrl-C ends the command that runs, and not the shell; Ctrl-D ends the shell")
            .source(SSH_CHANNELS, "Section 6.2, encoded terminal modes")
            .fix("Turn the interrupt character into a signal for the command that runs.")
            .check(interrupt),
        terminal("ssh.terminal.exec", "A command may have a terminal too, and its status comes home")
            .source(SSH_CHANNELS, "Sections 6.2 and 6.5")
            .fix("Honour a pty for exec as for shell.")
            .check(exec),
    ]
}

fn terminal(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).needs([Need::Program("ssh"), Need::Program("setsid")])
}

fn expect_end(terminal: Terminal, code: i32) -> Outcome {
    let (exit, _) = terminal.finish()?;
    expect_eq("how ssh ended", &Exit::Code(code), &exit)
}

fn shell(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let mut terminal = bench.openssh()?.run(&login, &[], None)?.at_terminal(80, 24)?;
    terminal.expect(PROMPT)?;
    terminal.type_in("echo ty''ped; tty\r")?;
    terminal.expect("echo ty''ped; tty\r\n")?;
    terminal.expect("typed\r\n/dev/pts/")?;
    terminal.expect(PROMPT)?;
    // A mistake, rubbed out.
    terminal.type_in("echo wrog\x7fng\r")?;
    terminal.expect("\nwrong\r\n")?;
    terminal.expect(PROMPT)?;
    terminal.type_in("exit 5\r")?;
    expect_end(terminal, 5)
}

fn window(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let mut terminal = bench.openssh()?.run(&login, &[], None)?.at_terminal(100, 30)?;
    terminal.expect(PROMPT)?;
    terminal.type_in("stty size\r")?;
    terminal.expect("\n30 100\r\n")?;
    terminal.expect(PROMPT)?;
    terminal.resize(81, 25)?;
    // The change and the keys take different ways to ssh, so the second may be there first.
    for _ in 0..40 {
        terminal.type_in("stty size\r")?;
        terminal.expect("stty size\r\n")?;
        terminal.expect(PROMPT)?;
        if crate::bench::contains(&terminal.screen(), b"\n25 81\r\n") {
            break;
        }
    }
    terminal.type_in("exit\r")?;
    let (exit, screen) = terminal.finish()?;
    let follows = crate::bench::contains(&screen, b"\n25 81\r\n");
    crate::verdict::expect(
        follows,
        "the size after the change",
        "25 81",
        String::from_utf8_lossy(&screen),
    )?;
    expect_eq("how ssh ended", &Exit::Code(0), &exit)
}

fn interrupt(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let mut terminal = bench.openssh()?.run(&login, &[], None)?.at_terminal(80, 24)?;
    terminal.expect(PROMPT)?;
    terminal.type_in("sleep 1000\r")?;
    terminal.expect("sleep 1000\r\n")?;
    terminal.type_in("\x03")?;
    terminal.expect("^C")?;
    terminal.expect(PROMPT)?;
    terminal.type_in("echo status $?\r")?;
    terminal.expect("\nstatus 130\r\n")?;
    terminal.expect(PROMPT)?;
    terminal.type_in("(exit 4)\r")?;
    terminal.expect(PROMPT)?;
    terminal.type_in("\x04")?;
    expect_end(terminal, 4)
}

fn exec(bench: &Bench) -> Outcome {
    let (_server, login) = ssh_session(bench)?;
    let ssh = bench.openssh()?;
    let terminal = ssh.run(&login, &["-t"], Some("stty size; exit 6"))?.at_terminal(90, 33)?;
    terminal.expect("33 90\r\n")?;
    expect_end(terminal, 6)
}
