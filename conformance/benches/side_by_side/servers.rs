//! The mock control plane against a bare axum server that answers one fixed 201.

use std::time::{Duration, Instant};

use crate::Setup;
use crate::http::{self, Connection};
use crate::process::{Server, in_turn, median, percentile};
use crate::report::{Table, millis};

const MIB: f64 = 1024.0 * 1024.0;

fn mock(setup: &Setup) -> Server {
    let args = ["--port", "0", "--output", "json", "--world", "bench"];
    Server::start(&setup.bin.join("mock-server"), &args)
}

fn bare(setup: &Setup) -> Server {
    Server::start(&setup.examples.join("bare_axum"), &[])
}

/// From exec to the first 201 read, a fresh process each time; the mock with TLS on.
pub(crate) fn start(setup: &Setup, table: &mut Table) {
    // Copies of both: what a linker has just written is in memory in small pieces until it is read
    // from the disk anew, and the larger program would pay for that.
    let copies = tempfile::tempdir().unwrap();
    for program in [setup.bin.join("mock-server"), setup.examples.join("bare_axum")] {
        std::fs::copy(&program, copies.path().join(program.file_name().unwrap())).unwrap();
    }
    let place = copies.path().to_owned();
    let setup = &Setup { bin: place.clone(), examples: place, quick: setup.quick };
    let first_201 = |open: &dyn Fn() -> Server| {
        let began = Instant::now();
        let server = open();
        let mut connection = Connection::open(&server.authority);
        assert_eq!(connection.send(&http::issue_request(&server.authority)).0, 201);
        began.elapsed()
    };
    let (ours, theirs) =
        in_turn(setup.samples(60), || first_201(&|| mock(setup)), || first_201(&|| bare(setup)));
    table.at_most("mock-server: exec to first 201, TLS on", "bare axum", 1.3, ours, theirs);
}

/// 201s a second at 16 connections, and the tail with one.
pub(crate) fn throughput(setup: &Setup, table: &mut Table) {
    let window = Duration::from_secs(if setup.quick { 1 } else { 4 });
    let (mut ours, mut theirs, mut signing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..if setup.quick { 1 } else { 5 } {
        let signer = Server::start(&setup.examples.join("bare_axum"), &["--sign"]);
        signing.push(http::issue_rate(&signer.authority, 16, window));
        theirs.push(http::issue_rate(&bare(setup).authority, 16, window));
        ours.push(http::issue_rate(&mock(setup).authority, 16, window));
    }
    let middle = |rates: &mut Vec<f64>| {
        rates.sort_unstable_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (ours, theirs, signing) = (middle(&mut ours), middle(&mut theirs), middle(&mut signing));
    table.row(
        "mock-server: 201s a second, 16 connections",
        "bare axum",
        format!("{ours:.0}/s"),
        format!("{theirs:.0}/s"),
        ours / theirs,
        ">= 0.35",
        ours / theirs >= 0.35,
    );

    table.row(
        "mock-server: 201s a second, 16 connections",
        "bare axum that signs each answer",
        format!("{ours:.0}/s"),
        format!("{signing:.0}/s"),
        ours / signing,
        "(the ceiling)",
        true,
    );

    let (a, b) = (mock(setup), bare(setup));
    let tail = |server: &Server| {
        let request = http::issue_request(&server.authority);
        percentile(
            &mut http::latencies(&server.authority, &request, setup.samples(10_000), 201),
            99,
        )
    };
    let (ours, theirs) = in_turn(setup.samples(60).min(7), || tail(&a), || tail(&b));
    table.at_most("mock-server: p99 of a 201, one connection", "bare axum", 3.0, ours, theirs);
}

/// Resident memory over many requests whose sessions end, and over many sessions kept.
pub(crate) fn memory(setup: &Setup, table: &mut Table) {
    let server = mock(setup);
    let rounds = setup.samples(400_000) / 2;
    cycle(&server, rounds / 4);
    let early = server.resident();
    cycle(&server, rounds - rounds / 4);
    let late = server.resident();
    table.row(
        &format!("mock-server: resident after {} requests, journal on, sessions ended", rounds * 2),
        &format!("itself after {}", rounds / 2),
        format!("{:.1} MiB", late as f64 / MIB),
        format!("{:.1} MiB", early as f64 / MIB),
        late as f64 / early as f64,
        "under 16 MiB",
        (late as f64) < 16.0 * MIB,
    );

    let server = mock(setup);
    let kept = setup.samples(1_000_000);
    fill(&server, kept);
    let allowed = 16.0 * MIB + 400.0 * kept as f64;
    let resident = server.resident() as f64;
    table.row(
        &format!("mock-server: resident with {kept} live sessions"),
        "16 MiB + 400 B a session",
        format!("{:.1} MiB", resident / MIB),
        format!("{:.1} MiB", allowed / MIB),
        resident / allowed,
        "<= 1",
        resident <= allowed,
    );
}

/// Issue, get and one page of a list, with few sessions and with a million.
pub(crate) fn growth(setup: &Setup, table: &mut Table) {
    let server = mock(setup);
    let many = setup.samples(1_000_000);
    let cost = || {
        let mut connection = Connection::open(&server.authority);
        let issue = http::issue_request(&server.authority);
        let (_status, body) = connection.send(&issue);
        let issued: serde_json::Value = serde_json::from_slice(body).unwrap();
        let id = issued["session_id"].as_str().unwrap();
        let path = http::sessions_path();
        let get = http::request(&server.authority, "GET", &format!("{path}/{id}"), "");
        let list =
            http::request(&server.authority, "GET", &format!("{path}?kind=k8s&limit=50"), "");
        [(&issue, 201), (&get, 200), (&list, 200)].map(|(request, want)| {
            median(&mut http::latencies(&server.authority, request, setup.samples(4_000), want))
        })
    };
    fill(&server, 100);
    let few = cost();
    fill(&server, many);
    let lots = cost();
    for (at, name) in ["issue", "get", "one page of a list"].into_iter().enumerate() {
        table.row(
            &format!("mock-server: {name}, with {many} sessions"),
            "itself with 100",
            millis(lots[at]),
            millis(few[at]),
            lots[at].as_secs_f64() / few[at].as_secs_f64(),
            "<= 1.5",
            lots[at].as_secs_f64() <= 1.5 * few[at].as_secs_f64(),
        );
    }
}

/// Issues `count` sessions over 16 connections.
fn fill(server: &Server, count: usize) {
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let request = http::issue_request(&server.authority);
                http::latencies(&server.authority, &request, count.div_ceil(16), 201);
            });
        }
    });
}

/// Issues and revokes `rounds` sessions over 16 connections: two requests a round.
fn cycle(server: &Server, rounds: usize) {
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let issue = http::issue_request(&server.authority);
                let mut connection = Connection::open(&server.authority);
                for _ in 0..rounds.div_ceil(16) {
                    let (status, body) = connection.send(&issue);
                    assert_eq!(status, 201);
                    let issued: serde_json::Value = serde_json::from_slice(body).unwrap();
                    let id = issued["session_id"].as_str().unwrap();
                    let path = format!("{}/{id}/revoke", http::sessions_path());
                    let revoke = http::request(&server.authority, "POST", &path, "");
                    assert_eq!(connection.send(&revoke).0, 204);
                }
            });
        }
    });
}
