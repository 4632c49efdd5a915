//! The line editor: keys change a line, and the screen follows.
//!
//! It knows nothing of the shell. What to write to the screen is appended to a
//! text, so everything it does can be tested without a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::keys::{Decoder, Key};

/// A longer line is a paste gone wrong.
const MAX_LINE: usize = 64 * 1024;
/// More candidates than this are not listed.
const MAX_LISTED: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    None,
    Line,
    Interrupt,
    EndOfFile,
    Complete,
    /// Nobody is there any more. The editor itself never says so.
    Gone,
}

pub(super) struct Editor {
    prompt: String,
    line: Vec<char>,
    at: usize,
    columns: usize,
    /// The row the cursor is on, counted from the prompt's.
    row: usize,
    history: Vec<String>,
    /// Which line of the history is shown; behind the last one is one's own.
    shown: usize,
    own: Vec<char>,
    cut: Vec<char>,
    decoder: Decoder,
    tabbed: bool,
}

impl Editor {
    pub(super) fn new(prompt: &str, history: Vec<String>, columns: u16) -> Self {
        Self {
            prompt: prompt.to_owned(),
            line: Vec::new(),
            at: 0,
            columns: usize::from(columns).max(2),
            row: 0,
            shown: history.len(),
            history,
            own: Vec::new(),
            cut: Vec::new(),
            decoder: Decoder::default(),
            tabbed: false,
        }
    }

    pub(super) fn line(&self) -> String {
        self.line.iter().collect()
    }

    pub(super) fn before_cursor(&self) -> String {
        self.line.iter().take(self.at).collect()
    }

    pub(super) fn resize(&mut self, columns: u16, out: &mut String) {
        self.columns = usize::from(columns).max(2);
        self.draw(out);
    }

    pub(super) fn feed(&mut self, byte: u8, out: &mut String) -> Event {
        match self.decoder.feed(byte) {
            Some(key) => self.press(key, out),
            None => Event::None,
        }
    }

