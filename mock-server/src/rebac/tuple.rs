//! One relation tuple and its notation, `resource:web-1#operator@group:ops#member`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Caveat;

/// `object#relation@subject`, where the subject is an object, everybody of a type
/// (`identity:*`), or everybody in a relation to an object (`group:ops#member`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tuple {
    pub object: String,
    pub relation: String,
    pub subject: Subject,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `identity:alice`
    Object(String),
    /// `identity:*`, kept as its type.
    Everyone(String),
    /// `group:ops#member`
    Set { object: String, relation: String },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TupleError {
    #[error("`{0}`: a tuple reads `object#relation@subject`, and there is no `@`")]
    NoSubject(String),
    #[error("`{0}`: a tuple reads `object#relation@subject`, and there is no `#` before the `@`")]
    NoRelation(String),
    #[error("`{tuple}`: `{part}` is not `type:id` (a lower-case type, a colon, an id)")]
    NotAnObject { tuple: String, part: String },
    #[error("`{tuple}`: `{part}` is not a relation name (lower-case letters, digits, `_`)")]
    NotARelation { tuple: String, part: String },
    #[error("`{0}`: `*` may only stand alone, as in `identity:*`, and only for a subject")]
    MisplacedWildcard(String),
}

impl FromStr for Tuple {
    type Err = TupleError;

    fn from_str(text: &str) -> Result<Self, TupleError> {
        // Ids may hold an `@` (mail addresses do), relations may not: split at the first `#`.
        let Some((object, rest)) = text.split_once('#') else {
            return Err(if text.contains('@') {
                TupleError::NoRelation(text.to_owned())
            } else {
                TupleError::NoSubject(text.to_owned())
            });
        };
        let Some((relation, subject)) = rest.split_once('@') else {
            return Err(if object.contains('@') {
                TupleError::NoRelation(text.to_owned())
            } else {
                TupleError::NoSubject(text.to_owned())
            });
        };
        check_object(text, object)?;
        check_relation(text, relation)?;
        Ok(Self {
            object: object.to_owned(),
            relation: relation.to_owned(),
            subject: parse_subject(text, subject)?,
        })
    }
}

fn parse_subject(tuple: &str, text: &str) -> Result<Subject, TupleError> {
    if let Some((object, relation)) = text.split_once('#') {
        check_object(tuple, object)?;
        check_relation(tuple, relation)?;
        return Ok(Subject::Set { object: object.to_owned(), relation: relation.to_owned() });
    }
    if let Some(kind) = text.strip_suffix(":*") {
        check_relation(tuple, kind)?;
        return Ok(Subject::Everyone(kind.to_owned()));
    }
    check_object(tuple, text)?;
    Ok(Subject::Object(text.to_owned()))
}

fn check_object(tuple: &str, part: &str) -> Result<(), TupleError> {
    let not_an_object =
        || TupleError::NotAnObject { tuple: tuple.to_owned(), part: part.to_owned() };
    let (kind, id) = part.split_once(':').ok_or_else(not_an_object)?;
    if id == "*" {
        return Err(TupleError::MisplacedWildcard(tuple.to_owned()));
    }
    let id_is_clean = !id.is_empty() && !id.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_name(kind) && id_is_clean { Ok(()) } else { Err(not_an_object()) }
}

fn check_relation(tuple: &str, part: &str) -> Result<(), TupleError> {
    if is_name(part) {
        Ok(())
    } else {
        Err(TupleError::NotARelation { tuple: tuple.to_owned(), part: part.to_owned() })
    }
}

/// Types, relations and permissions share one spelling.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The type of an object: what stands before its colon.
pub(super) fn type_of(object: &str) -> &str {
    object.split_once(':').map_or(object, |(kind, _)| kind)
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.object, self.relation, self.subject)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => f.write_str(object),
            Self::Everyone(kind) => write!(f, "{kind}:*"),
            Self::Set { object, relation } => write!(f, "{object}#{relation}"),
        }
    }
}

/// A tuple as a world file states it: the bare notation, or a mapping when the relation only holds
/// under a caveat or until a moment.
///
/// ```yaml
/// - resource:web-1#operator@group:ops#member
/// - tuple: resource:web-1#operator@identity:contractor
///   caveat: {name: within_hours, from: "08:00", to: "18:00"}
///   expires_at: "2027-01-01T00:00:00Z"
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    pub tuple: Tuple,
    pub caveat: Option<Caveat>,
    /// From this moment on the relation does not exist, as if the tuple had been deleted.
    pub expires_at: Option<Timestamp>,
}

impl From<Tuple> for Relation {
    fn from(tuple: Tuple) -> Self {
        Self { tuple, caveat: None, expires_at: None }
    }
}

/// The mapping form, spelled out so that a wrong key is named in the error.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    tuple: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caveat: Option<Caveat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for Relation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Relation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a relation tuple, or a mapping with the key `tuple`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Relation, E> {
                text.parse::<Tuple>().map(Relation::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Relation, A::Error> {
                let mapping = Mapping::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let tuple = mapping.tuple.parse().map_err(de::Error::custom)?;
                Ok(Relation { tuple, caveat: mapping.caveat, expires_at: mapping.expires_at })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Relation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tuple = self.tuple.to_string();
        if self.caveat.is_none() && self.expires_at.is_none() {
            return serializer.serialize_str(&tuple);
        }
        Mapping { tuple, caveat: self.caveat.clone(), expires_at: self.expires_at }
            .serialize(serializer)
    }
}
