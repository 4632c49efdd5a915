//! The server as its callers meet it: over a socket, through the library entry.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod budget;
mod client;
mod clock;
mod control;
#[cfg(unix)]
mod door_clients;
mod door_tcp;
mod doors;
mod generations;
mod issue;
mod k0rdent;
mod k0rdent_cluster;
mod listing;
mod namespaces;
mod process;
mod robustness;
mod scenarios;
mod tokens;
