//! Looking for a secret where it must not be, in the shapes in which secrets usually leak.

use std::path::Path;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

use super::sandbox::Tree;
use crate::verdict::{Outcome, fail};

/// A secret and every spelling of it that we search for.
#[derive(Clone)]
pub struct Canary {
    /// What the secret is, for messages that must not show it.
    pub label: String,
    secret: String,
    /// Made when they are first searched for: of most secrets nobody ever asks.
    spelled: OnceLock<Vec<(&'static str, Vec<u8>)>>,
}

/// A secret that is shorter is not looked for in order to hide it.
const SHORTEST: usize = 8;

impl Canary {
    pub fn new(label: impl Into<String>, secret: &str) -> Self {
        Self { label: label.into(), secret: secret.to_owned(), spelled: OnceLock::new() }
    }

    fn forms(&self) -> &[(&'static str, Vec<u8>)] {
        self.spelled.get_or_init(|| forms_of(&self.secret))
    }

    pub(crate) fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.forms().iter().map(|(_, form)| form.as_slice())
    }

    /// The secret as it is.
    pub(crate) fn raw(&self) -> &str {
        &self.secret
    }

    /// The name of the spelling that occurs in `bytes`.
    pub fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        self.forms().iter().find(|(_, form)| contains(bytes, form)).map(|(name, _)| *name)
    }

    /// Fails when the secret occurs in `bytes`, without showing it.
    pub fn absent_from(&self, place: &str, bytes: &[u8]) -> Outcome {
        match self.find(bytes) {
            None => Ok(()),
            Some(form) => fail(
                format!("{place} must not hold {}", self.label),
                "no trace of it",
                format!("it stands there ({form})"),
            ),
        }
    }

    /// Fails when the secret occurs in a file that is new or changed, except the files named.
    pub fn absent_from_tree(&self, before: &Tree, after: &Tree, except: &[&Path]) -> Outcome {
        for (path, entry) in after.iter() {
            if except.contains(&path) || before.get(path).is_some_and(|old| old == entry) {
                continue;
            }
            self.absent_from(&format!("the file {}", path.display()), &entry.content)?;
        }
        Ok(())
    }

    /// The text with every occurrence blotted out. A word of a few letters is no secret, and to blot
    /// it out would leave nothing to read.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.secret.len() < SHORTEST {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for (_, form) in self.forms() {
            if let Ok(form) = std::str::from_utf8(form)
                && !form.is_empty()
            {
                text = text.replace(form, &format!("[{}]", self.label));
            }
        }
        text
    }
}

/// Every spelling of a secret that is searched for, the secret itself first.
fn forms_of(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("raw", secret.as_bytes().to_vec())];
    // Whatever stands in front shifts the alphabet: three alignments, edges cut away.
    for offset in 0..3 {
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(secret.as_bytes());
        for (name, text) in [
            ("base64", STANDARD_NO_PAD.encode(&padded)),
            ("base64url", URL_SAFE_NO_PAD.encode(&padded)),
        ] {
            let start = if offset == 0 { 0 } else { offset + 1 };
            let end = text.len().saturating_sub(2);
            if end > start + 8 {
                forms.push((name, text.as_bytes()[start..end].to_vec()));
            }
        }
    }
    let mut percent = Vec::with_capacity(3 * secret.len());
    let mut hex = Vec::with_capacity(2 * secret.len());
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() {
            percent.push(byte);
        } else {
            percent.push(b'%');
            percent.extend(digits(byte, b"0123456789ABCDEF"));
        }
        hex.extend(digits(byte, b"0123456789abcdef"));
    }
    forms.push(("percent-encoded", percent));
    forms.push(("hex", hex));
    // A signed token also leaks by its signature alone.
    if let Some((_, signature)) = secret.rsplit_once('.')
        && signature.len() >= 32
    {
        forms.push(("signature part", signature.as_bytes().to_vec()));
    }
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

/// A byte as two digits of that alphabet.
fn digits(byte: u8, alphabet: &[u8; 16]) -> [u8; 2] {
    [alphabet[usize::from(byte >> 4)], alphabet[usize::from(byte & 15)]]
}

/// Whether `needle` occurs in `haystack`.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_spelling_behind_any_prefix() {
        let canary = Canary::new("the token", "psk_dev_operator+x/y");
        for prefix in ["", "a", "ab", "abc"] {
            let text = format!("{prefix}psk_dev_operator+x/y tail");
            assert_eq!(canary.find(text.as_bytes()), Some("raw"));
            let encoded = STANDARD_NO_PAD.encode(&text);
            assert_eq!(canary.find(encoded.as_bytes()), Some("base64"), "{prefix:?}");
        }
        assert_eq!(canary.find(b"psk%5Fdev%5Foperator%2Bx%2Fy"), Some("percent-encoded"));
        assert_eq!(canary.find(b"70736b5f6465765f6f70657261746f722b782f79"), Some("hex"));
        assert_eq!(canary.find(b"psk_dev_outsider"), None);
    }

    #[test]
    fn a_token_of_one_letter_leaves_the_text_alone() {
        let text = "expected exit code 1";
        assert_eq!(Canary::new("the token", "e").redact(text), text);
        assert_eq!(Canary::new("the token", "expected").redact(text), "[the token] exit code 1");
    }
}
