//! What a world may ask for beyond the rules, and what noise does to a listener.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::ssh::expect_end;
use super::tcp_client::{
    Shown, TARGET, connect, dial, echoed, expect_end as expect_hung_up, reach,
};
use super::told::refusals;
use super::{GUIDE, ONE_TIME, draft, open, rule, text_of, world};
use crate::bench::{Bench, Exit, Family, Login, SOON, Server, ServerOptions, until};
use crate::rule::{Need, Rule, Side};
use crate::verdict::{Outcome, Reason, expect, expect_eq};

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = Family::ALL.into_iter().map(single_use).collect();
    rules.push(single_use_plain());
    rules.extend(Family::ALL.map(garbage));
    rules.extend(Family::ALL.map(not_served));
    rules
}

fn needs(family: Family) -> Vec<Need> {
    if family == Family::Ssh { vec![Need::Program("ssh")] } else { Vec::new() }
}

/// One honest use of the session; none when it was let in, otherwise what was said.
fn used(bench: &Bench, server: &Server, family: Family, issued: &Value) -> Outcome<Option<String>> {
    Ok(match family {
        Family::Ssh => {
            let login = Login::of(issued)?;
            let ran = bench.openssh()?.run(&login, &[], Some("true"))?.go()?;
            (ran.exit != Exit::Code(0)).then(|| ran.stderr_text())
        }
        Family::Kubeconfig => {
            let url = format!("https://{}", text_of(issued, "listener_endpoint"));
            let call = bench.call_at(&url, server.ca_path(), "GET", "/api/v1/namespaces")?;
            let response = call.bearer(text_of(issued, "token")).send()?.response;
            (response.status != 200).then(|| response.status.to_string())
        }
        Family::TcpForward => {
            let connected = connect(issued, TARGET, Shown::Bearer(text_of(issued, "token")))?;
            (connected.status != 200).then(|| connected.text())
        }
    })
}

fn single_use(family: Family) -> Rule {
    draft(format!("limits.single_use.{}", family.kind()), Side::Server)
        .title(format!(
            "With listeners.single_use a {} token opens one connection, and no second",
            family.kind()
        ))
        .source(ONE_TIME, "listeners.single_use: true makes a second connection a refusal")
        .needs(needs(family))
        .fix("Use the session up at the first success, and at no failure.")
        .check(move |bench| {
            let server = world(bench, |world| world["listeners"]["single_use"] = json!(true))?;
            let issued = open(&server, family)?;
            // A failure uses nothing up.
            if family == Family::Ssh {
                let wrong = Login::of(&issued)?.with_token("wrong-token-canary-0123456789");
                let once = ["-o", "NumberOfPasswordPrompts=1"];
                expect_end(
                    "a wrong login",
                    255,
                    &bench.openssh()?.run(&wrong, &once, Some("true"))?.go()?,
                )?;
            } else if family == Family::TcpForward {
                connect(&issued, TARGET, Shown::Basic("wrong-token-canary-0123456789"))?
                    .expect(407)?;
            }
            let before = refusals(&server)?.len();
            let first = used(bench, &server, family, &issued)?;
            expect_eq("the first use", &None, &first)?;
            let second = until_done(bench, &server, family, &issued)?;
            expect(second.is_some(), "the second use", "a refusal", "it was let in")?;
            let after = refusals(&server)?.len();
            expect(
                after > before,
                "the refusals in the journal",
                format!("more than {before}"),
                after,
            )
        })
}

fn single_use_plain() -> Rule {
    rule(
        "limits.single_use.plain_pipe",
        "With listeners.single_use a plain pipe carries one connection, and no second",
    )
    .source(ONE_TIME, "listeners.single_use: true makes a second connection a refusal")
    .fix("Use the session up at the first connection where no token is asked for.")
    .check(|bench| {
        let server = world(bench, |world| {
            world["listeners"]["single_use"] = json!(true);
            world["listeners"]["tcp_auth"] = json!("none");
        })?;
        let issued = open(&server, Family::TcpForward)?;
        let mut first = dial(&issued)?;
        echoed(&mut first, b"first")?;
        expect_hung_up(&mut dial(&issued)?, SOON)?;
        echoed(&mut first, b"still first")?;
        drop(first);
        // The first may still be leaving, and then the place is what is missing.
        until("the refusal of the second connection", SOON, || {
            expect_hung_up(&mut dial(&issued)?, SOON)?;
            let refused = refusals(&server)?;
            Ok(if refused == ["already_used"] { Ok(()) } else { Err(format!("{refused:?}")) })
        })
    })
}

