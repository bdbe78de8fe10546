//! An attribute above that awaits works on an `async fn`, and not on another function.

#[suite_macros::awaits]
#[loom::compute]
async fn above(items: Vec<u64>) -> u64 {
    items.iter().sum()
}

#[suite_macros::awaits]
#[loom::compute]
fn not_async(items: Vec<u64>) -> u64 {
    items.iter().sum()
}

fn main() {}
