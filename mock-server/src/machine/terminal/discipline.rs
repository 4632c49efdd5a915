//! What a terminal does with keys while a command runs: echo, edit the line,
//! hand it over at Enter, and turn ^C into an end.

use std::collections::VecDeque;

use unicode_width::UnicodeWidthChar;

use super::MAX_TYPED_AHEAD;

/// What a key means to whoever looks after the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Nothing,
    Interrupt,
    Quit,
}

#[derive(Default)]
pub(super) struct Discipline {
    line: Vec<u8>,
    /// Complete lines the program has not taken. An empty one is an end of file.
    lines: VecDeque<Vec<u8>>,
    held: usize,
}

impl Discipline {
    pub(super) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        let line = self.lines.pop_front()?;
        self.held -= line.len();
        Some(line)
    }

    /// Nobody will type any more: the program reads what is there, then an end.
    pub(super) fn hang_up(&mut self) {
        if !self.line.is_empty() {
            self.hand_over();
        }
        self.lines.push_back(Vec::new());
    }

    /// What was typed and never handed over, as it was typed.
    pub(super) fn unread(&mut self) -> Vec<u8> {
        let mut all: Vec<u8> = self.lines.drain(..).flatten().collect();
        all.append(&mut self.line);
        self.held = 0;
        all
    }

    fn hand_over(&mut self) {
        self.held += self.line.len();
        self.lines.push_back(std::mem::take(&mut self.line));
    }

    pub(super) fn feed(&mut self, byte: u8, echo: &mut String) -> Typed {
        match byte {
            3 => {
                echo.push_str("^C\r\n");
                return Typed::Interrupt;
            }
            0x1c => {
                echo.push_str("^\\\r\n");
                return Typed::Quit;
            }
            4 => self.hand_over(),
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                echo.push_str("\r\n");
                self.hand_over();
            }
            0x7f | 8 => self.erase(echo),
            // ^U
            0x15 => {
                while !self.line.is_empty() {
                    self.erase(echo);
                }
            }
            _ if self.held + self.line.len() >= MAX_TYPED_AHEAD => echo.push('\x07'),
            b'\t' => {
                self.line.push(byte);
                echo.push('\t');
            }
            0..=0x1f => {
                self.line.push(byte);
                echo.push('^');
                echo.push(char::from(byte + 0x40));
            }
            _ => {
                self.line.push(byte);
                self.echo_character(echo);
            }
        }
        Typed::Nothing
    }

    /// Echoes the last character once all its bytes are there.
    fn echo_character(&self, echo: &mut String) {
        if let Some(c) = self.last_character()
            && self.line.len() >= c.len_utf8()
            && self.line.ends_with(c.encode_utf8(&mut [0; 4]).as_bytes())
        {
            echo.push(c);
        }
    }

    fn last_character(&self) -> Option<char> {
        let start = self.line.len().saturating_sub(4);
        let tail = self.line.get(start..).unwrap_or_default();
        (0..tail.len())
            .rev()
            .filter_map(|at| std::str::from_utf8(tail.get(at..)?).ok())
            .find_map(|text| text.chars().next_back())
    }

    fn erase(&mut self, echo: &mut String) {
        let Some(last) = self.line.last() else { return };
        let width = match self.last_character() {
            Some(c) if !c.is_control() => {
                self.line.truncate(self.line.len() - c.len_utf8());
                c.width().unwrap_or(1)
            }
            _ => {
                let width = if *last < 0x20 { 2 } else { 1 };
                self.line.pop();
                width
            }
        };
        for _ in 0..width {
            echo.push_str("\x08 \x08");
        }
    }
}
