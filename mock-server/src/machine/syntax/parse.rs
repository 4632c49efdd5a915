//! From characters to commands.

use super::cursor::Cursor;
use super::word::{name, word};
use super::{
    AndOr, Body, Command, Connector, List, ParseError, Piece, Pipeline, Redirect, Target, Word,
};

/// A pipe costs tasks and buffers.
const MAX_STAGES: usize = 64;

/// Reads a whole text: commands separated by `;` and newlines.
///
/// # Errors
/// When the text is no command, or not yet one.
pub(in crate::machine) fn parse(text: &str) -> Result<List, ParseError> {
    let mut cursor = Cursor::new(text);
    list_until(&mut cursor, |c| c.peek().is_none())
}

pub(in crate::machine) fn list_until(
    cursor: &mut Cursor,
    end: fn(&Cursor) -> bool,
) -> Result<List, ParseError> {
    let mut list = List::default();
    loop {
        cursor.skip_lines();
        if end(cursor) {
            return Ok(list);
        }
        if cursor.peek().is_none() {
            return Err(ParseError::Incomplete);
        }
        list.0.push(and_or(cursor)?);
        cursor.skip_blanks();
        match cursor.peek() {
            Some(';') if cursor.peek_at(1) != Some(';') => {
                cursor.next();
            }
            Some('\n') => {}
            Some('&') => return Err(ParseError::Unexpected("\"&\"".into())),
            _ if end(cursor) => return Ok(list),
            _ => return Err(cursor.found()),
        }
    }
}

fn and_or(cursor: &mut Cursor) -> Result<AndOr, ParseError> {
    let first = pipeline(cursor)?;
    let mut rest = Vec::new();
    loop {
        cursor.skip_blanks();
        let connector = if cursor.eat("&&") {
            Connector::And
        } else if cursor.eat("||") {
            Connector::Or
        } else {
            return Ok(AndOr { first, rest });
        };
        cursor.skip_lines();
        rest.push((connector, pipeline(cursor)?));
    }
}

fn pipeline(cursor: &mut Cursor) -> Result<Pipeline, ParseError> {
    cursor.skip_blanks();
    let mut negated = false;
    while cursor.eat_reserved("!") {
        negated = !negated;
        cursor.skip_blanks();
    }
    let mut stages = vec![command(cursor)?];
    loop {
        cursor.skip_blanks();
        if cursor.peek() != Some('|') || cursor.peek_at(1) == Some('|') {
            return Ok(Pipeline { negated, stages });
        }
        cursor.next();
        cursor.skip_lines();
        if stages.len() >= MAX_STAGES {
            return Err(ParseError::Unexpected("such a long pipeline".into()));
        }
        stages.push(command(cursor)?);
    }
}

fn command(cursor: &mut Cursor) -> Result<Command, ParseError> {
    cursor.enter()?;
    let Some(body) = compound(cursor)? else {
        return simple(cursor);
    };
    let mut redirects = Vec::new();
    loop {
        cursor.skip_blanks();
        match redirect(cursor)? {
            Some(mut found) => redirects.append(&mut found),
            None => break,
        }
    }
    cursor.leave();
    Ok(Command { body, redirects })
}

fn compound(cursor: &mut Cursor) -> Result<Option<Body>, ParseError> {
    if cursor.eat("(") {
        let list = list_until(cursor, |c| c.peek() == Some(')'))?;
        cursor.next();
        return Ok(Some(Body::Subshell(list)));
    }
    let word = cursor.bare();
    if !matches!(word.as_str(), "{" | "if" | "while" | "until" | "for") {
        // A word that only closes or continues something cannot begin.
        if matches!(word.as_str(), "}" | "then" | "elif" | "else" | "fi" | "do" | "done") {
            return Err(cursor.found());
        }
        return Ok(None);
    }
    cursor.eat_reserved(&word);
    Ok(Some(match word.as_str() {
        "{" => {
            let list = block(cursor, |c| c.bare() == "}")?;
            cursor.eat_reserved("}");
            Body::Group(list)
        }
        "if" => conditional(cursor)?,
        "for" => each(cursor)?,
        kind => {
            let condition = block(cursor, |c| c.bare() == "do")?;
            Body::Loop { until: kind == "until", condition, body: body(cursor)? }
        }
    }))
}

/// A list that may not be empty, up to a closing word which stays unread.
fn block(cursor: &mut Cursor, end: fn(&Cursor) -> bool) -> Result<List, ParseError> {
    let list = list_until(cursor, end)?;
    if list.0.is_empty() {
        return Err(cursor.found());
    }
    Ok(list)
}

