//! `printf`, and the escapes `echo -e` shares with it.

use super::super::shell::Outcome;
use super::call::Call;

/// A field wider than this is a mistake or an attack.
const MAX_WIDTH: usize = 4096;

/// Resolves backslash escapes. The flag says that `\c` cut the text short.
pub(super) fn unescape(text: &str) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let mut buffer = [0; 4];
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.encode_utf8(&mut buffer).bytes());
            continue;
        }
        match chars.next() {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('e') => out.push(27),
            Some('f') => out.push(12),
            Some('v') => out.push(11),
            Some('c') => return (out, true),
            Some('\\') => out.push(b'\\'),
            Some('x') => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) else {
                        break;
                    };
                    chars.next();
                    value = value * 16 + digit;
                }
                out.push((value & 0xff) as u8);
            }
            Some(digit @ '0'..='7') => {
                let mut value = digit as u32 - '0' as u32;
                let more = if digit == '0' { 3 } else { 2 };
                for _ in 0..more {
                    let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    chars.next();
                    value = value * 8 + digit;
                }
                out.push((value & 0xff) as u8);
            }
            Some(other) => {
                out.push(b'\\');
                out.extend(other.encode_utf8(&mut buffer).bytes());
            }
            None => out.push(b'\\'),
        }
    }
    (out, false)
}

#[derive(Default)]
struct Field {
    left: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) async fn printf(call: Call<'_>) -> Outcome {
    let Some((format, mut arguments)) = call.rest().split_first() else {
        call.fail("printf: usage: printf format [arguments]").await?;
        return Ok(2);
    };
    let mut status = 0;
    loop {
        let before = arguments.len();
        let (bytes, bad) = once(format, &mut arguments);
        call.out(bytes).await?;
        if let Some(bad) = bad {
            call.warn(&bad).await?;
            status = 1;
        }
        // The format is used again as long as it consumes arguments.
        if arguments.is_empty() || arguments.len() == before {
            return Ok(status);
        }
    }
}

fn once(format: &str, arguments: &mut &[String]) -> (Vec<u8>, Option<String>) {
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut bad = None;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            literal.push(c);
            if c == '\\' {
                literal.extend(chars.next());
            }
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            literal.push('%');
            continue;
        }
        let (bytes, cut) = unescape(&std::mem::take(&mut literal));
        out.extend(bytes);
        if cut {
            return (out, bad);
        }
        let mut field = Field::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+' | ' ' | '#')) {
            field.left |= flag == '-';
            field.zero |= flag == '0';
        }
        field.width = number(&mut chars).unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            field.precision = Some(number(&mut chars).unwrap_or(0));
        }
        let Some(conversion) = chars.next() else {
            return (out, Some("%: missing conversion".into()));
        };
        let argument = match arguments.split_first() {
            Some((first, rest)) => {
                *arguments = rest;
                first.as_str()
            }
            None => "",
        };
        let text = match conversion {
            's' => argument.as_bytes().to_vec(),
            'b' => unescape(argument).0,
            'c' => argument.chars().take(1).collect::<String>().into_bytes(),
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                let value = integer(argument);
                if value.is_none() {
                    bad = Some(format!("'{argument}': expected a numeric value"));
                }
                let value = value.unwrap_or(0);
                match conversion {
                    'x' => format!("{value:x}"),
                    'X' => format!("{value:X}"),
                    'o' => format!("{value:o}"),
                    _ => value.to_string(),
                }
                .into_bytes()
            }
            other => return (out, Some(format!("%{other}: invalid directive"))),
        };
        out.extend(pad(text, &field, conversion));
    }
    out.extend(unescape(&literal).0);
    (out, bad)
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.parse().ok().map(|n: usize| n.min(MAX_WIDTH))
}

fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0);
    }
    if let Some(c) = text.strip_prefix(['\'', '"']) {
        return Some(c.chars().next().map_or(0, |c| i64::from(c as u32)));
    }
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn pad(mut text: Vec<u8>, field: &Field, conversion: char) -> Vec<u8> {
    let textual = matches!(conversion, 's' | 'b' | 'c');
    if let Some(precision) = field.precision
        && textual
    {
        let cut = String::from_utf8_lossy(&text);
        text = cut.chars().take(precision).collect::<String>().into_bytes();
    }
    let shown = String::from_utf8_lossy(&text).chars().count();
    let missing = field.width.saturating_sub(shown);
    if field.left {
        text.extend(std::iter::repeat_n(b' ', missing));
        return text;
    }
    let fill = if field.zero && !textual { b'0' } else { b' ' };
    let signed = fill == b'0' && text.first() == Some(&b'-');
    let at = usize::from(signed);
    text.splice(at..at, std::iter::repeat_n(fill, missing));
    text
}
