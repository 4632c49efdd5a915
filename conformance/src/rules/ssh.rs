//! The local ssh client: what it is started with, and what becomes of its end.

use serde_json::json;

use super::scene::Scene;
use crate::bench::{Answer, Bench, Ending, Family, SshCall};
use crate::rule::{Claim, Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(crate) fn all() -> Vec<Rule> {
    let mut rules = vec![
        must("one_argument", "builds the argv ssh <listener_endpoint>")
            .title("ssh is started with the listener endpoint as its one argument, word for word")
            .claims([Claim::hostile("C12")])
            .check(one_argument),
        must("streams_inherited", "execs the local ssh client")
            .title("ssh reads and writes the streams plexctl was given, in the caller's directory")
            .check(streams_inherited),
        must("after_the_session", "issues a session, then execs the local ssh client")
            .title("ssh is started once, after the session was issued")
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                scene.expect_done(&scene.run(Family::Ssh)?.go()?)?;
                let call = scene.ssh.expect_one_call()?;
                let issued = scene.referee.issued()[0].body["listener_endpoint"].clone();
                expect_eq("the argument", &issued, &json!(call.args.join(" ")))
            }),
        must("exec_failure", "1: a non-missing-binary ssh exec error")
            .title("an ssh that is there but cannot be started is 1, and the session is given back")
            .claims([Claim::exit("ssh.1"), Claim::exit("ssh.1.exec_error"), Claim::hostile("C26")])
            .check(|bench| {
                let scene = Scene::honest(bench)?;
                bench.sandbox()?.write_program("bin/ssh", "#!/no/such/interpreter\n")?;
                scene.expect_given_up(&scene.run(Family::Ssh)?.go()?)
            }),
        should("environment_kept", "0005-token-to-ssh.md")
            .title("the rest of the caller's environment reaches ssh unchanged")
            .check(|bench| {
                let call = called(bench, None, &[("TERM", "xterm-256color"), ("SSH_AUTH_SOCK", "/x/agent"), ("LC_ALL", "C")], &[])?;
                for (key, value) in [("TERM", "xterm-256color"), ("SSH_AUTH_SOCK", "/x/agent"), ("LC_ALL", "C")] {
                    expect_eq(key, &Some(value.to_owned()), &call.env.get(key).cloned())?;
                }
                Ok(())
            }),
        should("uri_by_flag", "0004-ssh-argument.md")
            .needs([Need::Offers("--ssh-uri")])
            .title("--ssh-uri turns host:port into ssh://USER@host:port, percent-encoded, and leaves a URI alone")
            .check(|bench| uri(bench, &["--ssh-uri"], &[])),
        should("uri_by_environment", "0004-ssh-argument.md")
            .needs([Need::Offers("--ssh-uri")])
            .title("PLEXCTL_SSH_URI=1 does what --ssh-uri does")
            .check(|bench| uri(bench, &[], &[("PLEXCTL_SSH_URI", "1")])),
        should("hint_for_host_port", "0004-ssh-argument.md")
            .needs([Need::Offers("--ssh-uri")])
            .title("when ssh could not dial a bare host:port, stderr names --ssh-uri")
            .check(|bench| {
                let patch = json!([{"op": "replace", "path": "/listener_endpoint", "value": "h.example:22"}]);
                let script = bench.referee()?.answer(Answer::issued_with(patch));
                let scene = Scene::ending(bench, script, Ending::Status(255))?;
                let ran = scene.run(Family::Ssh)?.go()?;
                ran.expect_exit(1)?;
                scene.ssh.expect_one_call()?;
                ran.expect_stderr_has("--ssh-uri")
            }),
    ];
    rules.extend(endings());
    rules.extend(passed_on());
    rules.extend(dangerous_endpoints());
    rules
}

fn must(id: &str, fact: &'static str) -> RuleDraft {
    finish(Rule::must(format!("ssh.client.{id}"), Side::Client).source(Family::Ssh.page(), fact))
}

fn should(id: &str, record: &str) -> RuleDraft {
    finish(
        Rule::should(format!("ssh.client.{id}"), Side::Client)
            .source(format!("docs/decisions/{record}"), "how the local client is run"),
    )
}

