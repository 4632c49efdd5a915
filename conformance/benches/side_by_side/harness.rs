//! What the harness itself costs a rule: its own processor time, without that of its subjects.

use std::process::{Command, Stdio};

use crate::Setup;
use crate::report::Table;

/// Own user and system time of a whole run, divided by the rules it judged.
pub(crate) fn overhead(setup: &Setup, table: &mut Table) {
    let mut child = Command::new(setup.bin.join("conformance"))
        .args(["run", "--output", "json"])
        .arg("--plexctl")
        .arg(setup.bin.join("plexctl"))
        .arg("--mock-server")
        .arg(setup.bin.join("mock-server"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Reading to the end waits for the exit without reaping, so that the kernel still knows the times.
    let report: serde_json::Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    let rules = report["rules"].as_array().unwrap().len();
    let own = own_time(child.id());
    assert!(child.wait().unwrap().success(), "the harness does not pass our own binaries");

    let each = own / rules as f64;
    table.row(
        "conformance: own processor time a rule",
        "1.5 ms",
        format!("{:.2} ms", each * 1e3),
        format!("{rules} rules"),
        each / 1.5e-3,
        "<= 1",
        each <= 1.5e-3,
    );
}

/// User and system seconds of the process itself, children not counted.
fn own_time(pid: u32) -> f64 {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        if fields[0] == "Z" {
            let ticks: u64 =
                fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
            return ticks as f64 / 100.0;
        }
        std::thread::yield_now();
    }
}
