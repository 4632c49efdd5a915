//! Programs that choose and order lines.

use super::super::shell::{Outcome, Stop};
use super::call::Call;
use super::pattern::Pattern;

pub(super) async fn grep(call: Call<'_>) -> Outcome {
    let mut options = call.options("EFGchilnqsvw", "e").await?;
    let pattern = match options.value('e') {
        Some(pattern) => pattern.to_owned(),
        None if options.operands.is_empty() => {
            call.warn("usage: grep [-EFchilnqsv] pattern [file...]").await?;
            return Ok(2);
        }
        None => options.operands.remove(0),
    };
    let fold = options.has('i');
    let pattern = if options.has('F') {
        Pattern::fixed(&pattern, fold)
    } else {
        match Pattern::new(&pattern, options.has('E'), fold) {
            Ok(pattern) => pattern,
            Err(why) => {
                call.warn(why).await?;
                return Ok(2);
            }
        }
    };
    let (inputs, all) = call.inputs(&options.operands).await?;
    let named = options.operands.len() > 1 && !options.has('h');
    let mut any = false;
    for (name, input) in inputs {
        let prefix = if named { format!("{name}:") } else { String::new() };
        let mut count = 0;
        let mut number = 0;
        while let Some(mut line) = input.line().await {
            number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if pattern.matches(&line) == options.has('v') {
                continue;
            }
            count += 1;
            if options.has('q') {
                return Ok(0);
            }
            if options.has('l') {
                break;
            }
            if !options.has('c') {
                let mut out = prefix.clone().into_bytes();
                if options.has('n') {
                    out.extend(format!("{number}:").bytes());
                }
                out.extend(line);
                out.push(b'\n');
                call.out(out).await?;
            }
        }
        any |= count > 0;
        if options.has('c') {
            call.out(format!("{prefix}{count}\n")).await?;
        } else if options.has('l') && count > 0 {
            call.out(format!("{name}\n")).await?;
        }
    }
    Ok(match (all, any) {
        (false, _) => 2,
        (true, true) => 0,
        (true, false) => 1,
    })
}

pub(super) async fn sort(call: Call<'_>) -> Outcome {
    let options = call.options("nruf", "k").await?;
    let (mut lines, complete) = call.lines(&options.operands).await?;
    let field: usize =
        options.value('k').and_then(|k| k.split([',', '.']).next()?.parse().ok()).unwrap_or(0);
    let key = |line: &[u8]| -> Vec<u8> {
        let mut key = match field {
            0 => line.to_vec(),
            n => line
                .split(u8::is_ascii_whitespace)
                .filter(|part| !part.is_empty())
                .skip(n - 1)
                .collect::<Vec<_>>()
                .join(&b' '),
        };
        if options.has('f') {
            key.make_ascii_uppercase();
        }
        key
    };
    if options.has('n') {
        lines.sort_by(|a, b| {
            let order = leading_number(&key(a)).total_cmp(&leading_number(&key(b)));
            order.then_with(|| a.cmp(b))
        });
    } else {
        lines.sort_by_cached_key(|line| (key(line), line.clone()));
    }
    if options.has('r') {
        lines.reverse();
    }
    if options.has('u') {
        lines.dedup();
    }
    write_lines(&call, &lines).await?;
    Ok(u8::from(!complete) * 2)
}

fn leading_number(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && *c == '-')))
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default().parse().unwrap_or(0.0)
}

async fn write_lines(call: &Call<'_>, lines: &[Vec<u8>]) -> Result<(), Stop> {
    let mut chunk = Vec::new();
    for line in lines {
        chunk.extend_from_slice(line);
        chunk.push(b'\n');
        if chunk.len() > 8192 {
            call.out(std::mem::take(&mut chunk)).await?;
        }
    }
    call.out(chunk).await
}

pub(super) async fn uniq(call: Call<'_>) -> Outcome {
    let options = call.options("cdu", "").await?;
    let (lines, complete) = call.lines(&options.operands).await?;
    let mut shown = Vec::new();
    for run in lines.chunk_by(|a, b| a == b) {
        let hidden = options.has('d') && run.len() == 1 || options.has('u') && run.len() > 1;
        let Some(line) = run.first().filter(|_| !hidden) else {
            continue;
        };
        let mut text = Vec::new();
        if options.has('c') {
            text.extend(format!("{:7} ", run.len()).bytes());
        }
        text.extend_from_slice(line);
        shown.push(text);
    }
    write_lines(&call, &shown).await?;
    Ok(u8::from(!complete))
}
