//! What happened while a rule was judged, kept for the one who has to find out why it failed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::Exchange;
use super::canary::{Canary, contains};
use super::redaction::{redacted, tokens_in};

/// A shared log of runs and requests. Secrets told to it never come out again.
#[derive(Clone, Default)]
pub struct Evidence(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    notes: Vec<Note>,
    secrets: Vec<Canary>,
    /// Where things are to stand after the rule, what stands.
    standing: Option<Standing>,
}

/// What happened, told when it is asked for: most rules pass, and of them nobody asks.
type Note = Arc<dyn Fn() -> String + Send + Sync>;

/// Servers and the like that outlive their rule, for a person to look at.
pub(crate) type Standing = Vec<Box<dyn Send>>;

/// Longer notes are cut; a failing rule about a 2 MiB body must still be readable.
const NOTE_LIMIT: usize = 4096;

impl Evidence {
    pub fn note(&self, text: impl Into<String>) {
        let text = text.into();
        self.note_later(move || text.clone());
    }

    /// A note that takes longer to write than to remember what it is of.
    pub(crate) fn note_later(&self, write: impl Fn() -> String + Send + Sync + 'static) {
        self.lock().notes.push(Arc::new(write));
    }

    /// Tokens that an answer hands out are not shown, whoever it is from.
    pub(crate) fn hide_tokens_of(&self, exchange: &Exchange) {
        let answer = &exchange.response.body;
        // Cheaper than reading it all. A name can also be escaped.
        if !contains(answer, b"token") && !contains(answer, br"\u") {
            return;
        }
        for token in exchange.document().map(tokens_in).unwrap_or_default() {
            self.hide(Canary::new("session token", &token));
        }
    }

    pub(crate) fn hide(&self, secret: Canary) {
        self.lock().secrets.push(secret);
    }

    /// Every secret that was told, as it is.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let log = self.lock();
        log.secrets.iter().map(|one| one.raw().to_owned()).collect()
    }

    /// From here on, what would be torn down stays until [`Evidence::standing`] is taken.
    pub(crate) fn let_stand(&self) {
        self.lock().standing.get_or_insert_default();
    }

    pub(crate) fn lets_stand(&self) -> bool {
        self.lock().standing.is_some()
    }

    /// Keeps the thing if things are to stand, and tears it down otherwise.
    pub(crate) fn outlive(&self, thing: Box<dyn Send>) {
        let torn_down = match &mut self.lock().standing {
            Some(standing) => {
                standing.push(thing);
                None
            }
            None => Some(thing),
        };
        // Only now, without the lock: a thing may have something to note as it goes.
        drop(torn_down);
    }

    pub(crate) fn standing(&self) -> Standing {
        self.lock().standing.take().unwrap_or_default()
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        let hidden =
            self.lock().secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text));
        redacted(&hidden)
    }

    /// The notes as they may be shown. Most are never asked for: only now are they redacted, and
    /// only then cut, which would leave half a token behind.
    pub(crate) fn lines(&self) -> Vec<String> {
        let notes = self.lock().notes.clone();
        notes.iter().map(|note| cut(self.redact(&note()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(mut text: String) -> String {
    if text.len() > NOTE_LIMIT {
        let cut = text.floor_char_boundary(NOTE_LIMIT);
        text.truncate(cut);
        text.push_str(" [cut]");
    }
    text
}

/// As much of a message as a note will show.
pub(crate) struct Glimpse {
    beginning: Vec<u8>,
    cut: bool,
}

impl Glimpse {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let beginning = bytes[..bytes.len().min(2 * NOTE_LIMIT)].to_vec();
        Self { cut: beginning.len() < bytes.len(), beginning }
    }

    /// As text that is safe to show on a terminal.
    pub(crate) fn shown(&self) -> String {
        let mut text = printable(&self.beginning);
        if self.cut {
            text.push_str(" [cut]");
        }
        text
    }
}

/// Bytes as text that is safe to show on a terminal; the beginning, where there are very many.
pub(crate) fn shown(bytes: &[u8]) -> String {
    Glimpse::of(bytes).shown()
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            c if c.is_control() || ('\u{200e}'..='\u{206f}').contains(&c) => {
                text.extend(c.escape_default());
            }
            c => text.push(c),
        }
    }
    text
}
