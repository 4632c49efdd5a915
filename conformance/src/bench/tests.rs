//! The bench tried with /bin/sh in the place of plexctl.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::target::Target;
use crate::verdict::Reason;

fn bench() -> Bench {
    let target = Target { plexctl: Some("/bin/sh".into()), ..Target::default() };
    Bench::new(Arc::new(target))
}

fn shell<'b>(bench: &'b Bench, script: &str) -> Run<'b> {
    bench.plexctl().unwrap().arg("-c").arg(script)
}

#[test]
fn a_run_is_seen_whole() {
    let bench = bench();
    let ran =
        shell(&bench, "echo out; echo err >&2; umask 077; echo x > made; exit 77").go().unwrap();
    ran.expect_exit(77).unwrap();
    assert_eq!((ran.stdout_text(), ran.stderr_text()), ("out\n".into(), "err\n".into()));
    assert_eq!(ran.expect_file("cwd/made", 0o600).unwrap(), b"x\n");
    assert_eq!(ran.file_changes(), ["+ cwd/made (File 0600 2 bytes)"]);
    assert!(matches!(ran.expect_exit(4), Err(Reason::Failure(_))));
    assert!(ran.expect_stdout_empty().is_err() && ran.expect_no_file_changes().is_err());
}

#[test]
fn the_environment_is_the_sandbox_and_nothing_else() {
    let bench = bench();
    let ran = shell(&bench, "/usr/bin/env").env("EXTRA", "1").go().unwrap();
    let text = ran.stdout_text();
    let mut names: Vec<&str> =
        text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name));
    names.sort_unstable();
    let expected = ["EXTRA", "HOME", "LANG", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];
    assert_eq!(names, expected);
}

#[test]
fn the_umask_is_the_one_asked_for() {
    let bench = bench();
    for mask in [0o000, 0o022, 0o077] {
        let ran = shell(&bench, "umask").umask(mask).go().unwrap();
        assert_eq!(u32::from_str_radix(ran.stdout_text().trim(), 8), Ok(mask));
    }
}

#[test]
fn a_hung_subject_is_killed_with_all_it_started() {
    let bench = bench();
    let ran = shell(&bench, "(/bin/sleep 600; echo late) & echo early; wait")
        .timeout(Duration::from_millis(200))
        .go()
        .unwrap();
    assert_eq!(ran.exit, Exit::TimedOut);
    assert_eq!(ran.stdout_text(), "early\n");
    assert!(ran.duration < Duration::from_secs(5));
}

#[test]
fn streams_can_be_full_or_broken() {
    let bench = bench();
    let full = shell(&bench, "echo x || exit 9").stdout(Sink::To("/dev/full".into())).go().unwrap();
    full.expect_exit(9).unwrap();
    let broken =
        shell(&bench, "trap '' PIPE; echo x || exit 8").stdout(Sink::BrokenPipe).go().unwrap();
    broken.expect_exit(8).unwrap();
    let died = shell(&bench, "kill -TERM $$").go().unwrap();
    assert_eq!(died.exit, Exit::Signal(15));
}

#[test]
fn the_fake_ssh_writes_down_every_call() {
    let bench = bench();
    let ssh = bench.fake_ssh(Ending::Status(7)).unwrap();
    ssh.expect_not_started().unwrap();
    let ran = shell(&bench, "SECRET=s3cret-token-value ssh 'a b' '' -x").go().unwrap();
    ran.expect_exit(7).unwrap();
    ran.expect_no_file_changes().unwrap();
    let call = ssh.expect_one_call().unwrap();
    assert_eq!(call.args, ["a b", "", "-x"]);
    let canary = Canary::new("the secret", "s3cret-token-value");
    assert_eq!(call.variables_with(&canary), ["SECRET"]);
    call.expect_argv_silent_about(&Canary::new("a word", "unspoken-word")).unwrap();
    assert!(call.expect_argv_silent_about(&Canary::new("the option", "a b")).is_err());
    assert!(!call.stdin_is_terminal);
}

#[test]
fn evidence_never_shows_a_secret() {
    let bench = bench();
    bench.evidence().hide(Canary::new("a word", "open-sesame-1001"));
    bench.evidence().note("said: open-sesame-1001");
    bench.evidence().note("authorization: Bearer psk_dev_operator");
    assert_eq!(
        bench.evidence().lines(),
        ["said: [a word]", "authorization: Bearer [operator credential]"]
    );
    let long = format!("{}psk_dev_operator", "x".repeat(4090));
    bench.evidence().note(long);
    let cut = bench.evidence().lines().pop().unwrap();
    assert!(cut.ends_with("[cut]") && !cut.contains("psk_"), "{cut}");
}
