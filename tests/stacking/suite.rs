//! Loom's attributes among those of other crates.

mod names;
mod stacking;

pub(crate) use names::seen;
