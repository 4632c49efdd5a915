//! How what is connected ends: with its session, within a second, whatever ended that.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::ssh_terminal::PROMPT;
use super::tcp_client::{carried, echoed, expect_end};
use super::told::expect_event;
use super::{GUIDE, draft, open, reread, revoke, rule, text_of};
use crate::bench::{
    Bench, Exit, Family, Identity, Login, Running, SOON, Second, Server, Sink, Terminal, until,
};
use crate::rule::{Need, Rule, Side};
use crate::verdict::{Outcome, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let causes = [Cause::Revoked, Cause::Expired, Cause::Idle];
    let each = |family: Family| causes.map(|cause| ending(cause, family));
    let mut rules: Vec<Rule> = Family::ALL.into_iter().flat_map(each).collect();
    rules.extend([
        rule("endings.activity", "What is carried puts idleness off, and shows in last_active_at")
            .source(GUIDE, "the token opens it until the session was idle for too long")
            .needs([Need::Clock])
            .fix("Let traffic, commands and requests on a listener move last_active_at.")
            .check(activity),
        rule(
            "endings.activity_of_the_target",
            "What only the far side sends puts idleness off as well",
        )
        .source(GUIDE, "the token opens it until the session was idle for too long")
        .needs([Need::Clock, Need::Program("ssh")])
        .fix("Let bytes in either direction move last_active_at.")
        .check(activity_of_the_target),
        rule(
            "endings.shutdown",
            "A server that is asked to stop ends what is connected, and itself with 0",
        )
        .source(GUIDE, "What sessions lead to")
        .needs([
            Need::SpawnableServer,
            Need::Program("ssh"),
            Need::Program("setsid"),
            Need::Program("kubectl"),
        ])
        .fix("End each session's connections on SIGTERM, and wait for them a moment.")
        .check(shutdown),
    ]);
    rules
}

#[derive(Debug, Clone, Copy)]
enum Cause {
    Revoked,
    Expired,
    Idle,
}

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Idle => "idle",
        }
    }

    /// Makes it happen; what comes of it is to be seen when this returns, or soon.
    fn happen(self, server: &Server, issued: &Value) -> Outcome {
        match self {
            Self::Revoked => revoke(server, issued),
            // The session was asked for 600 seconds, and may be idle for 900.
            Self::Expired => server.advance_clock(601),
            Self::Idle => server.advance_clock(901),
        }
    }
}

/// What is connected to a session.
enum Live<'b> {
    Shell(Terminal),
    Watch(Running<'b>),
    Stream(TcpStream),
}

impl<'b> Live<'b> {
    fn begin(bench: &'b Bench, server: &Server, family: Family, issued: &Value) -> Outcome<Self> {
        Ok(match family {
            Family::Ssh => {
                let login = Login::of(issued)?;
                let terminal = bench.openssh()?.run(&login, &[], None)?.at_terminal(80, 24)?;
                terminal.expect(PROMPT)?;
                Self::Shell(terminal)
            }
            Family::Kubeconfig => {
                let seen = bench.sandbox()?.write("tmp/seen", "", 0o600)?;
                let kubectl = bench.kubectl(server, issued)?;
                let run = kubectl.run(&["get", "pods", "-A", "-w"])?;
                let watching = run.stdout(Sink::To(seen.clone())).spawn()?;
                until("the pods in the watch", Duration::from_secs(15), || {
                    let said = std::fs::read_to_string(&seen)?;
                    Ok(if said.contains("ledger-0") { Ok(()) } else { Err(said) })
                })?;
                expect_event(server, "api_request", "verb=watch")?;
                Self::Watch(watching)
            }
            Family::TcpForward => {
                let mut stream = carried(issued)?;
                echoed(&mut stream, b"alive")?;
                Self::Stream(stream)
            }
        })
    }

    /// It comes to its end within a second from now.
    fn expect_end(self) -> Outcome {
        let second = Second::begin();
        match self {
            Self::Shell(terminal) => {
                let (exit, _) = terminal.end_within(SOON)?;
                second.expect_kept("the end of the shell")?;
                expect_eq("how ssh ended", &Exit::Code(255), &exit)
            }
            Self::Watch(mut watching) => {
                until("the end of kubectl", SOON, || {
                    Ok(if watching.is_alive()? { Err("it still runs".into()) } else { Ok(()) })
                })?;
                second.expect_kept("the end of kubectl")?;
                watching.finish()?;
                Ok(())
            }
            Self::Stream(mut stream) => {
                expect_end(&mut stream, SOON)?;
                second.expect_kept("the end of the stream")
            }
        }
    }
}

