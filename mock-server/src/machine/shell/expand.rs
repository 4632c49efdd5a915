//! From the words of a command to its arguments: variables, substitutions,
//! splitting, patterns and the tilde.

use super::super::stream::{Input, Io, Output};
use super::super::syntax::{Fallback, Piece, Word};
use super::arithmetic;
use super::glob::{Symbol, is_pattern};
use super::{Outcome, Shell, Stop};
use crate::machine::login::Boxed;

/// Arguments and characters one command line may grow to.
const MAX_FIELDS: usize = 65_536;
const MAX_SYMBOLS: usize = 4 * 1024 * 1024;
/// What a substitution may give.
const MAX_OUTPUT: usize = 1024 * 1024;

/// A word on its way to becoming arguments.
#[derive(Default)]
struct Fields {
    done: Vec<Vec<Symbol>>,
    current: Vec<Symbol>,
    /// Whether there is a current field, even if it is empty.
    open: bool,
    symbols: usize,
}

impl Fields {
    fn push(&mut self, text: &str, quoted: bool) {
        self.open |= quoted || !text.is_empty();
        self.symbols += text.len();
        if self.symbols <= MAX_SYMBOLS {
            self.current.extend(text.chars().map(|c| Symbol { c, quoted }));
        }
    }

    /// Adds what came out of an unquoted expansion: blanks end the field.
    fn split(&mut self, text: &str) {
        for (index, part) in text.split([' ', '\t', '\n']).enumerate() {
            if index > 0 {
                self.end();
            }
            self.push(part, false);
        }
    }

    fn end(&mut self) {
        if self.open && self.done.len() < MAX_FIELDS {
            self.done.push(std::mem::take(&mut self.current));
        }
        self.current.clear();
        self.open = false;
    }
}

impl Shell {
    /// The arguments a list of words stands for.
    pub(super) async fn arguments(&mut self, words: &[Word], io: &Io) -> Result<Vec<String>, Stop> {
        let mut arguments = Vec::new();
        for word in words {
            let mut fields = Fields::default();
            self.word(word, io, &mut fields, true).await?;
            fields.end();
            for field in fields.done {
                if is_pattern(&field) {
                    let mut found = self.glob(&field);
                    if !found.is_empty() {
                        arguments.append(&mut found);
                        continue;
                    }
                }
                arguments.push(field.iter().map(|s| s.c).collect());
            }
            if arguments.len() > MAX_FIELDS {
                arguments.truncate(MAX_FIELDS);
            }
        }
        Ok(arguments)
    }

    /// One word as one text: in an assignment and behind a redirection.
    pub(super) async fn text(&mut self, word: &Word, io: &Io) -> Result<String, Stop> {
        let mut fields = Fields::default();
        self.word(word, io, &mut fields, false).await?;
        Ok(fields.current.iter().map(|s| s.c).collect())
    }

