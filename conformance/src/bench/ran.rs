//! A finished run of plexctl and the questions rules ask of it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::canary::Canary;
use super::evidence::shown;
use super::sandbox::{EntryKind, Tree};
use crate::verdict::{Outcome, Reason, expect, fail};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Killed by us at the deadline.
    TimedOut,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "death by signal {signal}"),
            Self::TimedOut => f.write_str("no end before the deadline"),
        }
    }
}

#[derive(Debug)]
pub struct Ran {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub duration: Duration,
    pub before: Tree,
    pub after: Tree,
    /// The run as a shell line.
    pub line: String,
}

impl Ran {
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    pub fn expect_exit(&self, code: i32) -> Outcome {
        let brief = first_line(&self.stderr);
        expect(
            self.exit == Exit::Code(code),
            "how plexctl ended",
            Exit::Code(code),
            format!("{}{brief}", self.exit),
        )
    }

    pub fn expect_stdout_empty(&self) -> Outcome {
        expect(self.stdout.is_empty(), "stdout", "nothing", excerpt(&self.stdout))
    }

    pub fn expect_stderr_empty(&self) -> Outcome {
        expect(self.stderr.is_empty(), "stderr", "nothing", excerpt(&self.stderr))
    }

    /// Something was said, in whatever words.
    pub fn expect_stderr_says_something(&self) -> Outcome {
        let says = !self.stderr.trim_ascii().is_empty();
        expect(says, "stderr", "a word about what went wrong", "nothing")
    }

    pub fn expect_stderr_has(&self, text: &str) -> Outcome {
        let has = self.stderr_text().contains(text);
        expect(has, "stderr", format!("text with {text:?}"), excerpt(&self.stderr))
    }

    pub fn expect_stderr_lacks(&self, text: &str) -> Outcome {
        let has = self.stderr_text().contains(text);
        expect(!has, "stderr", format!("no {text:?} in it"), excerpt(&self.stderr))
    }

    /// The error document of `--output json`: one JSON object on stderr with a top-level `error`.
    pub fn error_document(&self) -> Outcome<serde_json::Value> {
        let document: serde_json::Value = match serde_json::from_slice(&self.stderr) {
            Ok(document) => document,
            Err(_) => return fail("stderr", "exactly one JSON document", excerpt(&self.stderr)),
        };
        match document.get("error") {
            Some(error) if error.is_object() => Ok(error.clone()),
            _ => fail("the JSON document on stderr", "an object `error`", document),
        }
    }

    /// stdout as one JSON document.
    pub fn stdout_json(&self) -> Outcome<serde_json::Value> {
        serde_json::from_slice(&self.stdout).or_else(|error| {
            fail("stdout", "one JSON document", format!("{error} in {}", excerpt(&self.stdout)))
        })
    }

    /// stdout as one YAML document.
    pub fn stdout_yaml(&self) -> Outcome<serde_json::Value> {
        yaml(&self.stdout, "stdout")
    }

    pub fn file_changes(&self) -> Vec<String> {
        self.before.changes(&self.after)
    }

    /// Not one file, directory, link or mode below the sandbox is different.
    pub fn expect_no_file_changes(&self) -> Outcome {
        let changes = self.file_changes();
        expect(changes.is_empty(), "the file tree", "no change", changes.join("; "))
    }

    /// A regular file stands at `path` (below the sandbox root) with exactly this mode.
    pub fn expect_file(&self, path: impl AsRef<Path>, mode: u32) -> Outcome<Vec<u8>> {
        let path = path.as_ref();
        let what = format!("the file {}", path.display());
        match self.after.get(path) {
            None => fail(what, format!("a file with mode {mode:04o}"), "nothing there"),
            Some(entry) if entry.kind != EntryKind::File || entry.mode != mode => {
                fail(what, format!("a regular file with mode {mode:04o}"), format!("{entry:?}"))
            }
            Some(entry) => Ok(entry.content.clone()),
        }
    }

    /// What stands on stdout between spaces, quotes and the marks of JSON and YAML.
    pub fn stdout_words(&self) -> Vec<String> {
        let text = self.stdout_text();
        let between =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '{' | '}' | '=');
        text.split(between).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// The word stands on stdout, whatever is written around it.
    pub fn expect_stdout_word(&self, word: &str) -> Outcome {
        let has = self.stdout_words().iter().any(|one| one == word);
        expect(has, "stdout", format!("{word} in it"), self.stdout_text())
    }

    /// The secret is on neither stream.
    pub fn expect_silent_about(&self, canary: &Canary) -> Outcome {
        canary.absent_from("stdout", &self.stdout)?;
        canary.absent_from("stderr", &self.stderr)
    }
}

/// Bytes as one YAML document, judged as `what`.
pub fn yaml(bytes: &[u8], what: &str) -> Outcome<serde_json::Value> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Reason::Failure(crate::verdict::Failure::new(what, "UTF-8", excerpt(bytes)))
    })?;
    serde_saphyr::from_str(text)
        .or_else(|error| fail(what, "one YAML document", format!("{error} in {}", excerpt(bytes))))
}

fn first_line(stderr: &[u8]) -> String {
    match shown(stderr).lines().next() {
        Some(line) => format!(" ({line})"),
        None => String::new(),
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let mut text = shown(bytes);
    if text.len() > 400 {
        let cut = text.floor_char_boundary(400);
        text.truncate(cut);
        text.push_str("...");
    }
    format!("{text:?}")
}
