//! A simulated Kubernetes cluster: given who is calling, it answers requests as an API
//! server would, so that a stock kubectl works against it. It opens no port and knows
//! nothing of tokens; whoever stands in front of it has done the asking who.

mod admission;
mod birth;
mod delete;
mod description;
mod documents;
mod furnish;
pub(crate) mod kinds;
mod logs;
pub(crate) mod permissions;
mod route;
mod scheduling;
mod table;
mod write;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use crate::kube::{store, yaml};

pub use crate::kube::{Call, Caller, Clock, Ended, RequestInfo, Rule};
pub use description::{
    Age, ClusterDescription, ContainerDescription, DataDescription, DeploymentDescription,
    DescriptionError, EventDescription, NamespaceDescription, NodeDescription, PodDescription,
    PodState, PortDescription, ServiceDescription,
};

/// The cluster where nobody describes another.
const SHOP: &str = include_str!("../../../fixtures/worlds/clusters/shop.yaml");

/// One cluster. Clones are the same cluster.
#[derive(Clone)]
pub struct Cluster(Arc<Inside>);

pub(crate) struct Inside {
    name: String,
    version: String,
    rules: Vec<Rule>,
    store: Arc<store::Store>,
    logs: logs::Logs,
}

impl Cluster {
    /// Builds the cluster as it stands at `now`; ages in the description count back from there.
    pub fn from_description(
        description: &ClusterDescription,
        now: Timestamp,
    ) -> Result<Self, DescriptionError> {
        route::check_version(&description.version)?;
        let (store, logs) = furnish::furnish(description, now)?;
        let rules = description.rbac.clone().unwrap_or_else(permissions::default_rules);
        Ok(Self(Arc::new(Inside {
            name: description.name.clone(),
            version: description.version.clone(),
            rules,
            store: Arc::new(store),
            logs,
        })))
    }

    /// The cluster as described in a world, or else the embedded shop.
    pub fn described(
        description: Option<&Value>,
        now: Timestamp,
    ) -> Result<Self, DescriptionError> {
        let error = |error: &dyn std::fmt::Display| DescriptionError(error.to_string());
        let description = match description {
            None => serde_saphyr::from_str(SHOP).map_err(|why| error(&why))?,
            Some(one) => ClusterDescription::deserialize(one).map_err(|why| error(&why))?,
        };
        Self::from_description(&description, now)
    }

    /// What it says its version is.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Answers one request. The path is the API server's own, beginning with `/api`, `/apis`
    /// and so on; the response carries the [`RequestInfo`] it was judged by as an extension.
    pub async fn answer(&self, call: Call, request: Request<Bytes>) -> Response<Body> {
        let headers = request.headers().clone();
        yaml::as_asked(&headers, route::answer(&self.0, call, request)).await
    }
}

/// The OpenAPI document of one of the cluster's groups, under `/openapi/v3/<path>`.
pub(crate) fn document(path: &str) -> Option<&'static str> {
    documents::of(path)
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Cluster").field(&self.0.name).finish()
    }
}
