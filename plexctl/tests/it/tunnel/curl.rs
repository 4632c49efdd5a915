//! Much data by a real client, in either direction, against an HTTP server at the far end.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::Hasher;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::json;

use super::Tunnel;
use crate::mock::{Mock, has};
use crate::stage::Sandbox;

const SIZE: usize = 100_000_000;

/// Bytes whose period is no divisor of any buffer's size.
fn pieces() -> impl Iterator<Item = Vec<u8>> {
    let piece: Vec<u8> =
        (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::iter::repeat_n(piece, SIZE / 1_000_000)
}

/// The checksum and the number of the bytes up to the end.
fn sum(mut from: impl Read) -> (u64, usize) {
    let (mut hasher, mut count, mut buffer) = (DefaultHasher::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer).unwrap();
        if read == 0 {
            return (hasher.finish(), count);
        }
        // Byte for byte the same however the stream is cut.
        hasher.write(&buffer[..read]);
        count += read;
    }
}

/// A PUT is answered with the checksum of what came, a GET with all the bytes.
fn serve(stream: &TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut out = stream;
    if first.starts_with("PUT ") {
        let said = format!("{:?}", sum(reader.take(length)));
        write!(
            out,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}",
            said.len()
        )
        .unwrap();
    } else {
        write!(out, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n")
            .unwrap();
        pieces().for_each(|piece| out.write_all(&piece).unwrap());
    }
}

#[test]
fn curl_moves_a_hundred_megabytes_each_way_with_equal_checksums() {
    if !has("curl") {
        return;
    }
    let (mock, sandbox) = (Mock::start(&[]), Sandbox::new());
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    let leads_to = far.local_addr().unwrap().to_string();
    std::thread::spawn(move || far.incoming().for_each(|stream| serve(&stream.unwrap())));
    mock.change_world(|world| {
        world["tcp_targets"] = json!([{"host": "10.0.0.5", "port": 80, "leads_to": leads_to}]);
    });
    let tunnel = Tunnel::to(&mock, &sandbox, "80");
    let url = format!("http://{}/", tunnel.text("local_addr"));
    let (up, down) = (sandbox.work().join("up"), sandbox.work().join("down"));
    let mut file = File::create(&up).unwrap();
    pieces().for_each(|piece| file.write_all(&piece).unwrap());
    let due = sum(File::open(&up).unwrap());
    let curl = |more: &[&std::ffi::OsStr]| {
        let mut command = Command::new("curl");
        command.args(["-q", "-sS", "-m", "120", "--noproxy", "*", "-H", "Expect:"]);
        let output = command.args(more).arg(&url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&["-T".as_ref(), up.as_ref()]), format!("{due:?}"));
    curl(&["-o".as_ref(), down.as_ref()]);
    assert_eq!(sum(File::open(&down).unwrap()), due);
}