    fn press(&mut self, key: Key, out: &mut String) -> Event {
        if key != Key::Tab {
            self.tabbed = false;
        }
        match key {
            Key::Character(c) => return self.insert(c, out),
            Key::Enter => {
                self.leave(out, "");
                return Event::Line;
            }
            Key::Interrupt => {
                self.leave(out, "^C");
                return Event::Interrupt;
            }
            Key::EndOfFile if self.line.is_empty() => return Event::EndOfFile,
            Key::Tab => return Event::Complete,
            Key::Clear => {
                out.push_str("\x1b[H\x1b[2J");
                self.row = 0;
            }
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.line.remove(self.at);
            }
            Key::Delete | Key::EndOfFile if self.at < self.line.len() => {
                self.line.remove(self.at);
            }
            Key::Left if self.at > 0 => self.at -= 1,
            Key::Right if self.at < self.line.len() => self.at += 1,
            Key::Home => self.at = 0,
            Key::End => self.at = self.line.len(),
            Key::WordLeft => self.at = self.word_start(),
            Key::WordRight => self.at = self.word_end(),
            Key::CutToEnd => self.cut = self.line.split_off(self.at),
            Key::CutToStart => self.cut_from(0),
            Key::CutWord => self.cut_from(self.word_start()),
            Key::Paste => {
                let cut = self.cut.clone();
                if self.line.len() + cut.len() < MAX_LINE {
                    self.line.splice(self.at..self.at, cut.iter().copied());
                    self.at += cut.len();
                }
            }
            Key::Up if self.shown > 0 => self.recall(self.shown - 1),
            Key::Down if self.shown < self.history.len() => self.recall(self.shown + 1),
            _ => {
                out.push('\x07');
                return Event::None;
            }
        }
        self.draw(out);
        Event::None
    }

    fn insert(&mut self, c: char, out: &mut String) -> Event {
        if self.line.len() >= MAX_LINE || c.is_control() {
            out.push('\x07');
            return Event::None;
        }
        let last = self.at == self.line.len();
        let (_, column) = self.position(self.at);
        self.line.insert(self.at, c);
        self.at += 1;
        // The common case, a letter at the end of the row, is only that letter.
        if last && column + c.width().unwrap_or(0) < self.columns {
            out.push(c);
        } else {
            self.draw(out);
        }
        Event::None
    }

    fn cut_from(&mut self, start: usize) {
        self.cut = self.line.drain(start..self.at).collect();
        self.at = start;
    }

    fn word_start(&self) -> usize {
        let mut at = self.at;
        let blank = |at: usize| self.line.get(at).is_none_or(|c| c.is_whitespace());
        while at > 0 && blank(at - 1) {
            at -= 1;
        }
        while at > 0 && !blank(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_end(&self) -> usize {
        let mut at = self.at;
        let blank = |at: usize| self.line.get(at).is_none_or(|c| c.is_whitespace());
        while at < self.line.len() && blank(at) {
            at += 1;
        }
        while at < self.line.len() && !blank(at) {
            at += 1;
        }
        at
    }

    fn recall(&mut self, index: usize) {
        if self.shown == self.history.len() {
            self.own.clone_from(&self.line);
        }
        self.shown = index;
        self.line = match self.history.get(index) {
            // A command of several lines comes back as one.
            Some(text) => text.replace('\n', "; ").chars().collect(),
            None => self.own.clone(),
        };
        self.at = self.line.len();
    }

    /// Leaves the line on the screen and goes below it.
    fn leave(&mut self, out: &mut String, mark: &str) {
        self.at = self.line.len();
        self.draw(out);
        out.push_str(mark);
        out.push_str("\r\n");
        if mark == "^C" {
            self.line.clear();
        }
    }

    /// Where the cursor stands in front of the character with this index.
    fn position(&self, index: usize) -> (usize, usize) {
        let (mut row, mut column) = (0, 0);
        let typed = self.line.iter().take(index).copied();
        for c in self.prompt.chars().chain(typed) {
            let width = c.width().unwrap_or(0);
            if column + width > self.columns {
                row += 1;
                column = 0;
            }
            column += width;
        }
        if column >= self.columns { (row + 1, 0) } else { (row, column) }
    }

    /// Draws the prompt and the line anew and puts the cursor in its place.
    pub(super) fn draw(&mut self, out: &mut String) {
        if self.row > 0 {
            out.push_str(&format!("\x1b[{}A", self.row));
        }
        out.push_str("\r\x1b[J");
        out.push_str(&self.prompt);
        out.extend(self.line.iter());
        let (end_row, end_column) = self.position(self.line.len());
        if end_column == 0 && end_row > 0 {
            // A full row leaves the cursor hanging at its end; take it down.
            out.push_str("\r\n");
        }
        let (row, column) = self.position(self.at);
        if end_row > row {
            out.push_str(&format!("\x1b[{}A", end_row - row));
        }
        if (row, column) != (end_row, end_column) {
            out.push('\r');
            if column > 0 {
                out.push_str(&format!("\x1b[{column}C"));
            }
        }
        self.row = row;
    }

    /// Puts in what all candidates agree on; at the second Tab lists them.
    pub(super) fn complete(&mut self, found: &super::complete::Found, out: &mut String) {
        let again = std::mem::replace(&mut self.tabbed, true);
        let Some(first) = found.names.first() else {
            out.push('\x07');
            return;
        };
        let mut common: String = first.clone();
        for name in &found.names {
            while !name.starts_with(&common) {
                common.pop();
            }
        }
        let typed = found.typed.chars().count();
        let mut more: String = common.chars().skip(typed).collect();
        if found.names.len() == 1 && !more.ends_with('/') && !common.ends_with('/') {
            more.push(' ');
        }
        if !more.is_empty() && self.line.len() + more.len() < MAX_LINE {
            for c in more.chars() {
                self.line.insert(self.at, c);
                self.at += 1;
            }
            self.draw(out);
        } else if again {
            self.list(&found.names, out);
        } else {
            out.push('\x07');
        }
    }

    fn list(&mut self, names: &[String], out: &mut String) {
        let (end_row, _) = self.position(self.line.len());
        if end_row > self.row {
            out.push_str(&format!("\x1b[{}B", end_row - self.row));
        }
        out.push_str("\r\n");
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
        let per_row = (self.columns / widest).max(1);
        for row in names.iter().take(MAX_LISTED).collect::<Vec<_>>().chunks(per_row) {
            for name in row {
                let fill = widest - name.width();
                out.push_str(name);
                out.extend(std::iter::repeat_n(' ', fill));
            }
            out.push_str("\r\n");
        }
        self.row = 0;
        self.draw(out);
    }
}