fn conditional(cursor: &mut Cursor) -> Result<Body, ParseError> {
    let mut arms = Vec::new();
    loop {
        let condition = block(cursor, |c| c.bare() == "then")?;
        cursor.eat_reserved("then");
        let consequence = block(cursor, |c| matches!(c.bare().as_str(), "elif" | "else" | "fi"))?;
        arms.push((condition, consequence));
        if cursor.eat_reserved("elif") {
            continue;
        }
        let mut otherwise = None;
        if cursor.eat_reserved("else") {
            otherwise = Some(block(cursor, |c| c.bare() == "fi")?);
        }
        cursor.eat_reserved("fi");
        return Ok(Body::If { arms, otherwise });
    }
}

fn each(cursor: &mut Cursor) -> Result<Body, ParseError> {
    cursor.skip_blanks();
    let name = name(cursor);
    if name.is_empty() {
        return Err(cursor.found());
    }
    cursor.skip_lines();
    let mut words = Vec::new();
    if cursor.eat_reserved("in") {
        loop {
            cursor.skip_blanks();
            match word(cursor)? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        cursor.eat(";");
    } else {
        // Without `in`, the positional parameters.
        words.push(Word(vec![Piece::Variable { name: "@".into(), fallback: None, quoted: true }]));
        cursor.eat(";");
    }
    cursor.skip_lines();
    Ok(Body::For { name, words, body: body(cursor)? })
}

fn body(cursor: &mut Cursor) -> Result<List, ParseError> {
    if !cursor.eat_reserved("do") {
        return Err(cursor.found());
    }
    let list = block(cursor, |c| c.bare() == "done")?;
    cursor.eat_reserved("done");
    Ok(list)
}

fn simple(cursor: &mut Cursor) -> Result<Command, ParseError> {
    let mut assignments = Vec::new();
    let mut words = Vec::new();
    let mut redirects = Vec::new();
    loop {
        cursor.skip_blanks();
        if let Some(mut found) = redirect(cursor)? {
            redirects.append(&mut found);
            continue;
        }
        let Some(word) = word(cursor)? else { break };
        match (words.is_empty(), assignment(&word)) {
            (true, Some(pair)) => assignments.push(pair),
            _ => words.push(word),
        }
    }
    cursor.leave();
    if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
        return Err(cursor.found());
    }
    Ok(Command { body: Body::Simple { assignments, words }, redirects })
}

/// `name=value`, as long as neither the name nor the `=` was quoted.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Piece::Text { text, quoted: false } = word.0.first()? else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut pieces = vec![Piece::Text { text: value.to_owned(), quoted: false }];
    pieces.extend(word.0.iter().skip(1).cloned());
    Some((name.to_owned(), Word(pieces)))
}

pub(in crate::machine) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn redirect(cursor: &mut Cursor) -> Result<Option<Vec<Redirect>>, ParseError> {
    let digit = match (cursor.peek(), cursor.peek_at(1)) {
        (Some(digit @ '0'..='9'), Some('<' | '>')) => {
            cursor.next();
            Some(digit as u8 - b'0')
        }
        (Some('<' | '>'), _) => None,
        (Some('&'), Some('>')) => {
            cursor.next();
            cursor.next();
            let word = target(cursor)?;
            return Ok(Some(vec![
                Redirect { descriptor: 1, to: Target::Write(word) },
                Redirect { descriptor: 2, to: Target::Descriptor(1) },
            ]));
        }
        _ => return Ok(None),
    };
    let reading = cursor.next() == Some('<');
    let descriptor = digit.unwrap_or(if reading { 0 } else { 1 });
    if descriptor > 2 {
        return Err(ParseError::Unexpected(format!("descriptor {descriptor}")));
    }
    let to = if reading {
        if cursor.peek() == Some('<') {
            return Err(ParseError::Unexpected("\"<<\"".into()));
        }
        Target::Read(target(cursor)?)
    } else if cursor.eat(">") {
        Target::Append(target(cursor)?)
    } else if cursor.eat("&") {
        match cursor.next() {
            Some(digit @ '0'..='2') => Target::Descriptor(digit as u8 - b'0'),
            Some(_) => return Err(ParseError::Unexpected("such a descriptor".into())),
            None => return Err(ParseError::Incomplete),
        }
    } else {
        cursor.eat("|");
        Target::Write(target(cursor)?)
    };
    Ok(Some(vec![Redirect { descriptor, to }]))
}

fn target(cursor: &mut Cursor) -> Result<Word, ParseError> {
    cursor.skip_blanks();
    match word(cursor)? {
        Some(word) => Ok(word),
        None => Err(cursor.found()),
    }
}
