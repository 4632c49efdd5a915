//! What is true in one simulated installation: who exists, what time it is, and
//! which sessions are alive. Nothing in here knows HTTP, relations or signatures.

pub mod annex;
mod checks;
pub mod clock;
pub mod directory;
pub mod embedded;
pub mod faults;
pub mod file;
pub mod ids;
pub mod journal;
pub mod k0rdent;
pub mod kind;
pub mod nodes;
pub mod rancher;
pub mod sessions;
