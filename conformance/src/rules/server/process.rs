//! The server as a program: its ready line, its end, its exit codes, its files.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::installation::{expect_sessions, issued, policy, world};
use crate::bench::patience::Pauses;
use crate::bench::{
    Bench, DeafPort, EntryKind, Family, Identity, Ran, Run, Running, ServerOptions, contains,
};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, broken, expect, expect_eq, fail};

pub(super) fn all() -> Vec<Rule> {
    vec![
        rule("ready_line", "stdout is exactly one line of JSON: addresses, CA file and pid")
            .fix("Print the ready line once requests are answered, and nothing else on stdout.")
            .check(ready_line),
        rule("ready_file", "The ready file holds the ready line from its first moment on, and goes with its server")
            .fix("Write the ready file aside and rename it into place.")
            .check(ready_file),
        rule("ready_text", "The greeting names both addresses, the CA file, the tokens, and the six examples of the command pages")
            .fix("Greet with what a person has to type next.")
            .check(ready_text),
        rule("sigterm", "SIGTERM ends the server with 0, and its temporary files are gone")
            .fix("Stop accepting, finish what is under way, remove the CA's directory, exit 0.")
            .check(|bench| ended_by(bench, Signal::TERM)),
        rule("sigint", "SIGINT ends the server with 0, and its temporary files are gone")
            .fix("Treat SIGINT like SIGTERM.")
            .check(|bench| ended_by(bench, Signal::INT)),
        rule("under_way", "A request under way at SIGTERM still gets its answer")
            .fix("Finish requests under way before the process ends.")
            .check(under_way),
        rule("port_in_use", "A port in use is exit 1, and says which")
            .fix("Name the address on stderr, print no ready line, exit 1.")
            .check(port_in_use),
        rule("usage", "What the command line does not know is exit 2, before anything is done")
            .fix("Refuse unknown flags and values with 2.")
            .check(usage),
        rule("world_missing", "A world file that is not there, or makes no sense, is exit 1 and named")
            .fix("Name the file and the mistake on stderr, exit 1.")
            .check(bad_worlds),
        rule("world_file", "A world file from disk is the world")
            .fix("Read --world as a file where it is not the name of an embedded world.")
            .check(world_file),
        rule("state_dir", "With --state-dir the CA outlives the process, its key private")
            .needs([Need::Unix])
            .fix("Keep certificate and key in the directory, the key with mode 0600, and use them again.")
            .check(state_dir),
        rule("bind_warning", "Listening beyond the loopback is warned of on stderr")
            .fix("Warn that the tokens are public when --bind is not a loopback address.")
            .check(bind_warning),
        rule("host_shell", "A shell of this machine is warned of on stderr, and never offered beyond the loopback")
            .source("docs/mock-server.md", "--host-shell, loopback addresses only")
            .fix("Warn of --host-shell, and refuse it with 1 beside another --bind than a loopback address.")
            .check(host_shell),
        rule("env", "`env` prints the three export lines that point plexctl at a running server")
            .fix("Print export lines for PLEXSPHERE_URL, PLEXSPHERE_CA_FILE and PLEXSPHERE_TOKEN.")
            .check(env),
        rule("env_without_server", "`env` without a server is exit 1 with nothing on stdout")
            .fix("Print nothing to be evaluated when there is no server.")
            .check(env_without_server),
        rule("help", "--help and --version are exit 0, on stdout")
            .fix("Answer --help and --version on stdout with 0.")
            .check(help),
    ]
}

fn rule(slug: &str, title: &'static str) -> RuleDraft {
    Rule::should(format!("server.process.{slug}"), Side::Server)
        .source("docs/mock-server.md", "Running")
        .claims([Claim::operation("GetHealth", 200)])
        .needs([Need::SpawnableServer])
        .title(title)
}

/// A running server and its ready document, which it wrote to a file.
struct Started<'b> {
    process: Running<'b>,
    ready: Value,
}

