//! A real shell, for those who asked for one.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::client::{Client, ssh};
use crate::door_clients::stock_ssh;
use crate::doors::{Issued, Running as Program, program, run, text, until};
use crate::process::{Running, binary};

#[test]
fn it_is_offered_with_a_warning_and_ends_with_its_session() {
    let mut server = Running::of(binary().args(["--port", "0", "--host-shell"]).spawn().unwrap());
    let mut complaint = String::new();
    let stderr = server.child.stderr.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut complaint).unwrap();
    assert!(complaint.contains("warning") && complaint.contains("real shell"), "{complaint}");
    if program("ssh").is_none() {
        return;
    }
    let client = Client::new(server.text("http"));
    let home = tempfile::tempdir().unwrap();
    let mark = home.path().join("mark");
    std::fs::write(&mark, "on this machine").unwrap();
    let issued = Issued::new(&client, &ssh());
    let dial = || stock_ssh(home.path(), &issued);
    let line = format!("cat {}; env | grep -c PLEXSPHERE; cat; exit 6", mark.display());
    let output = run(dial().args([&issued.endpoint, &line]), "typed");
    assert_eq!(text(&output.stdout), "on this machine0\ntyped", "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(6));
    let output = run(dial().args(["-tt", &issued.endpoint, "tty; exit 7"]), "");
    assert!(text(&output.stdout).contains("/dev/"), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(7));

    // What was started in it goes with the session.
    let pid = home.path().join("pid");
    let line = format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 1000", pid.display());
    let mut sleeping = dial();
    sleeping.args([&issued.endpoint, &line]).stdin(Stdio::null()).stderr(Stdio::null());
    let mut sleeping = Program(sleeping.spawn().unwrap());
    until("a shell", || pid.exists());
    let shell = std::fs::read_to_string(&pid).unwrap();
    let alive = || {
        let mut kill = Command::new("kill");
        kill.args(["-0", shell.trim()]).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(alive());
    client.revoke(&issued.id);
    sleeping.ends_soon();
    until("the shell is gone", || !alive());
}

/// Types into a shell that jobs are started in: one of the terminal, one of a session of its own,
/// one without a parent. Their process ids, once all of them run.
fn jobs(home: &Path, issued: &Issued) -> (Program, Vec<String>) {
    let files: Vec<_> = ["job", "session", "orphan"].map(|name| home.join(name)).into();
    let [job, session, orphan] = [0, 1, 2].map(|n| files[n].display().to_string());
    let mut shell = stock_ssh(home, issued);
    shell.args(["-tt", &issued.endpoint]).stdin(Stdio::piped());
    let mut shell = shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let say = |file: &str| format!("'echo $$ > {file}.new; mv {file}.new {file}; exec sleep 1000'");
    let text = format!(
        "set -m\nsh -c {} &\nsetsid sh -c {} &\n(setsid sh -c {} &)\n",
        say(&job),
        say(&session),
        say(&orphan)
    );
    std::io::Write::write_all(shell.stdin.as_mut().unwrap(), text.as_bytes()).unwrap();
    until("three jobs", || files.iter().all(|file| file.exists()));
    let read = |file| std::fs::read_to_string(file).unwrap().trim().to_owned();
    (Program(shell), files.iter().map(read).collect())
}

fn runs(pid: &String) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that has ended may wait to be asked after, by whoever is its parent now.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_that_was_started_in_it_is_left_behind() {
    if [program("ssh"), program("setsid")].iter().any(Option::is_none) {
        return;
    }
    let server = Running::start(&["--host-shell"]);
    let client = Client::new(server.text("http"));
    let home = tempfile::tempdir().unwrap();
    let issued = Issued::new(&client, &ssh());
    let (mut shell, pids) = jobs(home.path(), &issued);
    assert!(pids.iter().all(runs), "{pids:?}");
    client.revoke(&issued.id);
    shell.ends_soon();
    until("the jobs are gone", || !pids.iter().any(runs));

    let home = tempfile::tempdir().unwrap();
    let (_shell, pids) = jobs(home.path(), &Issued::new(&client, &ssh()));
    assert_eq!(server.stop_and_tell().2, Some(0));
    until("the jobs are gone with the server", || !pids.iter().any(runs));
}

#[test]
fn it_is_never_offered_to_the_network() {
    let mut command = binary();
    let output = command.args(["--port", "0", "--host-shell", "--bind", "0.0.0.0"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("loopback"), "{}", text(&output.stderr));
}
