//! plexctl and the control plane together: the session that a command opens ends at a prompt and
//! at a cluster.

use super::ssh_terminal::PROMPT;
use super::told::{expect_event, refusals};
use crate::bench::{Bench, Exit, Family, contains};
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::verdict::{Outcome, expect, expect_eq, skip};

pub(super) fn all() -> Vec<Rule> {
    vec![
        pair("lands.ssh", "plexctl ssh gives a prompt; exit 3 in it ends plexctl with 1 and the 3 is named")
            .source("docs/decisions/0006-ssh-status.md", "ssh ends otherwise: 1, and the status is named")
            .needs([Need::Program("ssh"), Need::Program("setsid")])
            .fix("Run the endpoint as ssh's argument with the askpass hand-off, and stay out of its way.")
            .check(ssh),
        pair("lands.ssh_window", "A window change reaches the shell behind plexctl ssh, and Ctrl-C the command in it")
            .source("docs/decisions/0005-token-to-ssh.md", "The token to ssh")
            .needs([Need::Program("ssh"), Need::Program("setsid")])
            .fix("Leave terminal, process group and signals to ssh.")
            .check(ssh_window),
        pair("lands.ssh_piped", "plexctl ssh passes commands in and output out, and ends with 0 as ssh does")
            .source("plexctl ssh page", "Exit codes, 0")
            .needs([Need::Program("ssh")])
            .fix("Let ssh inherit the streams.")
            .check(ssh_piped),
        pair("lands.ssh_other_pin", "A pin that is not the host's ends plexctl ssh with 1 before the token is sent")
            .source("docs/decisions/0005-token-to-ssh.md", "The pin answers the question for the host key")
            .needs([Need::Program("ssh"), Need::Offers("--host-key-fingerprint")])
            .fix("Answer ssh's question with the pin, and with no when it is asked again.")
            .check(ssh_other_pin),
        pair("lands.kubeconfig", "kubectl with plexctl's kubeconfig is the impersonated user of the impersonated groups")
            .source("plexctl kubeconfig page", "--impersonate-user and --impersonate-group")
            .needs([Need::Program("kubectl"), Need::Offers("--certificate-authority")])
            .fix("Send user and groups with the request, and embed the CA that was named.")
            .check(kubeconfig),
    ]
}

fn pair(row: &'static str, title: &'static str) -> RuleDraft {
    super::draft(row.to_owned(), Side::Pair).title(title)
}

fn ssh(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    bench.real_ssh()?;
    let mut terminal = bench.command(Family::Ssh, &server)?.at_terminal(80, 24)?;
    terminal.expect(PROMPT)?;
    terminal.type_in("id -un\r")?;
    terminal.expect("\nops\r\n")?;
    terminal.expect(PROMPT)?;
    terminal.type_in("exit 3\r")?;
    let (exit, screen) = terminal.finish()?;
    expect_eq("how plexctl ended", &Exit::Code(1), &exit)?;
    let last = String::from_utf8_lossy(&screen).into_owned();
    let tail = last.rsplit(PROMPT).next().unwrap_or_default().replacen("exit 3", "", 1);
    expect(tail.contains('3'), "the last words", "ssh's own status, 3", tail)
}

fn ssh_window(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    bench.real_ssh()?;
    let mut terminal = bench.command(Family::Ssh, &server)?.at_terminal(100, 30)?;
    terminal.expect(PROMPT)?;
    terminal.type_in("sleep 1000\r")?;
    terminal.expect("sleep 1000\r\n")?;
    terminal.resize(81, 25)?;
    terminal.type_in("\x03")?;
    terminal.expect(PROMPT)?;
    // The change and the keys take different ways to ssh, so the second may be there first.
    for _ in 0..40 {
        terminal.type_in("stty size\r")?;
        terminal.expect("stty size\r\n")?;
        terminal.expect(PROMPT)?;
        if contains(&terminal.screen(), b"\n25 81\r\n") {
            break;
        }
    }
    terminal.type_in("exit 0\r")?;
    let (exit, screen) = terminal.finish()?;
    let follows = contains(&screen, b"\n25 81\r\n");
    expect(follows, "the size after the change", "25 81", String::from_utf8_lossy(&screen))?;
    expect_eq("how plexctl ended", &Exit::Code(0), &exit)
}

fn ssh_piped(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    bench.real_ssh()?;
    let typed = bench.sandbox()?.write("tmp/typed", "id -un\ncat /etc/hostname\n", 0o600)?;
    let ran = bench.command(Family::Ssh, &server)?.stdin_file(typed).go()?;
    ran.expect_exit(0)?;
    expect_eq("stdout", &"ops\nweb-01.acme-corp.example\n".to_owned(), &ran.stdout_text())?;
    expect_event(&server, "session_started", "")
}

fn ssh_other_pin(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    bench.real_ssh()?;
    let pin = format!("SHA256:{}", "A".repeat(43));
    let run = bench.command(Family::Ssh, &server)?.flag("--host-key-fingerprint", pin);
    let ran = run.go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_says_something()?;
    expect_eq("the tokens that were offered", &Vec::<String>::new(), &refusals(&server)?)?;
    server.expect_count("SessionActivity", 0)?;
    // The same host is good enough by its own pin, so it was the other one that failed.
    bench.command(Family::Ssh, &server)?.go()?.expect_exit(0)
}

fn kubeconfig(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let Some(ca) = server.ca_path() else { return skip("a server that tells its CA") };
    let file = bench.sandbox()?.path("kubeconfig");
    let run = bench.command(Family::Kubeconfig, &server)?;
    let run = run.flag("--impersonate-user", "ana").flag("--impersonate-group", "developers");
    let ran = run.flag("--certificate-authority", ca).flag("--output-file", &file).go()?;
    ran.expect_exit(0)?;
    let kubectl = bench.kubectl_at(file)?;
    let who = kubectl.json(&["auth", "whoami"])?["status"]["userInfo"].clone();
    expect_eq("the user", &serde_json::json!("ana"), &who["username"])?;
    let groups = who["groups"].to_string();
    expect(groups.contains("\"developers\""), "the groups", "developers", &groups)?;
    kubectl.says(&["get", "pods", "-n", "bank"])?;
    let said = kubectl.fails(&["create", "ns", "mine"])?;
    expect(said.contains("Forbidden"), "a namespace that is not allowed", "Forbidden", said)
}
