//! Documents made from a session, without touching anything.

pub(crate) mod kubeconfig;