    fn word<'a>(
        &'a mut self,
        word: &'a Word,
        io: &'a Io,
        fields: &'a mut Fields,
        split: bool,
    ) -> Boxed<'a, Result<(), Stop>> {
        Box::pin(async move {
            for (index, piece) in word.0.iter().enumerate() {
                match piece {
                    Piece::Text { text, quoted } => {
                        let rest = (index == 0 && !quoted).then(|| self.tilde(text)).flatten();
                        match rest {
                            Some((home, rest)) => {
                                fields.push(&home, true);
                                fields.push(rest, false);
                            }
                            None => fields.push(text, *quoted),
                        }
                    }
                    Piece::Output { list, quoted } => {
                        let text = self.output_of(list, io).await?;
                        match (split, quoted) {
                            (true, false) => fields.split(&text),
                            _ => fields.push(&text, *quoted),
                        }
                    }
                    Piece::Sum { word, quoted } => {
                        let text = self.sum(word, io).await?;
                        fields.push(&text, *quoted);
                    }
                    Piece::Variable { name, fallback, quoted } => {
                        self.variable_piece(
                            name,
                            fallback.as_ref(),
                            *quoted && split,
                            io,
                            fields,
                            split,
                        )
                        .await?;
                        fields.open |= *quoted && name != "@";
                    }
                }
            }
            Ok(())
        })
    }

    /// An expression that cannot be calculated is told of, and its command does not run.
    async fn sum(&mut self, word: &Word, io: &Io) -> Result<String, Stop> {
        let text = self.text(word, io).await?;
        match arithmetic::evaluate(&text, &|name| self.value(name)) {
            Ok(number) => Ok(number.to_string()),
            Err(what) => {
                self.complain(io, &what).await?;
                Err(Stop::Usage)
            }
        }
    }

    async fn variable_piece(
        &mut self,
        name: &str,
        fallback: Option<&Fallback>,
        quoted: bool,
        io: &Io,
        fields: &mut Fields,
        split: bool,
    ) -> Result<(), Stop> {
        if name == "@" && quoted && fallback.is_none() {
            let parameters: Vec<String> = self.parameters.iter().skip(1).cloned().collect();
            for (index, parameter) in parameters.iter().enumerate() {
                if index > 0 {
                    fields.end();
                }
                fields.push(parameter, true);
            }
            return Ok(());
        }
        let value = self.value(name);
        let present =
            |when_empty: &bool| value.as_ref().is_some_and(|v| !(*when_empty && v.is_empty()));
        let text = match fallback {
            Some(Fallback::Use { word, when_empty }) if !present(when_empty) => {
                return self.word(word, io, fields, split).await;
            }
            Some(Fallback::Replace { word, when_empty }) => {
                if present(when_empty) {
                    return self.word(word, io, fields, split).await;
                }
                String::new()
            }
            Some(Fallback::Length) => value.unwrap_or_default().chars().count().to_string(),
            _ => value.unwrap_or_default(),
        };
        if split && !quoted {
            fields.split(&text);
        } else {
            fields.push(&text, true);
        }
        Ok(())
    }

    fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.status.to_string(),
            "$" => self.shared.pid.to_string(),
            "#" => self.parameters.len().saturating_sub(1).to_string(),
            "@" | "*" => {
                let parameters: Vec<&str> =
                    self.parameters.iter().skip(1).map(String::as_str).collect();
                parameters.join(" ")
            }
            "!" => return None,
            "-" => String::new(),
            digit if digit.starts_with(|c: char| c.is_ascii_digit()) => {
                let index: usize = digit.parse().ok()?;
                self.parameters.get(index)?.clone()
            }
            other => self.variable(other)?.to_owned(),
        })
    }

    /// The home a leading `~` or `~name` stands for, and what follows it.
    fn tilde<'a>(&self, text: &'a str) -> Option<(String, &'a str)> {
        let rest = text.strip_prefix('~')?;
        let (name, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if name.is_empty() {
            let home = self.variable("HOME").unwrap_or("/");
            return Some((home.to_owned(), tail));
        }
        let account = self.shared.plan.accounts.find(name)?;
        Some((account.home, tail))
    }

    /// Runs `$(...)` and gives what it wrote, without its last newlines.
    async fn output_of(
        &mut self,
        list: &super::super::syntax::List,
        io: &Io,
    ) -> Result<String, Stop> {
        let Some(mut child) = self.child() else {
            io.stderr.write(b"sh: substitutions nested too deeply\n").await?;
            return Err(Stop::Exit(2));
        };
        let (writer, reader): (_, Input) = super::super::stream::pipe();
        let inner =
            Io { stdin: io.stdin.clone(), stdout: Output::Pipe(writer), stderr: io.stderr.clone() };
        let running = async {
            let outcome: Outcome = child.list(list, &inner).await;
            drop(inner);
            outcome
        };
        let reading = async {
            let mut all = Vec::new();
            while let Some(mut chunk) = reader.read().await {
                if all.len() < MAX_OUTPUT {
                    all.append(&mut chunk);
                }
            }
            all.truncate(MAX_OUTPUT);
            all
        };
        let (outcome, bytes) = tokio::join!(running, reading);
        self.status = super::run::settle(outcome);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        while text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}
