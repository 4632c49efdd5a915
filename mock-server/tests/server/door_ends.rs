//! How the programs people have come to the end of their session: by its time, by idleness, by a
//! clock that jumps, each within a second.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use mock_server::MockServer;
use serde_json::{Value, json};

use crate::client::{Client, at_noon, k8s, ssh, tcp, with};
use crate::door_clients::{kubeconfig, stock_ssh};
use crate::doors::{Issued, Running, ends_soon, program, until};
use crate::process::trusting;

/// A shell, a watch and a stream, all open.
struct Open {
    shell: Running,
    watch: Running,
    stream: std::net::TcpStream,
    ids: Vec<Value>,
}

impl Open {
    fn on(server: &MockServer, client: &Client, home: &Path, ttl: Option<u64>) -> Option<Self> {
        let there = [program("ssh"), program("kubectl")];
        if there.iter().any(Option::is_none) {
            return None;
        }
        let of = |body: Value| match ttl {
            Some(ttl) => Issued::new(client, &with(body, "requested_ttl_seconds", ttl)),
            None => Issued::new(client, &body),
        };
        let (kube, stream) = (of(k8s()), of(tcp()));
        let watch = watch(kubeconfig(home, server, &kube, &kube.token));
        until("a watch", || client.get("/__mock/requests").text.contains("verb=watch"));
        // It is looked at first because it is quickest to open.
        let shell = of(ssh());
        let ids = vec![shell.id.clone(), kube.id, stream.id.clone()];
        let shell = prompt(stock_ssh(home, &shell).args(["-tt", &shell.endpoint]));
        let (stream, answer) = stream.ask("10.0.0.5:5432", &stream.token);
        assert!(answer.contains(" 200 "), "{answer}");
        Some(Self { shell, watch, stream, ids })
    }

    fn end_soon(mut self) -> Vec<Value> {
        self.shell.ends_soon();
        self.watch.ends_soon();
        ends_soon(&mut self.stream);
        self.ids
    }
}

fn prompt(command: &mut Command) -> Running {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = Running(piped.spawn().unwrap());
    shell.0.stdin.as_mut().unwrap().write_all(b"echo re''ady\n").unwrap();
    let mut lines = BufReader::new(shell.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().trim_end() == "ready"));
    // Somebody goes on reading, or the end could not be told.
    std::thread::spawn(move || lines.for_each(drop));
    shell
}

fn watch(mut command: Command) -> Running {
    let piped = command.args(["get", "pods", "-w"]).stdin(Stdio::null());
    Running(piped.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn what_a_watch_shows_puts_idleness_off() {
    if program("kubectl").is_none() {
        return;
    }
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let home = tempfile::tempdir().unwrap();
    let watched = Issued::new(&client, &k8s());
    let _watching = watch(kubeconfig(home.path(), &server, &watched, &watched.token));
    until("a watch", || client.get("/__mock/requests").text.contains("verb=watch"));
    client.advance(800);
    let mut body = k8s();
    body["target"]["k8s"] = json!({"user": "root", "impersonate_groups": ["system:masters"]});
    let masters = Issued::new(&client, &body);
    let base = format!("https://{}", masters.endpoint);
    let api = Client::new(&base).with_agent(trusting(server.ca_pem())).token(&masters.token);
    let mut pods = 0;
    until("activity shows", || {
        pods += 1;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{pods}")},
            "spec": {"containers": [{"name": "one", "image": "one"}]},
        });
        let answer = api.post("/api/v1/namespaces/default/pods", &pod);
        assert_eq!(answer.status, 201, "{}", answer.text);
        client.session(&watched.id).json()["last_active_at"] == "2026-06-01T12:13:20Z"
    });
}

#[test]
fn a_clock_that_jumps_past_the_end_ends_all_of_them() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    client.change_world(|world| {
        world["domains"][0]["session_policy"]["idle_timeout_seconds"] = Value::Null;
    });
    let home = tempfile::tempdir().unwrap();
    let Some(open) = Open::on(&server, &client, home.path(), None) else { return };
    client.advance(1800);
    for id in open.end_soon() {
        assert_eq!(client.session(&id).json()["status"], "expired");
    }
}

#[test]
fn a_clock_that_jumps_past_idleness_ends_all_of_them() {
    let server = at_noon().start().unwrap();
    let client = Client::of(&server);
    let home = tempfile::tempdir().unwrap();
    let Some(open) = Open::on(&server, &client, home.path(), None) else { return };
    client.advance(901);
    for id in open.end_soon() {
        assert_eq!(client.session(&id).json()["revoke_reason"], "idle_timeout");
    }
}

#[test]
fn time_that_passes_ends_all_of_them() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let home = tempfile::tempdir().unwrap();
    // Long enough to open three programs on a busy machine.
    let Some(open) = Open::on(&server, &client, home.path(), Some(12)) else { return };
    let last = open.ids[0].clone();
    until("the last of them has expired", || client.session(&last).json()["status"] == "expired");
    for id in open.end_soon() {
        assert_eq!(client.session(&id).json()["status"], "expired");
    }
}

#[test]
fn an_administrator_s_revoking_ends_all_of_them() {
    let server = MockServer::builder().start().unwrap();
    let client = Client::of(&server);
    let home = tempfile::tempdir().unwrap();
    let Some(open) = Open::on(&server, &client, home.path(), None) else { return };
    let admin = client.token("psk_dev_admin");
    for id in &open.ids {
        assert_eq!(admin.revoke(id).status, 204);
    }
    open.end_soon();
}
