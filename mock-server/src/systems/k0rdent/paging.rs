//! `pageSize` with `pageToken` or `offset`, as the lists of this family have them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use ring::hmac;

use super::refusal::Refusal;
use crate::world::journal::Open;

const DEFAULT_SIZE: usize = 50;
const LARGEST_SIZE: usize = 500;

/// How much of a token's signature travels.
const TAG: usize = 16;

#[derive(Debug, PartialEq)]
pub struct Paging {
    pub size: usize,
    pub start: Start,
}

#[derive(Debug, PartialEq)]
pub enum Start {
    /// After the one of this number, which may be gone by now.
    After(u64),
    Offset(usize),
}

/// What a token is good for: one caller, one list.
pub struct Binding<'k> {
    pub key: &'k hmac::Key,
    pub list: String,
}

impl Paging {
    pub fn read(query: &str, binding: &Binding<'_>, trail: &mut Open) -> Result<Self, Refusal> {
        let (mut size, mut token, mut offset) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode_str(name).decode_utf8_lossy();
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match &*name {
                "pageSize" => size = Some(value),
                "pageToken" => token = Some(value),
                "offset" => offset = Some(value),
                other => trail.note_unread(&format!("?{other}")),
            }
        }
        let size = match size.map(|text| text.parse::<usize>()) {
            None => DEFAULT_SIZE,
            Some(Ok(size @ 1..=LARGEST_SIZE)) => size,
            Some(_) => {
                let message = "pageSize is a number from 1 to 500";
                return Err(Refusal::about("pageSize", 400, "invalid_page_size", message));
            }
        };
        let start = match (token, offset) {
            (Some(_), Some(_)) => {
                let message = "send pageToken or offset, not both";
                return Err(Refusal::about("offset", 400, "token_and_offset", message));
            }
            (None, None) => Start::After(0),
            (None, Some(text)) => Start::Offset(text.parse().map_err(|_| {
                let message = "offset is a number from 0";
                Refusal::about("offset", 400, "invalid_offset", message)
            })?),
            (Some(token), None) => Start::After(binding.open(&token).ok_or_else(|| {
                let message = "the page token is not one of this list's";
                Refusal::about("pageToken", 400, "invalid_page_token", message)
            })?),
        };
        Ok(Self { size, start })
    }
}

impl Binding<'_> {
    pub fn seal(&self, after: u64) -> String {
        let mut bytes = after.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.tag(after).as_ref()[..TAG]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, token: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (after, given) = bytes.split_first_chunk::<8>()?;
        let after = u64::from_be_bytes(*after);
        // It protects nothing but a test's attention: a plain comparison will do.
        (given == &self.tag(after).as_ref()[..TAG]).then_some(after)
    }

    fn tag(&self, after: u64) -> hmac::Tag {
        let mut context = hmac::Context::with_key(self.key);
        context.update(b"k0rdent kubeconfigs");
        context.update(&after.to_be_bytes());
        context.update(self.list.as_bytes());
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_list_only() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let (mine, theirs) = (
            Binding { key: &key, list: "olivia r/p/c".into() },
            Binding { key: &key, list: "basil r/p/c".into() },
        );
        let token = mine.seal(7);
        assert_eq!(mine.open(&token), Some(7));
        assert_eq!(theirs.open(&token), None);
        for bad in ["", "A", "====", "not a token", "💥", &token[1..]] {
            assert_eq!(mine.open(bad), None, "{bad}");
        }
    }
}
