#[loom::compute(key = " ")]
fn one() {}

#[loom::compute(key = name)]
fn other() {}

fn main() {}
