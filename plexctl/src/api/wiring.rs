//! How the API client reaches a server: names, proxies, and whether an answer has begun.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Proxy, ProxyProtocol};
use url::Url;

use crate::env;
use crate::error::Error;

/// Resolves addresses without asking anybody where nobody need be asked. `localhost` is the
/// loopback interface and nothing else, so plain http to it cannot be led off this machine; real
/// names go to the system's resolver, on a thread that can be given up.
#[derive(Debug, Default)]
pub(crate) struct DirectResolver(DefaultResolver);

impl Resolver for DirectResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let mut addresses = self.empty();
        if bare.eq_ignore_ascii_case("localhost") {
            addresses.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
            addresses.push(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        } else if let Ok(ip) = bare.parse::<IpAddr>() {
            addresses.push(SocketAddr::new(ip, port));
        } else {
            return self.0.resolve(uri, config, timeout);
        }
        Ok(addresses)
    }
}

/// Notes when the first byte of an answer arrives: until then, and only until then, a broken
/// connection may be tried once more (docs/decisions/0020-*.md).
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness(Arc<AtomicBool>);

impl Witness {
    /// Whether any byte of an answer has been seen.
    pub(crate) fn answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<In: Transport> Connector<In> for Witness {
    type Out = Watched<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // A proxy's reply to CONNECT is no answer of the server.
        self.0.store(false, Ordering::Relaxed);
        Ok(chained.map(|inner| Watched { inner, answered: self.clone() }))
    }
}

/// A connection that tells the witness.
#[derive(Debug)]
pub(crate) struct Watched<In> {
    inner: In,
    answered: Witness,
}

impl<In: Transport> Transport for Watched<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let progress = self.inner.await_input(timeout)?;
        if progress {
            self.answered.0.store(true, Ordering::Relaxed);
        }
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Whether a URL stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The proxy for a server, by the environment; never one for the loopback interface.
pub(crate) fn proxy(server: &Url) -> Result<Option<Proxy>, Error> {
    if is_loopback(server) {
        return Ok(None);
    }
    let https = server.scheme() == "https";
    let names: &[&str] = if https { &env::HTTPS_PROXY } else { &env::HTTP_PROXY };
    let Some((name, value)) = env::first(names) else { return Ok(None) };
    if env::first(&env::NO_PROXY)
        .is_some_and(|(_, list)| bypasses(&list, server.host_str().unwrap_or_default()))
    {
        return Ok(None);
    }
    // The value may hold a password, so the message names the variable and not its content.
    match Proxy::new(&value) {
        Ok(proxy) if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => {
            Ok(Some(proxy))
        }
        _ => Err(Error::usage(format!("{name}: not the URL of an http proxy"))),
    }
}

/// Whether a list like `example.com,.internal,*` covers a host: each entry stands for itself and
/// for what is below it.
fn bypasses(list: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let name = entry.trim_start_matches('*').trim_start_matches('.');
        entry == "*"
            || !name.is_empty()
                && host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_judged_by_host_and_not_by_prefix() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://127.1", true),
            ("http://[::1]:1", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a url")), expected, "{url}");
        }
    }

    #[test]
    fn proxy_exceptions() {
        for (list, host, expected) in [
            ("*", "a.b", true),
            ("example.com", "example.com", true),
            ("example.com", "api.example.com", true),
            (".example.com", "api.EXAMPLE.com", true),
            ("*.example.com", "api.example.com", true),
            ("example.com", "badexample.com", false),
            ("", "a.b", false),
            (",, ,", "a.b", false),
            ("x, 10.0.0.1", "10.0.0.1", true),
        ] {
            assert_eq!(bypasses(list, host), expected, "{list} {host}");
        }
    }
}