fn started<'b>(bench: &'b Bench, args: &[&str]) -> Outcome<Started<'b>> {
    let file = bench.sandbox()?.path("ready.json");
    let run = bench.server_program()?.args(["--port", "0", "--ready-file"]).arg(&file).args(args);
    wait_for(run, &file)
}

fn wait_for<'b>(run: Run<'b>, file: &Path) -> Outcome<Started<'b>> {
    let mut process = run.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut pauses = Pauses::new();
    loop {
        if let Ok(bytes) = std::fs::read(file) {
            // Whoever sees the file sees all of it.
            let ready = serde_json::from_slice(&bytes).or_else(|error| {
                fail(
                    "the ready file",
                    "one JSON document",
                    format!("{error} in {} bytes", bytes.len()),
                )
            })?;
            return Ok(Started { process, ready });
        }
        if !process.is_alive()? || Instant::now() > deadline {
            let ran = process.finish()?;
            return fail(
                "the server",
                "a ready file",
                format!("{}: {}", ran.exit, ran.stderr_text()),
            );
        }
        pauses.rest();
    }
}

impl Started<'_> {
    fn end(self, signal: Signal) -> Outcome<(Value, Ran)> {
        self.process.signal(signal)?;
        Ok((self.ready, self.process.finish()?))
    }

    fn pem(&self) -> Outcome<String> {
        let path = self.ready["ca_file"].as_str().unwrap_or_default();
        std::fs::read_to_string(path)
            .or_else(|error| fail("the CA file", "a file", format!("{path}: {error}")))
    }
}

fn ready_line(bench: &Bench) -> Outcome {
    let started = started(bench, &[])?;
    let pid = started.process.pid();
    started.pem()?;
    let (ready, ran) = started.end(Signal::TERM)?;
    let stdout = ran.stdout_text();
    expect_eq("the lines on stdout", &1, &stdout.lines().count())?;
    expect(stdout.ends_with('\n'), "stdout", "a whole line", &stdout)?;
    let line = ran.stdout_json()?;
    expect_eq("the ready line", &ready, &line)?;
    expect_eq("the event", &json!("ready"), &line["event"])?;
    expect_eq("the pid", &json!(pid), &line["pid"])?;
    for (field, begin) in
        [("http", "http://127.0.0.1:"), ("https", "https://localhost:"), ("ca_file", "/")]
    {
        let text = line[field].as_str().unwrap_or_default();
        expect(text.starts_with(begin), field, format!("{begin}..."), text)?;
    }
    ran.expect_stderr_empty()
}

fn ready_file(bench: &Bench) -> Outcome {
    let file = bench.sandbox()?.write("cwd/ready.json", "what stood there before", 0o644)?;
    std::fs::remove_file(&file)?;
    let (ready, ran) = started(bench, &["--output", "text"])?.end(Signal::TERM)?;
    expect_eq("the event", &json!("ready"), &ready["event"])?;
    ran.expect_no_file_changes()
}

fn ready_text(bench: &Bench) -> Outcome {
    let (ready, ran) = started(bench, &["--output", "text"])?.end(Signal::TERM)?;
    let stdout = ran.stdout_text();
    let mut due: Vec<String> = ["http", "https", "ca_file"]
        .iter()
        .map(|field| ready[*field].as_str().unwrap_or_default().to_owned())
        .collect();
    due.extend(
        [
            "psk_dev_operator",
            "psk_dev_outsider",
            "PLEXSPHERE_URL=",
            "PLEXSPHERE_CA_FILE=",
            "PLEXSPHERE_TOKEN=",
            "--impersonate-user platform-admin",
            "--impersonate-group system:masters",
            "--login-user ops",
            "--reveal-secrets",
            "--host 10.0.0.5",
            "--local-addr 127.0.0.1:15432",
            "--output-file ./plexsphere.kubeconfig",
        ]
        .map(str::to_owned),
    );
    for text in due {
        expect(stdout.contains(&text), "the greeting", &text, "it is not there")?;
    }
    expect(
        !stdout.contains('\u{1b}'),
        "the greeting where stdout is no terminal",
        "no escapes",
        "some",
    )
}

