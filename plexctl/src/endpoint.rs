//! The listener endpoint of an issued session: read strictly, because it becomes an argument of
//! ssh, a URL in a kubeconfig, or a line that somebody pastes (docs/decisions/0007-*.md).

use std::fmt;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use crate::api::wire::Kind;
use crate::names::login_user_fault;
use crate::untrusted;

/// The published limit of the field.
const MAX_LENGTH: usize = 261;
const SCHEME: &str = "ssh://";
const PIN: &str = "fingerprint=";

/// An endpoint that may be used for its kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    text: String,
    /// Host as ssh will know it, brackets removed.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Login user, when the endpoint is a URI that names one (percent-decoded).
    pub(crate) user: Option<String>,
    /// `SHA256:..` of the listener's host key, when the endpoint carries it.
    pub(crate) pin: Option<String>,
    is_uri: bool,
}

/// Why an endpoint cannot be used.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    Missing,
    /// Waited for, in vain.
    Unreported {
        seconds: f64,
    },
    Bad {
        shown: String,
        why: &'static str,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("the server gave no listener endpoint"),
            Self::Unreported { seconds } => {
                write!(out, "the node reported no listener endpoint within {seconds} s")
            }
            Self::Bad { shown, why } => write!(out, "bad listener endpoint \"{shown}\": {why}"),
        }
    }
}

impl Fault {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => {
                Some("the node has not reported its listener yet; --wait SECONDS waits for it")
            }
            Self::Unreported { .. } => Some("is the node up? --wait SECONDS may be longer"),
            Self::Bad { .. } => None,
        }
    }
}

impl Endpoint {
    /// Reads the endpoint of a session of this kind.
    pub(crate) fn parse(text: &str, kind: Kind) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Missing);
        }
        Self::read(text, kind).map_err(|why| Fault::Bad { shown: untrusted::shown(text), why })
    }

    fn read(text: &str, kind: Kind) -> Result<Self, &'static str> {
        if text.chars().count() > MAX_LENGTH {
            return Err("longer than 261 characters");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds a blank, a control character or a character outside ASCII");
        }
        if text.starts_with('-') {
            return Err("it begins with a dash");
        }
        let (authority, is_uri) = match text.split_once("://") {
            None => (text, false),
            Some(_) if kind != Kind::Ssh => return Err("a URI where host:port is expected"),
            Some(_) => (text.strip_prefix(SCHEME).ok_or("a URI, but not an ssh one")?, true),
        };
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) if is_uri => (Some(userinfo), address),
            Some(_) => return Err("it names a user"),
            None => (None, authority),
        };
        let (user, pin) = userinfo.map_or(Ok((None, None)), read_userinfo)?;
        let (host, port) = read_address(address)?;
        Ok(Self { text: text.to_owned(), host, port, user, pin, is_uri })
    }

    /// The endpoint exactly as the server wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// True for `ssh://..`, which ssh dials as it stands.
    pub(crate) fn is_uri(&self) -> bool {
        self.is_uri
    }
}

/// `user` or `user;fingerprint=SHA256:..`, the form in which a URI may carry a host key.
fn read_userinfo(userinfo: &str) -> Result<(Option<String>, Option<String>), &'static str> {
    let mut parts = userinfo.split(';');
    let user = percent_decode_str(parts.next().unwrap_or_default())
        .decode_utf8()
        .map_err(|_| "its user is not text")?;
    if login_user_fault(&user).is_some() {
        return Err("its user is not a login name");
    }
    let mut pin = None;
    for part in parts {
        if let Some(fingerprint) = part.strip_prefix(PIN) {
            if !is_fingerprint(fingerprint) {
                return Err("its fingerprint is not SHA256:<43 characters>");
            }
            pin = Some(fingerprint.to_owned());
        } else if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"=:._-+/".contains(&b)) {
            return Err("its connection parameters are malformed");
        }
    }
    Ok((Some(user.into_owned()), pin))
}

/// The form in which OpenSSH prints and compares the fingerprint of a host key.
pub(crate) fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|digest| {
        digest.len() == 43
            && digest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    })
}

