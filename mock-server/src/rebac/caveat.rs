//! Conditions under which a relation holds, judged by the clock of the world that states them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A condition on a relation. An unmet one denies with `caveat_violation` where nothing else grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Caveat {
    /// Only between two times of the day, UTC. `from` belongs to the window, `to` does not; a window
    /// whose `to` is the earlier one runs over midnight.
    WithinHours { from: TimeOfDay, to: TimeOfDay },
    /// Only between two moments, each end optional. `not_after` no longer belongs to the window.
    Between {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<Timestamp>,
    },
}

impl Caveat {
    pub fn name(&self) -> &'static str {
        match self {
            Self::WithinHours { .. } => "within_hours",
            Self::Between { .. } => "between",
        }
    }

    pub fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::WithinHours { from, to } => {
                let minute = now.as_second().rem_euclid(86_400) / 60;
                let (from, to) = (i64::from(from.0), i64::from(to.0));
                if from <= to {
                    (from..to).contains(&minute)
                } else {
                    minute >= from || minute < to
                }
            }
            Self::Between { not_before, not_after } => {
                not_before.is_none_or(|start| now >= start) && not_after.is_none_or(|end| now < end)
            }
        }
    }
}

/// Minutes since midnight, written `HH:MM`; `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day, `HH:MM` from 00:00 to 24:00")]
pub struct TimeOfDayError(String);

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let wrong = || TimeOfDayError(text.to_owned());
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let two_digits = |part: &str| -> Option<u16> {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())
                .flatten()
        };
        let (hours, minutes) = two_digits(hours).zip(two_digits(minutes)).ok_or_else(wrong)?;
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= 24 * 60 { Ok(Self(total)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeOfDayError;

    fn try_from(text: String) -> Result<Self, TimeOfDayError> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}
