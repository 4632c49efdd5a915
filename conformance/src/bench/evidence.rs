//! What happened while a rule was judged, kept for the one who has to find out why it failed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::canary::Canary;
use super::redaction::redacted;

/// A shared log of runs and requests. Secrets told to it never come out again.
#[derive(Clone, Default)]
pub struct Evidence(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    notes: Vec<String>,
    secrets: Vec<Canary>,
}

/// Longer notes are cut; a failing rule about a 2 MiB body must still be readable.
const NOTE_LIMIT: usize = 4096;

impl Evidence {
    pub fn note(&self, text: impl Into<String>) {
        // Before the cut, which would leave half a token behind.
        let mut text = redacted(&text.into());
        if text.len() > NOTE_LIMIT {
            let cut = text.floor_char_boundary(NOTE_LIMIT);
            text.truncate(cut);
            text.push_str(" [cut]");
        }
        self.lock().notes.push(text);
    }

    pub(crate) fn hide(&self, secret: Canary) {
        self.lock().secrets.push(secret);
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        let hidden =
            self.lock().secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text));
        redacted(&hidden)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let notes = self.lock().notes.clone();
        notes.iter().map(|note| self.redact(note)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes as text that is safe to show on a terminal.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c.to_string(),
            c if c.is_control() || ('\u{200e}'..='\u{206f}').contains(&c) => {
                c.escape_default().to_string()
            }
            c => c.to_string(),
        })
        .collect()
}
