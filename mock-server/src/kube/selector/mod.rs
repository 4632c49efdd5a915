//! Choosing objects: by labels, and by the few fields each kind offers.

mod fields;
mod labels;

pub(crate) use fields::FieldSelector;
pub(crate) use labels::{LabelSelector, is_name_part};
