//! A tcp session's listener: CONNECT with the token to exactly one target, one connection at a
//! time, by curl and by bare sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::tcp_client::{
    Shown, TARGET, ask, both_ways, carried, connect, dial, echoed, expect_end, heard,
};
use super::told::{expect_event, refusals};
use super::{GUIDE, ONE_TIME, open, open_for, rule, text_of, world};
use crate::bench::{Bench, Canary, DeafPort, Exit, Family, Run, Server, ServerOptions, until};
use crate::rule::{Need, Rule, RuleDraft};
use crate::runner::find_program;
use crate::verdict::{Outcome, expect, expect_eq, fail, skip};

const LEADS: &str = "What sessions lead to, tcp";

pub(super) fn all() -> Vec<Rule> {
    vec![
        connects("tcp.bearer", "CONNECT to the session's target with the token as Bearer opens a way both ways")
            .fix("Answer 200 to an honest CONNECT, and carry what follows.")
            .check(|bench| opens(bench, |token| Shown::Bearer(token))),
        connects("tcp.basic", "CONNECT with the token as the password of Basic opens it too, whatever the user is called")
            .fix("Read Basic credentials, and take the password for the token.")
            .check(|bench| opens(bench, |token| Shown::Basic(token))),
        connects("tcp.token_required", "Without a token the answer is 407, and names Basic and Bearer")
            .source("RFC 9110", "Section 15.5.8, 407 Proxy Authentication Required")
            .fix("Send Proxy-Authenticate with each way to show the token.")
            .check(token_required),
        connects("tcp.other_target", "Another target than the session's is 403, and is not dialled")
            .fix("Compare host and port of CONNECT with the session's target.")
            .check(other_target),
        connects("tcp.no_connect", "What is no CONNECT is refused: 405 for another method, 400 for no HTTP")
            .source("RFC 9110", "Sections 15.5.1 and 15.5.6")
            .fix("Speak CONNECT and nothing else on this port.")
            .check(no_connect),
        connects("tcp.one_connection", "One connection at a time: beside it 409, after it another")
            .source(ONE_TIME, "For tcp one active connection")
            .fix("Give the place away once, and back when the connection ends.")
            .check(one_connection),
        connects("tcp.bytes", "What was carried is told by its bytes")
            .source(GUIDE, "What happens on a listener is in the journal")
            .fix("Count the bytes behind the CONNECT, and report them at the end.")
            .check(bytes),
        connects("tcp.whole", "Ten megabytes both ways and a half-closed stream: not a byte is lost")
            .fix("Carry until both directions have ended.")
            .check(whole),
        connects("tcp.auth_none", "With tcp_auth none the port is a plain pipe to the target")
            .source(GUIDE, "tcp_auth: none makes it a plain pipe")
            .fix("Carry from the first byte when the world asks for no token.")
            .check(auth_none),
        connects("tcp.address", "A target that leads to an address of this machine is dialled there")
            .fix("Dial what the world says the target leads to.")
            .check(address),
        connects("tcp.unreachable", "A target that nobody listens at is 502")
            .source("RFC 9110", "Section 15.6.3, 502 Bad Gateway")
            .fix("Dial before the 200 is sent.")
            .check(unreachable),
        connects("tcp.loopback_only", "A world that leads outside the loopback interface is refused")
            .source(GUIDE, "nothing else is ever dialled")
            .needs([Need::SpawnableServer])
            .fix("Refuse a target address that is not of this machine.")
            .check(loopback_only),
        connects("tcp.curl", "curl reaches the target through the listener, as through any proxy")
            .needs([Need::Program("curl")])
            .fix("Answer CONNECT as RFC 9110 says.")
            .check(curl),
    ]
}

fn connects(row: &'static str, title: &'static str) -> RuleDraft {
    rule(row, title).source(GUIDE, LEADS)
}

fn session(bench: &Bench) -> Outcome<(Server, Value)> {
    let server = bench.server()?;
    let issued = open(&server, Family::TcpForward)?;
    Ok((server, issued))
}

fn opens(bench: &Bench, shown: fn(&str) -> Shown<'_>) -> Outcome {
    let (server, issued) = session(bench)?;
    let connected = connect(&issued, TARGET, shown(text_of(&issued, "token")))?;
    connected.expect(200)?;
    let mut stream = connected.stream;
    echoed(&mut stream, b"hello, far end")?;
    echoed(&mut stream, &[0, 255, 13, 10, 13, 10])?;
    expect_event(&server, "connection_opened", "")
}

