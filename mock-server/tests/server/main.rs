//! The server as its callers meet it: over a socket, through the library entry.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attach;
mod budget;
mod callback;
mod client;
mod clock;
mod control;
#[cfg(unix)]
mod door_clients;
#[cfg(unix)]
mod door_ends;
#[cfg(target_os = "linux")]
mod door_garbage;
mod door_host;
#[cfg(target_os = "linux")]
mod door_many;
mod door_tcp;
mod doors;
mod faults;
mod generations;
#[cfg(unix)]
mod host_shell;
mod issue;
mod k0rdent;
mod k0rdent_cluster;
mod kubeconfig_scenarios;
mod listing;
mod namespaces;
mod patience;
mod process;
mod robustness;
mod scenarios;
mod tokens;
