//! The doors of the node side.
