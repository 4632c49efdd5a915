//! `plexctl tcp-forward --listen` before the control plane and its listener: the tunnel that curl,
//! psql and bare sockets go through, and what ends it.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::tcp::{leading, met};
use super::tcp_client::{both_ways, echoed, expect_end, heard};
use super::told::expect_event;
use super::tunnel::{Tunnel, command};
use super::{draft, postgres, reread, revoke, text_of, world};
use crate::bench::{Bench, Canary, Exit, Run, SOON, Second, Server};
use crate::rule::{Need, Rule, RuleDraft, Side};
use crate::runner::find_program;
use crate::verdict::{Outcome, expect, expect_eq, fail, skip};

const TUNNEL: &str = "docs/decisions/0049-listening.md";
const HELP: &str = "docs/commands/tcp-forward.md";

pub(super) fn all() -> Vec<Rule> {
    vec![
        listens("forward.bound", "--listen prints one JSON line when its address takes connections: both ends, session and expiry")
            .fix("Print the document once, after the bind and the session, and then accept.")
            .check(bound),
        listens("forward.curl", "curl reaches the session's target through --listen as if it were there")
            .needs([Need::Program("curl")])
            .fix("Carry what the client sends to the target, and nothing but that.")
            .check(curl),
        listens("forward.psql", "psql asks a database behind the session's target, and gets its row")
            .needs([Need::Program("psql")])
            .fix("Carry bytes as they come, in both directions at once.")
            .check(psql),
        listens("forward.turns", "One client after the other is carried, and one that came meanwhile gets its turn")
            .fix("Keep accepting, and let a client wait while the session's place is taken.")
            .check(turns),
        listens("forward.many", "Forty clients at once are all carried, and those who wait do not fill the journal")
            .fix("Let one that waits ask for the others, and less often the longer it takes.")
            .check(many),
        listens("forward.hang_up", "A client that hangs up in the middle does not end the tunnel")
            .fix("Let a broken connection end that connection only.")
            .check(hang_up),
        listens("forward.whole", "Eight megabytes both ways through --listen: not a byte is lost")
            .fix("Carry until both directions have ended.")
            .check(|bench| {
                let server = bench.server()?;
                let tunnel = Tunnel::open(bench, &server)?;
                both_ways(tunnel.connect()?, 8)
            }),
        listens("forward.plain_pipe", "With --plain-pipe a client's bytes reach the target, and none of plexctl's own")
            .source(HELP, "--plain-pipe")
            .needs([Need::Offers("--plain-pipe")])
            .fix("Carry from the first byte, one client after the other, and ask nothing.")
            .check(plain_pipe),
        listens("forward.plain_pipe_untold", "A plain pipe that nobody told plexctl of is sent no token, and stderr names --plain-pipe")
            .source("docs/decisions/0050-how-a-listener-is-asked.md", "The token is shown when the listener has asked for it")
            .needs([Need::Offers("--plain-pipe")])
            .fix("Ask by CONNECT without the token first, and refuse a listener that answers anything but HTTP.")
            .check(plain_pipe_untold),
        listens("forward.port_in_use", "A local port that is in use is 1, names the address, and costs no session")
            .source(HELP, "Exit codes, 1")
            .fix("Bind before the request is sent.")
            .check(port_in_use),
        signalled("forward.interrupted", "SIGINT ends the tunnel with 0, is named, and the session is revoked", Signal::INT, "interrupted"),
        signalled("forward.terminated", "SIGTERM ends the tunnel with 0, is named, and the session is revoked", Signal::TERM, "terminated"),
        listens("forward.revoked", "A session that is revoked ends the tunnel with 0, and stderr says that it was revoked")
            .fix("Read the session when its listener hangs up, and say what became of it.")
            .check(|bench| ended_session(bench, "revoked", revoke)),
        listens("forward.expired", "A session that expires, by the clock that can be moved, ends the tunnel with 0, and stderr says so")
            .needs([Need::Clock])
            .fix("Read the session when its listener hangs up, and say what became of it.")
            .check(|bench| ended_session(bench, "expired", |server, _| server.advance_clock(601))),
    ]
}

fn listens(row: &'static str, title: &'static str) -> RuleDraft {
    let rule = draft(row.to_owned(), Side::Pair).title(title).source(HELP, "With --listen");
    rule.needs([Need::Offers("--listen")])
}

