//! In front of the listeners that sessions lead to: each answer that names one gets the port of a
//! door in its place, which leads there, wrong in what passes or in whom it lets through.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::alone;
use super::relay::{Relay, Shared, Upstream, locked, splice};
use super::stand::Marker;
use super::subject::{Act, Traffic};
use super::wire;
use crate::bench::Response;

/// How often a door looks whether its listener is still there.
const GLANCE: Duration = Duration::from_millis(20);

/// All doors of a server.
pub(super) struct Doors {
    traffic: Traffic,
    marker: Marker,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// The port of a door by the port that it leads to.
    known: Mutex<HashMap<u16, u16>>,
    /// Tokens by the session they are for.
    tokens: Mutex<HashMap<String, String>>,
    newest: Arc<AtomicU16>,
}

/// One of them.
pub(super) struct Door {
    pub(super) token: String,
    kind: String,
    closed: Arc<AtomicBool>,
    newest: Arc<AtomicU16>,
}

impl Doors {
    pub(super) fn new(
        traffic: &Traffic,
        marker: Marker,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            traffic: traffic.clone(),
            marker,
            tls,
            known: Mutex::default(),
            tokens: Mutex::default(),
            newest: Arc::default(),
        })
    }

    /// Puts a door in the place of the listener that an answer names, if it is one of ours.
    pub(super) fn put_in_place(&self, response: &mut Response) -> bool {
        let mut document = response.json();
        let session =
            if document["session"].is_object() { &document["session"] } else { &document };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, id) = (text(&session["kind"]), text(&session["id"]));
        if !self.traffic.listener.contains(&kind) {
            return false;
        }
        if let Some(token) = document["token"].as_str() {
            locked(&self.tokens).insert(id.clone(), token.to_owned());
        }
        let endpoint = text(&document["listener_endpoint"]);
        let Some((before, port)) = endpoint.rsplit_once(':') else { return false };
        // What a node reports of another machine leads there, and stays as it is.
        if !["127.0.0.1", "localhost", "[::1]"].iter().any(|host| before.ends_with(host)) {
            return false;
        }
        let Some(Ok(ours)) = port.parse().ok().map(|port| self.leading_to(port, &kind, &id)) else {
            return false;
        };
        document["listener_endpoint"] = format!("{before}:{ours}").into();
        response.body = document.to_string().into_bytes();
        true
    }

    fn leading_to(&self, theirs: u16, kind: &str, id: &str) -> io::Result<u16> {
        let mut known = locked(&self.known);
        if let Some(ours) = known.get(&theirs) {
            return Ok(*ours);
        }
        self.newest.store(theirs, Ordering::SeqCst);
        let upstream = Upstream {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: theirs,
            authority: format!("127.0.0.1:{theirs}"),
            tls: kind == "k8s",
        };
        let closed = Arc::new(AtomicBool::new(false));
        let mut shared = Shared::to(upstream, Some(self.traffic.clone()), self.marker.clone());
        shared.tls.clone_from(&self.tls);
        shared.door = Some(Door {
            token: locked(&self.tokens).get(id).cloned().unwrap_or_default(),
            kind: kind.to_owned(),
            closed: Arc::clone(&closed),
            newest: Arc::clone(&self.newest),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let ours = Relay::serve(listener, shared)?.port;
        if !matches!(self.traffic.act, Act::Outlives) {
            thread::spawn(move || close_with(theirs, ours, &closed));
        }
        known.insert(theirs, ours);
        Ok(ours)
    }
}

/// Closes a door when its listener is gone. Whoever looked by connecting would be counted.
fn close_with(theirs: u16, ours: u16, closed: &AtomicBool) {
    while listens(theirs).unwrap_or(true) {
        thread::sleep(GLANCE);
    }
    closed.store(true, Ordering::SeqCst);
    // Wakes the thread that waits for the next client.
    let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, ours));
}

/// Whether anybody listens at that port; none where it cannot be seen.
fn listens(port: u16) -> Option<bool> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let port = format!(":{port:04X}");
    Some(table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| local.ends_with(&port));
        local && fields.nth(1) == Some("0A")
    }))
}

