//! What stands in front of every path: `/ns/<name>` chooses the world, `/scenarios/<name>`
//! what answers in its place.

use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};

use crate::control;
use crate::namespace::{Installation, Namespace, NamespaceError, Namespaces};
use crate::systems::k0rdent;
use crate::systems::plexsphere::{self, Exchange, Generation, Refusal};
use crate::systems::rancher;

/// What a running server answers from.
#[derive(Debug)]
pub struct Server {
    pub namespaces: Namespaces,
    pub generation: Generation,
    /// The ready line, as JSON.
    pub ready: String,
    pub reach: Arc<Reach>,
}

/// How clients reach the server over TLS, for documents that tell them.
#[derive(Debug)]
pub struct Reach {
    /// `https://localhost:<port>`
    pub https: String,
    /// The authority of its certificate.
    pub ca_pem: String,
}

/// A path taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Route<'p> {
    namespace: Option<&'p str>,
    scenario: Option<&'p str>,
    /// Everything before `rest`.
    base: &'p str,
    rest: &'p str,
}

impl<'p> Route<'p> {
    fn read(path: &'p str) -> Self {
        let (namespace, rest) = prefixed(path, "/ns/");
        let (scenario, rest) = prefixed(rest, "/scenarios/");
        Self { namespace, scenario, base: &path[..path.len() - rest.len()], rest }
    }
}

/// The segment after `prefix`, and what follows it.
fn prefixed<'p>(path: &'p str, prefix: &str) -> (Option<&'p str>, &'p str) {
    let Some(tail) = path.strip_prefix(prefix) else { return (None, path) };
    let end = tail.find('/').unwrap_or(tail.len());
    (Some(&tail[..end]), &tail[end..])
}

pub async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let route = Route::read(path);
    let (namespace, refused) = match route.namespace.map(|name| server.namespaces.named(name)) {
        None => (server.namespaces.default_one(), None),
        Some(Ok(namespace)) => (namespace, None),
        Some(Err(error)) => (server.namespaces.default_one(), Some(error)),
    };
    if refused.is_none() && k0rdent::owns(route.rest) {
        let reach = Arc::clone(&server.reach);
        let x = k0rdent::Exchange::open(&namespace, &head, route.base, body, reach);
        let rest = route.rest.to_owned();
        let scenario = route.scenario.map(str::to_owned);
        return k0rdent::answer(x, scenario, &rest, head).await;
    }
    if refused.is_none() && rancher::owns(route.rest, &head.headers) {
        let visit = visit(&server, &namespace, &head, &route);
        return rancher::answer(visit, route.rest, &head, body).await;
    }
    let x = exchange(&server, namespace, &head, route.base, body);
    if let Some(error) = refused {
        return x.finish(Err(refuse(&error))).await;
    }
    if let Some(what) = route.rest.strip_prefix(control::BASE)
        && route.scenario.is_none()
    {
        return control::respond(x, what, &head.method, &server).await;
    }
    match route.scenario {
        Some(name) => plexsphere::play(x, name, route.rest, &head).await,
        None => plexsphere::answer(x, route.rest, &head).await,
    }
}

fn exchange(
    server: &Server,
    namespace: Arc<Namespace>,
    head: &Parts,
    base: &str,
    body: Incoming,
) -> Exchange {
    let installation: Arc<Installation> = namespace.installation();
    let now = installation.clock.now();
    let path = head.uri.path().into();
    let trail = namespace.trail(&installation, now, head.method.as_str(), &path);
    Exchange {
        namespace,
        installation,
        generation: server.generation,
        now,
        path,
        base: base.to_owned(),
        trail,
        body: Some(body),
        caller: None,
    }
}

fn visit(
    server: &Server,
    namespace: &Arc<Namespace>,
    head: &Parts,
    route: &Route<'_>,
) -> rancher::Visit {
    let installation = namespace.installation();
    let now = installation.clock.now();
    let trail = namespace.trail(&installation, now, head.method.as_str(), &head.uri.path().into());
    let reach = Arc::clone(&server.reach);
    let scenario = route.scenario.map(str::to_owned);
    rancher::Visit { installation, now, base: route.base.to_owned(), trail, reach, scenario }
}

fn refuse(error: &NamespaceError) -> Refusal {
    match error {
        NamespaceError::Name => Refusal::new(400, "invalid_namespace", error.to_string()),
        NamespaceError::Full => Refusal::new(503, "namespace_limit_reached", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_taken_in_their_order() {
        let read = |path| {
            let route = Route::read(path);
            (route.namespace, route.scenario, route.base, route.rest)
        };
        assert_eq!(read("/v1/projects"), (None, None, "", "/v1/projects"));
        assert_eq!(read("/ns/a/v1/x"), (Some("a"), None, "/ns/a", "/v1/x"));
        assert_eq!(read("/scenarios/s/v1"), (None, Some("s"), "/scenarios/s", "/v1"));
        let both = (Some("a"), Some("s"), "/ns/a/scenarios/s", "/v1");
        assert_eq!(read("/ns/a/scenarios/s/v1"), both);
        assert_eq!(read("/ns/a"), (Some("a"), None, "/ns/a", ""));
        assert_eq!(read("/ns/"), (Some(""), None, "/ns/", ""));
        assert_eq!(read("/scenarios/s/ns/a/v1").3, "/ns/a/v1");
    }
}
