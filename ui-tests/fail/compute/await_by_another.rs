//! An attribute above that awaits, and the order that works.

#[suite_macros::awaits]
#[loom::compute]
async fn above(items: Vec<u64>) -> u64 {
    items.iter().sum()
}

#[loom::compute]
#[suite_macros::awaits]
async fn below(items: Vec<u64>) -> u64 {
    items.iter().sum()
}

fn main() {}
