//! Programs that produce text or hand it on.

use std::time::Duration;

use super::super::shell::{Outcome, Stop};
use super::super::stream::{FileEnd, Output};
use super::call::Call;

/// `yes` stops by itself after this much, so that nothing here runs for ever
/// on a reader that never ends.
const YES_LIMIT: usize = 256 * 1024 * 1024;
/// How often `tail -f` looks for more.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(super) async fn echo(call: Call<'_>) -> Outcome {
    let mut words = call.rest();
    let mut newline = true;
    let mut escapes = false;
    while let Some((first, rest)) = words.split_first() {
        match first.as_str() {
            "-n" => newline = false,
            "-e" => escapes = true,
            "-ne" | "-en" => (newline, escapes) = (false, true),
            _ => break,
        }
        words = rest;
    }
    let mut text = words.join(" ").into_bytes();
    if escapes {
        let joined = words.join(" ");
        let (bytes, cut) = super::printf::unescape(&joined);
        text = bytes;
        newline &= !cut;
    }
    if newline {
        text.push(b'\n');
    }
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn cat(call: Call<'_>) -> Outcome {
    let options = call.options("nu", "").await?;
    let (inputs, all) = call.inputs(&options.operands).await?;
    let mut number = 0;
    for (_, input) in inputs {
        if options.has('n') {
            while let Some(line) = input.line().await {
                number += 1;
                let mut text = format!("{number:6}\t").into_bytes();
                text.extend(line);
                call.out(text).await?;
            }
            continue;
        }
        while let Some(chunk) = input.read().await {
            call.out(chunk).await?;
        }
    }
    Ok(u8::from(!all))
}

pub(super) async fn tee(call: Call<'_>) -> Outcome {
    let options = call.options("a", "").await?;
    let mut outputs = vec![call.io().stdout.clone()];
    let mut status = 0;
    for name in &options.operands {
        let path = call.shell.path(name);
        let opened =
            call.shell.tree().open_for_writing(call.shell.actor(), &path, options.has('a'));
        match opened {
            Ok(()) => {
                outputs.push(Output::File(FileEnd { tree: call.shell.shared.tree.clone(), path }));
            }
            Err(error) => {
                call.warn(&format!("{name}: {error}")).await?;
                status = 1;
            }
        }
    }
    while let Some(chunk) = call.io().stdin.read().await {
        for output in &outputs {
            output.write(&chunk).await?;
        }
    }
    Ok(status)
}

/// How much of the head or the tail is wanted.
struct Portion {
    count: usize,
    bytes: bool,
    /// `tail -n +3`: from the third on.
    from_start: bool,
    /// `tail -f`: goes on with what is written later.
    follow: bool,
    operands: Vec<String>,
}

async fn portion(call: &Call<'_>) -> Result<Portion, Stop> {
    let mut operands = Vec::new();
    let mut wanted = ("10".to_owned(), false);
    let mut follow = false;
    let mut rest = call.rest().iter();
    while let Some(argument) = rest.next() {
        if argument == "-f" {
            follow = true;
            continue;
        }
        let Some(option) = argument.strip_prefix('-').filter(|o| !o.is_empty()) else {
            operands.push(argument.clone());
            continue;
        };
        if option.starts_with(|c: char| c.is_ascii_digit()) {
            wanted = (option.to_owned(), false);
            continue;
        }
        let bytes = option.starts_with('c');
        let Some(attached) = option.strip_prefix(['n', 'c']) else {
            call.warn(&format!("invalid option -- '{option}'")).await?;
            return Err(Stop::Usage);
        };
        let value = if attached.is_empty() {
            rest.next().cloned().unwrap_or_default()
        } else {
            attached.to_owned()
        };
        wanted = (value, bytes);
    }
    let (text, bytes) = wanted;
    let from_start = text.starts_with('+');
    let Ok(count) = text.trim_start_matches(['+', '-']).parse() else {
        call.warn(&format!("invalid number: '{text}'")).await?;
        return Err(Stop::Usage);
    };
    Ok(Portion { count, bytes, from_start, follow, operands })
}

pub(super) async fn head(call: Call<'_>) -> Outcome {
    let portion = portion(&call).await?;
    let (inputs, all) = call.inputs(&portion.operands).await?;
    let titled = inputs.len() > 1;
    for (index, (name, input)) in inputs.into_iter().enumerate() {
        if titled {
            title(&call, index, &name).await?;
        }
        let mut left = portion.count;
        while left > 0 {
            if portion.bytes {
                let Some(mut chunk) = input.read().await else { break };
                if chunk.len() > left {
                    input.unread(chunk.split_off(left)).await;
                }
                left -= chunk.len();
                call.out(chunk).await?;
            } else {
                let Some(line) = input.line().await else { break };
                left -= 1;
                call.out(line).await?;
            }
        }
    }
    Ok(u8::from(!all))
}

async fn title(call: &Call<'_>, index: usize, name: &str) -> Result<(), Stop> {
    let gap = if index > 0 { "\n" } else { "" };
    call.out(format!("{gap}==> {name} <==\n")).await
}