fn read_address(address: &str) -> Result<(String, u16), &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("it has no port")?;
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it has no port");
    }
    let port = match port.parse::<u16>() {
        Ok(0) | Err(_) => return Err("its port is not between 1 and 65535"),
        Ok(port) => port,
    };
    if let Some(literal) = host.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or("its host has an odd bracket")?;
        literal.parse::<Ipv6Addr>().map_err(|_| "its host is not an IPv6 address")?;
        return Ok((literal.to_owned(), port));
    }
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.contains(':') {
        return Err("an IPv6 address needs brackets");
    }
    if host.starts_with(['-', '.'])
        || host.contains("..")
        || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    {
        return Err("its host is not a host name");
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";

    #[test]
    fn good_endpoints() {
        for (text, host, port) in [
            ("127.0.0.1:2200", "127.0.0.1", 2200),
            ("node-1.example.com:1", "node-1.example.com", 1),
            ("localhost:65535", "localhost", 65535),
            ("[::1]:00443", "::1", 443),
            ("a_b:22", "a_b", 22),
        ] {
            for kind in [Kind::Ssh, Kind::K8s, Kind::Tcp] {
                let endpoint = Endpoint::parse(text, kind).expect(text);
                assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port), "{text}");
                assert_eq!(endpoint.as_str(), text);
                assert!(!endpoint.is_uri());
            }
        }
    }

    #[test]
    fn ssh_uris_carry_user_and_pin() {
        let text = format!("ssh://ops;fingerprint={DIGEST}@127.0.0.1:2301");
        let endpoint = Endpoint::parse(&text, Kind::Ssh).expect("an endpoint");
        assert_eq!(endpoint.user.as_deref(), Some("ops"));
        assert_eq!(endpoint.pin.as_deref(), Some(DIGEST));
        assert!(endpoint.is_uri());
        let plain = Endpoint::parse("ssh://a%40b@h:22", Kind::Ssh).expect("an endpoint");
        assert_eq!(plain.user.as_deref(), Some("a@b"));
        assert_eq!(plain.pin, None);
        assert_eq!(Endpoint::parse("ssh://h:22", Kind::Ssh).expect("an endpoint").user, None);
        assert!(Endpoint::parse(&text, Kind::K8s).is_err());
        assert!(Endpoint::parse(&text, Kind::Tcp).is_err());
    }

    #[test]
    fn bad_endpoints() {
        let long = format!("{}:22", "h".repeat(260));
        for text in [
            "",
            "h",
            "h:",
            ":22",
            "h:0",
            "h:65536",
            "h:99999",
            "h:123456",
            "h:-1",
            "h:2x",
            "h:22/x",
            "-oProxyCommand=touch F:22",
            "-oProxyCommand=x:22",
            "-F/tmp/x:22",
            "-E/tmp/x:1",
            "user@h:22",
            "::1:22",
            "[::1:22",
            "[::1%eth0]:22",
            "[x]:22",
            "h h:22",
            "h\n:22",
            "h:22\n",
            "\u{1b}[2J:22",
            "h\u{0}:22",
            "\u{202e}h:22",
            "\u{e9}:22",
            "..:99",
            "a..b:22",
            "https://h:22",
            "http://h:22",
            "h?x:22",
            "h#x:22",
            "h\\x:22",
            "h\"x:22",
            "h%41:22",
            "ssh://-oX@h:22",
            "ssh://a;id@h:22 ",
            "ssh://$(id)@h:22",
            "ssh://a%0ab@h:22",
            "ssh://a%00@h:22",
            "ssh://@h:22",
            "ssh://ops@-h:22",
            "ssh://ops@h:22/",
            "ssh://ops@h",
            "ssh://a;fingerprint=SHA256:short@h:22",
            "ssh://a;x=`id`@h:22",
            &long,
        ] {
            assert!(Endpoint::parse(text, Kind::Ssh).is_err(), "ssh took {text:?}");
            assert!(Endpoint::parse(text, Kind::K8s).is_err(), "k8s took {text:?}");
        }
    }

    #[test]
    fn a_fault_shows_no_control_character() {
        let fault = Endpoint::parse("\u{1b}]0;x\u{7}:22", Kind::Tcp).expect_err("a fault");
        assert!(!fault.to_string().contains('\u{1b}'));
        assert_eq!(Endpoint::parse("", Kind::Tcp), Err(Fault::Missing));
    }
}
