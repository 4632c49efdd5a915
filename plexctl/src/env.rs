//! Every environment variable plexctl reads or sets, each named in this file only.

use std::ffi::OsString;

/// Base URL of the control plane, when `--server` is absent.
pub(crate) const URL: &str = "PLEXSPHERE_URL";
/// The operator's bearer credential, when `--token-file` is absent.
pub(crate) const TOKEN: &str = "PLEXSPHERE_TOKEN";
/// Name of the profile, when `--profile` is absent.
pub(crate) const PROFILE: &str = "PLEXSPHERE_PROFILE";
/// PEM file of further trusted authorities, when `--ca-file` is absent.
pub(crate) const CA_FILE: &str = "PLEXSPHERE_CA_FILE";
/// Set to 1: plain http may leave the loopback interface.
pub(crate) const ALLOW_HTTP: &str = "PLEXCTL_ALLOW_HTTP";
/// Set to 1: the same as `plexctl ssh --ssh-uri`.
pub(crate) const SSH_URI: &str = "PLEXCTL_SSH_URI";
/// Set by every CI system we know of; only used to advise against a secret in a job log.
pub(crate) const CI: &str = "CI";

/// Given to the ssh child: the one-time session token.
pub(crate) const SESSION_TOKEN: &str = "PLEXCTL_SESSION_TOKEN";
/// Given to the ssh child: tells plexctl, started by ssh with a prompt, to answer it.
pub(crate) const ASKPASS: &str = "PLEXCTL_ASKPASS";
/// Given to the ssh child: the host key fingerprint the listener must show.
pub(crate) const ASKPASS_PIN: &str = "PLEXCTL_ASKPASS_PIN";
/// Given to the ssh child: `user@host` the token was issued for; an empty user means any.
pub(crate) const ASKPASS_LOGIN: &str = "PLEXCTL_ASKPASS_LOGIN";
/// Given to the ssh child: the port that goes with the host above.
pub(crate) const ASKPASS_PORT: &str = "PLEXCTL_ASKPASS_PORT";
/// Given to the ssh child: a file in which the helper notes that ssh compared the host's key.
pub(crate) const ASKPASS_NOTE: &str = "PLEXCTL_ASKPASS_NOTE";
/// OpenSSH: the program that answers its prompts.
pub(crate) const SSH_ASKPASS: &str = "SSH_ASKPASS";
/// OpenSSH: `force` makes it use that program even when there is a terminal.
pub(crate) const SSH_ASKPASS_REQUIRE: &str = "SSH_ASKPASS_REQUIRE";
/// OpenSSH sets this to `confirm` or `none` for a dialog that wants no secret.
pub(crate) const SSH_ASKPASS_PROMPT: &str = "SSH_ASKPASS_PROMPT";

/// Where programs are looked up.
pub(crate) const PATH: &str = "PATH";
/// What kind of terminal there is.
pub(crate) const TERM: &str = "TERM";
/// Who is asking, for the audit line.
pub(crate) const LOGIN_NAMES: [&str; 2] = ["LOGNAME", "USER"];

/// Proxies for https requests, in the order in which they are tried.
pub(crate) const HTTPS_PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Proxies for http requests; upper case HTTP_PROXY is left out because a CGI server sets it
/// from a request header.
pub(crate) const HTTP_PROXY: [&str; 3] = ["http_proxy", "ALL_PROXY", "all_proxy"];
/// Hosts that are reached without a proxy.
pub(crate) const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A variable's value; unset, empty and undecodable are all `None`, because an empty variable is
/// how a shell says "not set".
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Like [`text`], keeping bytes that are not UTF-8.
pub(crate) fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The first of several names that holds something.
pub(crate) fn first(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| Some((*name, text(name)?)))
}

/// A switch: on for anything but the usual words for off.
pub(crate) fn switch(name: &str) -> bool {
    text(name).is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no" | "off"))
}
