//! A thousand clients that are none, at each door.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use crate::client::{Client, k8s, ssh, tcp};
use crate::doors::{Issued, program, refusals, run, until};
use crate::process::{Running, trusting};

const CLIENTS: usize = 1000;
/// What a process may grow by and not be said to leak.
const SLACK_KIB: usize = 16 * 1024;

/// What a process holds, as Linux tells it.
struct Holdings(PathBuf);

impl Holdings {
    fn of(server: &Running) -> Self {
        Self(PathBuf::from(format!("/proc/{}", server.child.id())))
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.0.join("fd")).unwrap().count()
    }

    fn figure(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(self.0.join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Starts that look like something, each followed by noise.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"SSH-2.0-garbage\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"CONNECT 10.0.0.5:5432 HTTP/1.1\r\nProxy-Authorization: Basic ",
    b"GET / HTTP/1.1\r\n",
    b"CONNECT 10.0.0.5:5432 HTTP/1.1\r\nProxy-Authorization: Bearer x.y.z\r\n\r\n",
];

fn throw(issued: &Issued) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..CLIENTS {
        let mut garbage = BEGINNINGS[round % BEGINNINGS.len()].to_vec();
        for _ in 0..round % 300 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            garbage.extend(state.to_be_bytes());
        }
        let mut stream = TcpStream::connect(issued.address()).unwrap();
        // Whoever is at the other end may have heard enough.
        let _ = stream.write_all(&garbage);
        if round % 3 == 0 {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_garbage_handshakes_at_each_door_leave_nothing_behind() {
    let server = Running::start(&[]);
    let client = Client::new(server.text("http"));
    let doors = [ssh(), k8s(), tcp()].map(|body| Issued::new(&client, &body));
    let holdings = Holdings::of(&server);
    let before = holdings.descriptors();
    let settled = || {
        until("descriptors are given back", || holdings.descriptors() <= before + 2);
    };
    // Whatever is made at first use has been made after a first round.
    doors.iter().for_each(throw);
    settled();
    let (resident, threads) = (holdings.figure("VmRSS:"), holdings.figure("Threads:"));
    doors.iter().for_each(throw);
    settled();
    let grown = holdings.figure("VmRSS:").saturating_sub(resident);
    assert!(grown < SLACK_KIB, "{grown} KiB more");
    assert!(holdings.figure("Threads:") <= threads, "threads were left");
    // Most of it never came as far as a token; what did was no token.
    assert!(refusals(&client).iter().all(|name| name == "malformed"), "{:?}", refusals(&client));

    let [shell, kube, stream] = &doors;
    let (_stream, answer) = stream.ask("10.0.0.5:5432", &stream.token);
    assert!(answer.contains(" 200 "), "{answer}");
    let pem = std::fs::read_to_string(server.text("ca_file")).unwrap();
    let api = Client::new(&format!("https://{}", kube.endpoint));
    let api = api.with_agent(trusting(&pem)).token(&kube.token);
    assert_eq!(api.get("/version").status, 200);
    if program("ssh").is_some() {
        let home = tempfile::tempdir().unwrap();
        let mut good = crate::door_clients::stock_ssh(home.path(), shell);
        let output = run(good.args([&shell.endpoint, "exit 5"]), "");
        assert_eq!(output.status.code(), Some(5), "{output:?}");
    }
    let (said, complaints, code) = server.stop_and_tell();
    assert_eq!((said.as_str(), complaints.as_str(), code), ("", "", Some(0)), "nothing panicked");
}
