//! What a world has to keep to beyond its form: limits, and tokens and keys that mean one thing.

use hashbrown::{HashMap, HashSet};

use super::directory::{Login, NodeLogin, at, wrong};
use super::file::{WorldError, WorldFile};

pub(super) fn collect_tokens(file: &WorldFile) -> Result<HashMap<String, Login>, WorldError> {
    let mut tokens = HashMap::new();
    for (n, identity) in file.identities.iter().enumerate() {
        for (m, token) in identity.tokens.iter().enumerate() {
            let place = || format!("identities[{n}].tokens[{m}].token");
            if token.token.is_empty() || !token.token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong(place(), "a token is printable ASCII without spaces"));
            }
            let login = Login { identity: at(n), token: at(m) };
            if tokens.insert(token.token.clone(), login).is_some() {
                return Err(wrong(place(), format!("`{}` is there twice", token.token)));
            }
        }
    }
    Ok(tokens)
}

pub(super) fn collect_keys(file: &WorldFile) -> Result<HashMap<String, NodeLogin>, WorldError> {
    let mut keys = HashMap::new();
    for (n, node) in file.nodes.iter().enumerate() {
        for (m, key) in node.keys.iter().enumerate() {
            let place = || format!("nodes[{n}].keys[{m}].nsk");
            if key.nsk.is_empty() || !key.nsk.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong(place(), "a key is printable ASCII without spaces"));
            }
            if keys.insert(key.nsk.clone(), NodeLogin { node: at(n), key: at(m) }).is_some() {
                return Err(wrong(place(), "this key is there twice"));
            }
        }
    }
    Ok(keys)
}

/// The longest host that leaves room for a user in an endpoint.
const LONGEST_HOST: usize = 100;

/// A host goes into endpoints, URIs and a certificate as it is.
pub(super) fn check_host(file: &WorldFile) -> Result<(), WorldError> {
    let Some(host) = &file.listeners.host else { return Ok(()) };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fits = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && !host.starts_with('-')
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    };
    if fits && host.len() <= LONGEST_HOST {
        return Ok(());
    }
    let what = "a name or an address, an IPv6 one in brackets, of at most 100 bytes";
    Err(wrong("listeners.host".to_owned(), what))
}

pub(super) fn check_policies(file: &WorldFile) -> Result<(), WorldError> {
    for (n, domain) in file.domains.iter().enumerate() {
        let (policy, place) = (&domain.session_policy, format!("domains[{n}].session_policy"));
        if policy.default_ttl_seconds == 0 || policy.max_ttl_seconds < policy.default_ttl_seconds {
            let what = "default_ttl_seconds is at least 1, max_ttl_seconds at least that";
            return Err(wrong(place, what));
        }
        if policy.idle_timeout_seconds.is_some_and(|idle| idle == 0 || idle > 86_400) {
            return Err(wrong(place, "idle_timeout_seconds is 1 to 86400, or null"));
        }
    }
    for (n, resource) in file.resources.iter().enumerate() {
        let distinct: HashSet<_> = resource.kinds.iter().collect();
        if resource.kinds.is_empty() || distinct.len() != resource.kinds.len() {
            return Err(wrong(
                format!("resources[{n}].kinds"),
                "name each kind once, at least one",
            ));
        }
    }
    Ok(())
}
