//! Namespaces keep apart what a test does, and two servers alike answer alike.

use serde_json::json;

use crate::client::{Client, at_noon, ssh, tcp, with};

#[test]
fn sixty_four_tests_at_once_do_not_see_each_other() {
    let server = at_noon().world("tiny").start().unwrap();
    let root = Client::of(&server);
    std::thread::scope(|scope| {
        for n in 0..64_i64 {
            let client = root.below(&format!("/ns/test-{n}"));
            scope.spawn(move || {
                client.advance(n * 1000);
                let issued = client.issued(&tcp());
                client.issued(&tcp());
                assert_eq!(client.issue(&tcp()).verdict(), "429 session_limit_exceeded");
                assert_eq!(client.list("").json()["items"].as_array().unwrap().len(), 2);
                assert_eq!(client.session(&issued["session_id"]).status, 200);
                let journal = client.journal();
                assert_eq!(journal["namespace"], format!("test-{n}"));
                assert_eq!(
                    journal["counts"],
                    json!({
                        "GetSession": 1, "IssueSession": 3, "ListSessions": 1,
                    })
                );
                let now = client.get("/__mock/clock").json()["now"].as_str().unwrap().to_owned();
                let moved: jiff::Timestamp = now.parse().unwrap();
                let noon: jiff::Timestamp = crate::client::NOON.parse().unwrap();
                assert_eq!(moved.as_second() - noon.as_second(), n * 1000);
            });
        }
    });
    assert_eq!(root.journal()["total"], 0);
    assert_eq!(root.list("").json()["items"], json!([]));
}

#[test]
fn keys_and_sessions_differ_and_foreign_ones_are_not_known() {
    let server = at_noon().start().unwrap();
    let (one, two) = (Client::of(&server).below("/ns/one"), Client::of(&server).below("/ns/two"));
    let kid =
        |client: &Client| client.get("/.well-known/jwks.json").json()["keys"][0]["kid"].clone();
    assert_ne!(kid(&one), kid(&two));
    let answer = one.issue(&ssh());
    let issued = answer.json();
    assert_eq!(two.session(&issued["session_id"]).verdict(), "404 session_not_found");
    assert!(answer.header("location").unwrap().starts_with("/ns/one/v1/projects/"));
}

#[test]
fn the_default_namespace_has_a_name() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let issued = client.issued(&tcp());
    assert_eq!(client.below("/ns/default").session(&issued["session_id"]).status, 200);
}

#[test]
fn names_are_checked_and_their_number_is_bounded() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let long = "x".repeat(65);
    for name in ["", "a%20b", "a%2Fb", "caf%C3%A9", &long] {
        let answer = client.get(&format!("/ns/{name}/v1/auth/whoami"));
        assert_eq!(answer.verdict(), "400 invalid_namespace", "{name}");
    }
    for n in 0..1024 {
        assert_eq!(client.get(&format!("/ns/n{n}/v1/version")).status, 200);
    }
    assert_eq!(client.get("/ns/more/v1/version").verdict(), "503 namespace_limit_reached");
    assert_eq!(client.get("/ns/n7/v1/version").status, 200);
    assert_eq!(client.send("DELETE", "/ns/n7/__mock/namespace", None).status, 204);
    assert_eq!(client.get("/ns/more/v1/version").status, 200);
}

#[test]
fn a_forgotten_namespace_takes_its_sessions_with_it_and_begins_anew() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let one = client.below("/ns/one");
    let issued = one.issued(&ssh());
    assert_eq!(one.send("DELETE", "/__mock/namespace", None).status, 204);
    assert_eq!(one.session(&issued["session_id"]).verdict(), "404 session_not_found");
    assert_eq!(one.journal()["total"], 1);
    assert_eq!(client.send("DELETE", "/__mock/namespace", None).status, 204, "the default one");
    assert_eq!(client.get("/v1/version").status, 200);
}

/// Steps that some clients would take before they send anything.
#[test]
fn dots_alone_name_no_namespace() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    for name in [".", ".."] {
        let mut stream = std::net::TcpStream::connect(authority).unwrap();
        let request =
            format!("GET /ns/{name}/v1/version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_namespace"),
            "{answer}"
        );
    }
}

/// Everything a client can see, from two servers that share a seed and a clock.
#[test]
fn the_same_seed_and_clock_give_the_same_bytes() {
    let run = || {
        let server = at_noon().no_node().start().unwrap();
        let mut seen = Vec::new();
        for base in ["", "/ns/a"] {
            let client = Client::of(&server).below(base);
            let mut answers = vec![
                client.issue(&ssh()),
                client.issue(&with(tcp(), "idempotency_key", "k")),
                client.token("psk_dev_outsider").issue(&ssh()),
                client.issue(&with(ssh(), "kind", "none")),
            ];
            client.advance(600);
            answers.push(client.issue(&tcp()));
            answers.push(client.list("?limit=2"));
            answers.push(client.get("/.well-known/jwks.json"));
            answers.push(client.get("/__mock/requests"));
            seen.extend(answers.into_iter().map(|one| format!("{:?} {}", one.headers, one.text)));
        }
        seen
    };
    assert_eq!(run(), run());
}

#[test]
fn without_a_seed_no_two_servers_are_alike() {
    let kid = || {
        let server = mock_server::MockServer::builder().start().unwrap();
        Client::of(&server).get("/.well-known/jwks.json").text
    };
    assert_ne!(kid(), kid());
}
