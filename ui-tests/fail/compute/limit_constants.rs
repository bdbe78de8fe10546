//! Constants that are no limit.

const NONE: u32 = 0;
const TEXT: &str = "4";

#[loom::compute(max_concurrent = NONE)]
fn zero() {}

#[loom::compute(max_concurrent = TEXT)]
fn text() {}

fn main() {}
