//! A control plane on one machine: real tokens, real relations, every refusal.
//!
//! The rooms, and who may know whom: `main` and `cli` start `boot`, which puts the server
//! together; `route` finds the namespace and hands each request to a system in `systems` or to
//! `control`; systems ask `gate`, which asks `rebac` and `authority`; all of them live in a
//! `namespace` of the `world`. What an issued session leads to is put together by `node`, from
//! the doors in `listeners` and from what answers behind them, `machine` and `cluster`. What
//! all Kubernetes APIs do alike is in `kube`. `net` carries bytes and knows nothing of what they mean.

pub mod authority;
pub mod boot;
pub mod cli;
pub mod cluster;
pub mod control;
pub mod gate;
pub mod kube;
pub mod listeners;
pub mod machine;
pub mod namespace;
pub mod net;
pub mod node;
pub mod rebac;
pub mod route;
pub mod scenario;
pub mod systems;
mod underway;
pub mod world;

pub use boot::{Builder, MockServer, StartError};
pub use cli::run;
pub use systems::plexsphere::Generation;
