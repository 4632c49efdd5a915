//! How a tunnel ends: by a signal, or with its session.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::{Tunnel, says_back};
use crate::mock::{Mock, signal};
use crate::stage::{Play, SESSION, Sandbox, Server, TOKEN};

#[test]
fn signals_end_it_in_good_order() {
    for (number, word) in [
        (Signal::INT, "interrupted"),
        (Signal::TERM, "terminated"),
        (Signal::HUP, "the terminal is gone"),
    ] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        let tunnel = Tunnel::to(&mock, &sandbox, "5432");
        let (id, mut stream) = (tunnel.text("session_id").to_owned(), tunnel.connect());
        says_back(&mut stream, "hello");
        signal(&tunnel.child, number);
        let (code, stderr) = tunnel.ends();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.starts_with(&format!("note: forwarding has ended: {word}\n")), "{stderr}");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "the connection is still there");
        let session = mock.session(&id);
        assert_eq!(
            (&session["status"], &session["revoke_reason"]),
            (&"revoked".into(), &"operator_request".into())
        );
    }
}

#[test]
fn the_end_of_the_session_is_the_end_of_the_tunnel() {
    type Finish = fn(&Mock, &str);
    let revoked: Finish = |mock, id| mock.revoke(id);
    let expired: Finish = |mock, _| {
        // Not in one leap: idleness comes before expiry.
        mock.call("PUT", "/__mock/clock", r#"{"advance_seconds":1801}"#);
    };
    let idle: Finish = |mock, _| mock.advance(901);
    for (finish, word, no_idling) in [
        (revoked, "the session was revoked (policy_violation)", false),
        (expired, "the session expired", true),
        (idle, "the session was idle for too long", false),
    ] {
        let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
        if no_idling {
            mock.change_world(|world| {
                for domain in world["domains"].as_array_mut().unwrap() {
                    domain["session_policy"]["idle_timeout_seconds"] = Value::Null;
                }
            });
        }
        let tunnel = Tunnel::to(&mock, &sandbox, "5432");
        let (id, mut stream) = (tunnel.text("session_id").to_owned(), tunnel.connect());
        says_back(&mut stream, "hello");
        finish(&mock, &id);
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "the connection is still there");
        // The client stays; it is the node's leaving that has the tunnel ask.
        let begun = Instant::now();
        let (code, stderr) = tunnel.ends();
        assert!(begun.elapsed() < Duration::from_secs(4), "noticed after {:?}", begun.elapsed());
        assert_eq!((code, stderr), (Some(0), format!("note: forwarding has ended: {word}\n")));
    }
}

#[test]
fn a_lifetime_ends_by_our_own_clock_too() {
    // The server's clock says 2030; what counts is how long it gives.
    let body = format!(
        r#"{{"session_id":"{SESSION}","token":"{TOKEN}","expires_at":"2030-01-01T00:00:01Z",
        "listener_endpoint":"127.0.0.1:9",
        "session":{{"id":"{SESSION}","kind":"tcp","issued_at":"2030-01-01T00:00:00Z"}}}}"#
    );
    let server = Server::start(vec![
        Play::json("201 Created", "application/json", &body),
        Play::problem("503 Service Unavailable", "{}"),
    ]);
    let sandbox = Sandbox::new();
    let output = sandbox.run(&server, "tcp-forward").arg("--listen").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "note: forwarding has ended: the session expired\n");
    assert_eq!(server.revokes(), 0);
}
