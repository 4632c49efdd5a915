//! A control plane on one machine.

pub mod authority;
pub mod net;
pub mod rebac;
