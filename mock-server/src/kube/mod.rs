//! What every Kubernetes API server does alike, whatever it serves: reading requests, finding
//! its way between media types, versions and watches, tables, selectors, patches, refusals.
//! Which kinds there are, who may use them and what a write means is said by whoever serves
//! them: the simulated cluster, and systems whose API is Kubernetes'.

pub(crate) mod age;
pub(crate) mod body;
pub(crate) mod deletion;
pub(crate) mod discovery;
pub(crate) mod fingerprint;
pub(crate) mod front;
pub(crate) mod impersonation;
mod kind;
pub(crate) mod negotiate;
pub(crate) mod openapi;
pub(crate) mod patch;
pub(crate) mod protobuf;
pub(crate) mod rbac;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod review;
pub(crate) mod selector;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod stream;
pub(crate) mod strict;
pub(crate) mod table;
pub(crate) mod watch;
pub(crate) mod write;
pub(crate) mod yaml;

use std::sync::Arc;

use jiff::Timestamp;

pub(crate) use kind::{Kind, READ, Subresource};
pub use rbac::{Caller, Rule};
pub use request::RequestInfo;
pub use stream::Ended;

/// What time it is, asked again whenever it matters: a watch may outlast an hour.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything about a call that is not in the request.
pub struct Call {
    pub caller: Caller,
    pub clock: Clock,
    /// Ends watches and followed logs.
    pub ended: Ended,
}
