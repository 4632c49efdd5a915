//! Programs that change each line or character on its way.

use super::super::shell::Outcome;
use super::call::Call;

/// Ranges of a list such as `1,3-5,7-`, counted from one.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    list.split(',')
        .map(|part| {
            let (low, high) = match part.split_once('-') {
                Some((low, high)) => (low, high),
                None => (part, part),
            };
            let low = if low.is_empty() { 1 } else { low.parse().ok()? };
            let high = if high.is_empty() { usize::MAX } else { high.parse().ok()? };
            (low >= 1 && low <= high).then_some((low, high))
        })
        .collect()
}

pub(super) async fn cut(call: Call<'_>) -> Outcome {
    let options = call.options("s", "dfcb").await?;
    let by_field = options.value('f');
    let Some(list) = by_field.or(options.value('c')).or(options.value('b')) else {
        call.fail("cut: you must specify a list of bytes, characters, or fields").await?;
        return Ok(1);
    };
    let Some(ranges) = ranges(list) else {
        return call.fail(&format!("cut: invalid list: {list}")).await;
    };
    let wanted = |index: usize| ranges.iter().any(|(low, high)| (*low..=*high).contains(&index));
    let delimiter = options.value('d').unwrap_or("\t");
    let delimiter = delimiter.chars().next().unwrap_or('\t');
    let (inputs, all) = call.inputs(&options.operands).await?;
    for (_, input) in inputs {
        while let Some(line) = input.line().await {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches('\n');
            let mut out = String::new();
            if by_field.is_none() {
                out.extend(text.chars().enumerate().filter(|(i, _)| wanted(i + 1)).map(|(_, c)| c));
            } else if text.contains(delimiter) {
                let kept: Vec<&str> = text
                    .split(delimiter)
                    .enumerate()
                    .filter(|(i, _)| wanted(i + 1))
                    .map(|(_, field)| field)
                    .collect();
                out = kept.join(&delimiter.to_string());
            } else if options.has('s') {
                continue;
            } else {
                out.push_str(text);
            }
            out.push('\n');
            call.out(out).await?;
        }
    }
    Ok(u8::from(!all))
}

/// The bytes of a set such as `a-z\n` or `[:upper:]`.
fn set(text: &str) -> Vec<u8> {
    let named: Option<fn(&u8) -> bool> = match text {
        "[:upper:]" => Some(u8::is_ascii_uppercase),
        "[:lower:]" => Some(u8::is_ascii_lowercase),
        "[:digit:]" => Some(u8::is_ascii_digit),
        "[:alpha:]" => Some(u8::is_ascii_alphabetic),
        "[:alnum:]" => Some(u8::is_ascii_alphanumeric),
        "[:space:]" => Some(u8::is_ascii_whitespace),
        "[:punct:]" => Some(u8::is_ascii_punctuation),
        _ => None,
    };
    if let Some(named) = named {
        return (0..=u8::MAX).filter(named).collect();
    }
    let bytes = super::printf::unescape(text).0;
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(&low) = bytes.get(at) {
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(b'-'), Some(&high)) if low <= high => {
                all.extend(low..=high);
                at += 3;
            }
            _ => {
                all.push(low);
                at += 1;
            }
        }
    }
    all
}

pub(super) async fn tr(call: Call<'_>) -> Outcome {
    let options = call.options("cdsC", "").await?;
    let mut sets = options.operands.iter().map(|text| set(text));
    let Some(mut from) = sets.next() else {
        return call.fail("tr: missing operand").await;
    };
    let to = sets.next();
    if options.has('c') || options.has('C') {
        from = (0..=u8::MAX).filter(|b| !from.contains(b)).collect();
    }
    if to.is_none() && !options.has('d') && !options.has('s') {
        return call.fail("tr: missing operand").await;
    }
    // What each byte becomes; nothing where it is deleted.
    let mut map: Vec<Option<u8>> = (0..=u8::MAX).map(Some).collect();
    for (index, byte) in from.iter().enumerate() {
        let new = match &to {
            _ if options.has('d') => None,
            Some(to) => to.get(index).or(to.last()).copied().or(Some(*byte)),
            None => Some(*byte),
        };
        if let Some(slot) = map.get_mut(usize::from(*byte)) {
            *slot = new;
        }
    }
    let squeezed = match (&to, options.has('s')) {
        (_, false) => Vec::new(),
        (Some(to), true) => to.clone(),
        (None, true) => from.clone(),
    };
    let mut last = None;
    while let Some(chunk) = call.io().stdin.read().await {
        let mut out = Vec::with_capacity(chunk.len());
        for byte in chunk {
            let Some(new) = map.get(usize::from(byte)).copied().flatten() else {
                continue;
            };
            if last == Some(new) && squeezed.contains(&new) {
                continue;
            }
            out.push(new);
            last = Some(new);
        }
        call.out(out).await?;
    }
    Ok(0)
}