/// The second use; the tcp listener has one place, which the first may still be leaving.
fn until_done(
    bench: &Bench,
    server: &Server,
    family: Family,
    issued: &Value,
) -> Outcome<Option<String>> {
    let mut last = None;
    until("a place for the second use", Duration::from_secs(5), || {
        last = used(bench, server, family, issued)?;
        Ok(match &last {
            Some(said) if said.contains(" 409 ") => Err(said.clone()),
            _ => Ok(()),
        })
    })?;
    Ok(last)
}

/// A thousand connections that are no client of anything, each cut off in another place.
fn noise(number: u32) -> Vec<u8> {
    let random = |count: u32| -> Vec<u8> {
        (0..count)
            .map(|at| {
                (number.wrapping_mul(97).wrapping_add(at).wrapping_mul(2_654_435_761) >> 13)
                    .to_le_bytes()[0]
            })
            .collect()
    };
    match number % 8 {
        0 => Vec::new(),
        1 => random(1 + number % 700),
        2 => b"SSH-2.0-noise\r\n".to_vec(),
        // A packet that says it is four gigabytes long.
        3 => [b"SSH-2.0-noise\r\n\xff\xff\xff\xff".as_slice(), &random(64)].concat(),
        // A TLS record that promises more than comes.
        4 => [b"\x16\x03\x01\x40\x00".as_slice(), &random(50)].concat(),
        5 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        6 => [b"CONNECT ".as_slice(), &vec![b'a'; 9000]].concat(),
        _ => b"CONNECT a:1 HTTP/1.1\r\nProxy-Authorization: Basic !!!\r\n\r\n".to_vec(),
    }
}

fn garbage(family: Family) -> Rule {
    draft(format!("limits.garbage.{}", family.kind()), Side::Server)
        .title(format!(
            "A thousand connections of noise leave a {} listener as it was",
            family.kind()
        ))
        .source(GUIDE, "What sessions lead to")
        .needs(needs(family))
        .fix("Let each connection fail by itself, and give back what it took.")
        .check(move |bench| {
            let mut server = bench.server()?;
            let issued = open(&server, family)?;
            let endpoint = text_of(&issued, "listener_endpoint");
            let address = endpoint.rsplit('@').next().unwrap_or_default().to_owned();
            let open_before = descriptors(&server);
            for number in 0..1000 {
                let mut socket = reach(&address)?;
                // A listener may hang up at any moment.
                let _ = socket.write_all(&noise(number));
            }
            until("an honest client after the noise", Duration::from_secs(15), || {
                // A listener that is still full of noise may hang up on an honest client too.
                match used(bench, &server, family, &issued) {
                    Err(Reason::Failure(failure)) => Ok(Err(failure.to_string())),
                    Err(other) => Err(other),
                    Ok(said) => Ok(said.map_or(Ok(()), Err)),
                }
            })?;
            until("the open files of the server", Duration::from_secs(15), || {
                let (before, now) = (open_before, descriptors(&server));
                Ok(if now <= before + 8 {
                    Ok(())
                } else {
                    Err(format!("{now}, and {before} before"))
                })
            })?;
            expect(server.is_alive(), "the server", "alive", "it ended")
        })
}

/// How many files the server has open; nothing where that cannot be seen.
fn descriptors(server: &Server) -> usize {
    let listed = server.pid().and_then(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok());
    listed.map_or(0, Iterator::count)
}

fn not_served(family: Family) -> Rule {
    draft(format!("limits.not_served.{}", family.kind()), Side::Server)
        .title(format!(
            "With --no-node a {} session is issued, and nobody listens at its endpoint",
            family.kind()
        ))
        .source(GUIDE, "--no-node turns all of it off")
        .needs([Need::SpawnableServer])
        .fix("Bind nothing when listeners are turned off; the control plane answers as ever.")
        .check(move |bench| {
            let server = bench.server_with(&ServerOptions::with(&["--no-node"]))?;
            let issued = open(&server, family)?;
            let endpoint = text_of(&issued, "listener_endpoint");
            let address = endpoint.rsplit('@').next().unwrap_or_default();
            // Where somebody answers it may be another program: the table tells, but is long.
            let held = TcpStream::connect(address).is_ok()
                && server.pid().is_some_and(|pid| listens(pid, address));
            expect(
                !held,
                "the endpoint",
                "nobody there",
                format!("the server listens at {address}"),
            )
        })
}

/// Whether that process holds a listening socket of that address: another program's session may
/// have been given the same port.
fn listens(pid: u32, address: &str) -> bool {
    let Some(port) = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()) else {
        return false;
    };
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|item| {
            Some(std::fs::read_link(item.path()).ok()?.to_string_lossy().into_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")));
        let listening = fields.get(3) == Some(&"0A");
        let inode = fields.get(9).copied().unwrap_or_default();
        local && listening && sockets.contains(&format!("socket:[{inode}]"))
    })
}
