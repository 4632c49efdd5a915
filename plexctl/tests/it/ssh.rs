//! Which ssh is started, with what, and what becomes of its end.

use std::fs;
use std::process::Command;

use crate::stage::{OPERATOR, PIN, Play, Sandbox, Server, TOKEN, line, names, write_executable};

/// Writes down how it was called; the exit status is the test's.
const RECORDER: &str = "#!/bin/sh
printf '%s\\n' \"$#\" \"$@\" > args
env > environment
ps -o args= -p $PPID > parent
exit ${STATUS:-0}
";

fn endpoint() -> String {
    format!("ssh://ops;fingerprint={PIN}@127.0.0.1:2301")
}

fn server(endpoint: &str) -> Server {
    Server::start(vec![Play::issued("ssh", endpoint)])
}

#[test]
fn one_argument_and_one_secret() {
    let sandbox = Sandbox::new();
    sandbox.fake_ssh(RECORDER);
    sandbox
        .run(&server(&endpoint()), "ssh")
        .env("PLEXCTL_SESSION_TOKEN", "stale")
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()))
        .assert()
        .success()
        .stdout("")
        .stderr("");
    let read = |name: &str| fs::read_to_string(sandbox.work().join(name)).unwrap();
    assert_eq!(read("args"), format!("1\n{}\n", endpoint()));
    assert!(!read("parent").contains(TOKEN) && !read("parent").contains(OPERATOR));
    let environment = read("environment");
    assert!(!environment.contains(OPERATOR) && !environment.contains("stale"), "{environment}");
    assert_eq!(environment.matches(TOKEN).count(), 1);
    for line in [
        format!("PLEXCTL_SESSION_TOKEN={TOKEN}"),
        "SSH_ASKPASS_REQUIRE=force".into(),
        "PLEXCTL_ASKPASS=1".into(),
        format!("PLEXCTL_ASKPASS_PIN={PIN}"),
        "PLEXCTL_ASKPASS_LOGIN=ops@127.0.0.1".into(),
    ] {
        assert!(environment.lines().any(|other| other == line), "{line} in {environment}");
    }
    let askpass = environment.lines().find_map(|line| line.strip_prefix("SSH_ASKPASS=")).unwrap();
    assert!(std::path::Path::new(askpass).is_absolute() && !askpass.contains("/proc/"));
}

#[test]
fn a_helper_of_ones_own_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.fake_ssh(RECORDER);
    sandbox
        .run(&server(&endpoint()), "ssh")
        .arg("--no-askpass")
        .env("SSH_ASKPASS", "/mine")
        .env("PLEXCTL_ASKPASS_PIN", "stale")
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()))
        .assert()
        .success();
    let environment = fs::read_to_string(sandbox.work().join("environment")).unwrap();
    assert!(environment.contains("SSH_ASKPASS=/mine\n"));
    assert!(!environment.contains("PLEXCTL_ASKPASS") && !environment.contains("REQUIRE"));
    assert!(environment.contains(TOKEN));
}

#[test]
fn a_bare_endpoint_is_verbatim_or_a_uri() {
    for (args, switch, expected) in [
        (&[][..], None, "h.example:22"),
        (&["--ssh-uri"][..], None, "ssh://ops@h.example:22"),
        (&[][..], Some("1"), "ssh://ops@h.example:22"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.fake_ssh(RECORDER);
        let mut command = sandbox.run(&server("h.example:22"), "ssh");
        command.args(args).env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
        if let Some(value) = switch {
            command.env("PLEXCTL_SSH_URI", value);
        }
        command.assert().success();
        let args = fs::read_to_string(sandbox.work().join("args")).unwrap();
        assert_eq!(args, format!("1\n{expected}\n"));
    }
}

#[test]
fn how_ssh_ended() {
    let table = [
        ("exit 0", false, 0, ""),
        ("exit 7", false, 1, "ended with exit status 7"),
        ("exit 255", false, 1, "--ssh-uri"),
        ("kill -9 $$", false, 1, "signal 9"),
        ("kill -2 $$", false, 1, "signal 2"),
        ("exit 7", true, 7, ""),
        ("exit 255", true, 255, "exit status 255"),
        ("kill -9 $$", true, 137, "signal 9"),
    ];
    for (script, pass, code, said) in table {
        let sandbox = Sandbox::new();
        sandbox.fake_ssh(&format!("#!/bin/sh\n{script}\n"));
        let server = server("h.example:22");
        let mut command = sandbox.run(&server, "ssh");
        if pass {
            command.arg("--pass-exit-status");
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}: {stderr}");
        assert!(
            stderr.contains(said) && stderr.is_empty() == said.is_empty(),
            "{script}: {stderr}"
        );
        assert_eq!((server.issues(), server.revokes()), (1, 0));
    }
}

#[test]
fn only_an_executable_ssh_in_an_absolute_directory_counts() {
    let sandbox = Sandbox::new();
    let server = server(&endpoint());
    let work = sandbox.work();
    write_executable(&work.join("ssh"), "#!/bin/sh\ntouch started\n");
    fs::create_dir_all(sandbox.path("directory/ssh")).unwrap();
    fs::create_dir(sandbox.path("plain")).unwrap();
    fs::write(sandbox.path("plain/ssh"), "#!/bin/sh\ntouch started\n").unwrap();
    let odd = format!(
        ":.:./:relative:{}:{}:",
        sandbox.path("directory").display(),
        sandbox.path("plain").display()
    );
    for path in [Some(odd.as_str()), Some(""), None] {
        let mut command = sandbox.run(&server, "ssh");
        match path {
            Some(path) => command.env("PATH", path),
            None => command.env_remove("PATH"),
        };
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("local ssh client not found"), "{stderr}");
    }
    assert_eq!(names(&work), ["ssh"]);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_ssh_that_cannot_be_started_costs_the_session() {
    let sandbox = Sandbox::new();
    let server = server(&endpoint());
    sandbox.fake_ssh("#!/no/such/interpreter\n");
    let output = sandbox.run(&server, "ssh").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("plexctl: ssh: cannot start "));
    assert_eq!((server.issues(), server.revokes()), (1, 1));
}