fn ended_by(bench: &Bench, signal: Signal) -> Outcome {
    let started = started(bench, &[])?;
    let (ready, ran) = started.end(signal)?;
    ran.expect_exit(0)?;
    let ca = PathBuf::from(ready["ca_file"].as_str().unwrap_or_default());
    expect(!ca.exists(), "the CA file after the end", "none", ca.display())?;
    ran.expect_no_file_changes()
}

fn under_way(bench: &Bench) -> Outcome {
    let mut server = world(bench, |world| world["signer"]["delay_ms"] = json!(500))?;
    let call = server.issue(Family::Ssh, Identity::Operator)?;
    let call = call.edit(|body| body["idempotency_key"] = json!("k"));
    let (done, heard) = mpsc::channel();
    for _ in 0..2 {
        let (done, call) = (done.clone(), call.clone());
        thread::spawn(move || drop(done.send(call.send())));
    }
    drop(done);
    let next = || heard.recv().unwrap_or_else(|_| broken("a request panicked"));
    // Whoever is refused for the key knows that the other request is under way.
    next()?.expect_problem(409, "idempotent_replay")?;
    server.signal(Signal::TERM)?;
    next()?.expect(201)?;
    expect_eq("the exit code", &Some(0), &server.ended()?)
}

fn port_in_use(bench: &Bench) -> Outcome {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = taken.local_addr()?.port().to_string();
    let ran = bench.server_program()?.args(["--port", &port]).go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_has(&port)?;
    ran.expect_no_file_changes()
}

fn usage(bench: &Bench) -> Outcome {
    for args in [
        &["--colour"][..],
        &["--port", "many"],
        &["--port", "65536"],
        &["--contract", "2026-05"],
        &["--clock", "noon"],
        &["--seed", "x"],
        &["--output", "yaml"],
        &["--bind", "here"],
        &["--journal", "-1"],
        &["serve"],
        &["--world"],
    ] {
        let ran = bench.server_program()?.args(args).go()?;
        ran.expect_exit(2)?;
        ran.expect_stdout_empty()?;
        ran.expect_stderr_says_something()?;
        ran.expect_no_file_changes()?;
    }
    Ok(())
}

fn bad_worlds(bench: &Bench) -> Outcome {
    let sandbox = bench.sandbox()?;
    sandbox.write("cwd/empty.yaml", "", 0o644)?;
    sandbox.write("cwd/noise.yaml", [0xff, 0xfe, 0, 1], 0o644)?;
    sandbox.write("cwd/colour.yaml", "name: x\ncolour: green\n", 0o644)?;
    for (name, word) in [
        ("missing.yaml", "missing.yaml"),
        ("empty.yaml", "empty.yaml"),
        ("noise.yaml", "noise.yaml"),
        ("colour.yaml", "colour"),
        (".", "."),
    ] {
        let ran = bench.server_program()?.args(["--port", "0", "--world", name]).go()?;
        ran.expect_exit(1)?;
        ran.expect_stdout_empty()?;
        ran.expect_stderr_has(word)?;
        ran.expect_no_file_changes()?;
    }
    Ok(())
}

fn world_file(bench: &Bench) -> Outcome {
    let mut world = bench.server()?.control("GET", "/__mock/world", None)?;
    world["name"] = json!("made-to-measure");
    policy(&mut world)["max_sessions_per_identity"] = json!(1);
    let file = bench.sandbox()?.write("cwd/world.yaml", world.to_string(), 0o644)?;
    let file = file.display().to_string();
    let server = bench.server_with(&ServerOptions::with(&["--world", &file]))?;
    let found = server.control("GET", "/__mock/world", None)?;
    expect_eq("the name of the world", &world["name"], &found["name"])?;
    issued(&server, Family::Ssh, Identity::Operator)?;
    let call = server.issue(Family::Ssh, Identity::Operator)?;
    super::installation::expect_refused(call, 429, "session_limit_exceeded")?;
    expect_sessions(&server, 1)
}

