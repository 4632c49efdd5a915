//! Accepting connections: one port for http and https, bounded in number and in time.
//!
//! A connection is served by hyper until a response carries a [`Script`]; then the raw stream is
//! taken back and the script is played on it, byte for byte and moment for moment, which is how
//! the server can be slow, silent, malformed or gone on purpose. A 101 that carries a [`Handover`]
//! gives the stream away.

mod connection;
mod handover;
pub mod intake;
mod script;
mod serve;
#[cfg(test)]
pub(crate) mod stand;
#[cfg(test)]
mod tests;
mod wording;

pub use connection::Peer;
pub use handover::{Duplex, Handover};
pub use script::{Script, Step};
pub use serve::{Tls, serve};