fn token_required(bench: &Bench) -> Outcome {
    let (server, issued) = session(bench)?;
    let refused = connect(&issued, TARGET, Shown::Nothing)?;
    refused.expect(407)?;
    let said = refused.text().to_ascii_lowercase();
    for scheme in ["proxy-authenticate: basic", "proxy-authenticate: bearer"] {
        expect(said.contains(scheme), "the challenge", scheme, &said)?;
    }
    // A client that asks first and shows the token then may do so on the same connection.
    let mut stream = refused.stream;
    let token = text_of(&issued, "token");
    write!(stream, "CONNECT {TARGET} HTTP/1.1\r\nProxy-Authorization: Bearer {token}\r\n\r\n")?;
    let mut answer = [0_u8; 12];
    heard(&mut stream, "the second answer", &mut answer)?;
    expect_eq("the second answer", &"HTTP/1.1 200", &&*String::from_utf8_lossy(&answer))?;
    expect_eq("the tokens refused", &Vec::<String>::new(), &refusals(&server)?)?;
    expect_event(&server, "request_refused", "token_required")
}

fn other_target(bench: &Bench) -> Outcome {
    let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let theirs = elsewhere.local_addr()?.to_string();
    let (server, issued) = session(bench)?;
    let token = text_of(&issued, "token");
    for authority in ["10.0.0.5:5433", "10.0.0.6:5432", "10.0.0.5", &theirs] {
        let refused = connect(&issued, authority, Shown::Bearer(token))?;
        expect(refused.status == 403, format!("CONNECT {authority}"), 403, refused.text())?;
        Canary::new("the token", token).absent_from("the refusal", &refused.answer)?;
    }
    elsewhere.set_nonblocking(true)?;
    expect(elsewhere.accept().is_err(), "the other target", "no connection", "one")?;
    expect_event(&server, "request_refused", "target_mismatch")?;
    carried(&issued)?;
    Ok(())
}

fn no_connect(bench: &Bench) -> Outcome {
    let (_server, issued) = session(bench)?;
    let token = text_of(&issued, "token");
    let header = format!("Proxy-Authorization: Bearer {token}\r\n\r\n");
    let get =
        ask(&issued, &format!("GET http://{TARGET}/ HTTP/1.1\r\nHost: {TARGET}\r\n{header}"))?;
    get.expect(405)?;
    let allows = get.text().to_ascii_lowercase().contains("allow: connect");
    expect(allows, "the refusal of GET", "Allow: CONNECT", get.text())?;
    ask(&issued, "SSH-2.0-OpenSSH_9.2\r\n\r\n")?.expect(400)?;
    carried(&issued)?;
    Ok(())
}

fn one_connection(bench: &Bench) -> Outcome {
    let (server, issued) = session(bench)?;
    let token = text_of(&issued, "token");
    let mut first = carried(&issued)?;
    echoed(&mut first, b"first")?;
    connect(&issued, TARGET, Shown::Bearer(token))?.expect(409)?;
    expect_event(&server, "request_refused", "connection_limit")?;
    echoed(&mut first, b"still first")?;
    drop(first);
    until("a connection after the first", Duration::from_secs(5), || {
        let second = connect(&issued, TARGET, Shown::Bearer(token))?;
        Ok(if second.status == 200 { Ok(()) } else { Err(second.text()) })
    })
}

fn bytes(bench: &Bench) -> Outcome {
    let (server, issued) = session(bench)?;
    let mut stream = carried(&issued)?;
    echoed(&mut stream, &[b'x'; 70_001])?;
    drop(stream);
    expect_event(&server, "connection_closed", "bytes_in=70001&bytes_out=70001")
}

fn whole(bench: &Bench) -> Outcome {
    let (_server, issued) = session(bench)?;
    both_ways(carried(&issued)?, 10)
}

fn auth_none(bench: &Bench) -> Outcome {
    let server = world(bench, |world| world["listeners"]["tcp_auth"] = json!("none"))?;
    let issued = open(&server, Family::TcpForward)?;
    let mut stream = dial(&issued)?;
    echoed(&mut stream, b"CONNECT 10.0.0.5:5432 HTTP/1.1\r\n\r\n")?;
    drop(stream);
    expect_event(&server, "connection_closed", "bytes_in=34&bytes_out=34")
}

