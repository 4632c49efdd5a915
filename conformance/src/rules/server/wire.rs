//! The connection: one port for http and https, and bytes that no client should send.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::installation::{expect_sessions, session_path, sessions_of};
use super::should;
use crate::bench::{Bench, Family, Identity, PROJECT_ID, RESOURCE_ID, Request, Server, Wire};
use crate::rule::{Claim, Need, Rule, RuleDraft};
use crate::verdict::{Outcome, expect, expect_eq, fail};

/// Bytes on a fresh connection, after which the client says no more.
struct Bytes {
    slug: &'static str,
    what: &'static str,
    bytes: fn() -> Vec<u8>,
}

const HOSTILE: [Bytes; 19] = [
    Bytes { slug: "nothing", what: "no byte at all", bytes: Vec::new },
    Bytes { slug: "zeros", what: "zeros", bytes: || vec![0; 4096] },
    Bytes { slug: "noise", what: "noise", bytes: noise },
    Bytes {
        slug: "half_a_head",
        what: "half a request head",
        bytes: || b"GET /v1/healthz HTTP/1.1\r\nHost: a\r\nX-".to_vec(),
    },
    Bytes { slug: "http_0_9", what: "a request of HTTP/0.9", bytes: || b"GET /\r\n\r\n".to_vec() },
    Bytes {
        slug: "http_9",
        what: "a request of HTTP/9.9",
        bytes: || b"GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_vec(),
    },
    Bytes {
        slug: "no_colon",
        what: "a header without a colon",
        bytes: || b"GET / HTTP/1.1\r\nHost a\r\n\r\n".to_vec(),
    },
    Bytes {
        slug: "zero_in_header",
        what: "a zero byte in a header",
        bytes: || b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n".to_vec(),
    },
    Bytes {
        slug: "space_in_name",
        what: "a header name with a space",
        bytes: || b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n".to_vec(),
    },
    Bytes {
        slug: "large_header",
        what: "a header of half a megabyte",
        bytes: || long_header(512 * 1024),
    },
    Bytes { slug: "many_headers", what: "five thousand headers", bytes: many_headers },
    Bytes {
        slug: "long_method",
        what: "a method of a hundred thousand letters",
        bytes: || [vec![b'A'; 100_000], b" / HTTP/1.1\r\n\r\n".to_vec()].concat(),
    },
    Bytes {
        slug: "long_path",
        what: "a path of a hundred thousand letters",
        bytes: || {
            [b"GET /".to_vec(), vec![b'a'; 100_000], b" HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()]
                .concat()
        },
    },
    Bytes {
        slug: "two_lengths",
        what: "two lengths that differ",
        bytes: || post("Content-Length: 3\r\nContent-Length: 4\r\n", b"{}{}"),
    },
    Bytes {
        slug: "negative_length",
        what: "a negative length",
        bytes: || post("Content-Length: -1\r\n", b"{}"),
    },
    Bytes {
        slug: "short_body",
        what: "a body shorter than its length",
        bytes: || post("Content-Length: 5000\r\n", b"{\"kind\":"),
    },
    Bytes {
        slug: "bad_chunk",
        what: "a chunk size that is no number",
        bytes: || post("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    },
    Bytes {
        slug: "tls_noise",
        what: "what begins like TLS and goes on as noise",
        bytes: || [vec![0x16, 3, 1, 2, 0, 1], noise()].concat(),
    },
    Bytes {
        slug: "half_a_hello",
        what: "the beginning of a TLS hello",
        bytes: || vec![0x16, 3, 1],
    },
];

fn noise() -> Vec<u8> {
    // Neither random nor regular: the same in every run.
    (0..4096_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn long_header(length: usize) -> Vec<u8> {
    [b"GET /v1/healthz HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; length], b"\r\n\r\n".to_vec()].concat()
}

fn many_headers() -> Vec<u8> {
    let headers = "X: a\r\n".repeat(5000);
    format!("GET /v1/healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let path = sessions_of(PROJECT_ID);
    let token = Identity::Operator.token();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{headers}\r\n"
    );
    [head.into_bytes(), body.to_vec()].concat()
}

pub(super) fn all() -> Vec<Rule> {
    let mut rules: Vec<Rule> = HOSTILE.iter().map(hostile).collect();
    rules.extend([
        wire("keep_alive", "Requests follow each other on one connection")
            .fix("Keep a connection open after an answer, refusals included.")
            .check(keep_alive),
        wire("pipelined", "Requests sent at once are answered in their order")
            .fix("Answer pipelined requests one after the other.")
            .check(pipelined),
        wire("idle_connections", "Two hundred silent connections do not keep a request from its answer")
            .fix("Wait for each connection on its own.")
            .check(idle_connections),
        tls("same_port", "https is answered on the port of http, by the names the certificate holds")
            .fix("Look at the first byte of a connection; name localhost and the loopback addresses in the certificate.")
            .check(same_port),
        tls("same_answers", "A session issued over https reads the same over http")
            .fix("Answer both schemes from the same world.")
            .check(same_answers),
        tls("ca_file", "The CA file holds certificates and no key")
            .fix("Write the certificate of the CA to the file that the ready line names, and keep its key elsewhere.")
            .check(ca_file),
    ]);
    rules
}

fn wire(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.wire.{slug}"))
        .source("RFC 9112", "Persistence; message framing")
        .claims([Claim::operation("GetHealth", 200)])
        .needs([Need::SpawnableServer])
        .title(title)
}

fn tls(slug: &str, title: &'static str) -> RuleDraft {
    should(format!("server.tls.{slug}"))
        .source("docs/decisions/0027-one-port.md", "http and https on one port")
        .claims([Claim::operation("IssueSession", 201)])
        .needs([Need::SpawnableServer])
        .title(title)
}

fn connect(server: &Server) -> Outcome<TcpStream> {
    let url = server.url();
    let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(socket)
}

/// A client's whole say; what the server answers until it closes.
fn say(server: &Server, bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut socket = connect(server)?;
    // The server may hang up before it has heard everything.
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return fail(
                    "the connection after the client's last word",
                    "an answer or an end",
                    "neither within ten seconds",
                );
            }
            Err(_) => return Ok(answer),
        }
    }
}

fn hostile(case: &'static Bytes) -> Rule {
    wire(&format!("hostile.{}", case.slug), "")
        .title(format!("A connection with {} is refused or closed, and the server goes on", case.what))
        .fix("Bound what is read of a request, refuse what is no HTTP, and never let one connection end the server.")
        .check(move |bench| {
            let mut server = bench.server()?;
            let answer = say(&server, &(case.bytes)())?;
            let refused = answer.is_empty()
                || answer.starts_with(b"HTTP/1.1 4")
                || answer.starts_with(b"HTTP/1.1 5")
                || answer.starts_with(b"HTTP/1.0 4")
                // A TLS alert.
                || answer.first() == Some(&0x15);
            let begin = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
            expect(refused, "the answer", "none, or a refusal", begin)?;
            server.get("/v1/healthz").send()?.expect(200)?;
            expect_sessions(&server, 0)?;
            expect(server.is_alive(), "the server", "it runs", "it ended")
        })
}

fn request(server: &Server, path: &str) -> Outcome<Request> {
    let mut request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
    request.headers.push("host", "localhost");
    request.headers.push("authorization", format!("Bearer {}", server.token(Identity::Operator)?));
    Ok(request)
}

const TOUR: [(&str, u16); 5] = [
    ("/v1/healthz", 200),
    ("/v1/nothing", 404),
    ("/v1/projects/42", 400),
    ("/v1/auth/whoami", 200),
    ("/v1/authz/check", 405),
];

fn keep_alive(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut wire = Wire::new(connect(&server)?);
    for (path, due) in TOUR {
        request(&server, path)?.write_to(&mut wire.stream)?;
        match wire.read_response("GET") {
            Ok(response) => expect_eq(format!("the status of {path}"), &due, &response.status)?,
            Err(error) => {
                return fail(format!("the answer to {path}"), "one on the same connection", error);
            }
        }
    }
    Ok(())
}

fn pipelined(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut wire = Wire::new(connect(&server)?);
    let mut bytes = Vec::new();
    for (path, _) in TOUR {
        request(&server, path)?.write_to(&mut bytes)?;
    }
    wire.stream.write_all(&bytes)?;
    for (path, due) in TOUR {
        match wire.read_response("GET") {
            Ok(response) => expect_eq(format!("the status of {path}"), &due, &response.status)?,
            Err(error) => return fail(format!("the answer to {path}"), "one in its turn", error),
        }
    }
    Ok(())
}

fn idle_connections(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let mut held = Vec::new();
    for at in 0..200_u8 {
        let mut socket = connect(&server)?;
        if at % 2 == 0 {
            socket.write_all(b"POST /v1/authz/check HTTP/1.1\r\nHost: a\r\n")?;
        }
        held.push(socket);
    }
    server.issue(Family::Ssh, Identity::Operator)?.send()?.expect(201)?;
    drop(held);
    server.get("/v1/healthz").send()?.expect(200).map(drop)
}

fn same_port(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let port = |url: &str| url.rsplit_once(':').map(|(_, port)| port.to_owned());
    let (http, https) = (server.url(), server.https_url().unwrap_or_default().to_owned());
    expect_eq("the ports", &port(&http), &port(&https))?;
    for host in ["localhost", "127.0.0.1"] {
        server.over_tls(host, "GET", "/v1/healthz")?.send()?.expect(200)?;
    }
    server.get("/v1/healthz").send()?.expect(200)?;
    server.expect_count("GetHealth", 3)
}

fn same_answers(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let token = server.token(Identity::Operator)?;
    let path = sessions_of(PROJECT_ID);
    let body = json!({"resource_id": RESOURCE_ID, "kind": "ssh",
        "target": Family::Ssh.target()});
    let sent = server.over_tls("localhost", "POST", &path)?.json(&body).bearer(&token).send()?;
    let issued = sent.expect(201)?;
    let path = session_path(&issued);
    let over_http = server.get(&path).bearer(&token).send()?.expect(200)?;
    let over_https =
        server.over_tls("localhost", "GET", &path)?.bearer(&token).send()?.expect(200)?;
    expect_eq("the session over http", &issued["session"], &over_http)?;
    expect_eq("the session over https", &over_http, &over_https)?;
    server
        .over_tls("localhost", "GET", "/v1/auth/whoami")?
        .send()?
        .expect_problem(401, "unauthenticated")
        .map(drop)
}

fn ca_file(bench: &Bench) -> Outcome {
    let server = bench.server()?;
    let Some(path) = server.ca_path() else { return fail("the ready line", "a ca_file", "none") };
    let Ok(pem) = std::fs::read_to_string(path) else {
        return fail("the CA file", "a file that can be read", path.display());
    };
    let begins = |what: &str| pem.matches(&format!("-----BEGIN {what}")).count();
    expect(begins("CERTIFICATE-----") > 0, "the CA file", "a certificate", "none")?;
    expect_eq("what else is in it", &begins("CERTIFICATE-----"), &begins(""))
}
