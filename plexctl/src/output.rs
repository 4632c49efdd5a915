//! The only file that prints. stdout is for the payload, stderr for everything else.

use std::cell::RefCell;
use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::exit;
use crate::secret::Secret;
use crate::untrusted::{escape_json, is_unsafe, shown, shown_whole};
use crate::yaml;

/// How errors, and results that are data, are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// Writes what a command has to say.
pub(crate) struct Output {
    format: Format,
    /// Remarks wait until the outcome is known: an error comes before what was done about it, and
    /// in json and yaml the stderr of a failed run is that one document.
    held_back: RefCell<Vec<String>>,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a Map<String, Value>>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, held_back: RefCell::new(Vec::new()) }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The payload, whole: one write, so that a reader sees all of it or nothing.
    pub(crate) fn payload(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = raw_stdout();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // A reader that has seen enough is not a failure, and nobody is left to tell.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Error::Output(error)),
            Ok(()) => Ok(()),
        }
    }

    /// A payload that is data: json or yaml by the format asked for.
    pub(crate) fn document<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        self.payload(encode(self.format, value).as_bytes())
    }

    /// A remark about how the run went.
    pub(crate) fn note(&self, text: &str) {
        self.held_back.borrow_mut().push(format!("note: {text}\n"));
    }

    /// A remark of a run that has begun and goes on: it is said at once.
    pub(crate) fn remark(&self, text: &str) {
        stderr(&format!("note: {text}\n"));
    }

    /// A line that stands in place of the one before; an empty one takes it away.
    pub(crate) fn progress(&self, line: &str) {
        stderr(&format!("\r{line}\x1b[K"));
    }

    /// A remark about something dangerous that is about to happen.
    pub(crate) fn warning(&self, text: &str) {
        let line = format!("warning: {text}\n");
        match self.format {
            Format::Text => stderr(&line),
            Format::Json | Format::Yaml => self.held_back.borrow_mut().push(line),
        }
    }

    /// Shows the remarks so far: the run has succeeded, or hands the terminal to somebody else.
    pub(crate) fn release_remarks(&self) {
        for line in self.held_back.take() {
            stderr(&line);
        }
    }

    /// The token, on stderr, because it was asked for: one warning line, then the token alone on
    /// its line.
    pub(crate) fn reveal(&self, token: &Secret, audit_file: &str) {
        stderr(&format!(
            "warning: --reveal-secrets shows the one-time session token; recorded in {}\n",
            shown(audit_file)
        ));
        stderr(&format!("{}\n", token.expose()));
    }

    /// The error a run ends with.
    pub(crate) fn error(&self, error: &Error) {
        let message = shown_message(error);
        let hint = error.hint();
        if self.format == Format::Text {
            let mut text = format!("plexctl: {message}\n");
            if let Some(hint) = hint {
                text.push_str(&format!("hint: {hint}\n"));
            }
            stderr(&text);
            return self.release_remarks();
        }
        let document = ErrorDocument {
            error: ErrorBody {
                kind: error.kind(),
                message,
                hint,
                exit_code: exit::code(error),
                http_status: error.http_status(),
                problem: error.refusal().and_then(|refusal| refusal.problem.as_ref()),
            },
        };
        stderr(&encode(self.format, &document));
    }
}

/// Text for stdout that is not a payload: help and the version.
pub(crate) fn help(text: &str) -> Result<(), Error> {
    Output::new(Format::Text).payload(text.as_bytes())
}

/// One line on stderr before or beside any [`Output`]: askpass refusals, and the panic hook.
pub(crate) fn complaint(text: &str) {
    stderr(&format!("plexctl: {text}\n"));
}

/// The message with every unsafe character written out, whoever put it there: some of it is file
/// names and arguments.
fn shown_message(error: &Error) -> String {
    shown_whole(&error.to_string())
}

fn encode<T: Serialize>(format: Format, value: &T) -> String {
    if format == Format::Yaml {
        let mut yaml = String::new();
        let written = yaml::write(&mut yaml, value).is_ok();
        if written && !yaml.chars().any(|c| c != '\n' && is_unsafe(c)) {
            return yaml;
        }
    }
    // JSON is YAML too, and its escapes keep a document harmless that YAML would write as it is.
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("{}\n", escape_json(&json))
}

/// stdout without the line buffer of `std::io::stdout`, which would cut the payload in two.
#[cfg(unix)]
fn raw_stdout() -> impl Write {
    use std::os::fd::AsFd;
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(fd) => Box::new(std::fs::File::from(fd)) as Box<dyn Write>,
        Err(_) => Box::new(io::stdout()),
    }
}

#[cfg(not(unix))]
fn raw_stdout() -> impl Write {
    io::stdout()
}

/// stderr is the last resort: when it cannot be written there is nobody left to tell.
fn stderr(text: &str) {
    let mut stderr = io::stderr();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::problem::Refusal;

    fn denied() -> Error {
        let body = r#"{"code":"rebac_denied","detail":"no\u001b[2J\u202e"}"#;
        Refusal::read(403, "application/problem+json", body, None, None).into_error(false)
    }

    fn document(error: &Error) -> ErrorDocument<'_> {
        ErrorDocument {
            error: ErrorBody {
                kind: error.kind(),
                message: shown_message(error),
                hint: None,
                exit_code: exit::code(error),
                http_status: error.http_status(),
                problem: error.refusal().and_then(|refusal| refusal.problem.as_ref()),
            },
        }
    }

    #[test]
    fn structured_errors_are_harmless_and_complete() {
        let error = denied();
        for format in [Format::Json, Format::Yaml] {
            let text = encode(format, &document(&error));
            assert!(text.chars().all(|c| c == '\n' || !is_unsafe(c)), "{text}");
            let value: Value = serde_json::from_str(&text).expect("json, also for yaml here");
            assert_eq!(value["error"]["kind"], "rebac_denied");
            assert_eq!(value["error"]["exit_code"], 77);
            assert_eq!(value["error"]["http_status"], 403);
            assert_eq!(value["error"]["problem"]["detail"], "no\u{1b}[2J\u{202e}");
        }
    }

    #[test]
    fn yaml_is_block_style_when_nothing_needs_escaping() {
        let error = Error::usage("--x is required");
        let yaml = encode(Format::Yaml, &document(&error));
        assert!(yaml.starts_with("error:\n"), "{yaml}");
        let back: Value = serde_saphyr::from_str(&yaml).expect("yaml");
        assert_eq!(back["error"]["message"], "usage: --x is required");
    }

    #[test]
    fn messages_are_one_line() {
        assert!(!shown_message(&Error::usage("a\nb\u{1b}c")).contains(['\n', '\u{1b}']));
    }
}
