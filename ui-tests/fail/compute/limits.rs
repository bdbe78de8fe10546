//! Limits of calls that run at a time.

#[loom::compute(max_concurrent = 0)]
fn zero() {}

#[loom::compute(max_concurrent = -1)]
fn negative() {}

#[loom::compute(max_concurrent = "4")]
fn text() {}

#[loom::compute(max_concurrent = 1.5)]
fn broken() {}

#[loom::compute(max_concurrent = 1000001)]
fn too_many() {}

#[loom::compute(max_concurrent)]
fn nothing() {}

#[loom::compute(max_concurrent = 4, scope)]
fn borrows(text: &str) -> usize {
    text.len()
}

#[loom::compute(max_concurent = 4)]
fn misspelled() {}

fn main() {}
