//! Patterns: `*`, `?` and `[...]` in words, matched against the file tree.

use super::Shell;
use crate::machine::tree::Kind;

/// More matches than this would not fit on a command line either.
const MAX_MATCHES: usize = 10_000;

/// A character of a pattern: quoted ones stand for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) c: char,
    pub(super) quoted: bool,
}

impl Symbol {
    fn is(self, c: char) -> bool {
        !self.quoted && self.c == c
    }
}

pub(super) fn is_pattern(symbols: &[Symbol]) -> bool {
    symbols.iter().any(|s| s.is('*') || s.is('?') || s.is('['))
}

/// Whether a text matches, by the usual walk with one remembered star, which
/// is quadratic at worst.
pub(super) fn matches(pattern: &[Symbol], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(s) if s.is('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(s) if s.is('?') => Some(1),
            Some(s) if s.is('[') => one_of(&pattern[p..], text[t]),
            Some(s) => (s.c == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(width), _) => {
                p += width;
                t += 1;
            }
            (None, Some((at, from))) => {
                p = at + 1;
                t = from + 1;
                star = Some((at, t));
            }
            (None, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|s| s.is('*'))
}

/// The width of a bracket expression that matches, or nothing.
fn one_of(pattern: &[Symbol], c: char) -> Option<usize> {
    let negated = pattern.get(1).is_some_and(|s| s.is('!') || s.is('^'));
    let first = if negated { 2 } else { 1 };
    let mut found = false;
    let mut at = first;
    loop {
        let low = pattern.get(at)?;
        if low.is(']') && at > first {
            return (found != negated).then_some(at + 1);
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(dash), Some(high)) if dash.is('-') && !high.is(']') => {
                found |= (low.c..=high.c).contains(&c);
                at += 3;
            }
            _ => {
                found |= low.c == c;
                at += 1;
            }
        }
    }
}

impl Shell {
    /// The paths a pattern stands for, sorted; none when nothing matches.
    pub(super) fn glob(&self, pattern: &[Symbol]) -> Vec<String> {
        let absolute = pattern.first().is_some_and(|s| s.c == '/');
        let parts: Vec<&[Symbol]> =
            pattern.split(|s| s.c == '/').filter(|part| !part.is_empty()).collect();
        let mut found = vec![String::new()];
        if absolute {
            found = vec!["/".to_owned()];
        }
        let tree = self.tree();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let mut next = Vec::new();
            for prefix in &found {
                let here = super::super::tree::resolve(&self.cwd, prefix);
                if !is_pattern(part) {
                    let name: String = part.iter().map(|s| s.c).collect();
                    let path = format!("{prefix}{name}");
                    let full = super::super::tree::resolve(&self.cwd, &path);
                    if tree.find(self.account(), &full).is_ok() {
                        next.push(if last { path } else { format!("{path}/") });
                    }
                    continue;
                }
                let Ok(entries) = tree.entries(self.account(), &here) else {
                    continue;
                };
                for (name, node) in entries {
                    let hidden = name.starts_with('.') && part.first().is_none_or(|s| s.c != '.');
                    let usable = last || matches!(node.kind, Kind::Directory(_));
                    if hidden || !usable || !matches(part, name) || next.len() >= MAX_MATCHES {
                        continue;
                    }
                    let end = if last { "" } else { "/" };
                    next.push(format!("{prefix}{name}{end}"));
                }
            }
            found = next;
        }
        found.retain(|path| !path.is_empty());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        let symbols: Vec<Symbol> = pattern.chars().map(|c| Symbol { c, quoted: false }).collect();
        matches(&symbols, text)
    }

    #[test]
    fn patterns_match_as_a_shell_matches_them() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a*b*c", "a--b--b-c", true),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "[a", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
