//! What was asked of a namespace: a bounded ring of requests and counts that never forget,
//! so that a test can prove that something was not sent. No secret enters it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::ser::SerializeSeq as _;
use uuid::Uuid;

use super::kind::Kind;

/// A path is kept up to this length; what matters of ours is shorter.
const PATH: usize = 160;
/// A journal that may be larger grows as it fills.
const MOST_AT_ONCE: usize = 1 << 16;
/// Unread fields are named up to this many.
const UNREAD: usize = 8;
/// What stands where a token would.
const REDACTED: &str = "(redacted)";

#[derive(Debug)]
pub struct Journal {
    ring: Mutex<Ring>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    total: u64,
    counts: BTreeMap<&'static str, u64>,
}

/// One request.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry {
    pub seq: u64,
    pub at: Timestamp,
    pub method: Cow<'static, str>,
    #[serde(serialize_with = "text")]
    pub path: Arc<str>,
    pub operation: &'static str,
    #[serde(serialize_with = "shared")]
    pub scenario: Option<Arc<str>>,
    /// Of a fault that was met.
    pub fault: Option<u32>,
    /// Whether a session exists whose token nobody was told.
    pub left_behind: bool,
    /// None: the client left before there was an answer.
    pub status: Option<u16>,
    pub code: Option<Cow<'static, str>>,
    /// The name behind the bearer token; the token itself is not kept.
    #[serde(serialize_with = "shared")]
    pub identity: Option<Arc<str>>,
    pub kind: Option<Kind>,
    pub session_id: Option<Uuid>,
    /// Of a token that was handed out: its key and its session, which is its `jti`.
    pub token: Option<TokenMark>,
    /// The first half of the SHA-256 of the idempotency key, in hexadecimal.
    pub idempotency: Option<Hex>,
    /// Whether an idempotency key brought back an earlier answer.
    pub replayed: bool,
    /// The request fields that no handler read.
    pub unread: Vec<Box<str>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct TokenMark {
    #[serde(serialize_with = "text")]
    pub kid: Arc<str>,
    pub jti: Uuid,
}

#[derive(Debug, Clone, Copy)]
pub struct Hex(pub [u8; 16]);

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn shared<S: serde::Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

