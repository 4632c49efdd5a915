//! Ids that look drawn and are computed: the same cluster has the same ones every time.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

/// The letters Kubernetes draws name suffixes from: no vowels, so no words.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

fn hash(parts: &[&str]) -> Vec<u8> {
    digest(&SHA256, parts.join("\0").as_bytes()).as_ref().to_vec()
}

pub(crate) fn hex(parts: &[&str], bytes: usize) -> String {
    hash(parts).iter().take(bytes).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn uid(parts: &[&str]) -> String {
    let mut bytes = [0_u8; 16];
    for (slot, byte) in bytes.iter_mut().zip(hash(parts)) {
        *slot = byte;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

pub(crate) fn suffix(parts: &[&str], length: usize) -> String {
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied();
    hash(parts).iter().take(length).filter_map(letter).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ() {
        assert_eq!(uid(&["a", "b"]), uid(&["a", "b"]));
        assert_ne!(uid(&["a", "b"]), uid(&["ab"]));
        assert_eq!(uid(&["a"]).len(), 36);
        assert_eq!(suffix(&["a"], 5).len(), 5);
        assert_eq!(hex(&["a"], 8).len(), 16);
    }
}
