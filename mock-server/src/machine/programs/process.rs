//! Programs about processes: the simulated ones and oneself.

use std::time::Duration;

use super::super::login::Signal;
use super::super::shell::Outcome;
use super::call::Call;

/// Longer than any session lives.
const MAX_SLEEP: f64 = 1e9;

pub(super) async fn sleep(call: Call<'_>) -> Outcome {
    if call.rest().is_empty() {
        return call.fail("sleep: missing operand").await;
    }
    let mut seconds = 0.0;
    for word in call.rest() {
        let (number, unit) = match word.chars().last() {
            Some('s') => (word.trim_end_matches('s'), 1.0),
            Some('m') => (word.trim_end_matches('m'), 60.0),
            Some('h') => (word.trim_end_matches('h'), 3600.0),
            Some('d') => (word.trim_end_matches('d'), 86_400.0),
            _ => (word.as_str(), 1.0),
        };
        match number.parse::<f64>() {
            Ok(value) if value >= 0.0 => seconds += value * unit,
            _ if number == "infinity" => seconds = MAX_SLEEP,
            _ => return call.fail(&format!("sleep: invalid time interval '{word}'")).await,
        }
    }
    tokio::time::sleep(Duration::from_secs_f64(seconds.min(MAX_SLEEP))).await;
    Ok(0)
}

fn signal(text: &str) -> Option<Option<Signal>> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if name == "0" {
        return Some(None);
    }
    let known = Signal::ALL.into_iter().find(|signal| {
        signal.name().eq_ignore_ascii_case(name) || signal.number().to_string() == name
    });
    known.map(Some)
}

pub(super) async fn kill(call: Call<'_>) -> Outcome {
    let mut words = call.rest();
    let mut wanted = Some(Signal::Terminate);
    match words {
        [list, ..] if list == "-l" => {
            let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
            call.out(format!("{}\n", names.join("\n"))).await?;
            return Ok(0);
        }
        [flag, name, rest @ ..] if flag == "-s" => match signal(name) {
            Some(signal) => (wanted, words) = (signal, rest),
            None => return call.fail(&format!("kill: invalid signal: {name}")).await,
        },
        [flag, rest @ ..] if flag.len() > 1 && flag.starts_with('-') && flag != "--" => {
            match signal(flag.trim_start_matches('-')) {
                Some(signal) => (wanted, words) = (signal, rest),
                None => return call.fail(&format!("kill: invalid signal: {flag}")).await,
            }
        }
        _ => {}
    }
    if words.is_empty() {
        call.fail("kill: usage: kill [-s signal | -signal] pid ...").await?;
        return Ok(2);
    }
    let mut status = 0;
    for word in words {
        let Ok(pid) = word.parse::<u32>() else {
            call.warn(&format!("Illegal pid: {word}")).await?;
            status = 2;
            continue;
        };
        if pid == call.shell.shared.pid {
            // An interactive shell shrugs off a plain TERM, INT and QUIT.
            let shrugged = call.shell.terminal.is_some()
                && matches!(wanted, Some(Signal::Terminate | Signal::Interrupt | Signal::Quit));
            if let Some(signal) = wanted.filter(|_| !shrugged) {
                call.shell.shared.signal.send_replace(Some(signal));
                // The login ends here; nothing after the kill may still run.
                std::future::pending::<()>().await;
            }
            continue;
        }
        let plan = &call.shell.shared.plan;
        let known = plan.description.processes.iter().any(|process| process.pid == pid);
        let why = if known || pid == 1 { "Operation not permitted" } else { "No such process" };
        call.warn(&format!("({pid}) - {why}")).await?;
        status = 1;
    }
    Ok(status)
}

pub(super) async fn ps(call: Call<'_>) -> Outcome {
    let shared = std::sync::Arc::clone(&call.shell.shared);
    let everything = call.rest().iter().any(|word| word.contains(['a', 'A', 'e', 'x']));
    let long = call.rest().iter().any(|word| word.contains(['f', 'u']));
    let mut processes: Vec<(u32, String, String)> = Vec::new();
    if everything {
        for process in &shared.plan.description.processes {
            processes.push((process.pid, process.user.clone(), process.command.clone()));
        }
    }
    let me = shared.account.name.clone();
    processes.push((shared.pid, me.clone(), "-sh".into()));
    processes.push((shared.pid + 1, me, "ps".into()));
    let tty = if call.shell.terminal.is_some() { "pts/0" } else { "?" };
    let mut text = if long {
        String::from("USER         PID TTY      COMMAND\n")
    } else {
        String::from("    PID TTY          TIME CMD\n")
    };
    for (pid, user, command) in processes {
        let on = if pid >= shared.pid { tty } else { "?" };
        text.push_str(&if long {
            format!("{user:<8} {pid:>7} {on:<8} {command}\n")
        } else {
            let short = command.split_whitespace().next().unwrap_or_default();
            let short = short.rsplit('/').next().unwrap_or_default();
            format!("{pid:>7} {on:<8} 00:00:00 {short}\n")
        });
    }
    call.out(text).await?;
    Ok(0)
}
