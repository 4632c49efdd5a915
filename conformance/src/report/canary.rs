//! The last look at a report before anybody gets it: one that shows a token is not handed out.

use hashbrown::HashSet;
use serde_json::Value;

use super::{Format, Report};
use crate::bench::Canary;
use crate::bench::redaction;

/// For those whose server is theirs to set up.
const WORD: &str = " (a credential that is a common word is found everywhere: use a longer one)";

/// The secrets of a run: credentials that were handed to the harness, and every token that was
/// issued while it ran.
#[derive(Default)]
pub struct Vault {
    known: Vec<Canary>,
    /// The first bytes of every spelling of an issued token. There are thousands of them, so a text
    /// is walked through once, and not searched for each.
    traces: HashSet<[u8; TRACE]>,
}

/// Long enough to be nothing else by chance.
const TRACE: usize = 16;

/// Whether it tells a secret from other texts. A hostile answer's token may be one letter, repeated,
/// or a moment in time; their own rule hides those.
fn tells(trace: &[u8; TRACE]) -> bool {
    let of_a_moment = |byte: &u8| byte.is_ascii_digit() || b"-:.TZ+".contains(byte);
    trace.iter().collect::<HashSet<_>>().len() > 4 && !trace.iter().all(of_a_moment)
}

impl Vault {
    /// `secrets`: credentials, which may look like nothing special.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let known = secrets.into_iter().filter(|secret| !secret.is_empty());
        let known = known.map(|secret| Canary::new("a credential", secret)).collect();
        Self { known, traces: HashSet::new() }
    }

    /// Looks for these tokens as well.
    #[must_use]
    pub fn with_tokens<'s>(mut self, tokens: impl IntoIterator<Item = &'s str>) -> Self {
        for token in tokens {
            // What signed tokens begin with is no secret, and the same in all of them; nor is the
            // name that a Rancher token carries before its secret.
            let secret = match (token.rsplit_once('.'), token.split_once(':')) {
                (Some((_, signature)), _) if signature.len() >= 2 * TRACE => signature,
                (None, Some((_, secret))) => secret,
                _ => token,
            };
            let canary = Canary::new("a token", secret);
            let traces = canary.spellings().filter_map(|form| form.first_chunk::<TRACE>());
            self.traces.extend(traces.filter(|trace| tells(trace)));
        }
        self
    }

    /// The rendered report back again, or the name of the form that would have shown a token.
    /// The model's own texts are looked at as well: escaping hides a token from a search, not from
    /// a reader.
    pub fn pass(
        &self,
        report: &Report,
        format: Format,
        rendered: String,
    ) -> Result<String, String> {
        let model = serde_json::to_value(report).unwrap_or_default();
        if let Some(place) = self.anywhere(&model) {
            return Err(format!(
                "a token is about to reach the report, in {place}; nothing of it is shown{WORD}"
            ));
        }
        if self.shown_in(&rendered) {
            return Err(format!(
                "a token is about to reach the report ({format:?}); nothing of it is shown{WORD}"
            ));
        }
        Ok(rendered)
    }

    fn shown_in(&self, text: &str) -> bool {
        if redaction::shows_token(text) || self.holds(text.as_bytes()) {
            return true;
        }
        // An encoder breaks its lines, and a token is in two of them.
        let joined: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        self.holds(&joined)
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        self.known.iter().any(|secret| secret.find(bytes).is_some())
            || (!self.traces.is_empty()
                && bytes.array_windows::<TRACE>().any(|window| self.traces.contains(window)))
    }

    /// Where in the model a token stands: by the rule's id and the names of members.
    fn anywhere(&self, value: &Value) -> Option<String> {
        let below = |name: String, value| {
            self.anywhere(value).map(|rest| format!("{name} {rest}").trim_end().to_owned())
        };
        match value {
            Value::String(text) => self.shown_in(text).then(String::new),
            Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
                let name = item["id"].as_str().map_or_else(|| at.to_string(), str::to_owned);
                below(name, item)
            }),
            Value::Object(members) => {
                members.iter().find_map(|(name, member)| below(name.clone(), member))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use clap::ValueEnum;

    use super::super::text::Detail;
    use super::super::{render, sample};
    use super::*;
    use crate::bench::issued;

    /// As `base64` writes it: 76 characters to a line.
    fn wrapped(text: &str) -> String {
        let encoded = STANDARD.encode(text);
        let lines = encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_issued_token_is_found_in_lines_of_base64() {
        let token = issued::sign(&serde_json::json!({"jti": "0190a8b8-5e55"})).unwrap();
        let rancher = "kubeconfig-u-k9fz2:7xq2n5m4c8d6b9w3v1t0";
        let vault = Vault::new([]).with_tokens([token.as_str(), rancher]);
        let clean = sample::report();
        for secret in [&*token, rancher] {
            let document = format!("users:\n- name: plexsphere\n  user:\n    token: {secret}\n");
            for text in [wrapped(&document), format!("x{}", wrapped(&document[1..])), document] {
                let mut leaky = sample::report();
                leaky.rules[1].evidence.push(format!("stderr: {text}"));
                for format in Format::value_variants() {
                    let passed = |report: &Report| {
                        let rendered = render(report, *format, Detail::Trace);
                        vault.pass(report, *format, rendered).is_ok()
                    };
                    assert!(passed(&clean), "{format:?}");
                    assert!(!passed(&leaky), "{format:?} shows {text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_of_a_token_may_be_shown() {
        let filling = "a".repeat(200);
        let rancher = format!("kubeconfig-u-k9fz2:{}", "7xq2n5m4c8d6b9w3v1t0".repeat(2));
        let date = "2026-07-17T09:00:00Z";
        let vault = Vault::new([]).with_tokens([&*filling, &rancher, date]);
        let mut report = sample::report();
        let tokens = "tokens: [kubeconfig-u-k9fz2]".to_owned();
        let evidence = [format!("x-filler: {filling}"), tokens, format!("issued_at: {date}")];
        report.rules[1].evidence.extend(evidence);
        for format in Format::value_variants() {
            let rendered = render(&report, *format, Detail::Trace);
            vault.pass(&report, *format, rendered).unwrap();
        }
    }

    #[test]
    fn no_form_of_a_report_gets_past_with_a_token() {
        let vault = Vault::new(["hunter2<hunter2"]);
        let clean = sample::report();
        for secret in ["hunter2<hunter2", "psk_dev_operator", "eyJhbGciOiJFZERTQSJ9.e30.c2ln"] {
            let mut leaky = sample::report();
            leaky.rules[1].evidence.push(format!("asked with {secret}"));
            for format in Format::value_variants() {
                let passed = |report: &Report| {
                    let rendered = render(report, *format, Detail::Trace);
                    vault.pass(report, *format, rendered).is_ok()
                };
                assert!(passed(&clean), "{format:?}");
                assert!(!passed(&leaky), "{format:?} shows {secret}");
            }
        }
    }
}
