//! The ssh listener in front of the simulated machine, judged with stock
//! clients: OpenSSH, dropbear's dbclient, and a library client that can ask
//! for what those two would not.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod door;
mod dropbear;
mod ending;
mod library;
mod limits;
mod openssh;
mod terminal;
