//! What a scope lends it takes back.

use std::cell::Cell;

#[loom::compute(scope)]
fn not_sync(n: &Cell<u32>) -> u32 {
    n.get()
}

#[loom::compute(scope)]
fn longest(a: &str, b: &str) -> &str {
    if a.len() < b.len() { b } else { a }
}

fn main() {}
