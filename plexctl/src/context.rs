//! Flags, environment and profile, resolved once: which server, which credential, how long
//! (docs/decisions/0013-*.md).

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use url::Url;
use zeroize::Zeroizing;

use crate::api::{is_loopback, tls};
use crate::cli::Persistent;
use crate::error::Error;
use crate::names::quoted;
use crate::output::Output;
use crate::profile::{self, Profile};
use crate::secret::Secret;
use crate::{credentials, env};

/// The time a request may take unless `--timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: f64 = 86_400.0;

/// Everything a command needs to know about the server it talks to.
pub(crate) struct Context {
    pub(crate) server: Url,
    pub(crate) token: Arc<Secret>,
    pub(crate) timeout: Duration,
    /// Authorities trusted besides the system's; read for https only.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
}

impl Context {
    /// Resolves everything; usage errors come before credential errors, and nothing is sent.
    pub(crate) fn resolve(flags: &Persistent, output: &Output) -> Result<Self, Error> {
        let timeout = timeout(flags.timeout.as_deref())?;
        for (flag, path) in [("--token-file", &flags.token_file), ("--ca-file", &flags.ca_file)] {
            if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
                return Err(Error::usage(format!("{flag} is empty")));
            }
        }
        let mut profile = profile(flags)?;
        let server = server(flags, profile.as_ref())?;
        if server.scheme() == "http" && !is_loopback(&server) {
            if !env::switch(env::ALLOW_HTTP) {
                return Err(Error::Usage {
                    message: "plain http would carry the token off this machine unencrypted".into(),
                    hint: Some(
                        "use https, or set PLEXCTL_ALLOW_HTTP=1 on a private network".into(),
                    ),
                });
            }
            output.warning("the token and the session travel unencrypted (PLEXCTL_ALLOW_HTTP)");
        }
        let ca_file = flags
            .ca_file
            .clone()
            .map(|path| ("--ca-file", path))
            .or_else(|| env::raw(env::CA_FILE).map(|path| (env::CA_FILE, PathBuf::from(path))));
        let authorities = match ca_file {
            Some((name, path)) if server.scheme() == "https" => authorities(name, &path)?.1,
            _ => Vec::new(),
        };
        let token = Arc::new(token(flags, profile.as_mut(), &server)?);
        Ok(Self { server, token, timeout, authorities })
    }
}

/// The text and the certificates of a PEM file; without at least one it is a usage error.
pub(crate) fn authorities(
    name: &str,
    path: &Path,
) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), Error> {
    let pem = read_authorities(path)
        .map_err(|error| Error::usage(format!("{name}: {}: {error}", path.display())))?;
    let certificates = tls::certificates(&pem);
    if certificates.is_empty() {
        return Err(Error::usage(format!("{name}: {}: no PEM certificate in it", path.display())));
    }
    Ok((pem, certificates))
}

/// A whole system's worth of certificates is a quarter of this.
const MOST_AUTHORITIES: u64 = 1 << 20;

/// Files only: a pipe may have no writer and a device no end, and neither would be waited for well.
fn read_authorities(path: &Path) -> std::io::Result<Vec<u8>> {
    let refuse = |why: &str| Err(std::io::Error::other(why));
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return refuse("not a regular file");
    }
    let mut pem = Vec::new();
    std::fs::File::open(path)?.take(MOST_AUTHORITIES + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MOST_AUTHORITIES {
        return refuse("larger than 1 MiB");
    }
    Ok(pem)
}

fn timeout(flag: Option<&str>) -> Result<Duration, Error> {
    let Some(text) = flag else { return Ok(TIMEOUT) };
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.001..=LONGEST_TIMEOUT).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| {
            Error::usage(format!("--timeout: not a positive number of seconds: {}", quoted(text)))
        })
}

/// The profile, read only when something is wanted from it: a run that is told everything by flags
/// or environment opens no file it does not need.
fn profile(flags: &Persistent) -> Result<Option<Profile>, Error> {
    if flags.profile.as_deref() == Some("") {
        return Err(Error::usage("--profile is empty"));
    }
    let named = match &flags.profile {
        Some(name) => Some(name.clone()),
        None => decoded(env::PROFILE)?,
    };
    let has_server = flags.server.is_some() || env::raw(env::URL).is_some();
    let has_token = flags.token_file.is_some() || env::raw(env::TOKEN).is_some();
    if named.is_none() && has_server && has_token {
        return Ok(None);
    }
    profile::load(named.as_deref())
}

