//! Whatever arrives, a problem document leaves, and the server goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::{Client, PROJECT, at_noon, ssh, with};

#[test]
fn bodies_that_are_no_request_are_refused_one_by_one() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let honest = ssh().to_string();
    let issue = |body: &str| {
        client.send("POST", &format!("/v1/projects/{PROJECT}/sessions"), Some(body)).verdict()
    };
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep_inside = honest.replacen('{', &format!(r#"{{"x":{deep},"#), 1);
    let twice = honest.replacen('{', r#"{"kind":"ssh","#, 1);
    let cases = [
        "",
        " ",
        "null",
        "1",
        "\"text\"",
        "[]",
        "[1,2,3,4,5]",
        "{",
        "{}",
        "{\"kind\":\"ssh\"}",
        "\u{feff}{}",
        "{'kind':'ssh'}",
        &honest[..honest.len() - 1],
        &format!("{honest}{honest}"),
        &format!("{honest},"),
        &deep,
        &twice,
        &honest.replace("\"kind\":\"ssh\"", "\"kind\":\"SSH\""),
        &honest.replace("\"kind\":\"ssh\"", "\"kind\":null"),
        &honest.replace("\"user\":\"ops\"", "\"user\":7"),
        &honest.replace("\"user\":\"ops\"", "\"user\":null"),
        &honest.replace("\"user\":\"ops\"", "\"name\":\"ops\""),
        &honest.replace("{\"user\":\"ops\"}", "[\"ops\"]"),
        &honest.replace("{\"user\":\"ops\"}", "null"),
        &honest.replace("0190a8b8-d3e3", "0190a8b8d3e3"),
        &with(ssh(), "resource_id", "0190a8b8d3e37d3d8d3dd3d3d3d3d3d3").to_string(),
        &with(ssh(), "resource_id", "urn:uuid:0190a8b8-d3e3-7d3d-8d3d-d3d3d3d3d3d3").to_string(),
        &with(ssh(), "idempotency_key", "").to_string(),
        &with(ssh(), "idempotency_key", "k".repeat(4097)).to_string(),
        &with(ssh(), "idempotency_key", 7).to_string(),
        &with(ssh(), "target", "ssh").to_string(),
    ];
    for body in cases {
        let shown: String = body.chars().take(80).collect();
        assert_eq!(issue(body), "400 invalid_body", "{shown}");
    }
    assert_eq!(issue(&with(ssh(), "idempotency_key", "k".repeat(4096)).to_string()), "201");
    assert_eq!(issue(&format!(" \n\t{honest}\r\n ")), "201");
    // A field that nobody reads may be as deep as it likes: it is skipped without descending.
    assert_eq!(issue(&deep_inside), "201");
    assert_eq!(
        issue(&with(ssh(), "x", "y".repeat(70_000)).to_string()),
        "413 request_body_too_large"
    );
    let check = client.send("POST", "/v1/authz/check", Some(&"x".repeat(9000)));
    assert_eq!(check.verdict(), "413 request_body_too_large");
}

#[test]
fn refusals_of_a_body_do_not_repeat_it() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let body = with(ssh(), "requested_ttl_seconds", "a-secret-put-in-the-wrong-place");
    assert!(!client.issue(&body).text.contains("a-secret"));
    let body = with(ssh(), "kind", "a-secret-kind");
    assert!(!client.issue(&body).text.contains("a-secret"));
}

#[test]
fn refusals_of_a_body_say_where_it_is_wrong() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let said = |body: &Value| {
        let problem = client.issue(body).json();
        problem["detail"].as_str().unwrap_or_default().to_owned()
    };
    let wrong = with(ssh(), "requested_ttl_seconds", "an hour");
    assert!(said(&wrong).contains(" in requested_ttl_seconds, at line 1 column "), "{wrong}");
    let mut wrong = ssh();
    wrong["target"]["ssh"]["user"] = json!(7);
    assert!(said(&wrong).contains(" in target.ssh.user, at line 1 column "), "{}", said(&wrong));
    // What has no place of its own keeps its line and column.
    let nowhere = said(&json!([1]));
    assert!(nowhere.contains(" at line 1 column ") && !nowhere.contains(" in "), "{nowhere}");
}

#[test]
fn paths_and_methods_that_do_not_exist_are_refused() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let sessions = format!("/v1/projects/{PROJECT}/sessions");
    for path in
        ["/", "/v1", "/v1/", "/v2/projects", "/v1/projects/x/y", "/%00", "//", "/v1//projects"]
    {
        assert_eq!(client.get(path).verdict(), "404 not_found", "{path}");
    }
    for (method, path, allow) in [
        ("PUT", sessions.as_str(), "GET, HEAD, POST, OPTIONS"),
        ("DELETE", &sessions, "GET, HEAD, POST, OPTIONS"),
        ("PATCH", &sessions, "GET, HEAD, POST, OPTIONS"),
        ("POST", "/v1/auth/whoami", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/authz/check", "POST, OPTIONS"),
    ] {
        let answer = client.send(method, path, None);
        assert_eq!(answer.verdict(), "405 method_not_allowed", "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow));
    }
    let options = client.send("OPTIONS", &sessions, None);
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, POST, OPTIONS")));
    let head = client.send("HEAD", &sessions, None);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    for id in ["x", "0190a8b8", "%2e%2e", "0190A8B8A0C07A0A8A0AA0A0A0A0A0C0"] {
        let at = |path: &str| client.get(&path.replace("ID", id)).verdict();
        assert_eq!(at("/v1/projects/ID/sessions"), "400 invalid_project_id");
        assert_eq!(at("/v1/projects/ID"), "400 invalid_project_id");
        assert_eq!(at(&format!("{sessions}/ID")), "400 invalid_session_id");
        assert_eq!(at(&format!("/v1/projects/{PROJECT}/resources/ID")), "400 invalid_resource_id");
    }
}

#[test]
fn a_method_nobody_knows_is_refused_like_the_others() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let path = format!("/v1/projects/{PROJECT}/sessions");
    let request = format!("BREW {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let answer = raw(authority, request.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 405") && answer.contains("method_not_allowed"),
        "{answer}"
    );
    assert_eq!(Client::of(&server).journal()["requests"][0]["method"], "BREW");
}

