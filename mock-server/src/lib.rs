//! A mock control plane on one machine.
pub mod cluster;
pub mod listeners;
pub mod machine;
