//! What a connection begins with that no honest client says.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::message::{Parsed, whole_request};
use super::wire::HELD_LIMIT;
use crate::bench::Request;

/// How long a client may take to say something whole.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who has sent so much of a body means it.
const LARGE: usize = 64 * 1024;

/// Whether a connection says something that is no honest request. Looks without taking, so that
/// whoever comes next still finds everything.
pub(super) fn is_odd(client: &TcpStream) -> bool {
    let mut bytes = vec![0_u8; HELD_LIMIT];
    let deadline = Instant::now() + PATIENCE;
    let mut before = 0;
    loop {
        let Ok(seen) = client.peek(&mut bytes) else { return true };
        // A peek tells nothing of the end of a stream that has bytes left; a pause does.
        let paused = seen == before;
        let over = seen == 0 || Instant::now() > deadline;
        let said = &bytes[..seen];
        let more_to_come = if said.first() == Some(&22) {
            if is_hello(said) {
                return false;
            }
            !paused
        } else {
            match whole_request(said) {
                Parsed::Whole(request, _) => return is_excessive(&request),
                Parsed::Noise => return true,
                Parsed::Begun(_) if seen > LARGE => return false,
                Parsed::Begun(_) | Parsed::Nothing => true,
            }
        };
        if over || !more_to_come {
            return true;
        }
        before = seen;
        if paused {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn is_excessive(request: &Request) -> bool {
    request.headers.all("content-length").count() > 1
        || request.headers.0.iter().any(|(_, value)| value.len() > 16 * 1024)
        || request.path.len() > 8192
        || request.method.len() > 16
}

/// Whether it is the first message of TLS, as far as its lengths agree.
fn is_hello(bytes: &[u8]) -> bool {
    let [22, 3, _, high, low, 1, a, b, c, ..] = bytes else { return false };
    let record = u32::from(u16::from_be_bytes([*high, *low]));
    u32::from_be_bytes([0, *a, *b, *c]) + 4 == record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_told_from_what_begins_like_one() {
        assert!(is_hello(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
        for other in [&[22, 3, 1][..], &[22, 3, 1, 2, 0, 1, 0, 158, 60], b"GET / HTTP/1.1"] {
            assert!(!is_hello(other));
        }
    }
}
