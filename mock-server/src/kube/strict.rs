//! JSON in which nothing is said twice: a reader that keeps the last of two members of one
//! name, as everybody does, and remembers that there were two.

use std::cell::RefCell;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// More than these are not named.
const MOST: usize = 32;

/// The document, and the paths of the members that were there more than once.
pub(crate) fn read(bytes: &[u8]) -> serde_json::Result<(Value, Vec<String>)> {
    let twice = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Place { path: "", twice: &twice }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, twice.into_inner()))
}

/// Where in the document the reader is.
struct Place<'a> {
    path: &'a str,
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match items.next_element_seed(Place { path: &path, twice: self.twice })? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (mut map, mut seen) = (Map::new(), HashMap::new());
        while let Some(name) = members.next_key::<String>()? {
            let path =
                if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            let value = members.next_value_seed(Place { path: &path, twice: self.twice })?;
            match seen.entry(name.clone()) {
                Entry::Vacant(place) => {
                    place.insert(false);
                }
                Entry::Occupied(mut told) => {
                    if !told.insert(true) {
                        let mut twice = self
                            .twice
                            .try_borrow_mut()
                            .map_err(|_| A::Error::custom("read twice at once"))?;
                        if twice.len() < MOST {
                            twice.push(path);
                        }
                    }
                }
            }
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_twice_is_named_once_and_the_last_counts() {
        let text = br#"{"a":1,"b":{"c":1,"c":2,"c":3},"a":[{"d":null,"d":"x"}]}"#;
        let (value, twice) = read(text).unwrap();
        assert_eq!(value, serde_json::json!({"a": [{"d": "x"}], "b": {"c": 3}}));
        assert_eq!(twice, ["b.c", "a[0].d", "a"]);
    }

    #[test]
    fn it_reads_what_everybody_reads() {
        for text in ["1", "-1", "1.5e3", "\"é\\n\"", "[]", "{}", "true", "[1,[2,{\"a\":[3]}]]"] {
            let (value, twice) = read(text.as_bytes()).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap(), "{text}");
            assert!(twice.is_empty(), "{text}");
        }
        for text in ["", "{", "{} x", "[1,]", "nul", &"[".repeat(500)] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
