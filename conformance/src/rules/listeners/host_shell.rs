//! The shell of this machine that `--host-shell` offers in the place of the simulated one.

use rustix::process::{Pid, test_kill_process};

use super::ssh::expect_end;
use super::{GUIDE, open, revoke, rule};
use crate::bench::{Bench, Family, Login, SOON, ServerOptions, until};
use crate::rule::{Need, Rule};
use crate::verdict::{Outcome, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("ssh.host_shell", "With --host-shell a session's commands run on this machine, and end with the session")
            .source(GUIDE, "What sessions lead to, --host-shell")
            .needs([Need::Program("ssh"), Need::SpawnableServer])
            .fix("Start the shell of whoever runs the server, and end what it started when the session ends.")
            .check(host_shell),
    ]
}

fn host_shell(bench: &Bench) -> Outcome {
    let server = bench.server_with(&ServerOptions::with(&["--host-shell"]))?;
    let issued = open(&server, Family::Ssh)?;
    let login = Login::of(&issued)?;
    let ssh = bench.openssh()?;
    let mark = bench.sandbox()?.write("tmp/mark", "on this machine", 0o600)?;
    let command = format!("cat '{}'; exit 6", mark.display());
    let ran = ssh.run(&login, &[], Some(&command))?.go()?;
    expect_end(&command, 6, &ran)?;
    expect_eq("stdout", &"on this machine".to_owned(), &ran.stdout_text())?;

    let told = mark.with_file_name("pid");
    let command =
        format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 1000", told.display());
    let sleeping = ssh.run(&login, &[], Some(&command))?.spawn()?;
    until("a command that runs", SOON, || {
        Ok(if told.exists() { Ok(()) } else { Err("nothing has begun".into()) })
    })?;
    let number = std::fs::read_to_string(&told)?;
    let pid = number.trim().parse().ok().and_then(Pid::from_raw);
    let runs = || pid.is_some_and(|pid| test_kill_process(pid).is_ok());
    expect_eq("whether the command runs", &true, &runs())?;
    revoke(&server, &issued)?;
    until("the end of the command", SOON, || {
        Ok(if runs() { Err("it still runs".into()) } else { Ok(()) })
    })?;
    sleeping.finish().map(drop)
}
