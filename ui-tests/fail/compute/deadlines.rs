//! Deadlines that are none.

#[loom::compute(deadline = "5 parsecs")]
fn parsecs() {}

#[loom::compute(deadline = "0s")]
fn nothing() {}

#[loom::compute(deadline = 250)]
fn no_unit() {}

#[loom::compute(deadline = -1)]
fn negative() {}

#[loom::compute(deadline = "25h")]
fn too_long() {}

#[loom::compute(deadline)]
fn no_value() {}

#[loom::compute(deadline = "1s", scope)]
fn borrows(text: &str) -> usize {
    text.len()
}

fn main() {}