fn bound(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tap = bench.tap(&server)?;
    let tunnel = Tunnel::open(bench, &tap)?;
    tunnel.says_back(b"at once")?;
    let issued = tap.exchanges()?[0].json();
    for member in ["listener_endpoint", "session_id", "expires_at"] {
        expect_eq(format!("{member} on stdout"), &issued[member], &tunnel.said[member])?;
    }
    let local = tunnel.local_addr();
    let own = local.starts_with("127.0.0.1:") && !local.ends_with(":0");
    expect(own, "local_addr on stdout", "127.0.0.1 and a port", local)?;
    expect_eq("the lines on stdout", &1, &tunnel.stdout()?.lines().count())
}

fn run<'b>(bench: &'b Bench, name: &'static str) -> Outcome<Run<'b>> {
    match find_program(name) {
        Some(program) => bench.program(program),
        None => skip(format!("{name} on PATH")),
    }
}

fn curl(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tunnel = Tunnel::start(bench, command(bench, &server, "80")?)?;
    for path in ["/here", "/there"] {
        let url = format!("http://{}{path}", tunnel.local_addr());
        let ran = run(bench, "curl")?.args(["-q", "-sS", "-m", "15", &url]).go()?;
        let well = ran.exit == Exit::Code(0) && ran.stdout_text().contains(path);
        let seen = format!("{}: {}{}", ran.exit, ran.stdout_text(), ran.stderr_text());
        expect(well, "curl through the tunnel", format!("an answer that names {path}"), seen)?;
    }
    Ok(())
}

fn psql(bench: &Bench) -> Outcome {
    let server = leading(bench, &postgres::serve(2)?.to_string())?;
    let tunnel = Tunnel::open(bench, &server)?;
    let Some((host, port)) = tunnel.local_addr().split_once(':') else {
        return expect(false, "local_addr", "host:port", tunnel.local_addr());
    };
    let place = format!("host={host} port={port} user=ana dbname=bank connect_timeout=15");
    for _ in 0..2 {
        let ran = run(bench, "psql")?.args(["-X", "-A", "-t", "-c", "SELECT 1", &place]).go()?;
        let row = (ran.exit, ran.stdout_text());
        let due = (Exit::Code(0), format!("{}\n", postgres::ANSWER));
        expect(row == due, "psql", format!("{due:?}"), format!("{row:?} {}", ran.stderr_text()))?;
    }
    Ok(())
}

fn turns(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tunnel = Tunnel::open(bench, &server)?;
    for text in [b"first", b"other", b"third"] {
        tunnel.says_back(text)?;
    }
    let mut holding = tunnel.says_back(b"mine")?;
    let mut waiting = tunnel.connect()?;
    waiting.write_all(b"early ")?;
    echoed(&mut holding, b"still mine")?;
    drop(holding);
    let mut back = [0; 6];
    heard(&mut waiting, "what was sent while it waited", &mut back)?;
    expect_eq("what was sent while it waited", &b"early ", &&back)?;
    echoed(&mut waiting, b"now mine")
}

fn many(bench: &Bench) -> Outcome {
    const CLIENTS: usize = 40;
    let server = bench.server()?;
    let tunnel = Tunnel::open(bench, &server)?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = tunnel.connect()?;
        client.write_all(format!("client {number}").as_bytes())?;
        client.shutdown(Shutdown::Write)?;
        clients.push(client);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut said = String::new();
        std::io::Read::read_to_string(client, &mut said)
            .or_else(|error| fail("the client's way through the tunnel", "carried", error))?;
        expect_eq("what the echo says", &format!("client {number}"), &said)?;
    }
    let journal = server.journal()?.to_string();
    let refused = journal.matches("request=connection_limit").count();
    let few = refused <= 3 * CLIENTS;
    expect(few, "refusals in the journal", format!("at most {}", 3 * CLIENTS), refused)
}

fn hang_up(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let tunnel = Tunnel::open(bench, &server)?;
    for _ in 0..3 {
        let mut rude = tunnel.says_back(b"good day")?;
        // Its answer will meet a closed socket, and be reset.
        rude.write_all(&[b'x'; 64 * 1024])?;
        drop(rude);
    }
    drop(tunnel.connect()?);
    tunnel.says_back(b"still there")?;
    tunnel.signal(Signal::INT)?;
    tunnel.expect_end(&["interrupted"])?;
    server.expect_count("IssueSession", 1)
}