impl Door {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// One client, in or not.
    pub(super) fn pass(&self, shared: &Shared, client: TcpStream) {
        let Some(act) = shared.traffic.as_ref().map(|traffic| &traffic.act) else { return };
        match act {
            Act::Newest => {
                let port = self.newest.load(Ordering::SeqCst);
                if port != shared.upstream.port {
                    shared.marker.act();
                }
                if let Ok(other) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    splice(&client, &other, wire::copy);
                }
            }
            Act::Outlives => outlived(shared, &client),
            Act::Cut(after) => {
                let Ok(upstream) = shared.dial() else { return };
                splice(&client, &upstream, |from, mut to| {
                    let mut bounded = from.take(*after);
                    if io::copy(&mut bounded, &mut to)? == *after {
                        shared.marker.act();
                    }
                    Ok(())
                });
            }
            Act::Closed if self.kind == "ssh" => shared.marker.act(),
            Act::Places(_) | Act::OneAtATime => shared.spliced(&client),
            _ => match (&*self.kind, &shared.tls) {
                ("k8s", Some(config)) => alone::in_turn_over_tls(shared, client, config),
                ("tcp", _) => shared.read_along(&client),
                _ => shared.spliced(&client),
            },
        }
    }
}

/// A connection that stays when the listener hangs up, or is not there any more.
fn outlived(shared: &Shared, client: &TcpStream) {
    if let Ok(upstream) = shared.dial() {
        thread::scope(|scope| {
            scope.spawn(|| wire::copy(client, &upstream));
            let _ = io::copy(&mut &upstream, &mut &*client);
        });
    }
    shared.marker.act();
    let _ = io::copy(&mut &*client, &mut io::sink());
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    /// A listener that says back what it hears, and doors in front of it.
    fn doors(act: &Value, name: &str) -> (Arc<Doors>, Vec<u16>) {
        let traffic: Traffic =
            serde_json::from_value(json!({"listener": ["ssh", "tcp"], "act": act})).unwrap();
        let doors = Doors::new(&traffic, Marker::nowhere(), None);
        let ports = [name, "other"].map(|name| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let theirs = listener.local_addr().unwrap().port();
            let name = name.to_owned();
            thread::spawn(move || {
                for mut client in listener.incoming().flatten() {
                    let name = name.clone();
                    thread::spawn(move || {
                        let mut word = [0; 4];
                        client.read_exact(&mut word)?;
                        client.write_all(&[name.as_bytes(), &word].concat())
                    });
                }
            });
            let answer = json!({
                "listener_endpoint": format!("ssh://ops@127.0.0.1:{theirs}"), "token": "t",
                "session": {"id": name_of(theirs), "kind": "ssh"},
            });
            let mut response = Response { body: answer.to_string().into(), ..Response::default() };
            assert!(doors.put_in_place(&mut response));
            let endpoint = response.json()["listener_endpoint"].as_str().unwrap().to_owned();
            let ours = endpoint.strip_prefix("ssh://ops@127.0.0.1:").unwrap().parse().unwrap();
            assert_ne!(ours, theirs);
            ours
        });
        (doors, ports.to_vec())
    }

    fn name_of(port: u16) -> String {
        format!("session-{port}")
    }

    fn said(port: u16) -> String {
        let mut said = Vec::new();
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            let _ = stream.write_all(b"word");
            // A connection that is reset has said what it had to say.
            let _ = stream.read_to_end(&mut said);
        }
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn every_door_leads_to_the_newest_session_where_that_is_the_defect() {
        let (_doors, ports) = doors(&json!("newest"), "first");
        assert_eq!([said(ports[0]), said(ports[1])], ["otherword", "otherword"]);
    }

    #[test]
    fn a_port_closes_when_so_many_have_come() {
        let (_doors, ports) = doors(&json!({"places": {"in_all": 1}}), "first");
        assert_eq!([said(ports[0]), said(ports[0])], ["firstword", ""]);
        assert_eq!(said(ports[1]), "otherword");
    }

    #[test]
    fn whoever_comes_beside_so_many_is_hung_up_on() {
        let (_doors, ports) = doors(&json!({"places": {"at_once": 0}}), "first");
        assert_eq!(said(ports[0]), "");
    }

    #[test]
    fn a_connection_ends_after_so_many_bytes() {
        let (_doors, ports) = doors(&json!({"cut": 6}), "first");
        assert_eq!(said(ports[0]), "firstw");
    }

    #[test]
    fn other_kinds_and_refusals_stay_as_they_are() {
        let (doors, _) = doors(&json!("newest"), "first");
        for answer in [
            json!({"listener_endpoint": "127.0.0.1:1", "session": {"id": "s", "kind": "k8s"}}),
            json!({"code": "rebac_denied", "status": 403}),
            json!({"session": {"id": "s", "kind": "tcp"}}),
        ] {
            let mut response = Response { body: answer.to_string().into(), ..Response::default() };
            assert!(!doors.put_in_place(&mut response));
            assert_eq!(response.json(), answer);
        }
    }
}
