//! The dialects this server speaks, one room each. They share the gate and nothing else.

pub mod plexsphere;