/// A default world in which the examples' target leads there.
pub(super) fn leading(bench: &Bench, to: &str) -> Outcome<Server> {
    world(bench, |world| {
        world["tcp_targets"] = json!([{"host": "10.0.0.5", "port": 5432, "leads_to": to}]);
    })
}

/// Whoever dials a target of ours; nobody is the subject's failure.
pub(super) fn met(there: &TcpListener) -> Outcome<TcpStream> {
    there.set_nonblocking(true)?;
    let mut met = None;
    until("a connection to the target", Duration::from_secs(5), || {
        met = there.accept().ok();
        Ok(if met.is_some() { Ok(()) } else { Err("nobody came".into()) })
    })?;
    let Some((far, _)) = met else { return fail("the target", "a connection", "nobody came") };
    far.set_nonblocking(false)?;
    far.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(far)
}

fn address(bench: &Bench) -> Outcome {
    let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = leading(bench, &there.local_addr()?.to_string())?;
    let issued = open(&server, Family::TcpForward)?;
    let mut stream = carried(&issued)?;
    let mut far = met(&there)?;
    far.write_all(b"welcome\n")?;
    let mut greeting = [0_u8; 8];
    heard(&mut stream, "what the target says", &mut greeting)?;
    expect_eq("what the target says", &b"welcome\n", &&greeting)?;
    stream.write_all(b"thanks\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut heard = String::new();
    far.read_to_string(&mut heard)?;
    expect_eq("what the target hears", &"thanks\n".to_owned(), &heard)?;
    drop(far);
    expect_end(&mut stream, Duration::from_secs(5))
}

fn unreachable(bench: &Bench) -> Outcome {
    let deaf = DeafPort::new()?;
    let server = leading(bench, &deaf.address().to_string())?;
    let issued = open(&server, Family::TcpForward)?;
    connect(&issued, TARGET, Shown::Bearer(text_of(&issued, "token")))?.expect(502)
}

fn loopback_only(bench: &Bench) -> Outcome {
    let server = bench.server_with(&ServerOptions::default())?;
    let mut world = server.control("GET", "/__mock/world", None)?;
    for address in ["192.0.2.7:80", "[2001:db8::1]:80", "0.0.0.0:80"] {
        world["tcp_targets"] = json!([{"host": "10.0.0.5", "port": 5432, "leads_to": address}]);
        let refused = server.call("PUT", "/__mock/world").json(&world).send()?;
        let status = refused.status();
        expect(
            (400..500).contains(&status),
            format!("a world that leads to {address}"),
            "a refusal",
            status,
        )?;
    }
    Ok(())
}

fn curl(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let target = json!({"tcp": {"host": "10.0.0.5", "port": 80}});
    let issued = open_for(&server, Family::TcpForward, &target)?;
    let sandbox = bench.sandbox()?;
    let token = text_of(&issued, "token");
    let bearer =
        sandbox.write("tmp/bearer", format!("Proxy-Authorization: Bearer {token}\n"), 0o600)?;
    let basic = sandbox.write("tmp/basic", format!("proxy-user = \"any:{token}\"\n"), 0o600)?;
    let endpoint = text_of(&issued, "listener_endpoint");
    let curl = || -> Outcome<Run<'_>> {
        let Some(curl) = find_program("curl") else { return skip("curl on PATH") };
        let run = bench.program(curl)?.args(["-q", "-sS", "-m", "20", "-p", "-x"]);
        Ok(run.arg(format!("http://{endpoint}")))
    };
    let bearer = format!("@{}", bearer.display());
    let there = "http://10.0.0.5/there";
    for run in
        [curl()?.args(["--proxy-header", &bearer, there]), curl()?.arg("-K").arg(&basic).arg(there)]
    {
        let ran = run.go()?;
        let said = ran.stdout_text();
        let well = ran.exit == Exit::Code(0) && said.contains("/there");
        expect(
            well,
            "curl through the listener",
            "an answer that names /there",
            format!("{said}{}", ran.stderr_text()),
        )?;
    }
    for (run, status) in [
        (curl()?.arg(there), "407"),
        (curl()?.args(["--proxy-header", &bearer, "http://10.0.0.6/"]), "403"),
    ] {
        let ran = run.go()?;
        expect_eq("how curl ended", &Exit::Code(56), &ran.exit)?;
        ran.expect_stderr_has(status)?;
    }
    Ok(())
}