fn state_dir(bench: &Bench) -> Outcome {
    let dir = bench.sandbox()?.path("state");
    let dir = dir.display().to_string();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let started = started(bench, &["--state-dir", &dir])?;
        seen.push(started.pem()?);
        let (_, ran) = started.end(Signal::TERM)?;
        ran.expect_exit(0)?;
        for (path, entry) in ran.after.iter() {
            if entry.kind == EntryKind::File && contains(&entry.content, b"PRIVATE KEY") {
                expect_eq(format!("the mode of {}", path.display()), &0o600, &entry.mode)?;
            }
        }
    }
    expect_eq("the CA of the second run", &seen[0], &seen[1])
}

fn bind_warning(bench: &Bench) -> Outcome {
    let (_, ran) = started(bench, &["--bind", "0.0.0.0"])?.end(Signal::TERM)?;
    ran.expect_exit(0)?;
    ran.expect_stderr_says_something()?;
    expect_eq("the lines on stdout", &1, &ran.stdout_text().lines().count())?;
    let (_, ran) = started(bench, &["--bind", "127.0.0.1"])?.end(Signal::TERM)?;
    ran.expect_stderr_empty()
}

fn host_shell(bench: &Bench) -> Outcome {
    let (_, ran) = started(bench, &["--host-shell"])?.end(Signal::TERM)?;
    ran.expect_exit(0)?;
    ran.expect_stderr_says_something()?;
    let args = ["--port", "0", "--host-shell", "--bind", "0.0.0.0"];
    let ran = bench.server_program()?.args(args).go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()
}

fn env(bench: &Bench) -> Outcome {
    let started = started(bench, &[])?;
    let text = |field: &str| started.ready[field].as_str().unwrap_or_default().to_owned();
    let port = text("http").rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default();
    let file = bench.sandbox()?.path("ready.json").display().to_string();
    for (args, token) in [
        (vec!["--port", &port], "psk_dev_operator"),
        (vec!["--ready-file", &file], "psk_dev_operator"),
        (vec!["--port", &port, "--token", "psk_dev_basic"], "psk_dev_basic"),
    ] {
        let ran = bench.server_program()?.arg("env").args(&args).go()?;
        ran.expect_exit(0)?;
        let stdout = ran.stdout_text();
        let lines: Vec<String> = stdout.lines().map(|line| line.replace(['\'', '"'], "")).collect();
        for due in [
            format!("export PLEXSPHERE_URL={}", text("https")),
            format!("export PLEXSPHERE_CA_FILE={}", text("ca_file")),
            format!("export PLEXSPHERE_TOKEN={token}"),
        ] {
            expect(lines.contains(&due), "a line of `env`", &due, &stdout)?;
        }
        expect_eq("the number of lines", &3, &lines.len())?;
    }
    started.end(Signal::TERM).map(drop)
}

fn env_without_server(bench: &Bench) -> Outcome {
    let deaf = DeafPort::new()?;
    for args in [["--port", &deaf.address().port().to_string()], ["--ready-file", "nowhere.json"]] {
        let ran = bench.server_program()?.arg("env").args(args).go()?;
        ran.expect_exit(1)?;
        ran.expect_stdout_empty()?;
        ran.expect_stderr_says_something()?;
    }
    Ok(())
}

fn help(bench: &Bench) -> Outcome {
    for flag in ["--help", "--version"] {
        let ran = bench.server_program()?.arg(flag).go()?;
        ran.expect_exit(0)?;
        ran.expect_stderr_empty()?;
        expect(!ran.stdout.is_empty(), format!("stdout of {flag}"), "some text", "nothing")?;
        ran.expect_no_file_changes()?;
    }
    Ok(())
}
