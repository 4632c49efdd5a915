//! `test` and `[`.

use super::super::shell::{Outcome, Shell};
use super::super::tree::{EXECUTE, Kind, READ, WRITE};
use super::call::Call;

pub(super) async fn test(call: Call<'_>) -> Outcome {
    let mut words = call.rest();
    if call.name() == "[" {
        match words.split_last() {
            Some((last, rest)) if last == "]" => words = rest,
            _ => {
                call.warn("missing ]").await?;
                return Ok(2);
            }
        }
    }
    match alternatives(call.shell, words) {
        Ok(truth) => Ok(u8::from(!truth)),
        Err(what) => {
            call.warn(&what).await?;
            Ok(2)
        }
    }
}

/// `-o` binds weaker than `-a`. Both only between complete expressions.
fn alternatives(shell: &Shell, words: &[String]) -> Result<bool, String> {
    let mut any = false;
    for alternative in words.split(|word| word == "-o") {
        let mut all = true;
        for expression in alternative.split(|word| word == "-a") {
            all &= evaluate(shell, expression)?;
        }
        any |= all;
    }
    Ok(any)
}

fn evaluate(shell: &Shell, words: &[String]) -> Result<bool, String> {
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => Ok(false),
        [only] => Ok(!only.is_empty()),
        ["!", ..] => Ok(!evaluate(shell, words.get(1..).unwrap_or_default())?),
        ["-n", text] => Ok(!text.is_empty()),
        ["-z", text] => Ok(text.is_empty()),
        ["-t", _] => Ok(shell.terminal.is_some()),
        [flag, path] => about_file(shell, flag, path),
        [left, "=" | "==", right] => Ok(left == right),
        [left, "!=", right] => Ok(left != right),
        [left, operator, right] => {
            let number = |text: &str| {
                let parsed = text.trim().parse::<i64>();
                parsed.map_err(|_| format!("Illegal number: {text}"))
            };
            let compare: fn(&i64, &i64) -> bool = match *operator {
                "-eq" => i64::eq,
                "-ne" => i64::ne,
                "-lt" => i64::lt,
                "-le" => i64::le,
                "-gt" => i64::gt,
                "-ge" => i64::ge,
                other => return Err(format!("{other}: unexpected operator")),
            };
            Ok(compare(&number(left)?, &number(right)?))
        }
        [first, ..] => Err(format!("{first}: unexpected operator")),
    }
}

fn about_file(shell: &Shell, flag: &str, name: &str) -> Result<bool, String> {
    let path = shell.path(name);
    let tree = shell.tree();
    let account = shell.account();
    let node = tree.find(account, &path).ok();
    let is = |check: fn(&Kind) -> bool| node.is_some_and(|node| check(&node.kind));
    let may = |wanted| node.is_some_and(|node| node.allows(account, wanted));
    Ok(match flag {
        "-e" => node.is_some(),
        "-f" => is(|kind| matches!(kind, Kind::File(_))),
        "-d" => is(|kind| matches!(kind, Kind::Directory(_))),
        "-c" => is(|kind| matches!(kind, Kind::Null)),
        "-s" => node.is_some_and(|node| node.size() > 0),
        "-r" => may(READ),
        "-w" => may(WRITE),
        "-x" => may(EXECUTE),
        "-L" | "-h" | "-b" | "-p" | "-S" => false,
        other => return Err(format!("{other}: unexpected operator")),
    })
}
