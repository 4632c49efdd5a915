//! Rancher as its callers meet it: every command of its page through stock kubectls, and
//! requests that no kubectl would send.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod changes;
mod clusters;
mod creation;
mod endings;
mod forms;
mod goldens;
#[path = "../cluster/kubectls.rs"]
mod kubectls;
mod library;
mod many;
mod page;
mod rooms;
mod scenarios;
mod visibility;