fn finish(draft: RuleDraft) -> RuleDraft {
    draft.claims([Claim::exit("ssh.0"), Claim::exit("ssh.0.client_succeeded")]).fix(
        "Start `ssh <listener_endpoint>` with the caller's streams and environment, wait for it, and turn its end into 0 or 1.",
    )
}

/// The one call of the fake ssh in an honest run, with another endpoint if one is given.
fn called(
    bench: &Bench,
    endpoint: Option<&str>,
    env: &[(&str, &str)],
    args: &[&str],
) -> Outcome<SshCall> {
    let answer = match endpoint {
        None => Answer::issued(),
        Some(endpoint) => Answer::issued_with(
            json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]),
        ),
    };
    let scene = Scene::answering(bench, answer)?;
    let mut run = scene.run(Family::Ssh)?.args(args);
    for (key, value) in env {
        run = run.env(key, value);
    }
    scene.expect_done(&run.go()?)?;
    scene.ssh.expect_one_call()
}

const PIN: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn one_argument(bench: &Bench) -> Outcome {
    let pinned = format!("ssh://ops;fingerprint={PIN}@127.0.0.1:2301");
    for endpoint in [
        pinned.as_str(),
        "ssh://ops@node-7.mesh.example:22",
        "100.64.0.12:2200",
        "[fd00::12]:2200",
        "ssh://first.last%40corp@[fd00::12]:65535",
        "a:1",
    ] {
        let call = called(bench, Some(endpoint), &[], &[])?;
        expect_eq("ssh's arguments", &vec![endpoint.to_owned()], &call.args)?;
    }
    Ok(())
}

fn streams_inherited(bench: &Bench) -> Outcome {
    let scene = Scene::honest(bench)?;
    bench
        .sandbox()?
        .write_program("bin/ssh", "#!/bin/sh\n/bin/cat\n/bin/pwd\necho remote complaint >&2\n")?;
    let typed = bench.sandbox()?.write("tmp/typed", "typed by a person\n", 0o600)?;
    let ran = scene.run(Family::Ssh)?.stdin_file(typed).go()?;
    scene.expect_done(&ran)?;
    let cwd = bench.sandbox()?.cwd();
    let expected = format!("typed by a person\n{}\n", cwd.display());
    expect_eq("stdout", &expected, &ran.stdout_text())?;
    ran.expect_stderr_has("remote complaint")
}

fn uri(bench: &Bench, args: &[&str], env: &[(&str, &str)]) -> Outcome {
    for (user, endpoint, expected) in [
        ("ops", "100.64.0.12:2200", "ssh://ops@100.64.0.12:2200"),
        ("ops", "[fd00::12]:2200", "ssh://ops@[fd00::12]:2200"),
        ("ann@corp", "h.example:22", "ssh://ann%40corp@h.example:22"),
        (r"CORP\ann", "h.example:22", "ssh://CORP%5Cann@h.example:22"),
        ("ops", "ssh://other@h.example:22", "ssh://other@h.example:22"),
    ] {
        let mut all = vec!["--login-user", user];
        all.extend_from_slice(args);
        let patch = json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]);
        let scene = Scene::answering(bench, Answer::issued_with(patch))?;
        let mut run = scene.run(Family::Ssh)?.without("--login-user").args(&all);
        for (key, value) in env {
            run = run.env(key, value);
        }
        scene.expect_done(&run.go()?)?;
        let call = scene.ssh.expect_one_call()?;
        expect_eq("ssh's arguments", &vec![expected.to_owned()], &call.args)?;
    }
    Ok(())
}