fn plain_pipe(bench: &Bench) -> Outcome {
    let server = world(bench, |world| world["listeners"]["tcp_auth"] = json!("none"))?;
    let run = command(bench, &server, "5432")?.arg("--plain-pipe");
    let tunnel = Tunnel::start(bench, run)?;
    tunnel.says_back(b"first")?;
    expect_event(&server, "connection_closed", "bytes_in=5&bytes_out=5")?;
    tunnel.says_back(b"the second")?;
    expect_event(&server, "connection_closed", "bytes_in=10&bytes_out=10")?;
    tunnel.signal(Signal::INT)?;
    tunnel.expect_end(&["interrupted"]).map(drop)
}

fn plain_pipe_untold(bench: &Bench) -> Outcome {
    let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = there.local_addr()?.to_string();
    let server = world(bench, |world| {
        world["listeners"]["tcp_auth"] = json!("none");
        world["tcp_targets"] = json!([{"host": "10.0.0.5", "port": 5432, "leads_to": to}]);
    })?;
    let tap = bench.tap(&server)?;
    let tunnel = Tunnel::open(bench, &tap)?;
    let mut client = tunnel.connect()?;
    client.write_all(b"hello")?;
    let mut far = met(&there)?;
    let mut asked = [0; 5];
    heard(&mut far, "what reaches the target", &mut asked)?;
    expect_eq("what reaches the target, a CONNECT", &b"CONNE", &&asked)?;
    far.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")?;
    expect_end(&mut client, SOON)?;
    let mut rest = Vec::new();
    // It hangs up, perhaps on words that it has not read.
    let _ = std::io::Read::read_to_end(&mut far, &mut rest);
    let issued = tap.exchanges()?[0].json();
    let token = Canary::new("the session token", text_of(&issued, "token"));
    token.absent_from("what reached the target", &rest)?;
    tunnel.signal(Signal::INT)?;
    tunnel.expect_end(&["interrupted"])?.expect_stderr_has("--plain-pipe")
}

fn port_in_use(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = taken.local_addr()?.to_string();
    let ran = command(bench, &server, "5432")?.flag("--local-addr", &address).go()?;
    ran.expect_exit(1)?;
    ran.expect_stdout_empty()?;
    ran.expect_stderr_has(&address)?;
    server.expect_count("IssueSession", 0)
}

fn signalled(row: &'static str, title: &'static str, signal: Signal, word: &'static str) -> Rule {
    listens(row, title)
        .source(TUNNEL, "After a signal the session is revoked")
        .fix("Catch the signal, say which it was, and give the session back.")
        .check(move |bench| {
            let server = bench.server()?;
            let tunnel = Tunnel::open(bench, &server)?;
            let mut stream = tunnel.says_back(b"alive")?;
            let said = tunnel.said.clone();
            tunnel.signal(signal)?;
            tunnel.expect_end(&[word])?;
            expect_end(&mut stream, SOON)?;
            let session = reread(&server, &said)?;
            expect_eq("the session's status", &json!("revoked"), &session["status"])?;
            expect_eq("the reason", &json!("operator_request"), &session["revoke_reason"])
        })
}

/// The session ends by itself, a connection open all the while: that is dropped, and the tunnel
/// says why. A session that has ended is not revoked.
fn ended_session(bench: &Bench, word: &str, end: fn(&Server, &Value) -> Outcome) -> Outcome {
    let server = bench.server()?;
    // The time to live ends before a session may be called idle.
    let run = command(bench, &server, "5432")?.flag("--ttl-seconds", "600");
    let tunnel = Tunnel::start(bench, run)?;
    let mut stream = tunnel.says_back(b"alive")?;
    let said = tunnel.said.clone();
    end(&server, &said)?;
    let second = Second::begin();
    let revokes = server.count("RevokeSession")?;
    expect_end(&mut stream, SOON)?;
    second.expect_kept("the end of the connection")?;
    tunnel.expect_end(&[word])?;
    expect_eq("the session's status", &json!(word), &reread(&server, &said)?["status"])?;
    server.expect_count("RevokeSession", revokes)
}