#[test]
fn a_body_must_be_json_by_its_type() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let body = ssh().to_string();
    for (headers, status) in [
        ("content-type: application/json\r\n", "201"),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", "201"),
        ("content-type: application/vnd.plexsphere+json\r\n", "201"),
        ("content-type: text/plain\r\n", "415"),
        ("content-type: application/x-www-form-urlencoded\r\n", "415"),
        ("content-type: \r\n", "415"),
        ("", "415"),
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", "415"),
    ] {
        let answer = raw(
            authority,
            &format!(
                "POST /v1/projects/{PROJECT}/sessions HTTP/1.1\r\nhost: x\r\n{headers}\
             authorization: bearer psk_dev_operator\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        );
        assert_eq!(answer.get(9..12), Some(status), "{headers} {answer}");
    }
}

#[test]
fn authorization_headers_that_are_no_bearer_are_nobody() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    for header in [
        "",
        "authorization: psk_dev_operator\r\n",
        "authorization: Basic cHNr\r\n",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: Bearer x y\r\n",
        "authorization: Bearer \u{e9}\r\n",
    ] {
        let request =
            format!("GET /v1/auth/whoami HTTP/1.1\r\nhost: x\r\n{header}connection: close\r\n\r\n");
        let answer = raw(authority, request.as_bytes());
        assert_eq!(answer.get(9..12), Some("401"), "{header}");
        assert!(answer.contains("unauthenticated"));
    }
}

/// Each of these ends its own connection at most.
#[test]
fn bytes_that_are_no_http_do_no_harm() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let cases: Vec<Vec<u8>> = vec![
        b"\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\xff\xfe\xfd\xfc\r\n\r\n".to_vec(),
        b"GET /\xff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
        [b"GET /".as_slice(), &[b'a'; 100_000], b" HTTP/1.1\r\n\r\n"].concat(),
        [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'a'; 1_000_000]].concat(),
        b"POST /v1/authz/check HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST /v1/authz/check HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(),
        b"POST /v1/authz/check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"\x16\x03\x01\x00\x05hello".to_vec(),
        b"\x16\x03\x01".to_vec(),
        b"\x16".to_vec(),
    ];
    for case in cases {
        let _ = spew(authority, &case);
        assert_eq!(Client::of(&server).get("/v1/version").status, 200);
    }
}

/// What the http library refuses by itself has the words of every other refusal, over TLS as well.
#[test]
fn what_is_no_request_gets_a_problem_document() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let many: String = (0..200).map(|n| format!("x{n}: y\r\n")).collect();
    for (request, status, code) in [
        (b"GET /v1/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 400, "malformed_request"),
        (b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 400, "malformed_request"),
        (b"GET / HTTP/1.1\r\ncontent-length: -5\r\n\r\n".to_vec(), 400, "malformed_request"),
        (
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000)).into_bytes(),
            414,
            "uri_too_long",
        ),
        (
            format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes(),
            431,
            "request_header_fields_too_large",
        ),
    ] {
        let answer = String::from_utf8_lossy(&spew(authority, &request)).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(head.contains("content-type: application/problem+json"), "{answer}");
        let problem: serde_json::Value = serde_json::from_str(body).expect(&answer);
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
    }
    // On a connection that was used before, the second request is the one that is refused.
    let twice = b"GET /v1/version HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/9.9\r\n\r\n";
    let answer = String::from_utf8_lossy(&spew(authority, twice)).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("malformed_request"),
        "{answer}"
    );
}

/// Bad UTF-8 inside JSON, which a client library would not send.
#[test]
fn bad_utf8_is_refused() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let body = b"{\"subject\":\"\xff\",\"relation\":\"act\",\"resource\":\"a:b\"}";
    let head = format!(
        "POST /v1/authz/check HTTP/1.1\r\nhost: x\r\nauthorization: Bearer psk_dev_operator\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(authority, &[head.as_bytes(), body].concat());
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_body"), "{answer}");
}

#[test]
fn a_body_sent_in_pieces_is_one_body() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let body = ssh().to_string();
    let mut chunked = String::new();
    for piece in body.as_bytes().chunks(7) {
        chunked.push_str(&format!(
            "{:x}\r\n{}\r\n",
            piece.len(),
            std::str::from_utf8(piece).unwrap()
        ));
    }
    let answer = raw(
        authority,
        &format!(
            "POST /v1/projects/{PROJECT}/sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer psk_dev_operator\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{chunked}0\r\n\r\n"
        )
        .into_bytes(),
    );
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// What the server says to a request that asks it to close.
fn raw(authority: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends bytes and no more, and takes whatever comes; being cut off is an answer too.
fn spew(authority: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(authority).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A refusal that needs no body must not cost the client its connection.
#[test]
fn a_connection_is_used_again_after_a_refusal() {
    let server = at_noon().start().unwrap();
    let authority = server.http_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    for path in ["/nowhere", "/v1/version", "/ns/%20/v1/projects", "/__mock/ready", "/v1/version"] {
        let body = "x".repeat(10_000);
        write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len())
            .unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 4"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    }
}