/// How ssh may end, how plexctl then ends, and a text that must stand on stderr.
fn endings() -> Vec<Rule> {
    let ends: [(&str, Ending, &str); 10] = [
        ("status_1", Ending::Status(1), "1"),
        ("status_2", Ending::Status(2), "2"),
        ("status_3", Ending::Status(3), "3"),
        ("status_4", Ending::Status(4), "4"),
        ("status_77", Ending::Status(77), "77"),
        ("status_101", Ending::Status(101), "101"),
        ("status_130", Ending::Status(130), "130"),
        ("status_255", Ending::Status(255), "255"),
        ("signal_term", Ending::Signal("TERM"), "15"),
        ("signal_kill", Ending::Signal("KILL"), "9"),
    ];
    ends.into_iter()
        .map(|(slug, ending, said)| {
            should(&format!("ends.{slug}"), "0006-ssh-status.md")
                .claims([Claim::exit("ssh.1"), Claim::exit("ssh.1.exec_error")])
                .title(format!("ssh ending with {} is 1 for plexctl, and stderr names it", slug.replace('_', " ")))
                .check(move |bench| {
                    let scene = Scene::ending(bench, bench.referee()?, ending)?;
                    let ran = scene.run(Family::Ssh)?.go()?;
                    ran.expect_exit(1)?;
                    ran.expect_stdout_empty()?;
                    ran.expect_no_file_changes()?;
                    scene.ssh.expect_one_call()?;
                    scene.referee.expect_requests("IssueSession", 1)?;
                    scene.expect_silent(&ran)?;
                    let named = ran.stderr_text().contains(said)
                        || matches!(ending, Ending::Signal(name) if ran.stderr_text().contains(name));
                    expect(named, "stderr", format!("ssh's own end ({said}) in it"), ran.stderr_text())
                })
        })
        .collect()
}

fn passed_on() -> Vec<Rule> {
    [0, 1, 2, 7, 77, 254, 255]
        .into_iter()
        .map(|status| {
            should(&format!("pass_exit_status.{status}"), "0006-ssh-status.md")
                .needs([Need::Offers("--pass-exit-status")])
                .title(format!("--pass-exit-status hands ssh's {status} through"))
                .check(move |bench| {
                    let scene = Scene::ending(bench, bench.referee()?, Ending::Status(status))?;
                    let ran = scene.run(Family::Ssh)?.arg("--pass-exit-status").go()?;
                    ran.expect_exit(i32::from(status))?;
                    ran.expect_stdout_empty()?;
                    scene.ssh.expect_one_call()?;
                    scene.referee.expect_requests("IssueSession", 1)
                })
        })
        .collect()
}

/// Endpoints that ssh would take for an option, a command or another host.
fn dangerous_endpoints() -> Vec<Rule> {
    let endpoints = [
        "-oProxyCommand=touch F:22",
        "-oProxyCommand=id:22",
        "-F/tmp/x:22",
        "-E/tmp/x:1",
        "--:22",
        "h:22 -oProxyCommand=id",
        "h\n-oProxyCommand=id:22",
        "h\u{0}:22",
        "h\u{1b}]0;x\u{7}:22",
        "\th:22",
        "h:0",
        "h:65536",
        "h:123456",
        "h:",
        ":22",
        "h",
        "ssh://-oProxyCommand=id@h:22",
        "ssh://ops@-oProxyCommand=id:22",
        "ssh://a;id@h:22 ",
        "ssh://$(id)@h:22",
        "ssh://a%0aid@h:22",
        "ssh://a%00@h:22",
        "ssh://ops@h",
        "ssh://ops@h:22/x",
        "https://h:22",
        "telnet://h:22",
        "ops@h:22",
        "h:22#x",
        "h%0a:22",
    ];
    endpoints
        .into_iter()
        .enumerate()
        .map(|(nth, endpoint)| {
            should(&format!("endpoint_refused.{:02}", nth + 1), "0007-endpoint-safety.md")
                .claims([Claim::exit("ssh.1"), Claim::hostile("C12"), Claim::hostile("C14")])
                .title(format!("ssh is never started with the endpoint {endpoint:?}"))
                .check(move |bench| {
                    let patch =
                        json!([{"op": "replace", "path": "/listener_endpoint", "value": endpoint}]);
                    let scene = Scene::answering(bench, Answer::issued_with(patch))?;
                    scene.expect_given_up(&scene.run(Family::Ssh)?.go()?)
                })
        })
        .collect()
}
