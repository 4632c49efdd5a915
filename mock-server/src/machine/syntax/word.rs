//! Words: quotes, escapes, variables and substitutions.

use super::cursor::{Cursor, ends_word};
use super::parse::list_until;
use super::{Fallback, ParseError, Piece, Word};

/// Collects text and pieces, so that neighbouring text stays one piece.
#[derive(Default)]
struct Building {
    pieces: Vec<Piece>,
    text: String,
    quoted: bool,
}

impl Building {
    fn push(&mut self, c: char, quoted: bool) {
        if self.quoted != quoted {
            self.flush();
            self.quoted = quoted;
        }
        self.text.push(c);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.pieces.push(Piece::Text { text, quoted: self.quoted });
        }
    }

    fn piece(&mut self, piece: Piece) {
        self.flush();
        self.pieces.push(piece);
    }
}

/// A word, or nothing where none begins.
pub(super) fn word(cursor: &mut Cursor) -> Result<Option<Word>, ParseError> {
    if cursor.peek().is_none_or(ends_word) {
        return Ok(None);
    }
    until(cursor, ends_word).map(Some)
}

fn until(cursor: &mut Cursor, end: fn(char) -> bool) -> Result<Word, ParseError> {
    let mut building = Building::default();
    while let Some(c) = cursor.peek() {
        if end(c) {
            break;
        }
        cursor.next();
        match c {
            '\\' => match cursor.next() {
                Some('\n') => {}
                Some(escaped) => building.push(escaped, true),
                None => return Err(ParseError::Incomplete),
            },
            '\'' => single(cursor, &mut building)?,
            '"' => double(cursor, &mut building)?,
            '$' => dollar(cursor, &mut building, false)?,
            '`' => backticks(cursor, &mut building, false)?,
            other => building.push(other, false),
        }
    }
    building.flush();
    Ok(Word(building.pieces))
}

fn single(cursor: &mut Cursor, building: &mut Building) -> Result<(), ParseError> {
    empty_quoted(building);
    loop {
        match cursor.next() {
            Some('\'') => return Ok(()),
            Some(c) => building.push(c, true),
            None => return Err(ParseError::Incomplete),
        }
    }
}

fn double(cursor: &mut Cursor, building: &mut Building) -> Result<(), ParseError> {
    empty_quoted(building);
    loop {
        match cursor.next() {
            Some('"') => return Ok(()),
            Some('\\') => match cursor.next() {
                Some('\n') => {}
                Some(c @ ('$' | '`' | '"' | '\\')) => building.push(c, true),
                Some(c) => {
                    building.push('\\', true);
                    building.push(c, true);
                }
                None => return Err(ParseError::Incomplete),
            },
            Some('$') => dollar(cursor, building, true)?,
            Some('`') => backticks(cursor, building, true)?,
            Some(c) => building.push(c, true),
            None => return Err(ParseError::Incomplete),
        }
    }
}

/// `''` is a word of its own, though it holds no character.
fn empty_quoted(building: &mut Building) {
    building.piece(Piece::Text { text: String::new(), quoted: true });
}

fn dollar(cursor: &mut Cursor, building: &mut Building, quoted: bool) -> Result<(), ParseError> {
    match cursor.peek() {
        Some('(') if cursor.peek_at(1) == Some('(') => {
            let word = sum(cursor)?;
            building.piece(Piece::Sum { word, quoted });
        }
        Some('(') => {
            cursor.next();
            cursor.enter()?;
            let list = list_until(cursor, |c| c.peek() == Some(')'))?;
            cursor.next();
            cursor.leave();
            building.piece(Piece::Output { list, quoted });
        }
        Some('{') => {
            cursor.next();
            let piece = braced(cursor, quoted)?;
            building.piece(piece);
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            let name = name(cursor);
            building.piece(variable(name, quoted));
        }
        Some(c @ ('?' | '$' | '#' | '@' | '*' | '!' | '-' | '0'..='9')) => {
            cursor.next();
            building.piece(variable(c.to_string(), quoted));
        }
        _ => building.push('$', quoted),
    }
    Ok(())
}

