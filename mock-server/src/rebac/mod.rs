//! Who stands in which relation to what: the evaluation of relation tuples.
//!
//! Pure and deterministic. It knows nothing of HTTP, of sessions or of the rest of the world: it is
//! given tuples, permissions and a moment, and it answers with a [`Decision`] that can name the
//! chain of relations it followed.

mod caveat;
mod model;
mod search;
#[cfg(test)]
mod tests;
mod tuple;

pub use caveat::Caveat;
pub use model::{Model, ModelError, Permissions};
pub use search::{CheckContext, Decision, MAX_DEPTH, Reason};
pub use tuple::{Relation, Subject, Tuple, TupleError};
