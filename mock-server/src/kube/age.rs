//! Durations as Kubernetes shows them to people: `42s`, `5m30s`, `2d3h`, `1y40d`.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A span in seconds, rounded the way kubectl's own columns round: two units while the
/// smaller one still says something, then one.
pub(crate) fn human(seconds: i64) -> String {
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit}{small}{small_unit}")
        }
    };
    let (minutes, hours, days) = (seconds / MINUTE, seconds / HOUR, seconds / DAY);
    match seconds {
        i64::MIN..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % MINUTE, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, "d", hours % 24, "h"),
        _ if seconds < 2 * YEAR => format!("{days}d"),
        _ if seconds < 8 * YEAR => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// How long ago an RFC 3339 instant was, or `<unknown>` when there is none to read.
pub(crate) fn since(instant: Option<&str>, now: Timestamp) -> String {
    match instant.and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(then) => human(now.as_second() - then.as_second()),
        None => "<unknown>".to_owned(),
    }
}

/// An instant as API objects spell it: whole seconds, `Z`.
pub(crate) fn stamp(instant: Timestamp) -> String {
    // Rounded up, a thing would be born after it was made, and be a day younger than it is.
    Timestamp::from_second(instant.as_second()).unwrap_or(instant).to_string()
}

/// Reads an age out of a description: `90s`, `5m`, `3d12h`, `1y`.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut digits = String::new();
    let mut units = 0;
    for character in text.trim().chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => MINUTE,
            'h' => HOUR,
            'd' => DAY,
            'y' => YEAR,
            _ => return None,
        };
        let count: i64 = digits.parse().ok()?;
        digits.clear();
        units += 1;
        total = total.checked_add(count.checked_mul(unit)?)?;
    }
    // A hundred years keeps every later subtraction inside what a timestamp can hold.
    (digits.is_empty() && units > 0 && total <= 100 * YEAR).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_kubectl() {
        for (seconds, expected) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 61, "3h1m"),
            (8 * HOUR + 61, "8h"),
            (48 * HOUR - 1, "47h"),
            (48 * HOUR, "2d"),
            (51 * HOUR, "2d3h"),
            (8 * DAY, "8d"),
            (2 * YEAR - 1, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 40 * DAY, "2y40d"),
            (8 * YEAR + 40 * DAY, "8y"),
        ] {
            assert_eq!(human(seconds), expected, "{seconds} seconds");
        }
    }

    #[test]
    fn ages_are_read_or_refused() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("3d12h", Some(3 * DAY + 12 * HOUR)),
            ("1y", Some(YEAR)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("5w", None),
            ("m", None),
            ("999999999999999999999y", None),
            ("101y", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn missing_instants_are_unknown() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        assert_eq!(since(Some("2026-07-01T11:59:00Z"), now), "60s");
        assert_eq!(since(None, now), "<unknown>");
        assert_eq!(since(Some("yesterday"), now), "<unknown>");
    }
}
