//! The referee of this workspace: rules that judge any plexctl and any control plane.
//!
//! The map of the rooms:
//! - `rule`: what a rule is; `rules`: the rules themselves; `catalogue`: all of them, sorted
//! - `bench`: everything a rule may touch (subject, sandbox, referee, server, contract)
//! - `target`: whom we judge; `subjects`: where our own binaries are found; `runner`: one rule or many against it; `interrupt`: how a run ends early; `verdict`: what came out
//! - `saboteur`: subjects that are broken on purpose, so that every rule can be seen to fail
//! - `fixture`: the shared data files, compiled in
//! - `cli`, `commands`, `known`, `shard`, `report`, `exit`: the standalone runner; `tables`: the pages it generates
//! - `judge`: the catalogue for the tests of other Rust projects
//!
//! Two doors lead in: `tests/catalogue.rs` for `cargo test`, `main.rs` for any binary on any path.

pub mod bench;
pub mod catalogue;
pub mod cli;
pub mod commands;
pub mod exit;
pub mod fixture;
pub mod interrupt;
mod judge;
pub mod known;
pub mod report;
pub mod rule;
mod rules;
pub mod runner;
pub mod saboteur;
pub mod shard;
pub mod subjects;
pub mod tables;
pub mod target;
pub mod verdict;

pub use judge::Judge;
