//! `$((...))`: whole numbers of 64 bits, with the operators of C that change nothing.

/// Parentheses and signs cost stack, so they are counted.
const MAX_DEPTH: usize = 48;

type Operate = fn(i64, i64) -> i64;

/// Operators by how tightly they bind; the longer ones first where one begins like another.
const BINARY: [(&str, u8, Operate); 18] = [
    ("||", 1, |a, b| i64::from(a != 0 || b != 0)),
    ("&&", 2, |a, b| i64::from(a != 0 && b != 0)),
    ("==", 6, |a, b| i64::from(a == b)),
    ("!=", 6, |a, b| i64::from(a != b)),
    ("<=", 7, |a, b| i64::from(a <= b)),
    (">=", 7, |a, b| i64::from(a >= b)),
    ("<<", 8, |a, b| a.wrapping_shl(low_bits(b))),
    (">>", 8, |a, b| a.wrapping_shr(low_bits(b))),
    ("|", 3, |a, b| a | b),
    ("^", 4, |a, b| a ^ b),
    ("&", 5, |a, b| a & b),
    ("<", 7, |a, b| i64::from(a < b)),
    (">", 7, |a, b| i64::from(a > b)),
    ("+", 9, i64::wrapping_add),
    ("-", 9, i64::wrapping_sub),
    ("*", 10, i64::wrapping_mul),
    ("/", 10, i64::wrapping_div),
    ("%", 10, i64::wrapping_rem),
];

fn low_bits(count: i64) -> u32 {
    u32::try_from(count & 63).unwrap_or_default()
}

/// The number that an expression stands for; names in it are variables.
pub(super) fn evaluate(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<i64, String> {
    let mut reader = Reader { rest: text.trim_start(), variable, depth: 0 };
    let value = if reader.rest.is_empty() { Ok(0) } else { reader.choice(true) };
    let wrong = |what: &str| format!("arithmetic expression: {what}: \"{text}\"");
    match value {
        Ok(value) if reader.rest.is_empty() => Ok(value),
        Ok(_) => Err(wrong("expecting EOF")),
        Err(what) => Err(wrong(&what)),
    }
}

struct Reader<'t> {
    rest: &'t str,
    variable: &'t dyn Fn(&str) -> Option<String>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// `condition ? one : other`. What is not `live` is read and not judged, as the right side of
    /// an `&&` whose left side is 0.
    fn choice(&mut self, live: bool) -> Result<i64, String> {
        let condition = self.binary(1, live)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        self.enter()?;
        let one = self.choice(live && condition != 0)?;
        if !self.eat(":") {
            return Err("expecting ':'".into());
        }
        let other = self.choice(live && condition == 0)?;
        self.depth -= 1;
        Ok(if condition != 0 { one } else { other })
    }

    fn binary(&mut self, least: u8, live: bool) -> Result<i64, String> {
        let mut left = self.unary(live)?;
        while let Some((sign, strength, operate)) = self.operator(least) {
            self.eat(sign);
            let settled = matches!((sign, left != 0), ("||", true) | ("&&", false));
            let right = self.binary(strength + 1, live && !settled)?;
            let divides = matches!(sign, "/" | "%") && right == 0;
            if divides && live {
                return Err("division by zero".into());
            }
            left = if divides { 0 } else { operate(left, right) };
        }
        Ok(left)
    }

    /// The operator that stands here, if it binds tightly enough.
    fn operator(&self, least: u8) -> Option<(&'static str, u8, Operate)> {
        let here = BINARY.into_iter().find(|(sign, ..)| self.rest.starts_with(sign))?;
        (here.1 >= least).then_some(here)
    }

    fn unary(&mut self, live: bool) -> Result<i64, String> {
        let apply: fn(i64) -> i64 = if self.eat("-") {
            i64::wrapping_neg
        } else if self.eat("+") {
            |n| n
        } else if self.eat("!") {
            |n| i64::from(n == 0)
        } else if self.eat("~") {
            |n| !n
        } else {
            return self.primary(live);
        };
        self.enter()?;
        let value = self.unary(live)?;
        self.depth -= 1;
        Ok(apply(value))
    }

    fn primary(&mut self, live: bool) -> Result<i64, String> {
        if self.eat("(") {
            self.enter()?;
            let value = self.choice(live)?;
            self.depth -= 1;
            return if self.eat(")") { Ok(value) } else { Err("expecting ')'".into()) };
        }
        let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        match word.chars().next() {
            None => Err("expecting primary".into()),
            Some('0'..='9') => number(word),
            Some(_) => match (self.variable)(word) {
                Some(value) if !value.trim().is_empty() => {
                    let value = value.trim();
                    let (sign, digits) =
                        value.strip_prefix('-').map_or((1, value), |digits| (-1, digits));
                    number(digits).map(|n| n.wrapping_mul(sign))
                }
                _ => Ok(0),
            },
        }
    }

    fn eat(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err("nested too deeply".into()) } else { Ok(()) }
    }
}

/// Decimal, `0x` and hexadecimal, `0` and octal.
fn number(word: &str) -> Result<i64, String> {
    let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let octal = word.strip_prefix('0').filter(|digits| !digits.is_empty());
    let parsed = match (hexadecimal, octal) {
        (Some(digits), _) => i64::from_str_radix(digits, 16),
        (None, Some(digits)) => i64::from_str_radix(digits, 8),
        (None, None) => word.parse(),
    };
    parsed.map_err(|_| format!("illegal number {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<i64, String> {
        evaluate(text, &|name| match name {
            "two" => Some("2".into()),
            "low" => Some(" -7 ".into()),
            "word" => Some("abc".into()),
            _ => None,
        })
    }

    #[test]
    fn sums_come_out_as_in_c() {
        for (text, value) in [
            ("", 0),
            ("1+2", 3),
            (" 2 + 3 * 4 ", 14),
            ("(2+3)*4", 20),
            ("7/2", 3),
            ("-7/2", -3),
            ("-7 % 3", -1),
            ("10 - 3 - 2", 5),
            ("1 << 4 | 1", 17),
            ("6 & 3 ^ 1", 3),
            ("1 < 2", 1),
            ("2 <= 1", 0),
            ("1 == 1 && 2 != 3", 1),
            ("0 || 0", 0),
            ("!0 + ~0", 0),
            ("- - 3", 3),
            ("1 ? 2 : 3", 2),
            ("0 ? 1/0 : 5", 5),
            ("0 && 1/0", 0),
            ("1 || 1/0", 1),
            ("0x10 + 010", 24),
            ("two * two + nobody", 4),
            ("low + 1", -6),
            ("9223372036854775807 + 1", i64::MIN),
        ] {
            assert_eq!(of(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_says_so() {
        for (text, why) in [
            ("1/0", "division by zero"),
            ("1 % (2-2)", "division by zero"),
            ("1 +", "expecting primary"),
            ("(1", "expecting ')'"),
            ("1 2", "expecting EOF"),
            ("x = 1", "expecting EOF"),
            ("1 ? 2", "expecting ':'"),
            ("08", "illegal number 08"),
            ("3a", "illegal number 3a"),
            ("word", "illegal number abc"),
            ("1.5", "expecting EOF"),
            ("ä", "expecting primary"),
            (&"(".repeat(1000), "nested too deeply"),
            (&"-".repeat(100_000), "nested too deeply"),
        ] {
            let said = of(text);
            assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{text}: {said:?}");
        }
    }
}
