//! What happens on this machine once a session is there.

pub(crate) mod askpass;
pub(crate) mod forwarder;
pub(crate) mod sink;
pub(crate) mod ssh_client;
pub(crate) mod tunnel;
mod vouch;
