//! Opaque cursors: signed, and good only for the caller and the list they were made for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

/// How much of the signature travels.
const TAG: usize = 16;

/// What a cursor is bound to: everything that names the list but the place in it.
pub type Binding<'a> = &'a [&'a [u8]];

pub fn seal(key: &hmac::Key, binding: Binding<'_>, after: u64) -> String {
    let tag = tag(key, binding, after);
    let mut bytes = after.to_be_bytes().to_vec();
    bytes.extend_from_slice(&tag.as_ref()[..TAG]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place in the list, if the cursor is one of ours for this very list.
pub fn open(key: &hmac::Key, binding: Binding<'_>, cursor: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (after, given) = bytes.split_first_chunk::<8>()?;
    let after = u64::from_be_bytes(*after);
    // It protects nothing but a test's attention: a plain comparison will do.
    (given == &tag(key, binding, after).as_ref()[..TAG]).then_some(after)
}

fn tag(key: &hmac::Key, binding: Binding<'_>, after: u64) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&after.to_be_bytes());
    for part in binding {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let cursor = seal(&key, &[b"olivia", b"p", b""], 42);
        assert_eq!(open(&key, &[b"olivia", b"p", b""], &cursor), Some(42));
        assert_eq!(open(&key, &[b"olivia", b"", b"p"], &cursor), None);
        assert_eq!(open(&key, &[b"basil", b"p", b""], &cursor), None);
        for at in 0..cursor.len() {
            let mut bent = cursor.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(open(&key, &[b"olivia", b"p", b""], &bent), None, "{bent}");
        }
        for bad in ["", "A", "====", "not a cursor", "💥"] {
            assert_eq!(open(&key, &[], bad), None);
        }
    }
}
