//! A simulated Kubernetes cluster: given who is calling, it answers requests as an API
//! server would, so that a stock kubectl works against it. It opens no port and knows
//! nothing of tokens; whoever stands in front of it has done the asking who.

mod admission;
mod age;
mod birth;
mod body;
mod delete;
mod description;
mod discovery;
mod fingerprint;
mod furnish;
mod impersonation;
mod kinds;
mod logs;
mod negotiate;
mod openapi;
mod patch;
mod protobuf;
mod rbac;
mod read;
mod request;
mod review;
mod route;
mod scheduling;
mod selector;
mod status;
mod store;
mod stream;
mod table;
mod watch;
mod write;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use jiff::Timestamp;

pub use description::{
    Age, ClusterDescription, ContainerDescription, DataDescription, DeploymentDescription,
    DescriptionError, EventDescription, NamespaceDescription, NodeDescription, PodDescription,
    PodState, PortDescription, ServiceDescription,
};
pub use rbac::{Caller, Rule};
pub use request::RequestInfo;
pub use stream::Ended;

/// What time it is, asked again whenever it matters: a watch may outlast an hour.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

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

/// Everything about a call that is not in the request.
pub struct Call {
    pub caller: Caller,
    pub clock: Clock,
    /// Ends watches and followed logs.
    pub ended: Ended,
}

impl Cluster {
    /// Builds the cluster as it stands at `now`; ages in the description count back from there.
    pub fn from_description(
        description: &ClusterDescription,
        now: Timestamp,
    ) -> Result<Self, DescriptionError> {
        route::check_version(&description.version)?;
        let (store, logs) = furnish::furnish(description, now)?;
        let rules = description.rbac.clone().unwrap_or_else(rbac::default_rules);
        Ok(Self(Arc::new(Inside {
            name: description.name.clone(),
            version: description.version.clone(),
            rules,
            store: Arc::new(store),
            logs,
        })))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Answers one request. The path is the API server's own, beginning with `/api`, `/apis`
    /// and so on; the response carries the [`RequestInfo`] it was judged by as an extension.
    pub async fn answer(&self, call: Call, request: Request<Bytes>) -> Response<Body> {
        route::answer(&self.0, call, request)
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Cluster").field(&self.0.name).finish()
    }
}