fn ending(cause: Cause, family: Family) -> Rule {
    let what = match family {
        Family::Ssh => "an open shell",
        Family::Kubeconfig => "kubectl get pods -w",
        Family::TcpForward => "a tcp stream",
    };
    let title = match cause {
        Cause::Revoked => {
            format!("Revoking a session ends {what} within a second, and closes the port")
        }
        Cause::Expired => {
            format!("Expiry, by the clock that can be moved, ends {what} within a second")
        }
        Cause::Idle => {
            format!("A session that was idle for too long takes {what} with it within a second")
        }
    };
    let needs = match family {
        Family::Ssh => vec![Need::Clock, Need::Program("ssh"), Need::Program("setsid")],
        Family::Kubeconfig => vec![Need::Clock, Need::Program("kubectl")],
        Family::TcpForward => vec![Need::Clock],
    };
    draft(format!("endings.{}.{}", cause.word(), family.kind()), Side::Server)
        .title(title)
        .source(GUIDE, "Then its connections are dropped within a second")
        .needs(needs)
        .fix("Let the end of a session reach its listener and each connection at once.")
        .check(move |bench| {
            let server = bench.server()?;
            let call = server.issue(family, Identity::Operator)?;
            let call = call.edit(|body| {
                if matches!(cause, Cause::Expired) {
                    body["requested_ttl_seconds"] = json!(600);
                }
            });
            let issued = call.send()?.expect(201)?;
            // Another session goes on.
            let other = open(&server, Family::TcpForward)?;
            let live = Live::begin(bench, &server, family, &issued)?;
            let mut beside = carried(&other)?;
            cause.happen(&server, &issued)?;
            live.expect_end()?;
            if matches!(cause, Cause::Revoked) {
                echoed(&mut beside, b"beside")?;
            }
            expect_closed(&server, &issued)?;
            let session = reread(&server, &issued)?;
            let due = match cause {
                Cause::Revoked => ("revoked", json!("operator_request")),
                Cause::Expired => ("expired", Value::Null),
                Cause::Idle => ("revoked", json!("idle_timeout")),
            };
            expect_eq("the session's status", &json!(due.0), &session["status"])?;
            if due.1.is_string() && !matches!(cause, Cause::Revoked) {
                expect_eq("the reason", &due.1, &session["revoke_reason"])?;
            }
            Ok(())
        })
}

/// Nobody listens at the endpoint any more.
pub(super) fn expect_closed(server: &Server, issued: &Value) -> Outcome {
    let endpoint = text_of(issued, "listener_endpoint");
    let address = endpoint.rsplit('@').next().unwrap_or_default().to_owned();
    let _ = server;
    let second = Second::begin();
    until("the port of an ended session", SOON, || {
        Ok(match TcpStream::connect(&address) {
            Err(_) => Ok(()),
            Ok(_) => Err("it still takes connections".into()),
        })
    })?;
    second.expect_kept("the end of the port")
}

fn activity(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock("2026-06-01T12:00:00Z")?;
    let issued = open(&server, Family::TcpForward)?;
    let mut stream = carried(&issued)?;
    for moment in ["2026-06-01T12:13:20Z", "2026-06-01T12:26:40Z"] {
        server.advance_clock(800)?;
        // Traffic is told of once a second at most, so the first bytes may come too early to count.
        until("last_active_at after traffic", Duration::from_secs(10), || {
            echoed(&mut stream, b"x")?;
            let session = reread(&server, &issued)?;
            let at = text_of(&session, "last_active_at");
            Ok(if at == moment { Ok(()) } else { Err(at.to_owned()) })
        })?;
    }
    expect_eq("the status", &json!("active"), &reread(&server, &issued)?["status"])
}

fn activity_of_the_target(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    server.freeze_clock("2026-06-01T12:00:00Z")?;
    let issued = open(&server, Family::Ssh)?;
    let login = Login::of(&issued)?;
    let talk = "while true; do echo talk; sleep 0.2; done";
    let mut talking = bench.openssh()?.run(&login, &[], Some(talk))?.spawn()?;
    expect_event(&server, "command_executed", "")?;
    server.advance_clock(800)?;
    until("last_active_at after output", Duration::from_secs(10), || {
        let session = reread(&server, &issued)?;
        let at = text_of(&session, "last_active_at");
        Ok(if at == "2026-06-01T12:13:20Z" { Ok(()) } else { Err(at.to_owned()) })
    })?;
    expect(talking.is_alive()?, "the command", "still talking", "it ended")?;
    revoke(&server, &issued)?;
    talking.finish()?;
    Ok(())
}

fn shutdown(bench: &Bench) -> Outcome {
    let mut server = bench.server()?;
    let mut all = Vec::new();
    for family in Family::ALL {
        let issued = open(&server, family)?;
        all.push(Live::begin(bench, &server, family, &issued)?);
    }
    server.signal(rustix::process::Signal::TERM)?;
    for live in all {
        live.expect_end()?;
    }
    let code = server.ended()?;
    expect(code == Some(0), "how the server ended", "exit code 0", format!("{code:?}"))
}
