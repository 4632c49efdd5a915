//! Walking over the characters of a command line.

use super::ParseError;

/// Nested groups and substitutions cost stack, so they are counted.
const MAX_DEPTH: usize = 48;

pub(super) struct Cursor {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self { chars: text.chars().filter(|c| *c != '\0').collect(), at: 0, depth: 0 }
    }

    /// Over a text that was taken out of this one, and stands as deep.
    pub(super) fn within(&self, text: &str) -> Self {
        Self { depth: self.depth, ..Self::new(text) }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let mut ahead = 0;
        for c in wanted.chars() {
            if self.peek_at(ahead) != Some(c) {
                return false;
            }
            ahead += 1;
        }
        self.at += ahead;
        true
    }

    pub(super) fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::Unexpected("such deep nesting".into()));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Blanks, continued lines and comments. Newlines separate commands, so
    /// they stay.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.peek() == Some('\n') {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// The bare word that starts here, without moving: reserved words are
    /// recognised by it.
    pub(super) fn bare(&self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek_at(word.chars().count()) {
            if ends_word(c) || word.len() > 8 {
                break;
            }
            word.push(c);
        }
        word
    }

    pub(super) fn eat_reserved(&mut self, wanted: &str) -> bool {
        if self.bare() == wanted {
            self.at += wanted.chars().count();
            return true;
        }
        false
    }

    /// What stands here, for a message.
    pub(super) fn found(&self) -> ParseError {
        match self.peek() {
            None => ParseError::Incomplete,
            Some('\n') => ParseError::Unexpected("newline".into()),
            Some(c) => {
                let bare = self.bare();
                let shown = if bare.is_empty() { c.to_string() } else { bare };
                ParseError::Unexpected(format!("\"{shown}\""))
            }
        }
    }
}

pub(super) fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}
