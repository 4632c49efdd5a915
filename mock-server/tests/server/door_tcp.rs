//! The door of a tcp session: CONNECT, its refusals, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};

use mock_server::MockServer;
use serde_json::json;

use crate::client::{Client, RESOURCE, at_noon, k8s, tcp};
use crate::doors::{Issued, codes, ends_soon, refusals, until};

const TARGET: &str = "10.0.0.5:5432";

fn start() -> (MockServer, Client) {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    (server, client)
}

#[test]
fn a_hundred_megabytes_go_both_ways_without_a_byte_lost() {
    const PIECES: usize = 100;
    let (_server, client) = start();
    let issued = Issued::new(&client, &tcp());
    let (mut stream, answer) = issued.ask(TARGET, &issued.token);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let piece: Vec<u8> =
        (0..1024 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut sender = stream.try_clone().unwrap();
    let sent = piece.clone();
    let sending = std::thread::spawn(move || {
        for _ in 0..PIECES {
            sender.write_all(&sent).unwrap();
        }
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = vec![0; piece.len()];
    for n in 0..PIECES {
        stream.read_exact(&mut back).unwrap();
        assert!(back == piece, "megabyte {n} differs");
    }
    assert_eq!(stream.read(&mut back).unwrap(), 0);
    sending.join().unwrap();
    let carried = "/listeners/tcp?bytes_in=104857600&bytes_out=104857600";
    until("the bytes are told", || client.get("/__mock/requests").text.contains(carried));
}

#[test]
fn refusals_come_in_their_order_and_name_no_token() {
    let (_server, client) = start();
    let (one, other) = (Issued::new(&client, &tcp()), Issued::new(&client, &tcp()));
    let kube = Issued::new(&client, &k8s());
    let revoked = {
        let issued = Issued::new(&client, &tcp());
        client.revoke(&issued.id);
        issued
    };
    let status = |request: &str| one.ask_with(request).1.lines().next().unwrap().to_owned();
    assert!(status("hello\r\n\r\n").contains(" 400 "));
    assert!(status("GET / HTTP/1.1\r\n\r\n").contains(" 405 "));
    let bare = one.ask_with("CONNECT 10.0.0.5:9 HTTP/1.1\r\n\r\n").1;
    assert!(bare.contains(" 407 ") && bare.contains("proxy-authenticate: Basic"), "{bare}");
    for token in [
        &other.token,
        &kube.token,
        &revoked.token,
        &"no-token-at-all".to_owned(),
        &one.token[1..].to_owned(),
    ] {
        let (mut stream, answer) = one.ask("10.0.0.5:9", token);
        assert!(answer.contains(" 407 "), "{answer}");
        stream.shutdown(Shutdown::Write).unwrap();
        let mut problem = String::new();
        stream.read_to_string(&mut problem).unwrap();
        assert!(
            problem.contains("token_refused") && !problem.contains(token.as_str()),
            "{problem}"
        );
    }
    assert_eq!(refusals(&client), ["session", "kind", "session", "malformed", "malformed"]);
    assert!(one.ask("10.0.0.5:9", &one.token).1.contains(" 403 "));
    // Half a pair of brackets is part of the name.
    assert!(one.ask("[10.0.0.5:5432", &one.token).1.contains(" 403 "));
    let (_held, answer) = one.ask(TARGET, &one.token);
    assert!(answer.contains(" 200 "), "{answer}");
    assert!(one.ask(TARGET, &one.token).1.contains(" 409 "));
    assert!(!client.get("/__mock/requests").text.contains("eyJ"));
    let told = codes(&client, "SessionActivity");
    assert!(told.iter().any(|code| code == "request_refused"), "{told:?}");
}

#[test]
fn a_revoked_session_drops_its_stream_and_its_port() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &tcp());
    let (mut stream, answer) = issued.ask(TARGET, &issued.token);
    assert!(answer.contains(" 200 "), "{answer}");
    client.revoke(&issued.id);
    ends_soon(&mut stream);
    until("the port is closed", || std::net::TcpStream::connect(issued.address()).is_err());
    until("the cause is told", || {
        client.get("/__mock/requests").text.contains("terminated_by=operator_revoke")
    });
}

#[test]
fn the_clock_ends_sessions_and_activity_puts_idleness_off() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &tcp());
    let (mut stream, _) = issued.ask(TARGET, &issued.token);
    let mut byte = [0];
    client.advance(800);
    // Traffic is told of once a second, so the first bytes may come too early to count.
    let mut active_at = |moment: &str| {
        until("activity shows", || {
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut byte).unwrap();
            client.session(&issued.id).json()["last_active_at"] == moment
        });
    };
    active_at("2026-06-01T12:13:20Z");
    client.advance(800);
    active_at("2026-06-01T12:26:40Z");
    client.advance(200);
    ends_soon(&mut stream);
    let session = client.session(&issued.id).json();
    assert_eq!(session["status"], "expired", "{session}");

    let idle = Issued::new(&client, &tcp());
    let (mut stream, _) = idle.ask(TARGET, &idle.token);
    client.advance(901);
    ends_soon(&mut stream);
    assert_eq!(client.session(&idle.id).json()["revoke_reason"], "idle_timeout");
}

