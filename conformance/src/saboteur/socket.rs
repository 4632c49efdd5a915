//! The frames of a WebSocket on their way from server to client.

use std::io::{self, ErrorKind, Read, Write};

const CLOSE: u8 = 8;

/// Hands frames on, those that close with another code. `begun` is what has been read already.
pub(super) fn closed_as(
    code: u16,
    begun: &[u8],
    upstream: impl Read,
    mut client: impl Write,
) -> io::Result<()> {
    let mut upstream = begun.chain(upstream);
    loop {
        let mut frame = vec![0; 2];
        match upstream.read_exact(&mut frame) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let more = match frame[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        (&mut upstream).take(more).read_to_end(&mut frame)?;
        let length = match (more, &frame[2..]) {
            (0, _) => u64::from(frame[1] & 0x7f),
            (_, bytes) => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let head = frame.len();
        (&mut upstream).take(length).read_to_end(&mut frame)?;
        if frame[0] & 0x0f == CLOSE
            && let Some(said) = frame.get_mut(head..head + 2)
        {
            said.copy_from_slice(&code.to_be_bytes());
        }
        client.write_all(&frame)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_a_closing_frame_is_another() {
        let long = [&[0x82, 126, 1, 0][..], &[3; 256]].concat();
        let short = [0x82, 2, 0x03, 0xf0];
        let close = |code: u16| [&[0x88, 4][..], &code.to_be_bytes(), b"by"].concat();
        let sent = [&long[..], &short, &close(1008)].concat();
        let mut heard = Vec::new();
        closed_as(1000, &sent[..5], &sent[5..], &mut heard).unwrap();
        assert_eq!(heard, [&long[..], &short, &close(1000)].concat());
    }
}
