//! Answers chosen by name, `/scenarios/<name>`: a control plane that says exactly this, every time.
//!
//! The files are data shared with every other reader of `fixtures/scenarios`; here is one of the two
//! players of that format. A scenario has no state: what it answers depends on the request alone, so
//! any number of clients can use it side by side.

mod file;
mod fill;
mod library;
mod play;
#[cfg(test)]
mod played;

pub use file::{Again, Conclusion, Created, Kubectl, Scenario, Shown};
pub use fill::Occasion;
pub use library::{NotFound, find, names};
pub use play::{Issued, Unplayable, answer, verbatim};
