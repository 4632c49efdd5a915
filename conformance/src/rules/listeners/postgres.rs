//! As much of a PostgreSQL server as one `psql -c` needs, on a loopback port of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What the one row of every answer holds.
pub(super) const ANSWER: &str = "forty-two by way of the tunnel";

/// Protocol 3.0; whatever else comes first asks for encryption.
const VERSION_3: [u8; 2] = [0, 3];

/// Serves that many clients, one after the other, and ends with them.
pub(super) fn serve(clients: usize) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for _ in 0..clients {
            let Ok((client, _)) = listener.accept() else { return };
            // A client that breaks off is judged by what it says itself.
            let _ = converse(client);
        }
    });
    Ok(address)
}

fn converse(mut client: TcpStream) -> io::Result<()> {
    while !body(&mut client)?.starts_with(&VERSION_3) {
        client.write_all(b"N")?;
    }
    let mut greeting = message(b'R', &[0; 4]);
    for (name, value) in [("server_version", "16.0"), ("client_encoding", "UTF8")] {
        greeting.extend(message(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    greeting.extend(ready());
    client.write_all(&greeting)?;
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind)?;
        body(&mut client)?;
        match &kind {
            b"Q" => client.write_all(&row())?,
            b"X" => return Ok(()),
            _ => {}
        }
    }
}

/// A length that counts itself, and what it announces.
fn body(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    client.read_exact(&mut length)?;
    let mut body = Vec::new();
    let announced = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
    client.take(announced.min(64 * 1024)).read_to_end(&mut body)?;
    Ok(body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// One column of type text, one row.
fn row() -> Vec<u8> {
    let described =
        [b"\0\x01said\0".as_slice(), &[0; 6], &25_u32.to_be_bytes(), &[0xff; 6], &[0; 2]];
    let length = u32::try_from(ANSWER.len()).unwrap_or(u32::MAX);
    let data = [b"\0\x01".as_slice(), &length.to_be_bytes(), ANSWER.as_bytes()];
    let mut row = message(b'T', &described.concat());
    row.extend(message(b'D', &data.concat()));
    row.extend(message(b'C', b"SELECT 1\0"));
    row.extend(ready());
    row
}
