//! A relay between the client and its server, and arguments that lead there.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::sync::Arc;

use url::Url;

use super::relay::{Relay, Shared, Upstream};
use super::scout::Scout;
use super::stand::Stand;
use super::subject::Traffic;
use super::words::value_of;

/// Puts a relay between the client and the server it was told of, where it was told of one.
pub(super) fn relayed(
    stand: &Stand,
    command: &mut Command,
    args: &mut [OsString],
    traffic: Option<&Traffic>,
    scout: Option<&Arc<Scout>>,
) -> io::Result<Option<Relay>> {
    let told = value_of(args, "--server");
    let Some(url) = told.clone().or_else(|| env::var_os("PLEXSPHERE_URL")) else { return Ok(None) };
    // A parser would mend what the client is to refuse.
    if url.to_string_lossy().chars().any(|c| c.is_control() || c == ' ') {
        return Ok(None);
    }
    let Some(url) = url.to_str().and_then(|url| Url::parse(url).ok()) else { return Ok(None) };
    if !can_stand_between(&url, args) {
        return Ok(None);
    }
    let wants_tls = traffic.is_some_and(|traffic| traffic.https);
    if url.scheme() != "http" && !(url.scheme() == "https" && wants_tls) {
        return Ok(None);
    }
    let Some(host) = url.host_str() else { return Ok(None) };
    let host = host.trim_matches(['[', ']']).to_owned();
    let upstream = Upstream {
        authority: match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        },
        host,
        port: url.port_or_known_default().unwrap_or(80),
        tls: url.scheme() == "https",
    };
    let mut shared = Shared::to(upstream, traffic.cloned(), stand.marker());
    shared.scout = scout.cloned();
    let relay = Relay::start(shared)?;
    let path = url.path().trim_end_matches('/');
    let near = format!("http://127.0.0.1:{}{path}", relay.port);
    if told.is_none() {
        command.env("PLEXSPHERE_URL", near);
        return Ok(Some(relay));
    }
    for at in 0..args.len() {
        if args[at] == "--server" && at + 1 < args.len() {
            args[at + 1] = near.clone().into();
        } else if args[at].to_str().is_some_and(|arg| arg.starts_with("--server=")) {
            args[at] = format!("--server={near}").into();
        }
    }
    Ok(Some(relay))
}

/// Whether the client would take our address for the one it was told: a plain address of this
/// machine, and a credential that is not tied to it.
fn can_stand_between(url: &Url, args: &[OsString]) -> bool {
    let host = url.host_str().unwrap_or_default();
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let own = value_of(args, "--token-file").is_some()
        || env::var_os("PLEXSPHERE_TOKEN").is_some_and(|token| !token.is_empty());
    here && plain && own
}