/// From `((` to the `))` that belongs to it; what is between is expanded as between quotes.
fn sum(cursor: &mut Cursor) -> Result<Word, ParseError> {
    cursor.eat("((");
    let (mut text, mut open) = (String::new(), 0_usize);
    loop {
        match cursor.next() {
            None => return Err(ParseError::Incomplete),
            Some(')') if open == 0 => break,
            Some(c) => {
                open = open + usize::from(c == '(') - usize::from(c == ')');
                text.push(c);
            }
        }
    }
    match cursor.next() {
        Some(')') => {}
        Some(_) => return Err(ParseError::Unexpected("such an expression".into())),
        None => return Err(ParseError::Incomplete),
    }
    let mut inside = cursor.within(&text);
    inside.enter()?;
    let mut building = Building::default();
    while let Some(c) = inside.next() {
        match c {
            '$' => dollar(&mut inside, &mut building, true)?,
            '`' => backticks(&mut inside, &mut building, true)?,
            other => building.push(other, true),
        }
    }
    building.flush();
    Ok(Word(building.pieces))
}

fn variable(name: String, quoted: bool) -> Piece {
    Piece::Variable { name, fallback: None, quoted }
}

pub(super) fn name(cursor: &mut Cursor) -> String {
    let mut name = String::new();
    while let Some(c) = cursor.peek() {
        if !(c.is_ascii_alphanumeric() || c == '_') {
            break;
        }
        name.push(c);
        cursor.next();
    }
    name
}

fn braced(cursor: &mut Cursor, quoted: bool) -> Result<Piece, ParseError> {
    let bad = || ParseError::Unexpected("such a substitution".into());
    let mut fallback = None;
    if cursor.peek() == Some('#') && cursor.peek_at(1) != Some('}') {
        cursor.next();
        fallback = Some(Fallback::Length);
    }
    let mut name = name(cursor);
    if name.is_empty() {
        match cursor.next() {
            Some(c @ ('?' | '$' | '#' | '@' | '*')) => name.push(c),
            Some(_) => return Err(bad()),
            None => return Err(ParseError::Incomplete),
        }
    }
    if fallback.is_none() && cursor.peek() != Some('}') {
        let when_empty = cursor.eat(":");
        let operator = cursor.next();
        if !matches!(operator, Some('-' | '+')) {
            return Err(operator.map_or(ParseError::Incomplete, |_| bad()));
        }
        cursor.enter()?;
        let word = until(cursor, |c| c == '}')?;
        cursor.leave();
        fallback = Some(if operator == Some('-') {
            Fallback::Use { word, when_empty }
        } else {
            Fallback::Replace { word, when_empty }
        });
    }
    match cursor.next() {
        Some('}') => Ok(Piece::Variable { name, fallback, quoted }),
        Some(_) => Err(bad()),
        None => Err(ParseError::Incomplete),
    }
}

fn backticks(cursor: &mut Cursor, building: &mut Building, quoted: bool) -> Result<(), ParseError> {
    let mut inner = String::new();
    loop {
        match cursor.next() {
            Some('`') => break,
            Some('\\') => match cursor.next() {
                Some(c @ ('$' | '`' | '\\')) => inner.push(c),
                Some(c) => {
                    inner.push('\\');
                    inner.push(c);
                }
                None => return Err(ParseError::Incomplete),
            },
            Some(c) => inner.push(c),
            None => return Err(ParseError::Incomplete),
        }
    }
    // Each level of backticks needs its own escapes, so a text of a given
    // length nests only logarithmically deep; no counter is needed here.
    let list = super::parse(&inner)?;
    building.piece(Piece::Output { list, quoted });
    Ok(())
}
