//! Taking credentials out of whatever is shown. A report is pasted into tickets: it names a token
//! by its key and its session, and never quotes one.

use super::token::claims_of;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// How a signed token begins: `{"` in base64.
const SIGNED: &str = "eyJ";
/// How an operator's credential begins.
const OPERATOR: &str = "psk_";
/// How the secret of a k0rdent kubeconfig begins.
const KUBECONFIG: &str = "k0kc_";
/// Shorter than any token, longer than any word that happens to begin like one.
const SHORTEST: usize = 16;

/// The text without the tokens in it, whole or cut off.
pub fn redacted(text: &str) -> String {
    members_blotted(&runs_blotted(text))
}

/// Whether a token is still there to be read; what `redacted` returns has none.
pub fn shows_token(text: &str) -> bool {
    runs_blotted(text) != text
}

fn in_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Replaces every run of characters that begins like a token.
fn runs_blotted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let next =
            [SIGNED, OPERATOR, KUBECONFIG].into_iter().filter_map(|start| rest.find(start)).min();
        let Some(at) = next else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(|c| !in_token(c)).unwrap_or(rest.len());
        let run = &rest[..end];
        if run.starts_with(OPERATOR) && end > OPERATOR.len() {
            out.push_str("[operator credential]");
        } else if run.starts_with(KUBECONFIG) && end >= SHORTEST {
            out.push_str("[kubeconfig token]");
        } else if run.starts_with(SIGNED) && end >= SHORTEST {
            out.push_str(&named(run));
        } else {
            out.push_str(run);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// A signed token by its key and its session, as far as it tells them.
fn named(token: &str) -> String {
    let header: Option<Value> = token
        .split('.')
        .next()
        .and_then(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok());
    let of = |document: Option<&Value>, member: &str| {
        let text = document.and_then(|it| it[member].as_str()).unwrap_or("?");
        text.chars().filter(|c| in_token(*c)).take(64).collect::<String>()
    };
    let claims = claims_of(token);
    format!("[token kid={} jti={}]", of(header.as_ref(), "kid"), of(claims.as_ref(), "jti"))
}

/// Replaces the values of members called `token`, in JSON, in JSON within a text, and in YAML.
fn members_blotted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("token") {
        let end = at + "token".len();
        out.push_str(&rest[..end]);
        let before = rest[..at].chars().next_back();
        rest = &rest[end..];
        if before.is_some_and(in_token) {
            continue;
        }
        let (gap, value, tail) = value_after(rest);
        if value.is_empty() || value.starts_with('[') {
            continue;
        }
        out.push_str(gap);
        out.push_str("[redacted]");
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The values of members called `token`, in JSON and in the YAML that a text of it may hold.
pub(crate) fn tokens_in(document: &Value) -> Vec<String> {
    match document {
        Value::Object(members) => {
            let of = |(name, value): (&String, &Value)| match value {
                Value::String(token) if name == "token" => vec![token.clone()],
                value => tokens_in(value),
            };
            members.iter().flat_map(of).collect()
        }
        Value::Array(items) => items.iter().flat_map(tokens_in).collect(),
        Value::String(text) => text.lines().filter_map(token_of_line).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// `token: value`, perhaps as an item of a list and in quotes.
fn token_of_line(line: &str) -> Option<String> {
    let value = line.trim_start_matches([' ', '-']).strip_prefix("token:")?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty() && !value.contains(' ')).then(|| value.to_owned())
}

/// What stands between a member's name and its value, the value, and what follows it. The value is
/// empty where no member is.
fn value_after(text: &str) -> (&str, &str, &str) {
    let none = ("", "", text);
    let quoted = text.trim_start_matches('\\');
    let (json, after_name) = match quoted.strip_prefix('"') {
        Some(after) => (true, after),
        None if quoted.len() == text.len() => (false, text),
        None => return none,
    };
    let Some(after_colon) = after_name.trim_start().strip_prefix(':') else { return none };
    let value = after_colon.trim_start_matches([' ', '\\']);
    let text_of = |value: &str| text.len() - value.len();
    match value.strip_prefix('"') {
        Some(inner) => {
            let end = inner.find(['"', '\\', '\n']).unwrap_or(inner.len());
            (&text[..text_of(inner)], &inner[..end], &inner[end..])
        }
        None if !json && after_colon.starts_with(' ') => {
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            (&text[..text_of(value)], &value[..end], &value[end..])
        }
        None => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::issued;

    #[test]
    fn a_signed_token_is_named_and_not_shown() {
        let token = issued::sign(&serde_json::json!({"jti": "0190a8b8-5e55", "sub": "x"})).unwrap();
        let name = "[token kid=referee-1 jti=0190a8b8-5e55]";
        for (before, after) in [
            (format!(r#"{{"token":"{token}"}}"#), format!(r#"{{"token":"{name}"}}"#)),
            (format!("    token: {token}\n"), format!("    token: {name}\n")),
            (format!("Bearer {token}, twice {token}"), format!("Bearer {name}, twice {name}")),
            (format!("%22{token}%22"), format!("%22{name}%22")),
        ] {
            assert!(shows_token(&before));
            assert_eq!(redacted(&before), after);
        }
        let cut = redacted(&token[..60]);
        assert!(cut.starts_with("[token") && !shows_token(&cut), "{cut}");
    }

    #[test]
    fn tokens_are_found_in_members_and_in_documents_within_texts() {
        let kubeconfig = "users:\n- name: a\n  user:\n    token: \"kubeconfig-u-1:secret\"\n";
        let answer = serde_json::json!({"token": "first", "status": {"value": kubeconfig},
            "items": [{"token": "third", "kind": "token: of a sort"}]});
        let mut found = tokens_in(&answer);
        found.sort();
        assert_eq!(found, ["first", "kubeconfig-u-1:secret", "third"]);
    }

    #[test]
    fn opaque_tokens_are_blotted_by_their_member() {
        for (before, after) in [
            (r#"{"token":"opaque","x":1}"#, r#"{"token":"[redacted]","x":1}"#),
            (r#"{"token" : "opaque"}"#, r#"{"token" : "[redacted]"}"#),
            (r#""{\"token\":\"opaque\"}""#, r#""{\"token\":\"[redacted]\"}""#),
            ("users:\n- token: opaque\n", "users:\n- token: [redacted]\n"),
            (r#"{"token":{"kid":"a"}}"#, r#"{"token":{"kid":"a"}}"#),
            (r#"{"token":null}"#, r#"{"token":null}"#),
            ("the token is gone, no token", "the token is gone, no token"),
            ("psk_dev_operator", "[operator credential]"),
            ("token: \"k0kc_0123456789abcdef\"", "token: \"[kubeconfig token]\""),
            ("psk_ and eyJ are beginnings", "psk_ and eyJ are beginnings"),
        ] {
            assert_eq!(redacted(before), after);
            assert_eq!(redacted(&redacted(before)), after, "once is enough");
        }
    }
}
