//! The referee of this workspace: rules that judge any plexctl and any control plane.
//!
//! The map of the rooms:
//! - `rule`: what a rule is; `rules`: the rules themselves; `catalogue`: all of them, sorted
//! - `bench`: everything a rule may touch (subject, sandbox, referee, server, contract)
//! - `target`: whom we judge; `subjects`: where our own binaries are found; `runner`: one rule or many against it; `verdict`: what came out
//! - `fixture`: the shared data files, compiled in; `report`: how verdicts are written down
//!
//! Two doors lead in: `tests/catalogue.rs` for `cargo test`, `main.rs` for any binary on any path.

pub mod bench;
pub mod catalogue;
pub mod fixture;
pub mod rule;
mod rules;
pub mod runner;
pub mod subjects;
pub mod target;
pub mod verdict;
