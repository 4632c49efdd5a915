//! The last look at a report before anybody gets it: one that shows a token is not handed out.

use serde_json::Value;

use super::{Format, Report};
use crate::bench::Canary;
use crate::bench::redaction;

/// The secrets of a run that can be known beforehand.
#[derive(Default)]
pub struct Vault(Vec<Canary>);

impl Vault {
    /// `secrets`: credentials that were handed to the harness and may look like nothing special.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let known = secrets.into_iter().filter(|secret| !secret.is_empty());
        Self(known.map(|secret| Canary::new("a credential", secret)).collect())
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
        if self.shown_in(&rendered) || self.anywhere(&model) {
            return Err(format!(
                "a token is about to reach the report ({format:?}); nothing of it is shown"
            ));
        }
        Ok(rendered)
    }

    fn shown_in(&self, text: &str) -> bool {
        redaction::shows_token(text)
            || self.0.iter().any(|secret| secret.find(text.as_bytes()).is_some())
    }

    fn anywhere(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.shown_in(text),
            Value::Array(items) => items.iter().any(|item| self.anywhere(item)),
            Value::Object(members) => members.values().any(|member| self.anywhere(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::super::text::Detail;
    use super::super::{render, sample};
    use super::*;

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
