//! The dialects this server speaks, one room each. They share the gate and nothing else.

pub mod k0rdent;
pub mod plexsphere;
pub mod rancher;
