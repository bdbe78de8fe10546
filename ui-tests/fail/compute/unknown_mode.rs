#[loom::compute(mode = "offloaded")]
fn one() {}

#[loom::compute(mode = "sometimes")]
fn other() {}

fn main() {}
