//! Broken on purpose: clients and servers with one defect each, made of an honest program and a
//! piece of data, so that every rule can be seen to fail.
//!
//! - `subject`: the data; `edit`: the small changes it is written in
//! - `stand`: where a subject is found and started by its path, and where it notes that it acted
//! - `client`, `files`, `ssh`: a plexctl with a defect; `server`: a control plane with one
//! - `words`: what either is started with; `between`: a relay between the client and its server
//! - `relay`, `exchange`, `traffic`, `token`: what passes between the two, changed on the way;
//!   `wire`, `message`, `odd`, `alone`, `socket`: the bytes of it
//! - `door`: the same in front of the listeners that sessions lead to
//! - `supervise`: the honest program inside the broken one
//! - `scout`: an honest run, watched for the chances that defects would have had
//! - `selfcheck`: each subject against the rules it names, and against all the others

mod alone;
mod between;
mod client;
mod door;
mod edit;
mod exchange;
mod files;
mod message;
mod odd;
mod relay;
mod scout;
pub mod selfcheck;
mod server;
mod socket;
mod ssh;
mod stand;
pub mod subject;
mod supervise;
mod token;
mod traffic;
mod wire;
mod words;

use std::process::ExitCode;

pub use self::edit::Edit;
use self::stand::{Role, Stand};

/// Plays the broken subject this program was started as, if it was started as one.
pub fn play() -> Option<ExitCode> {
    let called = std::env::args_os().next()?;
    let (stand, role) = Stand::of(&called)?;
    Some(match role {
        Role::Client => client::play(&stand),
        Role::Server => server::play(&stand),
        Role::Ssh => ssh::play(&stand),
    })
}
