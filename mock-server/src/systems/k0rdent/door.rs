//! Where an issued kubeconfig leads: the API of the simulated cluster, open to the secrets that
//! were issued for it, for as long as they are good.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use jiff::Timestamp;

use super::document;
use super::exchange::{self, Exchange};
use crate::cluster::{Call, Caller, Cluster};
use crate::kube::body::LIMIT;
use crate::kube::status::Refusal;
use crate::namespace::Installation;
use crate::net::intake;
use crate::world::k0rdent::{Kubeconfig, Site};

/// What stands before the paths of the clusters; the published API has none for them.
pub const BASE: &str = "/k0rdent";

/// The name that requests to a cluster are counted by.
const OPERATION: &str = "ClusterRequest";

/// Answers one request below [`BASE`]; `path` begins with it.
pub async fn answer(mut x: Exchange, path: &str, head: Parts) -> Response<Body> {
    x.trail.operation = OPERATION;
    let response = visit(&mut x, path, head).await;
    x.finish(Ok(response)).await
}

async fn visit(x: &mut Exchange, path: &str, mut head: Parts) -> Response<Body> {
    let secret = exchange::bearer(&head.headers);
    let known = secret.and_then(|secret| x.installation.k0rdent().by_secret(secret, x.now));
    let Some((kubeconfig, rest)) = known.zip(Way::read(path)).and_then(|(kubeconfig, way)| {
        way.leads_to(&x.installation, kubeconfig.site).then_some((kubeconfig, way.rest))
    }) else {
        return Refusal::unauthorized().response();
    };
    x.trail.identity = Some(Arc::from(&*kubeconfig.user));
    let rest = if rest.is_empty() { "/" } else { rest };
    let wanted = match head.uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let Ok(uri) = PathAndQuery::try_from(wanted) else {
        return Refusal::bad_request("this is no path").response();
    };
    head.uri = Uri::from(uri);
    // The API server has no use for it, and cannot lose what it never had.
    head.headers.remove(AUTHORIZATION);
    let body = match x.body.take() {
        Some(body) => intake::take(body, LIMIT, x.installation.patience).await,
        None => Ok(Bytes::new()),
    };
    let body = match body {
        Ok(body) => body,
        Err(lost) => return Refusal::lost(lost).response(),
    };
    let Some(cluster) = cluster(&x.installation, kubeconfig.site) else {
        return Refusal::internal("the cluster cannot be made").response();
    };
    cluster.answer(call(&x.installation, &kubeconfig), Request::from_parts(head, body)).await
}

/// `/k0rdent/regions/{region}/projects/{project}/clusters/{cluster}`, and what follows it.
struct Way<'p> {
    region: &'p str,
    project: &'p str,
    cluster: &'p str,
    rest: &'p str,
}

impl<'p> Way<'p> {
    fn read(path: &'p str) -> Option<Self> {
        let (region, rest) = path.strip_prefix(BASE)?.strip_prefix("/regions/")?.split_once('/')?;
        let (project, rest) = rest.strip_prefix("projects/")?.split_once('/')?;
        let rest = rest.strip_prefix("clusters/")?;
        let (cluster, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some(Self { region, project, cluster, rest })
    }

    fn leads_to(&self, installation: &Installation, site: Site) -> bool {
        let world = &installation.directory.file.k0rdent;
        world.regions[site.region].id == self.region
            && world.project(site).id == self.project
            && world.cluster(site).id == self.cluster
    }
}

fn cluster(installation: &Installation, site: Site) -> Option<Cluster> {
    let world = &installation.directory.file;
    let name = world.k0rdent.cluster(site).cluster.as_ref();
    let described = name.and_then(|name| world.clusters.get(name));
    let own = document::cluster_path(&world.k0rdent, site, "");
    installation.clusters.of(own, described, installation.clock.now())
}

fn call(installation: &Arc<Installation>, kubeconfig: &Kubeconfig) -> Call {
    let weak = Arc::downgrade(installation);
    let mut over = kubeconfig.over();
    Call {
        caller: Caller {
            user: kubeconfig.user.to_string(),
            groups: kubeconfig.groups.clone(),
            ..Caller::default()
        },
        clock: Arc::new(move || {
            weak.upgrade().map_or_else(Timestamp::now, |installation| installation.clock.now())
        }),
        ended: Box::pin(async move {
            // An error means that the world itself is gone.
            let _ = over.wait_for(|over| *over).await;
        }),
    }
}
