//! As much protobuf as kubectl sends without being asked whether it may: the reviews of
//! oneself, and what `create namespace` and `create configmap` make. Fields are looked up by
//! number; everything else is passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What the envelope around every Kubernetes protobuf message begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The `raw` message inside the envelope; an absent field is an empty message.
pub(crate) fn unwrap_envelope(body: &[u8]) -> Option<&[u8]> {
    Message(body.strip_prefix(MAGIC)?).bytes(2)
}

/// Bytes to be read as a message.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a>(pub(crate) &'a [u8]);

impl<'a> Message<'a> {
    /// The last length-delimited field of that number, empty when absent, nothing when the
    /// message is broken.
    pub(crate) fn bytes(self, number: u64) -> Option<&'a [u8]> {
        Some(self.all(number)?.last().copied().unwrap_or_default())
    }

    /// Every length-delimited field of that number.
    fn all(self, number: u64) -> Option<Vec<&'a [u8]>> {
        let (mut rest, mut found) = (self.0, Vec::new());
        while !rest.is_empty() {
            let (tag, after) = varint(rest)?;
            rest = match tag & 7 {
                0 => varint(after)?.1,
                1 => after.get(8..)?,
                2 => {
                    let (length, after) = varint(after)?;
                    let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                    if tag >> 3 == number {
                        found.push(value);
                    }
                    after
                }
                5 => after.get(4..)?,
                _ => return None,
            };
        }
        Some(found)
    }

    /// A map of text to whatever `read` makes of its values.
    fn map(self, number: u64, read: fn(&[u8]) -> Option<String>) -> Option<Value> {
        let mut map = Map::new();
        for entry in self.all(number)? {
            let entry = Message(entry);
            map.insert(entry.text(1)?, read(entry.bytes(2)?)?.into());
        }
        Some(map.into())
    }

    pub(crate) fn message(self, number: u64) -> Option<Self> {
        self.bytes(number).map(Message)
    }

    pub(crate) fn text(self, number: u64) -> Option<String> {
        String::from_utf8(self.bytes(number)?.to_vec()).ok()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(index * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// An object out of its envelope, for the kinds that kubectl creates so.
pub(crate) fn object(kind: &str, body: &[u8]) -> Option<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let message = Message(unwrap_envelope(body)?);
    let metadata = metadata(message.message(1)?)?;
    match kind {
        "Namespace" => Some(json!({ "metadata": metadata })),
        "ConfigMap" => {
            let binary = message.map(3, |bytes| Some(STANDARD.encode(bytes)))?;
            let mut object = json!({ "metadata": metadata });
            for (field, map) in [("data", message.map(2, text)?), ("binaryData", binary)] {
                if map.as_object().is_some_and(|map| !map.is_empty()) {
                    object[field] = map;
                }
            }
            Some(object)
        }
        _ => None,
    }
}

/// `ObjectMeta` by its field numbers, as far as a creator fills it in.
fn metadata(message: Message<'_>) -> Option<Value> {
    let mut metadata = Map::new();
    for (number, field) in
        [(1, "name"), (2, "generateName"), (3, "namespace"), (5, "uid"), (6, "resourceVersion")]
    {
        let text = message.text(number)?;
        if !text.is_empty() {
            metadata.insert(field.to_owned(), text.into());
        }
    }
    for (number, field) in [(11, "labels"), (12, "annotations")] {
        let map = message.map(number, |bytes| String::from_utf8(bytes.to_vec()).ok())?;
        if map.as_object().is_some_and(|map| !map.is_empty()) {
            metadata.insert(field.to_owned(), map);
        }
    }
    Some(metadata.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_is_read() {
        // Envelope { raw: ConfigMap { metadata { name: "a", labels { k: v } }, data { x: y } } }
        let body = b"k8s\0\x12\x17\x0a\x0b\x0a\x01a\x5a\x06\x0a\x01k\x12\x01v\x12\x06\x0a\x01x\x12\x01y\x20\x01";
        let expected =
            json!({ "metadata": { "name": "a", "labels": { "k": "v" } }, "data": { "x": "y" } });
        assert_eq!(object("ConfigMap", body), Some(expected));
        assert_eq!(object("Secret", body), None);
        assert_eq!(object("ConfigMap", &body[..20]), None);
    }

    #[test]
    fn fields_are_found_by_number() {
        // 1: varint 300, 2: "abc", 3: message { 1: "x" }, 2 again: "d"
        let bytes = b"\x08\xac\x02\x12\x03abc\x1a\x03\x0a\x01x\x12\x01d";
        let message = Message(bytes);
        assert_eq!(message.text(2).as_deref(), Some("d"));
        assert_eq!(message.message(3).and_then(|inner| inner.text(1)).as_deref(), Some("x"));
        assert_eq!(message.text(9).as_deref(), Some(""));
    }

    #[test]
    fn broken_bytes_are_nothing_and_never_a_panic() {
        for bytes in [
            &b"\x12\x05abc"[..],
            b"\x12",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0f",
            b"\x09abc",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert!(Message(bytes).bytes(2).is_none(), "{bytes:?}");
        }
        assert!(unwrap_envelope(b"{}").is_none());
        assert_eq!(unwrap_envelope(b"k8s\0\x12\x01a"), Some(&b"a"[..]));
    }
}