pub(super) async fn tail(call: Call<'_>) -> Outcome {
    let portion = portion(&call).await?;
    let (inputs, mut complete) = call.inputs(&portion.operands).await?;
    let titled = inputs.len() > 1;
    for (index, (name, input)) in inputs.into_iter().enumerate() {
        if titled {
            title(&call, index, &name).await?;
        }
        let Some(all) = input.all().await else {
            call.warn("memory exhausted").await?;
            complete = false;
            continue;
        };
        let start = match (portion.bytes, portion.from_start) {
            (true, true) => portion.count.saturating_sub(1),
            (true, false) => all.len().saturating_sub(portion.count),
            (false, true) => line_start(&all, portion.count.saturating_sub(1)),
            (false, false) => {
                let lines = all.split_inclusive(|b| *b == b'\n').count();
                line_start(&all, lines.saturating_sub(portion.count))
            }
        };
        call.out(all.get(start..).unwrap_or_default()).await?;
    }
    if portion.follow
        && let Some(name) = portion.operands.last()
    {
        follow(&call, name).await?;
    }
    Ok(u8::from(!complete))
}

/// Shows what a file grows by, until somebody ends it.
async fn follow(call: &Call<'_>, name: &str) -> Result<(), Stop> {
    let path = call.shell.path(name);
    let read = || call.shell.tree().read(call.shell.account(), &path);
    let mut shown = read().map_or(0, |content| content.len());
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let Ok(content) = read() else { continue };
        let new = content.get(shown..).unwrap_or_default();
        call.out(new).await?;
        shown = content.len();
    }
}

/// Where the line with this index begins.
fn line_start(text: &[u8], index: usize) -> usize {
    text.split_inclusive(|b| *b == b'\n').take(index).map(<[u8]>::len).sum()
}

pub(super) async fn wc(call: Call<'_>) -> Outcome {
    let options = call.options("lwc", "").await?;
    let plain = !options.has('l') && !options.has('w') && !options.has('c');
    let (inputs, all) = call.inputs(&options.operands).await?;
    let mut total = [0_u64; 3];
    let several = inputs.len() > 1;
    let show = |counts: [u64; 3], name: &str| {
        let mut columns = Vec::new();
        for (flag, count) in ['l', 'w', 'c'].into_iter().zip(counts) {
            if plain || options.has(flag) {
                columns.push(count.to_string());
            }
        }
        if columns.len() > 1 {
            columns = columns.iter().map(|column| format!("{column:>7}")).collect();
        }
        let name = if name == "-" { String::new() } else { format!(" {name}") };
        format!("{}{name}\n", columns.join(" "))
    };
    for (name, input) in inputs {
        let mut counts = [0_u64; 3];
        let mut inside = false;
        while let Some(chunk) = input.read().await {
            counts[2] += chunk.len() as u64;
            for byte in chunk {
                counts[0] += u64::from(byte == b'\n');
                let blank = byte.is_ascii_whitespace();
                counts[1] += u64::from(!blank && !inside);
                inside = !blank;
            }
        }
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
        call.out(show(counts, &name)).await?;
    }
    if several {
        call.out(show(total, "total")).await?;
    }
    Ok(u8::from(!all))
}

pub(super) async fn yes(call: Call<'_>) -> Outcome {
    let word = match call.rest() {
        [] => "y".to_owned(),
        words => words.join(" "),
    };
    let line = format!("{word}\n").into_bytes();
    let chunk = line.repeat((8192 / line.len()).max(1));
    for _ in 0..(YES_LIMIT / chunk.len()).max(1) {
        call.out(&chunk).await?;
    }
    Ok(0)
}

pub(super) async fn seq(call: Call<'_>) -> Outcome {
    let numbers: Option<Vec<i64>> = call.rest().iter().map(|word| word.parse().ok()).collect();
    let (first, step, last) = match numbers.as_deref() {
        Some([last]) => (1, 1, *last),
        Some([first, last]) => (*first, 1, *last),
        Some([first, step, last]) if *step != 0 => (*first, *step, *last),
        _ => return call.fail("seq: give one to three whole numbers").await,
    };
    let mut at = Some(first);
    let mut chunk = String::new();
    while let Some(number) = at.filter(|n| if step > 0 { *n <= last } else { *n >= last }) {
        chunk.push_str(&format!("{number}\n"));
        if chunk.len() > 8192 {
            call.out(std::mem::take(&mut chunk)).await?;
        }
        at = number.checked_add(step);
    }
    call.out(chunk).await?;
    Ok(0)
}

pub(super) async fn basename(call: Call<'_>) -> Outcome {
    let Some(path) = call.rest().first() else {
        return call.fail("basename: missing operand").await;
    };
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("/");
    let name = if name.is_empty() { "/" } else { name };
    let suffix = call.rest().get(1).map_or("", String::as_str);
    let short = name.strip_suffix(suffix).filter(|short| !short.is_empty());
    call.out(format!("{}\n", short.unwrap_or(name))).await?;
    Ok(0)
}

pub(super) async fn dirname(call: Call<'_>) -> Outcome {
    let Some(path) = call.rest().first() else {
        return call.fail("dirname: missing operand").await;
    };
    let parent = match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None if path.starts_with('/') => "/",
        None => ".",
    };
    call.out(format!("{parent}\n")).await?;
    Ok(0)
}
