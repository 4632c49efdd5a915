//! What a program gets: its arguments, its streams, and the shell that runs it.

use super::super::shell::{Outcome, Shell, Stop};
use super::super::stream::{Input, Io, Output};

pub(super) struct Call<'a> {
    pub(super) shell: &'a mut Shell,
    arguments: &'a [String],
    io: &'a Io,
}

/// Options and operands, told apart as `getopt` does.
#[derive(Debug, Default)]
pub(super) struct Options {
    flags: Vec<char>,
    values: Vec<(char, String)>,
    pub(super) operands: Vec<String>,
}

impl Options {
    pub(super) fn has(&self, flag: char) -> bool {
        self.flags.contains(&flag)
    }

    pub(super) fn value(&self, flag: char) -> Option<&str> {
        let last = self.values.iter().rev().find(|(name, _)| *name == flag);
        last.map(|(_, value)| value.as_str())
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(shell: &'a mut Shell, arguments: &'a [String], io: &'a Io) -> Self {
        Self { shell, arguments, io }
    }

    pub(super) fn name(&self) -> &'a str {
        let name = self.arguments.first().map_or("", String::as_str);
        name.rsplit('/').next().unwrap_or(name)
    }

    /// The arguments behind the program's name.
    pub(super) fn rest(&self) -> &'a [String] {
        self.arguments.get(1..).unwrap_or_default()
    }

    pub(super) fn io(&self) -> &'a Io {
        self.io
    }

    pub(super) fn on_terminal(&self) -> bool {
        matches!(self.io.stdout, Output::Terminal(_))
    }

    pub(super) async fn out(&self, text: impl AsRef<[u8]>) -> Result<(), Stop> {
        Ok(self.io.stdout.write(text.as_ref()).await?)
    }

    /// A complaint under the program's name; it goes on.
    pub(super) async fn warn(&self, what: &str) -> Result<(), Stop> {
        let text = format!("{}: {what}\n", self.name());
        Ok(self.io.stderr.write(text.as_bytes()).await?)
    }

    /// A text on standard error, and status 1.
    pub(super) async fn fail(&self, text: &str) -> Outcome {
        self.io.stderr.write(format!("{text}\n").as_bytes()).await?;
        Ok(1)
    }

    /// Sorts the arguments into flags, flags with a value, and operands. A
    /// flag that is neither ends the program with status 2.
    pub(super) async fn options(&self, flags: &str, valued: &str) -> Result<Options, Stop> {
        let mut options = Options::default();
        let mut rest = self.rest().iter();
        while let Some(argument) = rest.next() {
            let Some(letters) = argument.strip_prefix('-').filter(|l| !l.is_empty()) else {
                options.operands.push(argument.clone());
                continue;
            };
            if letters == "-" {
                options.operands.extend(rest.by_ref().cloned());
                break;
            }
            let mut letters = letters.chars();
            while let Some(letter) = letters.next() {
                if flags.contains(letter) {
                    options.flags.push(letter);
                } else if valued.contains(letter) {
                    let attached: String = letters.by_ref().collect();
                    let value = match attached.is_empty() {
                        false => Some(attached),
                        true => rest.next().cloned(),
                    };
                    let Some(value) = value else {
                        let what = format!("option requires an argument -- '{letter}'");
                        self.warn(&what).await?;
                        return Err(Stop::Usage);
                    };
                    options.values.push((letter, value));
                } else {
                    self.warn(&format!("invalid option -- '{letter}'")).await?;
                    return Err(Stop::Usage);
                }
            }
        }
        Ok(options)
    }

    /// The inputs a filter reads: its operands, or standard input. A file that
    /// cannot be read is complained about and left out; the flag says so.
    pub(super) async fn inputs(
        &self,
        operands: &[String],
    ) -> Result<(Vec<(String, Input)>, bool), Stop> {
        if operands.is_empty() {
            return Ok((vec![("-".into(), self.io.stdin.clone())], true));
        }
        let mut inputs = Vec::new();
        let mut all = true;
        for name in operands {
            if name == "-" {
                inputs.push((name.clone(), self.io.stdin.clone()));
                continue;
            }
            let path = self.shell.path(name);
            let read = self.shell.tree().read(self.shell.account(), &path);
            match read {
                Ok(content) => inputs.push((name.clone(), Input::holding(content.to_vec()))),
                Err(error) => {
                    self.warn(&format!("{name}: {error}")).await?;
                    all = false;
                }
            }
        }
        Ok((inputs, all))
    }

    /// All lines of all inputs, for programs that must see everything first.
    pub(super) async fn lines(&self, operands: &[String]) -> Result<(Vec<Vec<u8>>, bool), Stop> {
        let (inputs, mut complete) = self.inputs(operands).await?;
        let mut lines = Vec::new();
        for (_, input) in inputs {
            let Some(all) = input.all().await else {
                self.warn("memory exhausted").await?;
                complete = false;
                continue;
            };
            let text = all.strip_suffix(b"\n").unwrap_or(&all);
            if !all.is_empty() {
                lines.extend(text.split(|b| *b == b'\n').map(<[u8]>::to_vec));
            }
        }
        Ok((lines, complete))
    }
}