/// A variable that chooses where the token goes: one that cannot be read must not count as unset,
/// because then something else would choose.
fn decoded(name: &str) -> Result<Option<String>, Error> {
    let text = env::raw(name).map(std::ffi::OsString::into_string).transpose();
    text.map_err(|_| Error::usage(format!("{name}: not text")))
}

fn server(flags: &Persistent, profile: Option<&Profile>) -> Result<Url, Error> {
    if let Some(text) = &flags.server {
        return parse_server("--server", text);
    }
    if let Some(text) = decoded(env::URL)? {
        return parse_server(env::URL, &text);
    }
    match profile.and_then(|profile| profile.server.as_deref()) {
        Some(text) => parse_server("the profile's server", text),
        None => Err(Error::Usage {
            message: "no server given".into(),
            hint: Some("give --server URL, set PLEXSPHERE_URL, or use a profile".into()),
        }),
    }
}

/// Reads a base URL. Userinfo is refused because it would be a secret on the command line; a query
/// or fragment because nothing could be appended to it.
fn parse_server(name: &str, text: &str) -> Result<Url, Error> {
    let refuse = |why: &str| Error::usage(format!("{name}: {why}: {}", quoted(text)));
    if text.is_empty() {
        return Err(Error::usage(format!("{name} is empty")));
    }
    // The URL parser would quietly drop these.
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(refuse("not a URL"));
    }
    // `localhost:8080` is a URL, of a scheme named localhost.
    if !text.contains("://") && text.is_ascii() {
        return Err(Error::Usage {
            message: format!("{name}: not an http or https URL: {}", quoted(text)),
            hint: Some(format!("write https://{text}")),
        });
    }
    let url = Url::parse(text).map_err(|_| refuse("not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("not an http or https URL"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("no host in it"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::usage(format!("{name}: a user or password does not belong in it")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("a query or fragment does not belong in it"));
    }
    if url.port() == Some(0) {
        return Err(refuse("port 0"));
    }
    Ok(url)
}

/// The credential: from a flag or the environment for any server the caller names, from a profile
/// only for the server it was saved for.
fn token(flags: &Persistent, profile: Option<&mut Profile>, server: &Url) -> Result<Secret, Error> {
    if let Some(path) = &flags.token_file {
        return credentials::token_file(path);
    }
    if let Some(text) = env::raw(env::TOKEN) {
        let text = text.into_string().map_err(|_| Error::InvalidCredentials {
            source_name: env::TOKEN.into(),
            why: "not text".into(),
        })?;
        return credentials::token(Zeroizing::new(text), env::TOKEN);
    }
    let missing = |why: String| Error::MissingCredentials { server: shown(server), why };
    let Some(profile) = profile else { return Err(missing(String::new())) };
    let Some(text) = profile.take_token() else {
        return Err(missing(": the profile holds none".into()));
    };
    let saved_for = profile.server.as_deref().and_then(|text| parse_server("profile", text).ok());
    match saved_for {
        Some(saved_for) if shown(&saved_for) == shown(server) => {
            credentials::token(text, "the profile")
        }
        Some(saved_for) => {
            Err(missing(format!(": the profile's token is for {}", shown(&saved_for))))
        }
        None => Err(missing(": the profile does not say which server its token is for".into())),
    }
}

/// A server's URL in the one form in which two are compared.
fn shown(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for good in [
            "http://localhost:8080",
            "https://localhost:8080",
            "http://127.0.0.1:8080/ns/x",
            "https://h/scenarios/y/",
            "https://[::1]:1",
            "HTTPS://H",
        ] {
            assert!(parse_server("--server", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "localhost:8080",
            "ftp://h",
            "https://",
            "https://u@h",
            "https://u:p@h",
            "https://h?x",
            "https://h/#x",
            "https://h\n",
            " https://h",
            "file:///x",
            "https://h:0",
            "https://h:99999",
            "http:\\\\h",
            "//h",
        ] {
            assert!(parse_server("--server", bad).is_err(), "{bad}");
        }
        let error = parse_server("--server", "https://u:hunter2@h").expect_err("refused");
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn timeouts() {
        assert_eq!(timeout(None).expect("the default"), TIMEOUT);
        assert_eq!(timeout(Some("0.5")).expect("half"), Duration::from_millis(500));
        for bad in ["", "0", "-1", "x", "NaN", "inf", "1e9", "1s"] {
            assert!(timeout(Some(bad)).is_err(), "{bad}");
        }
    }
}
