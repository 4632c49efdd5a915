//! Secrets: they cannot be printed by accident and are wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// The longest bearer token plexctl hands on; the longest a node reads, too.
pub(crate) const MAX_TOKEN: usize = 8192;

/// A token. No `Display`, no `Clone`, and a `Debug` that shows nothing.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a token if it can travel in a header, a YAML scalar and an environment variable:
    /// printable ASCII without blanks, and not longer than `limit`.
    pub(crate) fn new(text: Zeroizing<String>, limit: usize) -> Result<Self, &'static str> {
        if text.is_empty() {
            Err("is empty")
        } else if text.len() > limit {
            Err("is too long")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err("holds characters that no token has")
        } else {
            Ok(Self(text))
        }
    }

    /// The token itself. Every call is a place to look at when auditing.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of this secret blotted out.
    pub(crate) fn redact(&self, text: String) -> String {
        if text.contains(self.0.as_str()) {
            text.replace(self.0.as_str(), "[redacted]")
        } else {
            text
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

/// Whether a word from the command line may be a secret, so that an error about it must not
/// repeat it.
pub(crate) fn looks_secret(word: &str) -> bool {
    word.contains("psk_") || word.contains("eyJ") || word.len() > 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, &'static str> {
        Secret::new(Zeroizing::new(text.to_owned()), 16)
    }

    #[test]
    fn only_a_plain_token_is_taken() {
        for bad in ["", "a b", "a\n", "a\t", "\u{7f}", "\u{e9}", "0123456789abcdefg"] {
            assert!(secret(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "0123456789abcdef", "a.b-c_d~+/="] {
            assert_eq!(secret(good).expect("a token").expose(), good);
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", secret("hush").expect("a token")), "Secret(..)");
    }

    #[test]
    fn redaction_is_complete() {
        let token = secret("hush").expect("a token");
        assert_eq!(token.redact("hush, hush!".into()), "[redacted], [redacted]!");
        assert_eq!(token.redact("quiet".into()), "quiet");
    }

    #[test]
    fn words_that_may_be_secret() {
        for word in ["psk_dev_operator", "--token=psk_x", "eyJhbGciOi", &"x".repeat(65)] {
            assert!(looks_secret(word), "{word}");
        }
        assert!(!looks_secret("0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0"));
    }
}