#[test]
fn a_bad_endpoint_starts_nothing() {
    for endpoint in ["-oProxyCommand=touch started:22", "ssh://-oX@h:22", "h:0", "a b:22"] {
        let sandbox = Sandbox::new();
        sandbox.fake_ssh("#!/bin/sh\n: > started\n");
        sandbox.run(&server(endpoint), "ssh").assert().code(1);
        assert!(names(&sandbox.work()).is_empty(), "{endpoint}");
    }
}

#[test]
fn a_signal_for_plexctl_reaches_ssh_and_ends_both() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    let sandbox = Sandbox::new();
    sandbox.fake_ssh(
        "#!/bin/sh\ntrap 'echo told; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n",
    );
    let server = server(&endpoint());
    let mut child = Command::new(env!("CARGO_BIN_EXE_plexctl"))
        .args(line("ssh"))
        .env_clear()
        .env("PLEXSPHERE_URL", &server.url)
        .env("PLEXSPHERE_TOKEN", "psk_x")
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let id = child.id().to_string();
    // Ctrl-C is ssh's business while it runs.
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(lines.next().unwrap().unwrap(), "told");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

fn askpass(prompt: &str, pin: Option<&str>) -> (i32, String) {
    let sandbox = Sandbox::new();
    let mut command = sandbox.plexctl();
    command
        .arg(prompt)
        .env("PLEXCTL_ASKPASS", "1")
        .env("PLEXCTL_ASKPASS_LOGIN", "ops@127.0.0.1")
        .env("PLEXCTL_ASKPASS_PORT", "2301")
        .env("PLEXCTL_SESSION_TOKEN", TOKEN);
    if let Some(pin) = pin {
        command.env("PLEXCTL_ASKPASS_PIN", pin);
    }
    let output = command.output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains(TOKEN));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn as_askpass_it_answers_its_own_prompts_only() {
    let host_key = "The authenticity of host '[127.0.0.1]:2301 ([127.0.0.1]:2301)' can't be \
        established.\nED25519 key fingerprint is SHA256:x.\nAre you sure you want to continue \
        connecting (yes/no/[fingerprint])? ";
    assert_eq!(askpass("ops@127.0.0.1's password: ", None), (0, format!("{TOKEN}\n")));
    assert_eq!(askpass(host_key, Some(PIN)), (0, format!("{PIN}\n")));
    let again = "Please type 'yes', 'no' or the fingerprint: ";
    assert_eq!(askpass(again, Some(PIN)), (0, "no\n".into()));
    for prompt in ["root@127.0.0.1's password: ", "Enter passphrase for key '/k': ", "--help", ""] {
        assert_eq!(askpass(prompt, Some(PIN)), (1, String::new()), "{prompt}");
    }
    let sandbox = Sandbox::new();
    sandbox
        .plexctl()
        .arg("ops@127.0.0.1's password: ")
        .env("PLEXCTL_ASKPASS", "1")
        .env("SSH_ASKPASS_PROMPT", "confirm")
        .env("PLEXCTL_SESSION_TOKEN", TOKEN)
        .assert()
        .code(1)
        .stdout("");
    // The switch alone does not take the command line away from whoever inherited it.
    sandbox.plexctl().args(["ssh", "--help"]).env("PLEXCTL_ASKPASS", "1").assert().success();
}
