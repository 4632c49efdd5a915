//! Programs that tell about the machine and who is on it.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::super::accounts::Account;
use super::super::shell::Outcome;
use super::call::Call;

pub(super) async fn whoami(call: Call<'_>) -> Outcome {
    call.out(format!("{}\n", call.shell.account().name)).await?;
    Ok(0)
}

async fn asked_for(call: &Call<'_>, name: Option<&String>) -> Option<Account> {
    match name {
        None => Some(call.shell.account().clone()),
        Some(name) if *name == call.shell.account().name => Some(call.shell.account().clone()),
        Some(name) => call.shell.shared.plan.accounts.find(name),
    }
}

pub(super) async fn id(call: Call<'_>) -> Outcome {
    let options = call.options("unGgr", "").await?;
    let name = options.operands.first();
    let Some(account) = asked_for(&call, name).await else {
        let name = name.cloned().unwrap_or_default();
        return call.fail(&format!("id: '{name}': no such user")).await;
    };
    let named = options.has('n');
    let group = |(name, gid): &(String, u32)| if named { name.clone() } else { gid.to_string() };
    let text = if options.has('u') {
        if named { account.name } else { account.uid.to_string() }
    } else if options.has('g') {
        account.groups.first().map(group).unwrap_or_default()
    } else if options.has('G') {
        account.groups.iter().map(group).collect::<Vec<_>>().join(" ")
    } else {
        let all: Vec<String> =
            account.groups.iter().map(|(name, gid)| format!("{gid}({name})")).collect();
        let primary = all.first().cloned().unwrap_or_default();
        format!("uid={}({}) gid={primary} groups={}", account.uid, account.name, all.join(","))
    };
    call.out(format!("{text}\n")).await?;
    Ok(0)
}

pub(super) async fn groups(call: Call<'_>) -> Outcome {
    let Some(account) = asked_for(&call, call.rest().first()).await else {
        return call.fail("groups: no such user").await;
    };
    let names: Vec<&str> = account.groups.iter().map(|(name, _)| name.as_str()).collect();
    call.out(format!("{}\n", names.join(" "))).await?;
    Ok(0)
}

pub(super) async fn hostname(call: Call<'_>) -> Outcome {
    let name = call.shell.shared.plan.description.hostname.clone();
    let short = call.rest().iter().any(|word| word == "-s");
    let name = if short { name.split('.').next().unwrap_or_default() } else { &name };
    call.out(format!("{name}\n")).await?;
    Ok(0)
}

pub(super) async fn uname(call: Call<'_>) -> Outcome {
    let options = call.options("asnrvmo", "").await?;
    let description = &call.shell.shared.plan.description;
    let os = &description.os;
    let parts = [
        ('s', os.kernel.as_str()),
        ('n', description.hostname.as_str()),
        ('r', os.release.as_str()),
        ('v', os.version.as_str()),
        ('m', os.architecture.as_str()),
        ('o', "GNU/Linux"),
    ];
    let mut shown: Vec<&str> = parts
        .iter()
        .filter(|(flag, _)| options.has('a') || options.has(*flag))
        .map(|(_, text)| *text)
        .collect();
    if shown.is_empty() {
        shown.push(&os.kernel);
    }
    let text = format!("{}\n", shown.join(" "));
    call.out(text).await?;
    Ok(0)
}

/// The time of the settable clock, in UTC.
pub(super) async fn date(call: Call<'_>) -> Outcome {
    let mut format = "%a %b %e %H:%M:%S UTC %Y";
    for word in call.rest() {
        match word.as_str() {
            "-u" | "--utc" => {}
            "-Iseconds" | "-Is" => format = "%Y-%m-%dT%H:%M:%S+00:00",
            "-I" => format = "%Y-%m-%d",
            "-R" => format = "%a, %d %b %Y %H:%M:%S +0000",
            other => match other.strip_prefix('+') {
                Some(wanted) => format = wanted,
                None => return call.fail(&format!("date: invalid date '{other}'")).await,
            },
        }
    }
    let now = call.shell.now().to_zoned(TimeZone::UTC);
    match strtime::format(format, &now) {
        Ok(text) => call.out(format!("{text}\n")).await?,
        Err(_) => return call.fail(&format!("date: invalid format '{format}'")).await,
    }
    Ok(0)
}

pub(super) async fn uptime(call: Call<'_>) -> Outcome {
    let now = call.shell.now();
    let up = now.duration_since(call.shell.shared.plan.booted).as_secs().max(0);
    let (days, hours, minutes) = (up / 86_400, up / 3600 % 24, up / 60 % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".into(),
        n => format!("{n} days, "),
    };
    let clock = now.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
    let text = format!(
        " {clock} up {days}{hours:2}:{minutes:02},  1 user,  load average: 0.00, 0.01, 0.05\n"
    );
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn clear(call: Call<'_>) -> Outcome {
    call.out("\x1b[H\x1b[2J\x1b[3J").await?;
    Ok(0)
}

pub(super) async fn tty(call: Call<'_>) -> Outcome {
    let on = call.shell.terminal.is_some();
    call.out(if on { "/dev/pts/0\n" } else { "not a tty\n" }).await?;
    Ok(u8::from(!on))
}

pub(super) async fn stty(call: Call<'_>) -> Outcome {
    let Some(size) = call.shell.terminal.as_ref().map(|size| *size.borrow()) else {
        return call.fail("stty: 'standard input': Inappropriate ioctl for device").await;
    };
    match call.rest().first().map(String::as_str) {
        Some("size") => call.out(format!("{} {}\n", size.rows, size.columns)).await?,
        None | Some("-a") => {
            let text = format!("speed 38400 baud; rows {}; columns {};\n", size.rows, size.columns);
            call.out(text).await?;
        }
        // `stty sane` and its like change nothing here, and that is fine.
        Some(_) => {}
    }
    Ok(0)
}
