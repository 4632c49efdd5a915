//! What the command line may ask for: ids, user and group names, hosts, ports and lifetimes
//! (docs/decisions/0008-*.md and 0009-*.md).

use std::time::Duration;

use uuid::Uuid;

use crate::error::Error;
use crate::secret::looks_secret;
use crate::untrusted;

/// A day: nobody waits longer for a session that lives shorter.
const LONGEST_WAIT: f64 = 86_400.0;

/// Collects everything that is wrong with a command line, so that one run names all of it.
#[derive(Default)]
pub(crate) struct Checks {
    faults: Vec<String>,
}

impl Checks {
    fn fault<T>(&mut self, fault: String) -> Option<T> {
        self.faults.push(fault);
        None
    }

    /// Records a fault found elsewhere.
    pub(crate) fn add(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// A required UUID, in its hyphenated form of 36 characters and no other.
    pub(crate) fn uuid(&mut self, flag: &str, value: Option<&str>) -> Option<Uuid> {
        match value {
            None => self.fault(format!("{flag} is required")),
            Some("") => self.fault(format!("{flag} is empty")),
            Some(text) => match Uuid::try_parse(text) {
                Ok(id) if text.len() == 36 => Some(id),
                _ => self.fault(format!("{flag}: not a UUID: {}", quoted(text))),
            },
        }
    }

    /// A required text without control characters.
    pub(crate) fn text<'a>(&mut self, flag: &str, value: Option<&'a str>) -> Option<&'a str> {
        match value {
            None => self.fault(format!("{flag} is required")),
            Some(text) => self.optional_text(flag, text),
        }
    }

    /// A text without control characters.
    pub(crate) fn optional_text<'a>(&mut self, flag: &str, text: &'a str) -> Option<&'a str> {
        if text.is_empty() {
            self.fault(format!("{flag} is empty"))
        } else if text.chars().any(char::is_control) {
            self.fault(format!("{flag} holds a control character"))
        } else {
            Some(text)
        }
    }

    /// A required name that will stand where ssh and its configuration expand user names.
    pub(crate) fn login_user<'a>(&mut self, flag: &str, value: Option<&'a str>) -> Option<&'a str> {
        let text = value.or_else(|| self.fault(format!("{flag} is required")))?;
        match login_user_fault(text) {
            Some(fault) => self.fault(format!("{flag} {fault}")),
            None => Some(text),
        }
    }

    /// A required TCP port.
    pub(crate) fn port(&mut self, flag: &str, value: Option<&str>) -> Option<u16> {
        match value {
            None => self.fault(format!("{flag} is required")),
            Some(text) => match decimal(text).and_then(|port| u16::try_from(port).ok()) {
                Some(port) if port > 0 => Some(port),
                _ => self.fault(format!("{flag}: not a port from 1 to 65535: {}", quoted(text))),
            },
        }
    }

    /// A lifetime in seconds; absent and 0 both leave it to the server.
    pub(crate) fn ttl(&mut self, flag: &str, value: Option<&str>) -> Option<u32> {
        let text = value?;
        match decimal(text).and_then(|ttl| u32::try_from(ttl).ok()) {
            Some(0) => None,
            Some(ttl) if i32::try_from(ttl).is_ok() => Some(ttl),
            _ => self.fault(format!("{flag}: not a number of seconds: {}", quoted(text))),
        }
    }

    /// How long to wait, in seconds, fractions allowed; absent and 0 both mean not at all.
    pub(crate) fn wait(&mut self, flag: &str, value: Option<&str>) -> Option<Duration> {
        let text = value?;
        match text.parse::<f64>().ok().filter(|seconds| (0.0..=LONGEST_WAIT).contains(seconds)) {
            Some(seconds) => Some(Duration::from_secs_f64(seconds)).filter(|wait| !wait.is_zero()),
            None => self.fault(format!("{flag}: not a number of seconds: {}", quoted(text))),
        }
    }

    /// Ends the checking: an error that names every fault, or nothing.
    pub(crate) fn finish(self, command: &str) -> Result<(), Error> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Error::Usage {
            message: self.faults.join("; "),
            hint: Some(format!("see plexctl {command} --help")),
        })
    }
}

