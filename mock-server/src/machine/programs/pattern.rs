//! The regular expressions `grep` knows: `^ $ . * [...]`, with `\` quoting,
//! and `+ ? |` when extended. Groups are not part of it.

/// Steps spent on one line before it counts as not matching, so that no
/// pattern can hold a worker for long.
const BUDGET: u32 = 200_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum One {
    Any,
    Byte(u8),
    Class { negated: bool, ranges: Vec<(u8, u8)> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    Star,
    Plus,
    Maybe,
}

#[derive(Clone, Debug, Default)]
struct Branch {
    start: bool,
    end: bool,
    parts: Vec<(One, Times)>,
}

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    branches: Vec<Branch>,
    fold: bool,
}

impl Pattern {
    /// A pattern that is only text.
    pub(super) fn fixed(text: &str, fold: bool) -> Self {
        let branches = text
            .split('\n')
            .map(|line| Branch {
                parts: line.bytes().map(|b| (One::Byte(b), Times::Once)).collect(),
                ..Branch::default()
            })
            .collect();
        Self { branches, fold }
    }

    pub(super) fn new(text: &str, extended: bool, fold: bool) -> Result<Self, &'static str> {
        let mut branches = Vec::new();
        let mut branch = Branch::default();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            let one = match byte {
                b'^' if branch.parts.is_empty() && !branch.start => {
                    branch.start = true;
                    continue;
                }
                b'$' if bytes.get(at).is_none_or(|b| extended && *b == b'|') => {
                    branch.end = true;
                    continue;
                }
                b'|' if extended => {
                    branches.push(std::mem::take(&mut branch));
                    continue;
                }
                b'(' | b')' | b'{' if extended => return Err("groups are not supported"),
                b'.' => One::Any,
                b'[' => {
                    let (class, width) = class(&bytes[at..]).ok_or("Unmatched [")?;
                    at += width;
                    class
                }
                b'\\' => match bytes.get(at) {
                    Some(b'(' | b')' | b'{') if !extended => {
                        return Err("groups are not supported");
                    }
                    Some(quoted) => {
                        at += 1;
                        One::Byte(*quoted)
                    }
                    None => return Err("Trailing backslash"),
                },
                other => One::Byte(other),
            };
            let times = match bytes.get(at) {
                Some(b'*') => Times::Star,
                Some(b'+') if extended => Times::Plus,
                Some(b'?') if extended => Times::Maybe,
                _ => Times::Once,
            };
            if times != Times::Once {
                at += 1;
            }
            branch.parts.push((one, times));
        }
        branches.push(branch);
        Ok(Self { branches, fold })
    }

    pub(super) fn matches(&self, line: &[u8]) -> bool {
        let mut budget = BUDGET;
        self.branches.iter().any(|branch| {
            let starts = if branch.start { 0 } else { line.len() };
            (0..=starts).any(|from| {
                budget > 0 && self.here(branch, &branch.parts, &line[from..], &mut budget)
            })
        })
    }

    fn here(&self, branch: &Branch, parts: &[(One, Times)], text: &[u8], budget: &mut u32) -> bool {
        let mut parts = parts;
        let mut text = text;
        loop {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            let Some(((one, times), rest)) = parts.split_first() else {
                return !branch.end || text.is_empty();
            };
            let most = match times {
                Times::Once => {
                    match text.split_first() {
                        Some((byte, tail)) if self.is(one, *byte) => text = tail,
                        _ => return false,
                    }
                    parts = rest;
                    continue;
                }
                Times::Maybe => usize::from(text.first().is_some_and(|b| self.is(one, *b))),
                Times::Star | Times::Plus => text.iter().take_while(|b| self.is(one, **b)).count(),
            };
            let least = usize::from(*times == Times::Plus);
            // The recursion is as deep as the pattern is long, not the text.
            return (least..=most)
                .rev()
                .any(|count| self.here(branch, rest, &text[count..], budget));
        }
    }

    fn is(&self, one: &One, byte: u8) -> bool {
        let hit = |b: u8| match one {
            One::Any => true,
            One::Byte(wanted) => *wanted == b,
            One::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&b)) != *negated
            }
        };
        hit(byte) || self.fold && (hit(byte.to_ascii_lowercase()) || hit(byte.to_ascii_uppercase()))
    }
}

/// A bracket expression and its width, from behind the opening bracket.
fn class(bytes: &[u8]) -> Option<(One, usize)> {
    let negated = bytes.first() == Some(&b'^');
    let first = usize::from(negated);
    let mut at = first;
    let mut ranges = Vec::new();
    loop {
        let low = *bytes.get(at)?;
        if low == b']' && at > first {
            return Some((One::Class { negated, ranges }, at + 1));
        }
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                ranges.push((low, *high));
                at += 3;
            }
            _ => {
                ranges.push((low, low));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_grep_matches_them() -> Result<(), &'static str> {
        for (pattern, extended, line, expected) in [
            ("err", false, "an error", true),
            ("^err", false, "an error", false),
            ("or$", false, "an error", true),
            ("e.*r", false, "an error", true),
            ("[0-9][0-9]*ms", false, "took 12ms", true),
            ("[^a]b", false, "ab", false),
            ("a+b", false, "a+b", true),
            ("a+b", true, "aaab", true),
            ("x?y|z", true, "z", true),
            (r"a\.b", false, "axb", false),
            ("", false, "", true),
            ("^$", false, "x", false),
        ] {
            let found = Pattern::new(pattern, extended, false)?.matches(line.as_bytes());
            assert_eq!(found, expected, "{pattern} on {line}");
        }
        Ok(())
    }

    #[test]
    fn a_costly_pattern_gives_up() -> Result<(), &'static str> {
        let pattern = Pattern::new(&"a*".repeat(40).replace("a*", "a*a*"), false, false)?;
        let line = [b'a'; 2000];
        let mut long = line.to_vec();
        long.push(b'b');
        // It may say either; what matters is that it says it soon.
        let begun = std::time::Instant::now();
        pattern.matches(&long);
        let hard = Pattern::new(&format!("{}c", "a*".repeat(60)), false, false)?;
        assert!(!hard.matches(&long));
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
        Ok(())
    }
}
