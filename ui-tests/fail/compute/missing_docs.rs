//! Public functions want documentation, annotated or not.

#![deny(missing_docs)]

#[loom::compute]
pub fn undocumented() {}

/// A cart.
#[derive(Debug)]
pub struct Cart;

impl Cart {
    #[loom::compute]
    pub fn total(self) -> u32 {
        1
    }
}

fn main() {}