/// Digits only: no sign, no blank, no base prefix.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A word from the command line for an error message, unless it may be a secret.
pub(crate) fn quoted(word: &str) -> String {
    if looks_secret(word) {
        "a value not repeated here".to_owned()
    } else {
        format!("\"{}\"", untrusted::shown(word))
    }
}

/// Why a text is no login name. Directory accounts carry `@`, `\` and `.`; a leading dash, blanks
/// and shell characters have been the way into ssh's `%u` and `%r` expansions.
pub(crate) fn login_user_fault(user: &str) -> Option<&'static str> {
    if user.is_empty() {
        Some("is empty")
    } else if user.chars().any(char::is_control) {
        Some("holds a control character")
    } else if user.starts_with('-') {
        Some("begins with a dash")
    } else if user.chars().any(char::is_whitespace) {
        Some("holds a blank")
    } else if user.contains(['`', '$', ';', '&', '|', '<', '>', '(', ')', '{', '}', '"', '\'']) {
        Some("holds a shell character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_hyphenated() {
        let good = "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0";
        assert!(Checks::default().uuid("--x", Some(good)).is_some());
        assert!(Checks::default().uuid("--x", Some(&good.to_uppercase())).is_some());
        for bad in [
            "",
            "x",
            "0190a8b8a0c07a0a8a0aa0a0a0a0a0c0",
            "{0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0}",
            "urn:uuid:0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0",
            "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0cg",
            " 0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0",
            "0190a8b8-a0c0-7a0a-8a0a-a0a0a0a0a0c0\n",
        ] {
            let mut checks = Checks::default();
            assert!(checks.uuid("--x", Some(bad)).is_none(), "{bad:?}");
            assert!(checks.finish("ssh").is_err());
        }
    }

    #[test]
    fn login_users() {
        for good in ["ops", "a.b", "corp\\ann", "ann@corp.example", "x-y", "_svc", "\u{e9}ve"] {
            assert_eq!(login_user_fault(good), None, "{good}");
        }
        for bad in [
            "", "-oX", "a;id", "$(id)", "a b", "a\tb", "a\nb", "a\0", "`id`", "a&b", "a|b", "a<b",
            "a>b", "a{b", "a}b", "a(b", "a)b", "a\"b", "a'b", "a\u{85}b", "a\u{a0}b",
        ] {
            assert!(login_user_fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn ports_and_lifetimes() {
        let port = |text| Checks::default().port("--port", Some(text));
        assert_eq!(port("1"), Some(1));
        assert_eq!(port("65535"), Some(65535));
        for bad in
            ["", "0", "65536", "-1", "+1", "1.0", "0x10", "ssh", " 1", "99999999999999999999"]
        {
            assert_eq!(port(bad), None, "{bad}");
        }
        let ttl = |text| {
            let mut checks = Checks::default();
            let value = checks.ttl("--ttl-seconds", Some(text));
            checks.finish("ssh").is_ok().then_some(value)
        };
        assert_eq!(ttl("0"), Some(None));
        assert_eq!(ttl("900"), Some(Some(900)));
        for bad in ["", "-1", "x", "1.5", "9h", "2147483648"] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
    }

    #[test]
    fn waits() {
        let wait = |text| {
            let mut checks = Checks::default();
            let value = checks.wait("--wait", Some(text));
            checks.finish("ssh").is_ok().then_some(value)
        };
        assert_eq!(wait("0"), Some(None));
        assert_eq!(wait("1.5"), Some(Some(Duration::from_millis(1500))));
        for bad in ["", "-1", "x", "NaN", "inf", "1e9", "5s"] {
            assert_eq!(wait(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut checks = Checks::default();
        checks.uuid("--project-id", None);
        checks.uuid("--resource-id", Some("nope"));
        checks.text("--host", Some(""));
        let error = checks.finish("tcp-forward").expect_err("faults").to_string();
        for flag in ["--project-id", "--resource-id", "--host"] {
            assert!(error.contains(flag), "{error}");
        }
    }

    #[test]
    fn a_secret_given_as_an_id_is_not_repeated() {
        let mut checks = Checks::default();
        checks.uuid("--project-id", Some("psk_dev_operator"));
        assert!(!checks.finish("ssh").expect_err("a fault").to_string().contains("psk_"));
    }
}