#[test]
fn another_world_and_a_reset_end_what_was_there() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &tcp());
    let (mut stream, _) = issued.ask(TARGET, &issued.token);
    client.change_world(|world| world["listeners"]["tcp_auth"] = "none".into());
    ends_soon(&mut stream);

    let open = Issued::new(&client, &tcp());
    let mut stream = open.connect();
    stream.write_all(b"plain").unwrap();
    let mut back = [0; 5];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"plain");
    client.send("POST", "/__mock/reset", None);
    ends_soon(&mut stream);
}

#[test]
fn a_session_of_single_use_is_used_once() {
    let (_server, client) = start();
    client.change_world(|world| world["listeners"]["single_use"] = true.into());
    let issued = Issued::new(&client, &tcp());
    // A target that is not the session's has not used anything up.
    assert!(issued.ask("10.0.0.5:9", &issued.token).1.contains(" 403 "));
    let (stream, answer) = issued.ask(TARGET, &issued.token);
    assert!(answer.contains(" 200 "), "{answer}");
    drop(stream);
    until("the second is refused", || issued.ask(TARGET, &issued.token).1.contains(" 407 "));
    assert_eq!(refusals(&client), ["already_used"]);
}

#[test]
fn a_plain_session_of_single_use_is_used_once() {
    let (_server, client) = start();
    client.change_world(|world| {
        world["listeners"]["single_use"] = true.into();
        world["listeners"]["tcp_auth"] = "none".into();
    });
    let issued = Issued::new(&client, &tcp());
    let mut back = [0; 2];
    let mut first = issued.connect();
    first.write_all(b"hi").unwrap();
    first.read_exact(&mut back).unwrap();
    let mut beside = issued.connect();
    assert_eq!(beside.read(&mut back).unwrap_or(0), 0, "two at once");
    drop(first);
    until("the second is refused", || {
        assert_eq!(issued.connect().read(&mut back).unwrap_or(0), 0, "it was let in");
        refusals(&client).first().is_some_and(|name| name == "already_used")
    });
    let journal = client.get("/__mock/requests").text;
    assert!(journal.contains("request=connection_limit"), "{journal}");
}

#[test]
fn whoever_comes_to_a_full_listener_is_told_unheard() {
    let (_server, client) = start();
    let issued = Issued::new(&client, &tcp());
    let silent: Vec<_> = (0..128).map(|_| issued.connect()).collect();
    // Accepted in their order, so there is no place for this one.
    let (_, answer) = issued.ask(TARGET, &issued.token);
    assert!(answer.contains(" 409 "), "{answer}");
    drop(silent);
    until("there is a place again", || issued.ask(TARGET, &issued.token).1.contains(" 200 "));
}

#[test]
fn what_only_the_target_sends_puts_idleness_off() {
    let near = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = near.local_addr().unwrap().to_string();
    let (_server, client) = start();
    client.change_world(|world| {
        world["tcp_targets"] = json!([{"host": "10.0.0.5", "port": 5432, "leads_to": address}]);
    });
    let issued = Issued::new(&client, &tcp());
    let (mut stream, answer) = issued.ask(TARGET, &issued.token);
    assert!(answer.contains(" 200 "), "{answer}");
    let (mut far, _) = near.accept().unwrap();
    for moment in ["2026-06-01T12:13:20Z", "2026-06-01T12:26:40Z"] {
        client.advance(800);
        until("activity shows", || {
            far.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            client.session(&issued.id).json()["last_active_at"] == moment
        });
    }
}

#[test]
fn targets_lead_where_the_world_says() {
    let near = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = near.local_addr().unwrap().to_string();
    let (_server, client) = start();
    client.change_world(|world| {
        world["tcp_targets"] = json!([
            {"host": "db", "port": 1, "leads_to": address},
            {"host": "db", "port": 2, "leads_to": "hello"},
        ]);
    });
    let to = |port: u16| json!({"resource_id": RESOURCE, "kind": "tcp", "target": {"tcp": {"host": "db", "port": port}}});
    let issued = Issued::new(&client, &to(1));
    let (mut stream, answer) = issued.ask("DB:1", &issued.token);
    assert!(answer.contains(" 200 "), "{answer}");
    let (mut far, _) = near.accept().unwrap();
    far.write_all(b"from afar").unwrap();
    drop(far);
    let mut said = String::new();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "from afar");

    let issued = Issued::new(&client, &to(2));
    let (mut stream, _) = issued.ask("db:2", &issued.token);
    stream.write_all(b"GET /a HTTP/1.1\r\nhost: db\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.ends_with("hello from the far end: /a\n"), "{page}");

    let mut world = client.get("/__mock/world").json();
    world["tcp_targets"][0]["leads_to"] = "10.0.0.1:80".into();
    let answer = client.put("/__mock/world", &world);
    assert_eq!(answer.verdict(), "400 invalid_world", "{}", answer.text);
}

#[test]
fn without_a_node_nothing_listens() {
    let server = at_noon().no_node().start().unwrap();
    let client = Client::of(&server);
    let issued = Issued::new(&client, &tcp());
    // Somebody else may have that port; nobody there knows the token.
    if let Ok(mut stream) = std::net::TcpStream::connect(issued.address()) {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    }
    assert!(codes(&client, "SessionActivity").is_empty());
}
