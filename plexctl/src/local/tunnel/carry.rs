//! Carrying bytes between two connections, both ways, until both have nothing more to say.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes on their way at once, each direction.
const BUFFER: usize = 64 * 1024;

/// What all connections have carried.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// From the clients to the target.
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
}

/// Carries until both directions have ended. `early` came from the node together with its consent;
/// `node_left` is called as soon as the node ends what the client has not ended.
pub(super) fn both(
    client: &TcpStream,
    node: &TcpStream,
    early: &[u8],
    traffic: &Traffic,
    node_left: impl FnOnce(),
) {
    let client_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pump(client, node, &traffic.up);
            client_ended.store(true, Ordering::SeqCst);
        });
        let mut to = client;
        if to.write_all(early).is_ok() {
            traffic.down.fetch_add(early.len() as u64, Ordering::Relaxed);
            pump(node, client, &traffic.down);
        } else {
            hang_up(node, client);
        }
        // Now, and not when both are done: a client may stay for as long as it likes.
        if !client_ended.load(Ordering::SeqCst) {
            node_left();
        }
    });
}

/// One direction. Its end is passed on, and the other direction goes on; a failure ends both.
fn pump(mut from: &TcpStream, mut to: &TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                to.shutdown(Shutdown::Write).ok();
                return;
            }
            Ok(read) => {
                if to.write_all(&buffer[..read]).is_err() {
                    return hang_up(from, to);
                }
                count.fetch_add(read as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return hang_up(from, to),
        }
    }
}

fn hang_up(one: &TcpStream, other: &TcpStream) {
    one.shutdown(Shutdown::Both).ok();
    other.shutdown(Shutdown::Both).ok();
}