impl Journal {
    pub fn new(capacity: usize) -> Self {
        Self { ring: Mutex::default(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an entry; it is written when the returned guard is dropped, whatever happens.
    pub fn open(self: &Arc<Self>, at: Timestamp, method: &str, path: &Arc<str>) -> Open {
        Open {
            journal: Arc::clone(self),
            entry: Entry {
                seq: 0,
                at,
                method: known_method(method),
                path: redact(path),
                operation: "unknown",
                ..Entry::default()
            },
            silent: false,
        }
    }

    fn write(&self, mut entry: Entry) {
        let mut ring = self.lock();
        ring.total += 1;
        entry.seq = ring.total;
        *ring.counts.entry(entry.operation).or_default() += 1;
        if self.capacity == 0 {
            return;
        }
        if ring.entries.capacity() == 0 {
            // Grown by doubling, the ring would end up half unused, and yet wander through all of it.
            ring.entries.reserve_exact(self.capacity.min(MOST_AT_ONCE));
        }
        if ring.entries.len() == self.capacity {
            ring.entries.pop_front();
        }
        // Most requests go where the one before them went.
        if let Some(before) = ring.entries.back()
            && before.path == entry.path
        {
            entry.path = Arc::clone(&before.path);
        }
        ring.entries.push_back(entry);
    }

    pub fn clear(&self) {
        *self.lock() = Ring::default();
    }

    /// The whole journal as JSON.
    pub fn to_json(&self, namespace: &str) -> Vec<u8> {
        let ring = self.lock();
        let view = View {
            namespace,
            total: ring.total,
            dropped: ring.total - ring.entries.len() as u64,
            counts: &ring.counts,
            requests: Requests(&ring.entries),
        };
        serde_json::to_vec(&view).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct View<'a> {
    namespace: &'a str,
    total: u64,
    dropped: u64,
    counts: &'a BTreeMap<&'static str, u64>,
    requests: Requests<'a>,
}

struct Requests<'a>(&'a VecDeque<Entry>);

impl Serialize for Requests<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for entry in self.0 {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

/// An entry being written.
#[derive(Debug)]
pub struct Open {
    journal: Arc<Journal>,
    entry: Entry,
    silent: bool,
}

impl Open {
    /// Leaves no trace: for the control requests, which are no part of what is observed.
    pub fn discard(mut self) {
        self.silent = true;
    }

    /// The path holds something that only this world knows for a secret.
    pub fn hide_path(&mut self) {
        self.entry.path = REDACTED.into();
    }

    pub fn note_unread(&mut self, field: &str) {
        if self.entry.unread.len() < UNREAD {
            self.entry.unread.push(shown(field, 64).into());
        }
    }
}

impl Deref for Open {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl DerefMut for Open {
    fn deref_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.silent {
            self.journal.write(std::mem::take(&mut self.entry));
        }
    }
}

fn known_method(method: &str) -> Cow<'static, str> {
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
        .map_or_else(|| Cow::Owned(shown(method, 16).to_owned()), Cow::Borrowed)
}

fn shown(text: &str, most: usize) -> &str {
    if holds_token(text) { REDACTED } else { cut(text, most) }
}

/// Whether a text holds a token, of callers, nodes, sessions or kubeconfigs, by how they begin,
/// however it was escaped.
fn holds_token(text: &str) -> bool {
    let plain = percent_decode_str(text).decode_utf8_lossy();
    let begins = ["psk_", "nsk_", "eyJ", "k0kc_"].iter().any(|start| plain.contains(start));
    // A Rancher's are two names, and secret only when both are there.
    let named = ["token-", "kubeconfig-"];
    begins
        || plain.split('/').any(|part| {
            part.split_once(':').is_some_and(|(name, secret)| {
                !secret.is_empty() && named.iter().any(|start| name.contains(start))
            })
        })
}

/// A caller may put a token where an id belongs; the journal does not repeat it.
fn redact(path: &Arc<str>) -> Arc<str> {
    if holds_token(path) {
        REDACTED.into()
    } else if path.len() > PATH {
        cut(path, PATH).into()
    } else {
        Arc::clone(path)
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(journal: &Arc<Journal>, operation: &'static str) {
        let at = "2026-06-01T12:00:00Z".parse().unwrap();
        journal.open(at, "POST", &"/v1/x".into()).operation = operation;
    }

    fn read(journal: &Journal) -> serde_json::Value {
        serde_json::from_slice(&journal.to_json("default")).unwrap()
    }

    #[test]
    fn the_ring_forgets_and_the_counts_do_not() {
        let journal = Arc::new(Journal::new(2));
        for _ in 0..5 {
            entry(&journal, "Whoami");
        }
        let seen = read(&journal);
        assert_eq!(seen["total"], 5);
        assert_eq!(seen["dropped"], 3);
        assert_eq!(seen["counts"]["Whoami"], 5);
        assert_eq!(seen["requests"][0]["seq"], 4);
        journal.clear();
        assert_eq!(read(&journal)["total"], 0);
    }

    #[test]
    fn tokens_in_paths_and_names_are_not_kept_nor_is_their_length() {
        let journal = Arc::new(Journal::new(9));
        for text in [
            "/v1/x",
            "/v1/psk_dev_operator",
            "/v1/eyJhbGciOiJFZERTQSJ9",
            "/v1/k0kc_abc",
            "/v1/nodes/nsk_dev_node",
            "/v1/psk%5Fdev",
            "/v3/kubeconfig-u-abc12:secret",
            &"/é".repeat(999),
        ] {
            let mut open = journal.open(Timestamp::UNIX_EPOCH, text, &text.into());
            open.note_unread(text);
        }
        let seen = read(&journal);
        let field = |n: usize, name: &str| seen["requests"][n][name].clone();
        assert_eq!((field(0, "path"), field(0, "unread")), ("/v1/x".into(), json!(["/v1/x"])));
        for n in 1..=6 {
            assert_eq!(field(n, "path"), REDACTED);
            assert_eq!(field(n, "method"), REDACTED);
            assert_eq!(field(n, "unread"), json!([REDACTED]));
        }
        assert_eq!(field(7, "path").as_str().unwrap().len(), PATH);
    }

    #[test]
    fn a_discarded_entry_leaves_no_trace() {
        let journal = Arc::new(Journal::new(2));
        journal.open(Timestamp::UNIX_EPOCH, "GET", &"/".into()).discard();
        assert_eq!(read(&journal)["total"], 0);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 272, "{}", size_of::<Entry>());
    }
}
