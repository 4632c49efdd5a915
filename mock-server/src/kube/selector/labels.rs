//! Label selectors: `app=web,tier in (a, b),!canary`.

use serde_json::Value;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in split(text)? {
            if !part.is_empty() {
                requirements.push(Requirement::parse(part)?);
            } else if !text.trim().is_empty() {
                return Err("found ',', expected: identifier after ','".to_owned());
            }
        }
        Ok(Self(requirements))
    }

    /// One more requirement, which no other can take back.
    pub(crate) fn and(mut self, key: &str, value: &str) -> Self {
        let test = Test::In(vec![value.to_owned()]);
        self.0.push(Requirement { key: key.to_owned(), test });
        self
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.0.iter().all(|requirement| {
            let found = labels.and_then(|labels| labels.get(&requirement.key)?.as_str());
            match (&requirement.test, found) {
                (Test::Exists, found) => found.is_some(),
                (Test::Absent, found) => found.is_none(),
                (Test::In(values), Some(found)) => values.iter().any(|value| value == found),
                (Test::NotIn(values), Some(found)) => values.iter().all(|value| value != found),
                // An absent label is not any of the values, and is no number either.
                (Test::NotIn(_), None) => true,
                (Test::Above(bound), Some(found)) => found.parse().is_ok_and(|n: i64| n > *bound),
                (Test::Below(bound), Some(found)) => found.parse().is_ok_and(|n: i64| n < *bound),
                (Test::In(_) | Test::Above(_) | Test::Below(_), None) => false,
            }
        })
    }
}

/// Splits at commas that stand outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            '(' if inside => return Err("found '(' inside a set".to_owned()),
            '(' => inside = true,
            ')' if !inside => return Err("found ')', expected: ','".to_owned()),
            ')' => inside = false,
            ',' if !inside => {
                parts.push(text.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("unclosed set, expected: ')'".to_owned());
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    Ok(parts)
}

impl Requirement {
    fn parse(part: &str) -> Result<Self, String> {
        if let Some(key) = part.strip_prefix('!') {
            return Ok(Self { key: checked_key(key.trim())?, test: Test::Absent });
        }
        if let Some((head, values)) = part.split_once('(') {
            let Some(values) = values.trim_end().strip_suffix(')') else {
                return Err(format!("{part:?} is neither a set nor an equality"));
            };
            let words: Vec<&str> = head.split_whitespace().collect();
            let [key, operator] = words.as_slice() else {
                return Err(format!("{part:?} is neither a set nor an equality"));
            };
            let values = values
                .split(',')
                .map(|value| checked_value(value.trim()))
                .collect::<Result<_, _>>()?;
            let test = match *operator {
                "in" => Test::In(values),
                "notin" => Test::NotIn(values),
                other => return Err(format!("found {other:?}, expected: in, notin")),
            };
            return Ok(Self { key: checked_key(key)?, test });
        }
        for (operator, positive) in [("!=", false), ("==", true), ("=", true)] {
            if let Some((key, value)) = part.split_once(operator) {
                let values = vec![checked_value(value.trim())?];
                let test = if positive { Test::In(values) } else { Test::NotIn(values) };
                return Ok(Self { key: checked_key(key.trim())?, test });
            }
        }
        for (operator, above) in [('>', true), ('<', false)] {
            if let Some((key, value)) = part.split_once(operator) {
                let bound = value.trim().parse::<i64>().map_err(|_| {
                    format!("values[0]: Invalid value: {:?}: must be an integer", value.trim())
                })?;
                let test = if above { Test::Above(bound) } else { Test::Below(bound) };
                return Ok(Self { key: checked_key(key.trim())?, test });
            }
        }
        Ok(Self { key: checked_key(part)?, test: Test::Exists })
    }
}

pub(crate) fn is_name_part(text: &str) -> bool {
    let edge = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn checked_key(key: &str) -> Result<String, String> {
    let (prefix, name) = key.split_once('/').unwrap_or(("a", key));
    let prefixed = prefix.len() <= 253
        && prefix.split('.').all(|label| is_name_part(label) && !label.contains(['_', '.']));
    if is_name_part(name) && prefixed {
        Ok(key.to_owned())
    } else {
        Err(format!(
            "key: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        ))
    }
}

fn checked_value(value: &str) -> Result<String, String> {
    if value.is_empty() || is_name_part(value) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "values[0]: Invalid value: {value:?}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_choose() {
        let object =
            json!({ "metadata": { "labels": { "app": "web", "x.io/tier": "front", "n": "7" } } });
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app in (api, web)", true),
            ("app notin (api,web)", false),
            ("other notin (web)", true),
            ("other in (web)", false),
            ("app=web,x.io/tier=front", true),
            ("app=web,x.io/tier=back", false),
            ("n>6", true),
            ("n<7", false),
            ("app>6", false),
            ("app=", false),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "app in web",
            "app in (web",
            "app)",
            "a b",
            "=web",
            "app=we b",
            "n>x",
            "app=web,,b",
            ",",
            "app like (a)",
            "((",
            "-a=b",
            "a/b/c=d",
            "app=é",
        ] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
